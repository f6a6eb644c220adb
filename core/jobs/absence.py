"""How long the API has not had what it should have: over restarts, and whatever becomes of the clock."""

from collections.abc import Callable
from typing import Any

from core.store import Store

Stopwatch = Callable[[], float]
"""Seconds that only run forward, since the machine was started: nobody can set it, and processes share it."""


def absent_for(store: Store, job: dict[str, Any], stopwatch: Stopwatch) -> float:
    """Seconds since the first look that did not find a job's batch, which may be this one.

    A machine that was started anew counts from there: never more seconds than there were.
    """
    since, now = job["absent_since"], stopwatch()
    if since is not None and since <= now:
        return float(now - since)
    store.write(lambda tx: tx.run("set_absent", job_id=job["job_id"], since=now))
    return 0.0
