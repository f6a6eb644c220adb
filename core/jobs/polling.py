"""Watching: what the API says of running jobs."""

from datetime import datetime
from typing import Any

from core.errors import LotwiseError
from core.gateway import Gateway, RemoteBatch
from core.jobs.states import JobState
from core.store import Store, Transaction


class CountsWrong(LotwiseError):
    """What the API counts for this batch does not add up to what was sent, so it is not stored. It is asked again."""


def poll(store: Store, gateway: Gateway, job: dict[str, Any]) -> JobState:
    """Ask the API about a running job and store its counts; return the state it is in now.

    Raises `BatchMissing`, `GatewayDown`, or `CountsWrong`: the five counts add up to the items sent, at any time.
    """
    batch = gateway.retrieve(job["batch_id"])
    state = JobState.ENDED if batch.status == "ended" else JobState.RUNNING
    if batch.total != job["item_count"] or (state is JobState.ENDED and batch.processing):
        raise CountsWrong(batch=batch.batch_id, counted=batch.total, running=batch.processing, sent=job["item_count"])
    store.write(lambda tx: tx.run("set_progress", job_id=job["job_id"], state=state, **progress(batch)))
    return state


def write_off(store: Store, job_id: str, reason: str) -> None:
    """The results of a job can no longer be had: say so, and leave it to a person whether its items are sent again."""

    def close(tx: Transaction) -> None:
        tx.run("set_state", job_id=job_id, state=JobState.GONE, reason=reason)
        tx.run("lose_results", job_id=job_id, reason=reason)

    store.write(close)


def progress(batch: RemoteBatch) -> dict[str, int | datetime | None]:
    """The counts of a batch and its end, as the journal keeps them."""
    return {
        "processing": batch.processing,
        "succeeded": batch.succeeded,
        "errored": batch.errored,
        "canceled": batch.canceled,
        "expired": batch.expired,
        "ended_at": batch.ended_at,
    }
