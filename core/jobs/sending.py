"""Sending: journal before the call, one call, and a lost reply is settled before anything is sent again."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from core.gateway import AccountHeld, Gateway, NotSent, Refused, RemoteBatch, ReplyLost
from core.jobs.body import BodySizeWrong, write_body
from core.jobs.causes import RESUBMIT
from core.jobs.priming import may_go
from core.jobs.states import JobState
from core.store import Store, Transaction

# Clocks of two machines may differ by this much before a batch counts as older than its intent.
_CLOCK_SKEW = timedelta(minutes=5)


def send(store: Store, folder: Path, gateway: Gateway, job: dict[str, Any], *, now: datetime) -> None:
    """Send a planned job and store what came of it; the intent is committed before the call."""
    job_id = job["job_id"]
    if not may_go(store, job, now=now, lifetime=gateway.cache_lifetime):
        return
    try:
        body = write_body(store, folder, job_id, planned_bytes=job["body_bytes"])
    except BodySizeWrong as wrong:
        give_up(store, job_id, str(wrong), state=JobState.FAILED, leaving=[JobState.PLANNED], now=now)
        return
    if not store.write(lambda tx: tx.run("set_intent", job_id=job_id, now=now)):
        body.unlink()
        return
    try:
        batch = gateway.create(body)
    except NotSent as error:
        _move(store, job_id, JobState.PLANNED, str(error))
    except AccountHeld as error:
        _move(store, job_id, JobState.HELD, str(error))
    except Refused as error:
        give_up(store, job_id, str(error), state=JobState.FAILED, leaving=[JobState.SENDING], now=now)
    except ReplyLost as error:
        _move(store, job_id, JobState.UNKNOWN, str(error))
    else:
        _adopt(store, job_id, batch)
    body.unlink()  # should it go again, it is written anew


def settle(
    store: Store, folder: Path, gateway: Gateway, job: dict[str, Any], *, now: datetime, settle_seconds: float
) -> None:
    """Find out whether the API has a job whose reply was lost: adopt it, send it again, or wait for proof.

    Until its end a batch can be told only by time and count, which is enough where one batch and one job fit; the
    ids in its results prove it afterwards.
    """
    owned = set(store.query("owned_batches")["batch_id"])
    fitting = [
        batch
        for batch in gateway.list_since(job["intent_at"] - _CLOCK_SKEW)
        if batch.total == job["item_count"] and batch.batch_id not in owned
    ]
    proven = [batch for batch in fitting if batch.has_results and _sent_by(gateway, folder, batch, job["job_id"])]
    candidates = proven or [batch for batch in fitting if not batch.has_results]
    unsettled = store.query("jobs_in", states=[JobState.UNKNOWN])
    rivals = int((unsettled["item_count"] == job["item_count"]).sum()) - 1
    if proven or (len(candidates) == 1 and not rivals):
        _adopt(store, job["job_id"], candidates[0])
    elif candidates:
        names = ", ".join(batch.batch_id for batch in candidates)
        few = "Several batches" if len(candidates) > 1 else "One batch"
        jobs = "this job" if not rivals else "this job or another one of the same size"
        reason = f"{few} could be {jobs}: {names}. Their results will tell; nothing is sent again until then."
        _move(store, job["job_id"], JobState.UNKNOWN, reason)
    elif now - job["intent_at"] >= timedelta(seconds=settle_seconds):
        _move(store, job["job_id"], JobState.PLANNED, "The API does not have it; it is sent again.")


def _sent_by(gateway: Gateway, folder: Path, batch: RemoteBatch, job_id: str) -> bool:
    """Whether the results of an ended batch bear the tag of the job."""
    path = folder / "results" / f"{batch.batch_id}.jsonl"
    gateway.download(batch.batch_id, path)
    with path.open("rb") as file:
        first = orjson.loads(file.readline())
    path.unlink()
    return str(first["custom_id"]).startswith(f"{job_id}-")


def give_up(
    store: Store, job_id: str, reason: str, *, state: JobState, leaving: Sequence[JobState], now: datetime
) -> bool:
    """Close a job that was never created: its items become a slice that can be repaired.

    Returns False, and changes nothing, where the job is in none of the states `leaving`: the worker may have sent it.
    """

    def close(tx: Transaction) -> bool:
        if not tx.run("leave_state", job_id=job_id, state=state, reason=reason, leaving=list(leaving)):
            return False
        tx.run("free_items", job_id=job_id, action=RESUBMIT, message=reason, now=now)
        return True

    return store.write(close)


def _adopt(store: Store, job_id: str, batch: RemoteBatch) -> None:
    store.write(
        lambda tx: tx.run(
            "set_running",
            job_id=job_id,
            batch_id=batch.batch_id,
            submitted_at=batch.created_at,
            expires_at=batch.expires_at,
        )
    )


def _move(store: Store, job_id: str, state: JobState, reason: str | None) -> None:
    store.write(lambda tx: tx.run("set_state", job_id=job_id, state=state, reason=reason))
