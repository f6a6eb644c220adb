"""Where the level of a series changes, and its weekdays taken out first."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from core.trends.medians import Values, medians

MOST = 400
"""Points that are split exactly: the work grows with their square."""

LEAST = 4
"""Points between two changes: what lasts shorter is a burst, which the anomalies find."""

_ALIKE = 1e-9
"""Values that differ by less, as a share of their size, are the same."""

_AROUND_DAYS = 3
"""On either side of a day: the week around it."""

_WEEKDAY_TIMES = 3
"""How often a weekday must have come for its own level to be known."""


@dataclass(frozen=True, kw_only=True)
class Levels:
    """Where new levels begin, and the positions of values that are of none: they lie apart for a short while only."""

    starts: tuple[int, ...]
    brief: frozenset[int]


def levels(values: Values, *, least: int = LEAST) -> Levels:
    """The levels of a series: exact least squares with a penalty of 2 ln n a change.

    Optimal partitioning (Jackson et al., 2005) of the standardised values, at most `MOST` of them. Fewer than `least`
    values that lie apart are no level. What lies between two changes is standardised and split again, so that a large
    step does not hide a small one beside it.
    """
    kept = np.arange(len(values))
    while (brief := _brief(values[kept], least)).any():
        kept = kept[~brief]
    found = [int(kept[position]) for position in _partition(values[kept], least)]
    apart = set(range(len(values))) - set(kept.tolist())
    starts = list(found)
    for start, end in pairwise([0, *found, len(values)]) if found else ():
        inner = levels(values[start:end], least=least)
        starts += [start + position for position in inner.starts]
        apart |= {start + position for position in inner.brief}
    return Levels(starts=tuple(sorted(starts)), brief=frozenset(apart))


def _brief(values: Values, least: int) -> NDArray[np.bool_]:
    """Which values lie apart from those around them for less than `least` in a row."""
    brief = np.zeros(len(values), np.bool_)
    found = _partition(values, 1) if len(values) >= 2 * least else []
    for start, end in pairwise([0, *found, len(values)] if found else []):
        brief[start:end] = end - start < least
    return brief


def _partition(values: Values, least: int) -> list[int]:
    """The ends of the levels but the last one, with no regard to how small they are beside each other."""
    count = len(values)
    if count > MOST:
        raise ValueError(count)
    if count < 2 * least or values.std() <= _ALIKE * max(1.0, abs(float(values.mean()))):
        return []
    spread = float(values.std())
    standard = (values - values.mean()) / spread
    sums = np.concatenate(([0.0], np.cumsum(standard)))
    squares = np.concatenate(([0.0], np.cumsum(standard**2)))
    penalty = 2 * math.log(count)
    ends = np.arange(count + 1)[:, None]
    # Row by row what every stretch that ends there costs, by its start; those that end before they start are not used.
    costs = squares[:, None] - squares - (sums[:, None] - sums) ** 2 / np.maximum(ends - ends.T, 1)
    best = np.full(count + 1, np.inf)
    best[0] = -penalty
    came = np.zeros(count + 1, np.int64)
    for end in range(least, count + 1):
        total = best[: end - least + 1] + costs[end, : end - least + 1]
        came[end] = start = int(total.argmin())
        best[end] = total[start] + penalty
    found = []
    position = int(came[count])
    while position:
        found.append(position)
        position = int(came[position])
    return found[::-1]


def without_weekdays(days: Sequence[date], values: Values) -> Values:
    """The values with what is usual for each weekday taken out: its median distance from the week around it."""
    ordinals = np.array([day.toordinal() for day in days])
    weekdays = np.array([day.weekday() for day in days])
    near = np.abs(ordinals[:, None] - ordinals) <= _AROUND_DAYS
    around = medians(np.where(near, values, np.nan))
    usual = np.zeros(len(values))
    for weekday in range(7):
        chosen = weekdays == weekday
        if chosen.sum() >= _WEEKDAY_TIMES:
            usual[chosen] = np.median((values - around)[chosen])
    return values - usual
