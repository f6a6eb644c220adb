"""Where the weekly level goes: many damped Holt smoothers, weighed by how well each forecast the past."""

from dataclasses import dataclass

import numpy as np

from core.forecast.draws import Floats

_ALPHAS = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.8, 1.0)
_TRENDS = ((0.0, 0.0), (0.05, 0.9))
"""(share of a change of level that becomes trend, damping of the trend a week)."""
_LEVEL = np.array([alpha for alpha in _ALPHAS for _ in _TRENDS])
_TREND = np.array([trend for _ in _ALPHAS for trend, _ in _TRENDS])
_DAMPING = np.array([damping for _ in _ALPHAS for _, damping in _TRENDS])
_START_WEEKS = 4
_SHARPNESS = 4.0
"""How fast the weight of a smoother falls with its squared error, relative to the best one's."""


@dataclass(frozen=True, kw_only=True)
class Levels:
    """The combined forecast of weekly levels and its errors at every past origin."""

    ahead: Floats
    """weeks ahead"""
    errors: Floats
    """origins x weeks ahead, oldest origin first; NaN beyond the end of the history."""


def levels(weekly: Floats, ahead: int) -> Levels:
    """Forecast the weekly levels `ahead` weeks on from a history of at least six weeks.

    Damped trend exponential smoothing (Gardner and McKenzie 1985) over a grid of constants instead of fitted ones:
    the combination is steadier than its best member (Timmermann 2006, "Forecast Combinations").
    """
    ends, trends = _smooth(weekly)
    steps = np.arange(1, ahead + 1)[:, None]
    reach = _DAMPING * (1 - _DAMPING**steps) / (1 - _DAMPING)
    members = ends[:, None, :] + trends[:, None, :] * reach
    count = len(weekly)
    origins = np.arange(max(_START_WEEKS, count // 4) - 1, count - 1)
    places = origins[:, None] + steps.T
    came = np.where(places < count, weekly[np.minimum(places, count - 1)], np.nan)
    errors = came[:, :, None] - members[origins]
    weights = _weights(np.nanmean(errors**2, axis=(0, 1)) if errors.size else np.ones(_LEVEL.size))
    return Levels(ahead=members[-1] @ weights, errors=errors @ weights)


def _smooth(weekly: Floats) -> tuple[Floats, Floats]:
    """Level and trend of every smoother after each week: two arrays of weeks x smoothers."""
    ends, trends = np.empty((len(weekly), _LEVEL.size)), np.empty((len(weekly), _LEVEL.size))
    level, trend = np.full(_LEVEL.size, weekly[:_START_WEEKS].mean()), np.zeros(_LEVEL.size)
    for week, value in enumerate(weekly):
        expected = level + _DAMPING * trend
        miss = value - expected
        level, trend = expected + _LEVEL * miss, _DAMPING * trend + _LEVEL * _TREND * miss
        ends[week], trends[week] = level, trend
    return ends, trends


def _weights(squared: Floats) -> Floats:
    least = float(squared.min())
    raw: Floats = np.exp(-_SHARPNESS * (squared / least - 1)) if least > 0 else (squared == 0).astype(float)
    shares: Floats = raw / raw.sum()
    return shares
