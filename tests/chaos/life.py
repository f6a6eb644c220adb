"""One life of Lotwise: a process that owns the workspace, does what it is told, and may be killed at any moment."""

import os
import random
import resource
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any

from core import actions
from core import workspace as outermost
from core.errors import LotwiseError
from core.gateway import AnthropicGateway
from core.jobs.repair import NothingToRepair
from core.jobs.states import JobState
from core.planning import identity
from core.planning.plan import NothingToPlan
from core.settings import Settings
from core.workspace import Workspace

_CORE = str(Path(outermost.__file__).parent)
ROOMS = tuple(f"{_CORE}/{room}" for room in ("jobs/", "handover/", "gateway/", "worker.py", "actions/", "store/"))
"""The code that sends, journals and stores."""
_AT_REST = (JobState.DONE, JobState.FAILED, JobState.CANCELED, JobState.HELD, JobState.GONE)


@dataclass(frozen=True, kw_only=True)
class Birth:
    """How a life begins: its folder, its settings, what its clock says, and when it is killed, if it is.

    `kill_line`: SIGKILL before the n-th line that it runs in the rooms that send, journal and store.
    `kill_seconds`: SIGALRM, which nothing handles, that long after its birth: between any two instructions.
    """

    folder: Path
    now: datetime
    seed: str
    settings: dict[str, Any] = field(default_factory=dict)
    kill_line: int | None = None
    kill_seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a command came to: the error that a user would see, and how the workspace stands.

    `items` counts where the items stand, and is empty while jobs are under way.
    """

    said: str | None
    trouble: str | None
    jobs: list[dict[str, Any]]
    items: dict[str, int]


class Tripwire:
    """Kills this process before it runs the n-th line in the rooms that send, journal and store."""

    def __init__(self, lines: int) -> None:
        self._left = lines

    def arm(self) -> None:
        """Count from here on, in this thread and in those that it starts."""
        threading.settrace(self._enter)
        sys.settrace(self._enter)

    def _enter(self, frame: FrameType, _event: str, _argument: Any) -> Callable[..., Any] | None:
        return self._line if frame.f_code.co_filename.startswith(ROOMS) else None

    def _line(self, _frame: FrameType, event: str, _argument: Any) -> Callable[..., Any]:
        if event == "line":
            self._left -= 1
            if self._left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return self._line


class Life:
    """A workspace open in this process; `now` stands still between two commands."""

    def __init__(self, birth: Birth, gateway: AnthropicGateway) -> None:
        self._now, self._seconds = birth.now, 0.0
        outermost.utc_now = lambda: self._now
        outermost.stopwatch = lambda: self._seconds
        # What becomes of an item is drawn from the id that it is sent with.
        identity.secrets = random.Random(birth.seed)  # type: ignore[attr-defined, assignment]
        self._workspace = Workspace.open(birth.folder, gateway=gateway, settings=Settings(**birth.settings))

    def obey(self, command: str, now: datetime, seconds: float, arguments: dict[str, Any]) -> Report:
        """Run one command: `now` is what this machine's clock says, `seconds` is how long the world is old."""
        self._now, self._seconds = now, seconds
        said = None
        try:
            getattr(self, command)(**arguments)
        except LotwiseError as error:
            said = f"{type(error).__name__}: {error}"
        store = self._workspace.store
        jobs = store.query("jobs_in", states=list(JobState)).to_dicts()
        at_rest = all(job["state"] in _AT_REST for job in jobs)
        items = dict(store.query("status_items").iter_rows()) if at_rest else {}
        return Report(said=said, trouble=self._workspace.worker.trouble, jobs=jobs, items=items)

    def look(self) -> None:
        """Do nothing but report."""

    def trip(self, lines: int) -> None:
        """From here on, die before the n-th line that this thread runs in the rooms that send, journal and store."""
        Tripwire(lines).arm()

    def load(self, path: Path) -> None:
        """Import a request file."""
        actions.import_files(self._workspace, [path])

    def correct(self, path: Path) -> None:
        """A person edits what the API refuses as it is, and imports it again."""
        actions.import_files(self._workspace, [path], replace=True)

    def deliver(self, target: Path) -> None:
        """Have every result handed over to a file too."""
        actions.add_sink(self._workspace, str(target), now=self._now)

    def submit(self) -> None:
        """Submit the whole backlog; where nothing is left of it, an earlier life did."""
        try:
            actions.submit(self._workspace, now=self._now)
        except NothingToPlan:
            return

    def tick(self) -> None:
        """What the worker's thread does each time it wakes; as there, no error ends it."""
        with suppress(Exception):
            self._workspace.worker.tick()

    def tick_on_full_disk(self, limit_bytes: int) -> None:
        """A step while no file can grow beyond a size: what a full disk, or a quota, does to writes."""
        with _full_disk(limit_bytes):
            self.tick()

    def release(self) -> None:
        """A person has fixed the account and releases what is held."""
        for job in self._workspace.store.query("jobs_in", states=[JobState.HELD])["job_id"]:
            actions.release(self._workspace, job, now=self._now)

    def repair(self) -> None:
        """A person, who has seen to the account, repairs every failed slice."""
        for job in self._workspace.store.query("jobs_in", states=list(_AT_REST))["job_id"]:
            preview = actions.repair_preview(self._workspace, job, now=self._now)
            causes = [cause.cause for cause in preview.causes]
            with suppress(NothingToRepair):
                actions.repair(self._workspace, job, now=self._now, causes=causes)

    def close(self) -> None:
        """End as a process ends that is asked to."""
        self._workspace.close()


@contextmanager
def _full_disk(limit_bytes: int) -> Iterator[None]:
    """The kernel refuses every write beyond that many bytes of a file (SIGXFSZ is ignored, as Python does)."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


def live(birth: Birth, gateway: AnthropicGateway, driver: Connection) -> None:
    """Open the workspace, say so (or why not), and obey until the driver hangs up."""
    if birth.kill_line is not None:
        Tripwire(birth.kill_line).arm()
    if birth.kill_seconds is not None:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, birth.kill_seconds)
    try:
        life = Life(birth, gateway)
    except LotwiseError as error:
        driver.send(f"{type(error).__name__}: {error}")
        return
    driver.send(None)
    with suppress(EOFError, BrokenPipeError):  # the driver hung up
        while True:
            command, now, seconds, arguments = driver.recv()
            if command == "close":
                life.close()
                driver.send(None)
                return
            driver.send(life.obey(command, now, seconds, arguments))
