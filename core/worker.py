"""The worker: one thread that imports, sends, polls, ingests and frees bodies; its state is the store's."""

import logging
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from core.errors import LotwiseError
from core.gateway import Gateway, GatewayDown
from core.intake.classes import regroup
from core.intake.imports import ImportReport, import_file
from core.intake.inbox import inbox_folder, put_away, waiting_files
from core.intake.token_counts import count_classes
from core.jobs.polling import poll
from core.jobs.priming import release
from core.jobs.results import ResultsBroken, fetch_results
from core.jobs.sending import send, settle
from core.jobs.states import JobState
from core.prices import PriceBook
from core.settings import Settings
from core.store import Store

_log = logging.getLogger(__name__)
# The embedded server runs faster than life, and a look at it costs nothing.
_SIMULATED_POLL_SECONDS = 0.5
_IDLE_SECONDS = 2.0
# Token counts asked for between two looks at the jobs, and how long to leave a counter that gives none.
_COUNTS_A_LOOK = 10
_COUNTER_REST = timedelta(minutes=10)
_ACTIVE = [JobState.PLANNED, JobState.WAITING, JobState.UNKNOWN, JobState.RUNNING, JobState.ENDED]


class Worker:
    """Moves every job of a workspace one step at a time; restarting it anywhere loses nothing and repeats nothing."""

    def __init__(
        self,
        *,
        store: Store,
        folder: Path,
        gateway: Gateway,
        book: PriceBook,
        settings: Settings,
        clock: Callable[[], datetime],
    ) -> None:
        self.trouble: str | None = None
        # Stays until an import succeeds: the next step over the jobs must not wipe it away unseen.
        self._import_trouble: str | None = None
        self._store, self._folder, self._gateway = store, folder, gateway
        self._book, self._settings, self._clock = book, settings, clock
        self._imports: queue.SimpleQueue[Path] = queue.SimpleQueue()
        self._count_at: datetime | None = clock()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._turn = threading.Lock()
        store.write(lambda tx: (tx.run("forget_sending"), tx.run("close_interrupted_imports")))

    def start(self) -> None:
        """Run until `stop()`; starting twice is starting once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._loop, name="lotwise-worker", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Finish the step under way and end."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def wake(self) -> None:
        """There is something new to do: do not wait for the next look."""
        self._wake.set()

    def request_import(self, path: Path) -> None:
        """Import a file as soon as the worker gets to it."""
        self._imports.put(path)
        self.wake()

    def import_now(self, path: Path, *, replace: bool = False) -> ImportReport:
        """Import a file and find its classes, on the calling thread; `replace` as in `import_file`."""
        with self._turn:
            report = import_file(self._store, self._folder, path, now=self._clock(), replace=replace)
            regroup(self._store, self._folder, self._book, now=self._clock())
            self._count_at = self._clock()
            return report

    def tick(self) -> int:
        """Move everything one step; return how many jobs are still under way."""
        with self._turn:
            jobs = self._store.query("jobs_in", states=_ACTIVE)
            self.trouble = self._import_trouble
            for job in jobs.iter_rows(named=True):
                if self._stopping.is_set():
                    break
                try:
                    self._step(job)
                except (GatewayDown, ResultsBroken) as error:
                    self.trouble = str(error)
                    self._note(job, str(error))
                except LotwiseError as error:
                    _log.warning("job %s: %s", job["job_id"], error)
                    self._note(job, str(error))
                except Exception as error:  # one broken job must not keep the others from moving on
                    _log.exception("job %s met something unexpected", job["job_id"])
                    self.trouble = f"Lotwise met something unexpected and goes on: {type(error).__name__}: {error}"
                    self._note(job, self.trouble)
            return self.active()

    def active(self) -> int:
        """How many jobs are under way: sent, being sent, waiting or in doubt."""
        return self._store.query("jobs_in", states=[*_ACTIVE, JobState.SENDING]).height

    def _step(self, job: dict[str, Any]) -> None:
        now = self._clock()
        match job["state"]:
            case JobState.PLANNED:
                send(self._store, self._folder, self._gateway, job, now=now)
            case JobState.WAITING:
                if release(self._store, job, now=now, lifetime=self._gateway.cache_lifetime):
                    self._wake.set()
            case JobState.UNKNOWN:
                settle_seconds = self._settings.settle_seconds
                settle(self._store, self._folder, self._gateway, job, now=now, settle_seconds=settle_seconds)
            case JobState.RUNNING:
                if poll(self._store, self._gateway, job) is JobState.ENDED:
                    self._ingest(job)
            case JobState.ENDED:
                self._ingest(job)

    def _ingest(self, job: dict[str, Any]) -> None:
        fetch_results(self._store, self._folder, self._gateway, self._book, job, now=self._clock())

    def _note(self, job: dict[str, Any], reason: str) -> None:
        self._store.write(lambda tx: tx.run("set_reason", job_id=job["job_id"], reason=reason))

    def _loop(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            active = 0
            try:
                self._read_inbox()
                active = self.tick()
                self._count()
            except Exception as error:  # whatever it is, the thread must live on and say so
                _log.exception("the worker met something unexpected")
                self.trouble = f"Lotwise met something unexpected and goes on: {error}"
            self._wake.wait(self._pause(active))

    def _pause(self, active: int) -> float:
        if not active:
            return _IDLE_SECONDS
        return _SIMULATED_POLL_SECONDS if self._gateway.simulated else self._settings.poll_seconds

    def _count(self) -> None:
        """Ask for some token counts of what waits; once all are there, nothing until the next import."""
        now = self._clock()
        if self._count_at is None or now < self._count_at:
            return
        counting = count_classes(self._store, self._folder, self._gateway, self._book, now=now, budget=_COUNTS_A_LOOK)
        self._count_at = now if counting.left else None
        if counting.stopped is not None:
            self._count_at = now + _COUNTER_REST

    def _read_inbox(self) -> None:
        with suppress(queue.Empty):
            while True:
                self._try_import(self._imports.get_nowait())
        for path in waiting_files(self._folder):
            self._try_import(path)

    def _try_import(self, path: Path) -> None:
        try:
            self.import_now(path)
        except LotwiseError as error:
            _log.warning("%s: %s", path.name, error)
            self._import_trouble = str(error)
            return
        self._import_trouble = None
        if path.parent == inbox_folder(self._folder):
            put_away(path)
