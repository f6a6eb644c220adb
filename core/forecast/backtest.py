"""The record of past forecasts: what would have been said at earlier days of the same history, and what came."""

from dataclasses import dataclass

import numpy as np

from core.forecast.draws import Draws, Floats
from core.forecast.engine import engine
from core.forecast.naive import naive
from core.forecast.pooling import Record, pooled, share
from core.forecast.scores import crps, within

_CUTS = 8
_LEAST_DAYS = 56
_PATHS = 200


@dataclass(frozen=True, kw_only=True)
class Backtest:
    """How forecasts of the total over the same horizon did from earlier days; the best word on this one."""

    cuts: int
    skill: float
    """Mean score relative to the seasonal naive forecast's: below 1 is better than it, above 1 worse."""
    coverage: float
    """Share of the past totals that lay within the 80 % interval."""


def record_of(days: Floats, horizon: int, *, seed: int) -> tuple[Record | None, Backtest | None]:
    """Forecast from up to eight earlier days and score the totals; None of both where the history is too short."""
    cuts = _cuts(len(days), horizon)
    draws = Draws.make(_PATHS, horizon, seed=seed)
    scored = [(cut, float(days[cut : cut + horizon].sum())) for cut in cuts]
    scored = [(cut, came) for cut, came in scored if came > 0]
    if not scored:
        return None, None
    ours = [crps(engine(days[:cut], horizon, draws).sum(axis=1), came) / came for cut, came in scored]
    theirs = [crps(naive(days[:cut], horizon, draws).sum(axis=1), came) / came for cut, came in scored]
    record = Record(
        cuts=len(scored),
        independent=1 + (scored[-1][0] - scored[0][0]) / horizon,
        engine=float(np.mean(ours)),
        naive=float(np.mean(theirs)),
    )
    totals = [pooled(days[:cut], horizon, draws, share(record)).sum(axis=1) for cut, _ in scored]
    came = [came for _, came in scored]
    score = np.mean([crps(total, value) / value for total, value in zip(totals, came, strict=True)])
    return record, Backtest(
        cuts=len(scored),
        skill=float(score) / record.naive if record.naive > 0 else 1.0,
        coverage=float(np.mean([within(total, value, 0.1, 0.9) for total, value in zip(totals, came, strict=True)])),
    )


def _cuts(count: int, horizon: int) -> list[int]:
    """Up to eight days to forecast from, at least a week apart, the last one a whole horizon before the end."""
    first, last = max(_LEAST_DAYS, -(-count // 3)), count - horizon
    if last < first:
        return []
    return sorted({int(day) for day in np.linspace(first, last, min(_CUTS, (last - first) // 7 + 1))})
