"""Sending: journal before the call, one call, and a lost reply is settled before anything is sent again."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from core.causes import explain
from core.gateway import AccountHeld, Busy, Gateway, GatewayDown, NotSent, Refused, RemoteBatch, ReplyLost, TooLarge
from core.jobs.body import BodySizeWrong, write_body
from core.jobs.parting import part
from core.jobs.priming import may_go
from core.jobs.settling import adopt
from core.jobs.states import JobState
from core.store import Store, Transaction

_BEFORE_ANY = datetime(1970, 1, 1, tzinfo=UTC)


def send(store: Store, folder: Path, gateway: Gateway, job: dict[str, Any], *, now: datetime) -> float | None:
    """Send a planned job and store what came of it; the intent is committed before the call.

    Returns the seconds that the API asked to wait before the next call, where it did. Raises `NotSent` where it
    cannot even be asked what it has.
    """
    job_id = job["job_id"]
    if _waits_for_one_in_doubt(store, job) or not may_go(store, job, now=now, lifetime=gateway.cache_lifetime):
        return None
    newest = _newest(gateway)
    try:
        body = write_body(store, folder, job_id, planned_bytes=job["body_bytes"])
    except BodySizeWrong as wrong:
        give_up(store, job_id, str(wrong), state=JobState.FAILED, leaving=[JobState.PLANNED], now=now)
        return None
    intent = {"now": now, "after": newest.created_at if newest else _BEFORE_ANY}
    intent_id = newest.batch_id if newest else None
    try:
        if store.write(lambda tx: tx.run("set_intent", job_id=job_id, after_id=intent_id, **intent)):
            return _call(store, gateway, job, body, now=now)
    finally:
        body.unlink(missing_ok=True)  # should it go again, it is written anew
    return None


def _newest(gateway: Gateway) -> RemoteBatch | None:
    try:
        return gateway.newest()
    except NotSent:
        raise
    except GatewayDown as error:
        raise NotSent(**error.context) from error


def _call(store: Store, gateway: Gateway, job: dict[str, Any], body: Path, *, now: datetime) -> float | None:
    job_id = job["job_id"]
    try:
        batch = gateway.create(body)
    except Busy as error:
        _move(store, job_id, JobState.PLANNED, str(error))
        return error.retry_after
    except NotSent as error:
        _move(store, job_id, JobState.PLANNED, str(error))
    except AccountHeld as error:
        _move(store, job_id, JobState.HELD, str(error))
    except TooLarge as error:
        refused = str(Refused(**error.context))
        if job["item_count"] == 1:
            _refused(store, job_id, refused, "request_too_large", now)
        elif job["doubt_after"] is None:
            _halve(store, job, str(error), now=now)
        else:  # a late batch of its earlier call would have the items of both halves
            _refused(store, job_id, refused, "not_sent", now)
    except Refused as error:
        _refused(store, job_id, str(error), "job_refused", now)
    except ReplyLost as error:
        _move(store, job_id, JobState.UNKNOWN, str(error))
    else:
        adopt(store, job_id, batch, provisional=False)
    return None


def _refused(store: Store, job_id: str, reason: str, cause: str, now: datetime) -> None:
    give_up(store, job_id, reason, state=JobState.FAILED, leaving=[JobState.SENDING], now=now, cause=cause)


def _waits_for_one_in_doubt(store: Store, job: dict[str, Any]) -> bool:
    """Whether a job of the same size is in doubt: until that is settled, two batches could not be told apart."""
    doubted = store.query("jobs_in", states=[JobState.UNKNOWN]).filter(pl.col("item_count") == job["item_count"])
    if doubted.is_empty():
        return False
    reason = f"It waits until job {doubted['job_id'][0]}, which is of the same size, is found or surely not there."
    if job["reason"] != reason:
        store.write(lambda tx: tx.run("set_reason", job_id=job["job_id"], reason=reason))
    return True


def _halve(store: Store, job: dict[str, Any], reason: str, *, now: datetime) -> None:
    """Make two jobs of one that was refused for its size; nothing was created, so both may go."""

    def halve(tx: Transaction) -> None:
        items = pl.DataFrame(tx.run("tail_items", job_id=job["job_id"], items=job["item_count"] // 2))
        new_id = part(tx, job, items, now=now)
        for job_id in (job["job_id"], new_id):
            tx.run("set_state", job_id=job_id, state=JobState.PLANNED, reason=reason)

    store.write(halve)


def give_up(
    store: Store,
    job_id: str,
    reason: str,
    *,
    state: JobState,
    leaving: Sequence[JobState],
    now: datetime,
    cause: str = "not_sent",
) -> bool:
    """Close a job that was never created: its items become a slice, and `cause` says what can be done about it.

    Returns False, and changes nothing, where the job is in none of the states `leaving`: the worker may have sent it.
    """

    def close(tx: Transaction) -> bool:
        if not tx.run("leave_state", job_id=job_id, state=state, reason=reason, leaving=list(leaving)):
            return False
        tx.run("free_items", job_id=job_id, cause=cause, action=explain(cause).action, message=reason, now=now)
        return True

    return store.write(close)


def _move(store: Store, job_id: str, state: JobState, reason: str | None) -> None:
    store.write(lambda tx: tx.run("set_state", job_id=job_id, state=state, reason=reason))
