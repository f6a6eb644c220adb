"""One sample of two: as many paths from the engine as its record deserves, the rest from the seasonal random walk."""

import math
from dataclasses import dataclass

import numpy as np

from core.forecast.draws import Draws, Floats
from core.forecast.engine import engine
from core.forecast.naive import naive

_LEAD = -0.4
"""Log ratio of scores (engine to naive) taken for granted; public daily series gave -0.1 (mixed) to -0.75 (cash)."""
_GRANTED = 4.0
"""How many independent past forecasts that is worth."""
_FIRMNESS = 8.0
_LEAST_SHARE = 0.5
"""Less than this is no skill: then the naive forecast stands alone."""
_WIDTH = 0.98
"""What the spread is multiplied by at four weeks ahead ..."""
_WIDTH_WEEKS = 4
_NARROWING = 0.22
"""... and how it falls with the weeks ahead: chained errors wander, while real levels come back."""
_TESTED_WEEKS = 26
_UNSURE = 0.3
"""Nobody knows the spread itself: its log differs from path to path by so much, which gives the tails their weight."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """What past forecasts scored, from the same class: both relative to what came, in the mean over `cuts`."""

    cuts: int
    independent: float
    """How many of them do not overlap."""
    engine: float
    naive: float


def share(record: Record | None) -> float:
    """The engine's share of the paths: its lead over the naive forecast, shrunk to the usual one; 0 without skill."""
    lead = _LEAD
    if record is not None and record.engine > 0 and record.naive > 0:
        own = math.log(record.engine / record.naive)
        lead = (record.independent * own + _GRANTED * _LEAD) / (record.independent + _GRANTED)
    deserved = 1 / (1 + math.exp(_FIRMNESS * lead))
    return deserved if deserved >= _LEAST_SHARE else 0.0


def pooled(days: Floats, horizon: int, draws: Draws, of_engine: float) -> Floats:
    """Sample paths, paths x `horizon`: the first ones from the engine, spread as totals have been seen to spread."""
    paths = naive(days, horizon, draws)
    count = round(of_engine * draws.paths)
    if count:
        paths[:count] = engine(days, horizon, draws)[:count]
    return _spread(paths, -(-horizon // 7), draws)


def _spread(paths: Floats, weeks: int, draws: Draws) -> Floats:
    """Move every path's total towards or away from the median total, as a power, so that none turns negative."""
    usual = min(1.2, _WIDTH * (_WIDTH_WEEKS / min(weeks, _TESTED_WEEKS)) ** _NARROWING)
    factor = usual * np.exp(_UNSURE * draws.stretch)
    totals = paths.sum(axis=1)
    middle = float(np.median(totals))
    if middle <= 0:
        return paths
    ratio = np.maximum(totals, 0) / middle
    scale = np.divide(ratio**factor, ratio, out=np.zeros_like(ratio), where=ratio > 0)
    spread: Floats = np.maximum(paths, 0) * scale[:, None]
    return spread
