"""How a batch of the account stands."""

from enum import StrEnum


class Standing(StrEnum):
    """Where a batch that no job of this workspace sent stands on its way in."""

    RUNNING = "running"
    """The API has not ended it: it comes in when it has."""
    WAITING = "waiting"
    """It has ended, and its results are to be fetched."""
    IMPORTED = "imported"
    """Its results are verified, priced and stored, as a job of the role `history`."""
    GONE = "gone"
    """The API no longer has its results: only its counts are known, and not what it cost."""
    OURS = "ours"
    """Its custom_ids bear the tag of a job of this workspace: it is that job's, and settled as such."""
    BROKEN = "broken"
    """Its results are not what its counts say; the next look fetches them again."""


SETTLED = (Standing.IMPORTED, Standing.GONE, Standing.OURS)
"""Standings that no later look changes."""
ROLE = "history"
"""The role of the job that an imported batch becomes."""
