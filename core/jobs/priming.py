"""Priming: a body waits until its primer wrote the cache entry, and until its canary is well."""

from datetime import datetime, timedelta
from typing import Any

import polars as pl

from core.jobs.causes import RESUBMIT
from core.jobs.journal import JOB_SCHEMA
from core.jobs.states import JobState
from core.planning.envelope import body_bytes
from core.planning.identity import custom_ids, new_job_id
from core.store import Store, Transaction

# What is left of an entry's life must cover the next job's own way to the model.
_SURELY_ALIVE = 5 / 6
_OVER = (JobState.DONE, JobState.FAILED, JobState.CANCELED)


def warm_since(now: datetime, lifetime: timedelta) -> datetime:
    """Entries last touched after this moment are surely alive when a job sent now gets to the model."""
    return now - lifetime * _SURELY_ALIVE


def release(store: Store, job: dict[str, Any], *, now: datetime, lifetime: timedelta) -> None:
    """Look at a waiting body whose primer may be over, and decide.

    Entry written or read: send it. Neither, though the item succeeded: the prefix lies under the model's floor
    after all, so send it without marks, which could only mislead. A passing failure: prime once more with another
    item. Any other failure, or a second one: hold the body, because it would fail the same way. An entry that may
    have gone cold meanwhile is written anew, once: every item of a cold body would pay for writing it.
    """
    primer = store.query("job", job_id=job["primer_job_id"]).row(0, named=True)
    if primer["state"] not in _OVER:
        return
    verdicts = store.query("primer_verdicts", job_id=job["primer_job_id"]).iter_rows(named=True)
    canary = next((row for row in verdicts if row["class_id"] == job["class_id"]), None)

    def decide(tx: Transaction) -> None:
        if not tx.run("still_waits", job_id=job["job_id"], primer_job_id=primer["job_id"]):
            return
        spare = job["item_count"] > 1
        first = primer["parent_job_id"] is None
        if canary is not None and canary["usable"]:
            cold = primer["ended_at"] is None or primer["ended_at"] < warm_since(now, lifetime)
            if canary["cached_tokens"] and cold and spare and first:
                _prime_again(tx, job, primer, now)
                return
            if cold or not canary["cached_tokens"]:
                _unmark(tx, job["job_id"])
            tx.run("set_state", job_id=job["job_id"], state=JobState.PLANNED, reason=None)
        elif spare and first and canary is not None and _passing(canary, primer):
            _prime_again(tx, job, primer, now)
        else:
            said = f"{canary['cause']}: {canary['message'] or 'not usable'}" if canary else "not sent"
            reason = f"Its primer item came out {said}. Release the job to send it without priming."
            tx.run("set_state", job_id=job["job_id"], state=JobState.HELD, reason=reason)

    store.write(decide)


def send_held(tx: Transaction, job_id: str) -> bool:
    """Let a held job go; return False where it is not held (any more).

    A body held by its primer goes without marks: a cold body would pay for writing and read nothing. One held by
    the account after its primer looks at the cache entry once more. A primer stays what it is.
    """
    left = tx.run("leave_state", job_id=job_id, state=JobState.PLANNED, reason=None, leaving=[JobState.HELD])
    if not left:
        return False
    if left[0]["primed"] and left[0]["tried"]:
        tx.run("set_state", job_id=job_id, state=JobState.WAITING, reason=None)
    elif left[0]["role"] != "primer":
        _unmark(tx, job_id)
    return True


def _passing(canary: dict[str, Any], primer: dict[str, Any]) -> bool:
    """Whether another item may well come through; a primer that was refused or called off is not tried again."""
    return bool(primer["state"] == JobState.DONE and canary["action"] == RESUBMIT)


def _unmark(tx: Transaction, job_id: str) -> None:
    tx.run("unmark_job", job_id=job_id)
    _measure(tx, job_id)


def _measure(tx: Transaction, job_id: str) -> None:
    requests = pl.DataFrame(tx.run("job_requests", job_id=job_id), infer_schema_length=None)
    tx.run("set_body", job_id=job_id, body_bytes=body_bytes(requests), item_count=requests.height)


def _prime_again(tx: Transaction, body: dict[str, Any], primer: dict[str, Any], now: datetime) -> None:
    """Move one item of the body into a new primer job, for which all bodies of the class wait."""
    job_id = new_job_id()
    row = {
        "job_id": job_id,
        "plan_id": body["plan_id"],
        "parent_job_id": primer["job_id"],
        "role": "primer",
        "class_id": body["class_id"],
        "model": body["model"],
        "state": JobState.PLANNED,
        "item_count": 1,
        "body_bytes": 0,
        "created_at": now,
        "processing": 1,
        "simulated": body["simulated"],
    }
    tx.merge("add_jobs", pl.DataFrame([row], schema=JOB_SCHEMA))
    item_id = tx.run("median_item", job_id=body["job_id"])[0]["item_id"]
    custom_id = custom_ids(pl.Series([job_id]), pl.Series([item_id]))[0]
    tx.run("move_item", job_id=body["job_id"], item_id=item_id, to_job_id=job_id, custom_id=custom_id)
    tx.run("wait_for", class_id=body["class_id"], old_job_id=primer["job_id"], new_job_id=job_id)
    _measure(tx, job_id)
    _measure(tx, body["job_id"])
