"""Room in the queue of the API: how many requests may wait and run there at once, over all batches."""

from typing import Any

from core.store import Store


def queue_room(store: Store, *, limit: int) -> int:
    """Requests that may still be sent; those of jobs whose fate is not known count as queued."""
    return max(limit - _queued(store), 0)


def has_room(store: Store, job: dict[str, Any], *, limit: int) -> bool:
    """Whether a job may go now; where not, it is told why. One that is over the limit by itself goes alone."""
    queued = _queued(store)
    if not queued or queued + job["item_count"] <= limit:
        return True
    reason = f"It waits for room in the queue of the API: {queued:,} of {limit:,} requests are in it."
    if job["reason"] != reason:
        store.write(lambda tx: tx.run("set_reason", job_id=job["job_id"], reason=reason))
    return False


def _queued(store: Store) -> int:
    return int(store.query("queued_requests")["requests"][0])
