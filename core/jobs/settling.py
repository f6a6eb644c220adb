"""Settling: a job whose reply was lost is looked for at the API, and never sent again blindly.

Until its end a batch can be told only by time and count: enough to adopt it where one batch and one job fit. The
tags in its results prove it afterwards. Time is the API's own: what matters was created after the newest batch that
the account had before the call, whatever the clocks of this machine do meanwhile.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from core.gateway import BatchMissing, Gateway, GatewayDown, RemoteBatch
from core.jobs.absence import Stopwatch, absent_for
from core.jobs.states import JobState
from core.planning.identity import job_of, new_job_id
from core.store import Store, Transaction

# A batch that the API made of a lost call shows within its 24 hours; the rest is for clocks that are set meanwhile.
_WATCHED = timedelta(hours=48)
_UNSENT = (JobState.PLANNED, JobState.WAITING, JobState.HELD)
Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """A running batch that may be a second one of a job: nothing but its results can prove it."""

    batch_id: str
    job_id: str
    items: int


class Settling:
    """Looks for jobs in doubt, and for second batches of those that were sent again.

    `shared`: others send batches in the same API workspace, so a suspect may be theirs.
    """

    def __init__(
        self,
        store: Store,
        gateway: Gateway,
        *,
        settle_seconds: float,
        shared: bool,
        stopwatch: Stopwatch,
    ) -> None:
        self.suspects: tuple[Suspect, ...] = ()
        self._store, self._gateway = store, gateway
        self._settle_seconds, self.shared = settle_seconds, shared
        self._stopwatch = stopwatch
        self._watch_at = 0.0

    def settle(self, job: Row, *, now: datetime) -> None:
        """Find out whether the API has a job in doubt: adopt its batch, wait for proof, or send it again.

        It is sent again once it was not there for the settling time, counted from the first look that said so.
        Raises `GatewayDown`.
        """
        if not self.is_there(job, now=now) and absent_for(self._store, job, self._stopwatch) >= self._settle_seconds:
            self._store.write(lambda tx: tx.run("send_again", job_id=job["job_id"], until=now + _WATCHED))

    def is_there(self, job: Row, *, now: datetime) -> bool:
        """Look for the batch of a job that a call was made for, and adopt it; False where nothing could be it.

        A job that is to be sent again is looked for once more right before the call: hours may lie between. What any
        of its calls may have made counts, not only the last one's. Raises `GatewayDown`.
        """
        doubted = job["doubt_after"] is not None
        after = job["doubt_after"] if doubted else job["intent_after"]
        before = job["doubt_after_id"] if doubted else job["intent_after_id"]
        fitting = [
            batch for batch in self._unowned(after) if batch.total == job["item_count"] and batch.batch_id != before
        ]
        proven = [batch for batch in fitting if self._owner(batch, now) == job["job_id"]]
        candidates = proven or [batch for batch in fitting if not batch.has_results]
        rivals = len(self._unsettled(job["item_count"]) - {job["job_id"]})
        if proven or (len(candidates) == 1 and not rivals):
            adopt(self._store, job["job_id"], candidates[0], provisional=not proven)
        elif candidates:
            self._say_why(job, candidates, rivals)
        return bool(candidates)

    def watch(self, *, now: datetime) -> None:
        """Look for late batches of jobs that were to be sent again: adopt or record those, or stop them.

        The API may accept a call long after its connection was lost. Where its job has not gone out again, it is that
        job's. Else it is a second one: ended and with the job's tag it becomes a job of its own (role `twin`), so that
        what it cost is counted and nothing of it is delivered twice. While it runs it is canceled, which is free for
        all that has not begun; but in a shared API workspace it may be somebody else's, and stays a suspect until a
        person or its results tell. Raises `GatewayDown`.
        """
        if self._stopwatch() < self._watch_at:
            return
        suspects: list[Suspect] = []
        for job in self._store.query("doubted_jobs").iter_rows(named=True):
            if job["state"] in _UNSENT:
                self.is_there(job, now=now)
                continue
            found, unread = self._second_batches(job, now)
            suspects += found
            if not found and not unread and now > job["doubt_until"]:
                self._end_doubt(job["job_id"])
        self.suspects = tuple(suspects)
        if not self.shared:
            for suspect in suspects:
                self._gateway.cancel(suspect.batch_id)
        self._watch_at = self._stopwatch() + self._settle_seconds

    def _end_doubt(self, job_id: str) -> None:
        self._store.write(lambda tx: tx.run("end_doubt", job_id=job_id))

    def _second_batches(self, job: Row, now: datetime) -> tuple[list[Suspect], int]:
        """Record second batches of a job that have ended; return those that run and may be ones.

        Also how many could not be read: one of those must not keep the others from being stopped.
        """
        suspects, unread = [], 0
        for batch in self._unowned(job["doubt_after"]):
            if batch.batch_id == job["doubt_after_id"]:
                continue
            try:
                owner = self._owner(batch, now)
            except (BatchMissing, GatewayDown):
                unread += 1
                continue
            if owner == job["job_id"]:
                self._record_twin(job["job_id"], batch)
            # While another job of this size is in doubt, it may be that one's first.
            elif batch.ended_at is None and batch.total == job["item_count"] and not self._unsettled(batch.total):
                suspects.append(Suspect(batch_id=batch.batch_id, job_id=job["job_id"], items=batch.total))
        return suspects, unread

    def _unsettled(self, items: int) -> set[str]:
        """Jobs of a size that the API may have without our knowing."""
        return set(self._store.query("unsettled_jobs", items=items)["job_id"])

    def _unowned(self, after: datetime) -> list[RemoteBatch]:
        known = set(self._store.query("known_batches")["batch_id"])
        return [batch for batch in self._gateway.list_since(after) if batch.batch_id not in known]

    def _owner(self, batch: RemoteBatch, now: datetime) -> str | None:
        """The job of ours whose tag the results of an ended batch bear; a stranger's is not looked into again."""
        if not batch.has_results:
            return None
        job_id = job_of(self._gateway.first_id(batch.batch_id))
        if job_id is not None and not self._store.query("job", job_id=job_id).is_empty():
            return job_id
        self._store.write(lambda tx: tx.run("add_stranger", batch_id=batch.batch_id, now=now))
        return None

    def _record_twin(self, job_id: str, batch: RemoteBatch) -> None:
        twin_id = new_job_id()

        def record(tx: Transaction) -> None:
            tx.run(
                "add_twin",
                twin_id=twin_id,
                job_id=job_id,
                batch_id=batch.batch_id,
                submitted_at=batch.created_at,
                expires_at=batch.expires_at,
            )
            tx.run("add_twin_attempts", twin_id=twin_id, job_id=job_id)

        self._store.write(record)

    def _say_why(self, job: Row, candidates: list[RemoteBatch], rivals: int) -> None:
        names = ", ".join(batch.batch_id for batch in candidates)
        few = "Several batches" if len(candidates) > 1 else "One batch"
        jobs = "this job" if not rivals else "this job or another one of the same size"
        reason = f"{few} could be {jobs}: {names}. Their results will tell; nothing is sent again until then."
        if job["reason"] != reason:
            self._store.write(lambda tx: tx.run("set_reason", job_id=job["job_id"], reason=reason))


def adopt(store: Store, job_id: str, batch: RemoteBatch, *, provisional: bool) -> None:
    """The API has this job as the given batch; `provisional` where only time and count say so."""
    store.write(
        lambda tx: tx.run(
            "set_running",
            job_id=job_id,
            batch_id=batch.batch_id,
            submitted_at=batch.created_at,
            expires_at=batch.expires_at,
            provisional=provisional,
        )
    )
