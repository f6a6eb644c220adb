"""The worker: one thread that imports, sends, polls, ingests and frees bodies; its state is the store's."""

import logging
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from core.audit import note
from core.confinement import within
from core.errors import LotwiseError
from core.gateway import Gateway, GatewayDown
from core.handover.handover import Handover
from core.history.looking_back import LookingBack
from core.intake.classes import regroup
from core.intake.imports import ImportReport, import_file
from core.intake.inbox import is_in_inbox, put_away, tags_of, waiting_files
from core.intake.routing import follow_classes, follow_routes
from core.intake.tags import NO_TAGS, Tags
from core.intake.token_counts import count_classes
from core.intake.withdrawal import Leftovers
from core.jobs.body import clear_bodies
from core.jobs.canceling import close_called_off
from core.jobs.forgetting import Forgetting
from core.jobs.recounting import Recounting
from core.jobs.results import ResultsBroken
from core.jobs.settling import Settling, Suspect
from core.jobs.spent_prompts import SpentPrompts
from core.jobs.states import JobState
from core.jobs.steps import ACTIVE, Steps
from core.prices import PriceBook
from core.recurring.keeping import Keeping
from core.recurring.runs import Runs
from core.settings import Settings
from core.store import Store
from core.trials.audits import Audits
from core.trials.keeping import Trials
from core.trials.rounds import Rounds

T = TypeVar("T")

_log = logging.getLogger(__name__)
# The embedded server runs faster than life, and a look at it costs nothing.
_SIMULATED_POLL_SECONDS = 0.5
_IDLE_SECONDS = 2.0
# Token counts asked for between two looks at the jobs, and how long to leave a counter that gives none.
_COUNTS_A_LOOK = 10
_COUNTER_REST = timedelta(minutes=10)


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
        handover: Handover,
        clock: Callable[[], datetime],
        stopwatch: Callable[[], float],
    ) -> None:
        self.trouble: str | None = None
        # Stays until an import succeeds: the next step over the jobs must not wipe it away unseen.
        self._import_trouble: str | None = None
        self._store, self._folder, self._gateway = store, folder, gateway
        self._book, self._settings, self._clock = book, settings, clock
        self._handover = handover
        self._keeping = Keeping(Runs(store=store, folder=folder, gateway=gateway, book=book, settings=settings))
        self._forgetting = Forgetting(store, folder)
        self._recounting = Recounting(store, folder)
        self._spent_prompts = SpentPrompts(store)
        self._leftovers = Leftovers(store)
        self._audits = Audits(store, folder, settings, stopwatch=stopwatch)
        self._settling = Settling(
            store,
            gateway,
            settle_seconds=settings.settle_seconds,
            shared=settings.shared_account,
            stopwatch=stopwatch,
        )
        self._steps = Steps(
            store=store,
            folder=folder,
            gateway=gateway,
            book=book,
            settling=self._settling,
            stopwatch=stopwatch,
            queue_limit=settings.queue_limit,
        )
        self._imports: queue.SimpleQueue[Path] = queue.SimpleQueue()
        self._count_at: datetime | None = clock()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._turn = threading.Lock()
        self.trials = Trials(
            Rounds(store=store, folder=folder, gateway=gateway, book=book, settings=settings), self._turn
        )
        self.history = LookingBack(
            store=store,
            folder=folder,
            gateway=gateway,
            book=book,
            clock=clock,
            rest=timedelta(seconds=self.poll_seconds),
            turn=self._turn,
        )
        store.write(lambda tx: tx.run("close_interrupted_imports"))
        clear_bodies(folder)

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

    def import_now(self, path: Path, *, replace: bool = False, tags: Tags = NO_TAGS) -> ImportReport:
        """Import a file and find its classes, on the calling thread; `replace` and `tags` as in `import_file`."""
        with self._turn:
            report = import_file(self._store, self._folder, path, now=self._clock(), replace=replace, tags=tags)
            self._regroup()
            follow_routes(self._store, self._folder, self._book, report.import_id, self._regroup)
            return report

    def recount(self) -> None:
        """Count the results that are to be counted again, on the calling thread."""
        with self._turn:
            while self._recounting.step():
                pass

    def readdress(self, change: Callable[[], T]) -> T:
        """Change where waiting items go, on the calling thread, and find their classes anew."""
        with self._turn:
            done = change()
            self._regroup()
            self._store.write(follow_classes)
            return done

    def between_steps(self, change: Callable[[], T]) -> T:
        """Make a change on the calling thread that no step of the worker may see half of."""
        with self._turn:
            return change()

    def tick(self) -> int:
        """Move everything one step, hand over what is complete; return how many jobs are still under way."""
        with self._turn:
            self.trouble = self._import_trouble or self.history.trouble
            self._steps.doubt_unfinished_calls()
            close_called_off(self._store, now=self._clock())
            self._keep_schedules()
            jobs = self._store.query("jobs_in", states=list(ACTIVE))
            for job in jobs.iter_rows(named=True):
                if self._stopping.is_set():
                    break
                try:
                    if self._steps.step(job, now=self._clock()):
                        self._wake.set()
                except (GatewayDown, ResultsBroken) as error:
                    self.trouble = str(error)
                    self._note(job, str(error))
                except LotwiseError as error:
                    _log.warning("job %s: %s", job["job_id"], error)
                    self._note(job, str(error))
                except OSError as error:
                    _log.warning("job %s: %s", job["job_id"], error)
                    self.trouble = f"The disk refused: {error.strerror or error}. Lotwise goes on once it can."
                    self._note(job, self.trouble)
                except Exception as error:  # one broken job must not keep the others from moving on
                    _log.exception("job %s met something unexpected", job["job_id"])
                    self.trouble = f"Lotwise met something unexpected and goes on: {type(error).__name__}: {error}"
                    self._note(job, self.trouble)
            self._watch()
            self._keep_trials()
            if self._recounting.step() or (jobs.is_empty() and self._spent_prompts.step(now=self._clock())):
                self._wake.set()
            if self._settings.metadata_only:
                self._forgetting.forget()
        self._handover.feed(now=self._clock(), patient=True, stop=self._stopping.is_set)
        return self.active()

    def active(self) -> int:
        """How many jobs are under way: sent, being sent, waiting or in doubt."""
        return int(self._store.query("count_jobs_in", states=[*ACTIVE, JobState.SENDING])["jobs"][0])

    @property
    def suspects(self) -> tuple[Suspect, ...]:
        """Running batches that may be second ones of jobs whose reply was lost."""
        return self._settling.suspects

    def _regroup(self) -> None:
        regroup(self._store, self._folder, self._book, now=self._clock())
        self._count_at = self._clock()

    def _keep_schedules(self) -> None:
        try:
            self._keeping.keep(now=self._clock())
        except LotwiseError as error:
            self.trouble = str(error)
        except Exception as error:  # no schedule must keep jobs from moving on
            _log.exception("the schedules met something unexpected")
            self.trouble = f"Lotwise met something unexpected and goes on: {type(error).__name__}: {error}"

    def _keep_trials(self) -> None:
        try:
            self.trials.keep(now=self._clock())
        except LotwiseError as error:
            self.trouble = str(error)

    def _watch(self) -> None:
        try:
            self._settling.watch(now=self._clock())
            self._leftovers.restore(now=self._clock())
            self.trouble = self._audits.look(now=self._clock()) or self.trouble
        except LotwiseError as error:
            self.trouble = str(error)

    def _note(self, job: dict[str, Any], reason: str) -> None:
        """Why a job does not move on; where not even that can be stored, the trouble of the workspace says it."""
        with suppress(LotwiseError):
            self._store.write(lambda tx: tx.run("set_reason", job_id=job["job_id"], reason=reason))

    def _loop(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            active = 0
            try:
                self._read_inbox()
                active = self.tick()
                if self.history.go_on():
                    self._wake.set()
                self._count()
            except Exception as error:  # whatever it is, the thread must live on and say so
                _log.exception("the worker met something unexpected")
                self.trouble = f"Lotwise met something unexpected and goes on: {error}"
            self._wake.wait(self._pause(active))

    def _pause(self, active: int) -> float:
        if not active:
            return _IDLE_SECONDS
        return self.poll_seconds

    @property
    def poll_seconds(self) -> float:
        """Seconds between two looks at running batches."""
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
            from_inbox = is_in_inbox(self._folder, path)
            if from_inbox:
                within(self._folder, path)
            report = self.import_now(path, tags=tags_of(self._folder, path) if from_inbox else NO_TAGS)
        except LotwiseError as error:
            _log.warning("%s: %s", path.name, error)
            self._import_trouble = str(error)
            return
        self._import_trouble = None
        if from_inbox:
            about: dict[str, Any] = {"name": path.name, "import_id": report.import_id, "added": report.added}
            self._store.write(lambda tx: note(tx, "import", **about))
            if self._settings.metadata_only and not report.torn:
                path.unlink()
            else:
                put_away(path)
