"""Steps: from a day on a unit of a line of work costs more or less, for good."""

import math
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from functools import cache

import numpy as np
import polars as pl

from core.trends.attribution import attribute_listed_unit_cost
from core.trends.measures import UNIT_COST, Candidate, Measure, candidates, drawn
from core.trends.movement import LEAST_SHARE, MONTH_DAYS, LineCells, Movement, money, times, total

_DAYS = timedelta(days=28)
"""On either side of a step: four of each weekday."""

_BETWEEN = (0.05, 0.95)
_NORMAL = 1.644854
"""The same of the normal distribution."""

Sides = tuple[pl.DataFrame, pl.DataFrame]


def steps_of(line: LineCells) -> list[Movement]:
    """The steps of a line in order, each beside its neighbours: what moved, by how much, and how sure that is."""
    found, brief = candidates(line.days)
    calm = line.without(brief)

    @cache
    def step(candidate: Candidate, begin: date, end: date) -> Movement | None:
        return _step(line, calm, candidate, (begin, end))

    kept = list(_told(line, found, step))
    if len(kept) < len(found):
        # Those that were none made the stretches beside the others shorter than they are.
        kept = list(_told(line, [candidate for candidate, _ in kept], step))
    return [movement for _, movement in kept]


def _told(
    line: LineCells, found: list[Candidate], step: Callable[[Candidate, date, date], Movement | None]
) -> Iterator[tuple[Candidate, Movement]]:
    if not found:
        return
    bounds = [line.days["day"][0], *(candidate.day for candidate in found), line.today]
    for candidate, begin, end in zip(found, bounds, bounds[2:], strict=False):
        movement = step(candidate, max(begin, candidate.day - _DAYS), min(end, candidate.day + _DAYS))
        if movement is not None:
            yield candidate, movement


def _step(line: LineCells, calm: LineCells, candidate: Candidate, days: tuple[date, date]) -> Movement | None:
    """The change between the calm days before and after, where one of its measures is worth telling."""
    begin, end = days
    before, after = _sides(calm.cells, begin, candidate.day, end)
    split = attribute_listed_unit_cost(before, after, book=line.book)
    if split is None or not split.before_usd:
        return None
    done = line.days.filter(pl.col("day").is_between(candidate.day, end, closed="left"))["units"].sum()
    units = Decimal(round(done)) / (end - candidate.day).days * MONTH_DAYS
    sides = _sides(calm.days, begin, candidate.day, end)
    for measure in candidate.measures:
        moved = total(part for part in split.parts if part.name in measure.parts)
        worth = abs(moved) >= LEAST_SHARE * split.before_usd and abs(moved) * units >= line.floor
        if worth and _surely(sides, measure):
            low, high = _interval(sides, UNIT_COST)
            parts = times(split.parts, units)
            return Movement(
                key=line.key("step", measure.name, candidate.day),
                kind="step",
                measure=measure.name,
                class_name=line.name,
                class_id=line.class_id(candidate.day),
                since=candidate.day,
                until=None,
                before_usd=split.before_usd,
                after_usd=split.after_usd,
                usd_month=total(parts),
                low=money(low * float(units)),
                high=money(high * float(units)),
                parts=parts,
            )
    return None


def _sides(frame: pl.DataFrame, begin: date, day: date, end: date) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows from the begin up to the day, and from it up to the end, which is not included."""
    of = pl.col("day")
    return frame.filter(of >= begin, of < day), frame.filter(of >= day, of < end)


def _surely(sides: Sides, measure: Measure) -> bool:
    """Whether other days of the same kind would have moved the same way, nine times of ten."""
    low, high = _interval(sides, measure)
    return low * high > 0


def _interval(sides: Sides, measure: Measure) -> tuple[float, float]:
    """The change of a measure, nine times of ten: by days drawn anew on either side (bootstrap).

    Days, as the jobs of one share its weather; and widened for few of them, as Student's t is wider than the normal
    distribution (Hesterberg, The American Statistician 69, 2015). Without bounds where a side has one day alone.
    """
    fewest = min(side.height for side in sides)
    if fewest <= 1:
        return -math.inf, math.inf
    change = drawn(sides[1], measure) - drawn(sides[0], measure)
    middle = float(np.nanmedian(change))
    wider = _student(fewest - 1) / _NORMAL * math.sqrt(fewest / (fewest - 1))
    low, high = (middle + (float(end) - middle) * wider for end in np.nanquantile(change, _BETWEEN))
    return low, high


def _student(freedom: int) -> float:
    """Student's t at 0.95 (Abramowitz and Stegun, 26.7.5): a twentieth too low with two degrees of freedom."""
    z = _NORMAL
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
