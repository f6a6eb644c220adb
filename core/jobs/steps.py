"""One job, one step: what the worker does with a job depends on nothing but the job's state."""

from datetime import datetime
from pathlib import Path
from typing import Any

from core.gateway import BatchMissing, Gateway
from core.jobs.absence import Stopwatch, absent_for
from core.jobs.canceling import ask_to_cancel
from core.jobs.polling import poll, write_off
from core.jobs.priming import release
from core.jobs.queue_room import has_room
from core.jobs.results import ResultsGone, fetch_results
from core.jobs.sending import send
from core.jobs.settling import Settling
from core.jobs.states import JobState
from core.prices import PriceBook
from core.store import Store

ACTIVE = (JobState.PLANNED, JobState.WAITING, JobState.UNKNOWN, JobState.RUNNING, JobState.ENDED)
"""States in which the worker has something to do for a job."""
# A batch is not known everywhere right after its creation; one that stays unknown for so long was deleted.
_MISSING_SECONDS = 3600.0
# However long the API asks to wait, it is asked again after so many seconds.
_LONGEST_WAIT = 3600.0
# How long nothing is sent once a job found no room in the queue.
_ROOM_SECONDS = 1.0
Row = dict[str, Any]


class Steps:
    """Moves jobs on; all that a step needs to know is in the store."""

    def __init__(
        self,
        *,
        store: Store,
        folder: Path,
        gateway: Gateway,
        book: PriceBook,
        settling: Settling,
        stopwatch: Stopwatch,
        queue_limit: int,
    ) -> None:
        self._queue_limit = queue_limit
        self._store, self._folder, self._gateway, self._book = store, folder, gateway, book
        self._settling, self._stopwatch = settling, stopwatch
        self._send_at = 0.0

    def step(self, job: Row, *, now: datetime) -> bool:
        """Move a job one step; return True where it can be moved on at once.

        Raises `LotwiseError` or `OSError`; the job is then where it was, or in doubt, and nothing is lost.
        """
        match job["state"]:
            case JobState.PLANNED:
                self._send(job, now)
            case JobState.WAITING:
                return release(self._store, job, now=now, lifetime=self._gateway.cache_lifetime)
            case JobState.UNKNOWN:
                self._settling.settle(job, now=now)
            case JobState.RUNNING | JobState.ENDED:
                self._follow(job, now)
        return False

    def doubt_unfinished_calls(self) -> None:
        """No call is under way between two steps: one that was not written to its end may have arrived."""
        if self._store.query("count_jobs_in", states=[JobState.SENDING])["jobs"][0]:
            reason = "Lotwise ended, or could not write, during the create call."
            self._store.write(lambda tx: tx.run("forget_sending", reason=reason))

    def _send(self, job: Row, now: datetime) -> None:
        if self._stopwatch() < self._send_at:
            return
        if job["doubt_after"] is not None and self._settling.is_there(job, now=now):
            return
        if not has_room(self._store, job, limit=self._queue_limit):
            self._send_at = self._stopwatch() + _ROOM_SECONDS  # those behind it do not overtake it
            return
        wait = send(self._store, self._folder, self._gateway, job, now=now)
        self._send_at = self._stopwatch() + min(wait or 0.0, _LONGEST_WAIT)

    def _follow(self, job: Row, now: datetime) -> None:
        try:
            state = poll(self._store, self._gateway, job) if job["state"] == JobState.RUNNING else JobState.ENDED
            if state is JobState.ENDED:
                fetch_results(self._store, self._folder, self._gateway, self._book, job, now=now)
            else:
                ask_to_cancel(self._store, self._gateway, job, now=now, shared=self._settling.shared)
        except ResultsGone as gone:
            write_off(self._store, job["job_id"], str(gone))
        except BatchMissing:
            if not self._stays_missing(job):
                raise

    def _stays_missing(self, job: Row) -> bool:
        """The API does not know the batch of a job: that passes, or somebody deleted it; True where it was closed."""
        if absent_for(self._store, job, self._stopwatch) < _MISSING_SECONDS:
            return False
        if job["batch_id"] in {batch.batch_id for batch in self._gateway.list_since(job["submitted_at"])}:
            return False  # it is listed, so nobody deleted it
        if job["provisional"]:
            self._store.write(lambda tx: tx.run("disown_batch", job_id=job["job_id"]))
        else:
            write_off(self._store, job["job_id"], f"The API no longer has batch {job['batch_id']}: it was deleted.")
        return True
