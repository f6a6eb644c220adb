"""Watching: what the API says of running jobs."""

from typing import Any

from core.gateway import Gateway
from core.jobs.states import JobState
from core.store import Store


def poll(store: Store, gateway: Gateway, job: dict[str, Any]) -> JobState:
    """Ask the API about a running job and store its counts; return the state it is in now."""
    batch = gateway.retrieve(job["batch_id"])
    state = JobState.ENDED if batch.status == "ended" else JobState.RUNNING
    store.write(
        lambda tx: tx.run(
            "set_progress",
            job_id=job["job_id"],
            state=state,
            processing=batch.processing,
            succeeded=batch.succeeded,
            errored=batch.errored,
            canceled=batch.canceled,
            expired=batch.expired,
            ended_at=batch.ended_at,
        )
    )
    return state
