"""How steady a cost per unit is from week to week: what tells whether one can commit to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
import polars as pl

Floats = npt.NDArray[np.float64]
Word = Literal["steady", "moving", "too little data"]

ENOUGH_WEEKS = 8
"""Weeks that a level must have held: a month is a few jobs, and a quarter would keep a fresh gain waiting too long."""
STEADY = 0.10
"""The most that weeks may scatter around a steady level, as a share of it."""

RECENT_WEEKS = 26
"""Within these a steady level may have moved once: who moves every few months is on no level."""

# Three weeks in a row are the least that is a level, and not an outlier.
_LEAST_WEEKS = 3
# Costs that repeat to the cent still differ in how jobs are cut: a thousandth is no step.
_LEAST_STEP = 0.001


@dataclass(frozen=True, kw_only=True)
class Stability:
    """How steady the weekly cost per unit is.

    `coefficient`: the weeks' standard deviation around their present level, as a share of it; None where fewer than two
    weeks are on it. `weeks`: how many weeks are on that level, and `since`: the Monday of the first of them. `level`:
    cost per unit of those weeks, in USD.
    """

    coefficient: float | None
    word: Word
    weeks: int
    since: date | None
    level: float | None


def stability(weeks: pl.DataFrame) -> Stability:
    """How steady the cost per unit is, from rows of `weekly_cost` without other columns, in any order.

    Columns read: week, units, unit_cost_usd.

    What is committed is the cost per unit of the months to come, and what is known of it is its present level. So an
    older level is no scatter: where a change of prompt, model or price moved the cost once, the weeks since then are
    judged, and whoever optimised need not wait until the old level has left the window. That level has to hold:
    steady means at least `ENOUGH_WEEKS` weeks that scatter by `STEADY` at most, a week counting as much as it has
    units; no more than one move within `RECENT_WEEKS`; and no drift that would leave the level within as many weeks: of
    all those weeks where a straight line fits them as well as the levels do, else of the level. A drift that
    may be chance (less than two standard errors) is neither steady nor moving: it takes more weeks to tell.

    The levels are those of least squares on the logarithm of the weekly cost, each of three weeks or more, where a
    further level must lower the sum of squares by 4 ln n variances (Yao, Statistics & Probability Letters 6, 1988:
    Schwarz's criterion, for a place and a height each), the variance being that of neighbours' differences (von Neumann
    1941), as medians, so that a step hardly raises it. Weeks without a unit or without cost say nothing and are
    left out.
    """
    known = weeks.filter((pl.col("units") > 0) & (pl.col("unit_cost_usd") > 0)).sort("week")
    if known.is_empty():
        return Stability(coefficient=None, word="too little data", weeks=0, since=None, level=None)
    costs = known["unit_cost_usd"].cast(pl.Float64).to_numpy()
    logs = np.log(costs)
    starts = _levels(logs)
    start, recent = starts[-1], max(0, len(logs) - RECENT_WEEKS)
    costs, units = costs[start:], known["units"].cast(pl.Float64).to_numpy()[start:]
    level = float(np.average(costs, weights=units))
    coefficient = _scatter(costs, units, level)
    if known.height < ENOUGH_WEEKS or coefficient is None:
        word: Word = "too little data"
    elif len(costs) < ENOUGH_WEEKS or coefficient > STEADY or sum(place > recent for place in starts) > 1:
        word = "moving"
    else:
        drawn = _Line.through(logs[recent:])
        line = drawn if drawn.rest <= _around(logs, starts, recent) else _Line.through(logs[start:])
        word = "steady" if not line.leaves else "moving" if line.sure else "too little data"
    return Stability(
        coefficient=coefficient,
        word=word,
        weeks=len(costs),
        since=known["week"][start],
        level=level,
    )


def _scatter(costs: Floats, units: Floats, level: float) -> float | None:
    """The weighted standard deviation around the level, with the correction for having estimated that."""
    if len(costs) < 2:
        return None
    variance = np.average(np.square(costs - level), weights=units) * len(costs) / (len(costs) - 1)
    return float(np.sqrt(variance) / level)


@dataclass(frozen=True, kw_only=True)
class _Line:
    """A straight line through weeks: its slope, the standard error of that, and the sum of squares that it leaves."""

    slope: float
    error: float
    rest: float

    @classmethod
    def through(cls, logs: Floats) -> Self:
        """The line of least squares."""
        weeks = np.arange(len(logs)) - (len(logs) - 1) / 2
        spread = float(np.square(weeks).sum())
        slope = float(weeks @ logs) / spread
        rest = float(np.square(logs - logs.mean() - slope * weeks).sum())
        return cls(slope=slope, error=float(np.sqrt(rest / (len(logs) - 2) / spread)), rest=rest)

    @property
    def leaves(self) -> bool:
        """Whether it rises or falls by more than it may in `RECENT_WEEKS`."""
        return abs(self.slope) * RECENT_WEEKS > STEADY

    @property
    def sure(self) -> bool:
        """Whether it rises or falls by two standard errors."""
        return abs(self.slope) > 2 * self.error


def _around(logs: Floats, starts: Sequence[int], first: int) -> float:
    """The sum of squares that the levels leave of the weeks from the first one on."""
    ends = [*starts[1:], len(logs)]
    parts = (logs[max(start, first) : end] for start, end in zip(starts, ends, strict=True) if end > first)
    return sum(float(np.square(part - part.mean()).sum()) for part in parts)


def _levels(logs: Floats) -> list[int]:
    """Where each level of a series begins, in order."""
    count = len(logs)
    # Of a normal distribution the median absolute difference of neighbours is 0.6745 sqrt(2) deviations.
    deviation = float(np.median(np.abs(np.diff(logs)))) / (0.6745 * np.sqrt(2)) if count > 1 else 0.0
    penalty = 4 * np.log(count) * max(deviation, _LEAST_STEP) ** 2
    sums, squares = _running(logs), _running(np.square(logs))
    best, begins = np.zeros(count + 1), [0]
    for end in range(1, count + 1):
        # Any series has one level, however short.
        starts = np.array([0, *range(_LEAST_WEEKS, end - _LEAST_WEEKS + 1)])
        around_mean = squares[end] - squares[starts] - (sums[end] - sums[starts]) ** 2 / (end - starts)
        costs = best[starts] + around_mean + penalty
        best[end] = costs.min()
        begins.append(int(starts[costs.argmin()]))
    levels = [begins[count]]
    while levels[0]:
        levels.insert(0, begins[levels[0]])
    return levels


def _running(values: Floats) -> Floats:
    return np.concatenate(([0.0], np.cumsum(values)))
