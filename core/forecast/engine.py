"""Sample paths of one class's days ahead: level, past errors as they ran, and the shape of the week."""

import numpy as np
import numpy.typing as npt

from core.forecast.draws import BLOCK, Draws, Floats, pick
from core.forecast.levels import Levels, levels
from core.forecast.weekdays import deviations, profile, split

_WHOLE = 0.7
"""Share of the paths that repeat one past path of errors, where there are enough of them to choose from."""
_ENOUGH = 26
_OWN_ERROR = 6
"""A short history errs more ahead than it did within: by sqrt(1 + this over its weeks)."""
_HIGHEST = 3.0
"""Natural log of how far above its highest week a path may go."""


def engine(days: Floats, horizon: int, draws: Draws) -> Floats:
    """Whole sample paths, paths x `horizon`, from daily values (at least six weeks, none negative).

    Errors of weeks in a row hang together, so that sums over many weeks keep their spread: whole runs of past
    errors are drawn (a block bootstrap, Kuensch 1989), never days by themselves.
    """
    weeks = days[len(days) % 7 :].reshape(-1, 7)
    totals = weeks.sum(axis=1)
    ahead = -(-horizon // 7)
    # A share, not a sum, is what growth and error multiply; a week without any work has no logarithm.
    logged = bool((totals > 0).all())
    found = levels(np.log(totals) if logged else totals, ahead)
    paths = found.ahead + _errors(found, draws) * np.sqrt(1 + _OWN_ERROR / len(weeks))
    sums = np.exp(np.minimum(paths, np.log(totals.max()) + _HIGHEST)) if logged else np.maximum(paths, 0)
    departures = deviations(weeks)
    drawn = departures[pick(draws.days, len(departures))]
    return split(sums, profile(weeks), drawn)[:, :horizon]


def _errors(found: Levels, draws: Draws) -> Floats:
    """paths x weeks ahead: runs of errors as they were, or chained from pieces of several."""
    errors = found.errors
    whole = errors[~np.isnan(errors).any(axis=1)]
    chained = _chained(errors, draws)
    if not len(whole):
        return chained
    repeated = whole[pick(draws.origin, len(whole))] * draws.signs[:, :1]
    chance = _WHOLE * min(1.0, len(whole) / _ENOUGH)
    return np.where((draws.whole < chance)[:, None], repeated, chained)


def _chained(errors: Floats, draws: Draws) -> Floats:
    """A first error, then increments of up to `BLOCK` weeks from random origins, each with a random sign."""
    ahead = errors.shape[1]
    first = errors[pick(draws.first, len(errors)), 0] * draws.signs[:, 1]
    increments = np.diff(errors, axis=1)
    length = next((size for size in range(min(BLOCK, ahead - 1), 0, -1) if _known(increments, size).any()), 0)
    if not length:
        return np.repeat(first[:, None], ahead, axis=1)
    pieces = increments[_known(increments, length), :length]
    count = -(-(ahead - 1) // length)
    drawn = pieces[pick(draws.blocks[:, :count], len(pieces))] * draws.signs[:, 2 : 2 + count, None]
    steps = drawn.reshape(draws.paths, -1)[:, : ahead - 1]
    return np.concatenate([first[:, None], first[:, None] + np.cumsum(steps, axis=1)], axis=1)


def _known(increments: Floats, size: int) -> npt.NDArray[np.bool_]:
    return np.asarray(~np.isnan(increments[:, :size]).any(axis=1))
