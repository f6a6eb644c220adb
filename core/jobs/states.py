"""The states of a job."""

from enum import StrEnum


class JobState(StrEnum):
    """Where a job stands. It moves down this list, and never back to `planned` once the API may hold it."""

    PLANNED = "planned"
    """Its items are claimed; it is sent as soon as the worker gets to it."""
    WAITING = "waiting"
    """A body whose primer has not ended."""
    HELD = "held"
    """Stopped for a person: `reason` says what to do; releasing it sends it."""
    SENDING = "sending"
    """The intent is committed and the create call is under way."""
    UNKNOWN = "unknown"
    """The reply was lost: the API may hold the batch. Nothing is resent until that is settled."""
    RUNNING = "running"
    """The API has accepted it."""
    ENDED = "ended"
    """The API is done; the results are not in the store yet."""
    DONE = "done"
    """The results are verified, priced and stored. Failures may be left to repair."""
    GONE = "gone"
    """It ran, but its results can no longer be had: kept for 29 days, or deleted. What it cost is not known."""
    FAILED = "failed"
    """The API refused it: nothing was created, and its items are free again."""
    CANCELED = "canceled"
    """Called off before it was sent; its items are free again."""
