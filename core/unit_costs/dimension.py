"""What costs can be seen by."""

from core.errors import LotwiseError

DIMENSIONS = ("class", "tier", "model", "job", "day", "week", "team")
"""Beside these any tag as `tag:NAME`; `team` is the tag of that name."""
TAG = "tag:"


class UnknownDimension(LotwiseError):
    """Costs cannot be seen by this. Take class, tier, model, job, day, week, team, or a tag as tag:NAME."""


def check_dimension(dimension: str) -> str:
    """The dimension itself. Raises `UnknownDimension`."""
    if dimension not in DIMENSIONS and tag_of(dimension) is None:
        raise UnknownDimension(by=dimension)
    return dimension


def tag_of(dimension: str) -> str | None:
    """The name of the tag that a dimension is; None where it is no tag."""
    if dimension == "team":
        return dimension
    return dimension.removeprefix(TAG) or None if dimension.startswith(TAG) else None
