"""What bounds the size of a job besides its cost: limits of the API, the queue, what may be lost, and the window."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Literal

from core.errors import LotwiseError
from core.sizing.job_costs import LARGEST, JobCosts

Constraint = Literal["amortise", "requests", "bytes", "queue", "blast_usd", "blast_hours", "window", "backlog"]
"""Names of the constraints, in the order in which they are applied."""

AMORTISED = 0.05
"""Jobs are not made so small that writing the prefix adds more than this share to an item's price."""


class UnusableLimits(LotwiseError):
    """A job cannot be sized within these limits. A job takes one request or more, and no limit is below zero."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a job of a class must keep to; None where there is no such limit.

    `requests`, `bytes`: of one job, by the API; `item_bytes`: of a mean item as sent (the plan splits by exact bytes).
    `queue_headroom`: requests that the account's queue still takes. `blast_usd`: dollars that one job may put at risk.
    `blast_hours`: hours there are to run a voided job anew; `rerun_items`: the largest size that manages in them.
    `window_items`: the largest size whose results, one repair included, are there in time. `backlog`: items there are.
    Zero for `rerun_items` or `window_items` says that no size manages.
    `window_nearest`: the size that comes nearest to being in time where none is, None where nobody looked. Raises
    `UnusableLimits`.
    """

    requests: int
    bytes: int
    item_bytes: float
    queue_headroom: int | None = None
    blast_usd: float | None = None
    blast_hours: float | None = None
    rerun_items: int | None = None
    window_items: int | None = None
    window_nearest: int | None = None
    backlog: int | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value, least = getattr(self, field.name), 1 if field.name == "requests" else 0
            if value is not None and not value >= least:
                raise UnusableLimits(**{field.name: value})


@dataclass(frozen=True, kw_only=True)
class Bound:
    """What one constraint alone asks for and costs.

    `items`: the least size (`amortise`) or the largest size (all others); zero: no size keeps it. `extra_usd_per_item`:
    what an item costs more under it than at the best size; `extra_usd`: the same for the backlog, None where endless.
    """

    name: Constraint
    items: int
    extra_usd_per_item: float
    extra_usd: float | None


def ceilings(costs: JobCosts, limits: Limits) -> Iterator[tuple[Constraint, int]]:
    """The largest size under each limit that there is; zero where even one item is too much."""
    yield "requests", limits.requests
    if limits.item_bytes > 0:
        yield "bytes", _floor(limits.bytes / limits.item_bytes)
    if limits.queue_headroom is not None:
        yield "queue", limits.queue_headroom
    if limits.blast_usd is not None and costs.hot_usd > 0:
        yield "blast_usd", _floor(limits.blast_usd / costs.hot_usd)
    if limits.rerun_items is not None:
        yield "blast_hours", limits.rerun_items
    if limits.window_items is not None:
        yield "window", limits.window_items
    if limits.backlog:
        yield "backlog", limits.backlog


def _floor(items: float) -> int:
    return math.floor(min(items, LARGEST))
