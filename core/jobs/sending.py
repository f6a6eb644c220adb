"""Sending: journal before the call, one call, and a lost reply is settled before anything is sent again."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from core.gateway import AccountHeld, Gateway, NotSent, Refused, RemoteBatch, ReplyLost
from core.jobs.body import BodySizeWrong, write_body
from core.jobs.states import JobState
from core.store import Store

# Clocks of two machines may differ by this much before a batch counts as older than its intent.
_CLOCK_SKEW = timedelta(minutes=5)


def send(store: Store, folder: Path, gateway: Gateway, job: dict[str, Any], *, now: datetime) -> None:
    """Send a planned job and store what came of it; the intent is committed before the call."""
    job_id = job["job_id"]
    try:
        body = write_body(store, folder, job_id, planned_bytes=job["body_bytes"])
    except BodySizeWrong as wrong:
        give_up(store, job_id, str(wrong), state=JobState.FAILED, now=now)
        return
    if not store.write(lambda tx: tx.run("set_intent", job_id=job_id, now=now)):
        return
    try:
        batch = gateway.create(body)
    except NotSent as error:
        _move(store, job_id, JobState.PLANNED, str(error))
    except AccountHeld as error:
        _move(store, job_id, JobState.HELD, str(error))
    except Refused as error:
        give_up(store, job_id, str(error), state=JobState.FAILED, now=now)
    except ReplyLost as error:
        _move(store, job_id, JobState.UNKNOWN, str(error))
        return  # its body stays until the API is known not to have it
    else:
        _adopt(store, job_id, batch)
    body.unlink()


def settle(store: Store, gateway: Gateway, job: dict[str, Any], *, now: datetime, settle_seconds: float) -> None:
    """Find out whether the API has a job whose reply was lost: adopt it, send it again, or ask a person.

    Until its end a batch can be told only by time and count; the ids in its results prove it afterwards, because
    results with foreign ids are never stored.
    """
    owned = set(store.query("owned_batches")["batch_id"])
    candidates = [
        batch
        for batch in gateway.list_since(job["intent_at"] - _CLOCK_SKEW)
        if batch.total == job["item_count"] and batch.batch_id not in owned
    ]
    if len(candidates) == 1:
        _adopt(store, job["job_id"], candidates[0])
    elif candidates:
        names = ", ".join(batch.batch_id for batch in candidates)
        _move(
            store,
            job["job_id"],
            JobState.UNKNOWN,
            f"Several batches could be this job: {names}. Cancel the others.",
        )
    elif now - job["intent_at"] >= timedelta(seconds=settle_seconds):
        _move(store, job["job_id"], JobState.PLANNED, "The API does not have it; it is sent again.")


def give_up(store: Store, job_id: str, reason: str, *, state: JobState, now: datetime) -> None:
    """Close a job that was never created: its items become a slice that can be repaired."""
    action = "edit" if state is JobState.FAILED else "resubmit"
    store.write(
        lambda tx: (
            tx.run("set_state", job_id=job_id, state=state, reason=reason),
            tx.run("free_items", job_id=job_id, action=action, message=reason, now=now),
        )
    )


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
