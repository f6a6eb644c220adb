"""Days that are not as usual: what was to be expected by weekday and lately, and how far off that was."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.trends.medians import Values, medians

WINDOW_DAYS = 56
LEVEL_DAYS = 28
"""The level is that of the last four weeks; before there are as many, nothing is expected of a day."""

LEARNED_DAYS = 42
"""How much a series swings takes six weeks to learn: no day before is judged."""

LEAST_KNOWN = 12
"""Values that a spread is told from, at least."""

SCORE = 4.0
SHARE = 0.10
"""A day is flagged beyond so many robust standard deviations and beyond this share of what was expected."""

_WEEK = 7
_MAD = 1.4826
"""Makes the median absolute deviation of normal values their standard deviation."""

_LEAST_SPREAD = 0.01
"""Of values that never differ: beyond four times as much a day is not as usual either."""


@dataclass(frozen=True, kw_only=True)
class Usual:
    """What was expected of each day, and the robust standard deviation of the logarithm from it; NaN where unknown."""

    expected: Values
    spreads: Values

    def scores(self, values: Values) -> Values:
        """How many robust standard deviations each day was off."""
        with np.errstate(invalid="ignore", divide="ignore"):
            off: Values = np.log(values / self.expected) / self.spreads
        return off

    def flagged(self, values: Values) -> NDArray[np.bool_]:
        """The days that were not as usual, whatever they are worth."""
        with np.errstate(invalid="ignore", divide="ignore"):
            flags: NDArray[np.bool_] = (np.abs(self.scores(values)) > SCORE) & (
                np.abs(values / self.expected - 1) > SHARE
            )
        flags[:LEARNED_DAYS] = False
        return flags


def usual(values: Values) -> Usual:
    """Expected values (weekday median times the level of four weeks) and their spread, from the eight weeks before.

    `values`: one for every day, in order, NaN where there was none; a weekday that is zero as a rule is not expected
    to have any.
    """
    count = len(values)
    padded = np.concatenate([np.full(WINDOW_DAYS, np.nan), values])
    # Row by row the eight weeks before each day, oldest first: every seventh column has the weekday of that day.
    before = np.lib.stride_tricks.sliding_window_view(padded, WINDOW_DAYS)[:count]
    weekday = medians(before.reshape(count, -1, _WEEK).transpose(0, 2, 1))
    weekday[weekday <= 0] = np.nan
    ratios = before / np.tile(weekday, WINDOW_DAYS // _WEEK)
    level = medians(ratios[:, -LEVEL_DAYS:])
    with np.errstate(invalid="ignore", divide="ignore"):
        off = np.log(ratios / level[:, None])
        spreads = _MAD * medians(np.abs(off - medians(off)[:, None]))
    spreads[(~np.isnan(off)).sum(axis=1) < LEAST_KNOWN] = np.nan
    expected = weekday[:, 0] * level
    expected[:LEVEL_DAYS] = np.nan
    unknown = ~(expected > 0)
    expected[unknown] = np.nan
    return Usual(expected=expected, spreads=np.where(unknown, np.nan, np.maximum(spreads, _LEAST_SPREAD)))
