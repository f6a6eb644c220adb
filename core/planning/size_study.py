"""What a class costs, risks and how surely it is in time, over all sizes that its jobs might have. Pure."""

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from core.planning.class_size import ClassSize, Sizing
from core.planning.groups import Group, Kind
from core.schedule.window import on_time, repair_needed
from core.sizing.normal import Floats
from core.sizing.recommendation import Recommendation

SIZES = 120
"""Sizes on a curve, at most; chances to be on time are reckoned at fewer of them, between which they run smoothly."""
_TIMED = 12
# So far beyond the sizes that matter the curve goes on: its shape is seen, and everything else stays readable.
_BEYOND = 6
_LEAST_SPREAD = 100
_HOUR = 3600.0

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class SizeStudy:
    """A class under given needs: the size that fits them, and the others beside it.

    `curve`: items, price_usd, fixed_usd, rerun_usd (of one item), at_risk_usd, at_risk_hours (of one job) and on_time
    (share, null without a deadline), from small to large jobs; empty where there is no price. `on_time`: the chance at
    the recommended size.
    """

    size: ClassSize
    curve: pl.DataFrame
    on_time: float | None


def size_study(group: Group, sizing: Sizing) -> SizeStudy:
    """Size the jobs of a group under the needs of `sizing`, and reckon what other sizes would do."""
    group = replace(group, deadline=sizing.needs.deadline_of(group.class_id))
    size = sizing.size(group)
    if size.costs is None or size.recommendation is None:
        return SizeStudy(size=size, curve=pl.DataFrame(schema={"items": pl.Int64}), on_time=None)
    items = _sizes(size.recommendation, size.items)
    parts = size.costs.parts(items)
    timed = np.unique([*items[:: max(len(items) // _TIMED, 1)], items[-1], size.items])
    hours = [float(sizing.turnaround(group, int(n)).quantile(sizing.needs.confidence)) / _HOUR for n in timed]
    window = None if group.deadline is None else (group.deadline - sizing.now).total_seconds()
    chances = None if window is None else np.array([_chance(group, sizing, int(n), window) for n in timed])
    return SizeStudy(
        size=size,
        curve=pl.DataFrame(
            {
                "items": items,
                "price_usd": parts.price_usd,
                "fixed_usd": parts.fixed_usd,
                "rerun_usd": parts.rerun_usd,
                "at_risk_usd": size.costs.at_risk_usd(items),
                "at_risk_hours": _between(items, timed, np.array(hours)),
                "on_time": None if chances is None else _between(items, timed, chances),
            },
            schema_overrides={"on_time": pl.Float64},
            # Jobs so large that they would never get done have no cost to draw.
        ).filter(pl.col("rerun_usd").is_finite()),
        on_time=None if chances is None else float(np.interp(size.items, timed, chances)),
    )


def _sizes(found: Recommendation, recommended: int) -> Ints:
    """Sizes in even steps of their logarithm, around those that matter, with the recommended one among them."""
    most = found.limits.requests
    matter = [min(size, most) for size in (recommended, found.items, found.low, found.high, found.unconstrained_items)]
    last = min(most, max(max(matter) * _BEYOND, _LEAST_SPREAD))
    first = max(1, min(min(matter) // _BEYOND, last // _LEAST_SPREAD))
    steps = np.geomspace(first, last, SIZES - 1).round()
    return np.unique(np.append(steps, recommended)).astype(np.int64)


def _between(items: Ints, timed: Ints, values: Floats) -> Floats:
    """Values at all sizes from those at some of them, straight on a logarithmic axis."""
    return np.interp(np.log(items), np.log(timed), values)


def _chance(group: Group, sizing: Sizing, size: int, seconds: float) -> float:
    """Probability that all of the group is there in so many seconds, one repair included, in jobs of such a size."""
    faults = sizing.fault_rate(group)
    size = min(size, group.items)
    return on_time(
        sizing.turnaround(group, size),
        jobs=math.ceil(group.items / size),
        seconds=seconds,
        at_once=max(sizing.queue_room // size, 1),
        primer=sizing.turnaround(group, 1) if group.kind == Kind.PRIMED else None,
        repair=sizing.turnaround(group, max(round(size * faults), 1)),
        repair_chance=repair_needed(size, faults),
    )
