"""How long a job takes, from the create call to its end: a distribution, with what it rests on."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from core.caching.learned import Basis
from core.caching.widths import beta_cdf
from core.sizing.levels import RESIDUAL_SD, Levels, assumed_levels, learn_levels
from core.sizing.normal import Floats, normal_cdf, normal_score
from core.sizing.residuals import KNOT_SHARES, KNOTS, PRIOR_JOBS, blended

EXPIRES_SECONDS = 24 * 3600.0
"""After so long the API expires what it did not get to ("Batch processing": batches expire after 24 hours)."""

# A correlation of one would make the conditional distribution a step.
_MOST_SHARED = 0.999
_HALVINGS = 40


@dataclass(frozen=True, kw_only=True)
class Turnaround:
    """Predictive distribution of one job's time from create to end, in seconds.

    `seconds`, `shares`: increasing knots of the distribution of a job that does not expire. `shared`: correlation of
    the normal scores of jobs sent together (one common factor). `expiry`: chance that items expire after
    `expires_seconds`, one event for all jobs sent together. `jobs`: finished jobs behind it, `observations`: what they
    are worth with the assumptions, in independent jobs of today; `level_sd`: what is not known of their level.
    """

    seconds: Floats
    shares: Floats
    shared: float
    expiry: float
    jobs: int
    basis: Basis
    observations: float = 20.0
    level_sd: float = 0.0
    expires_seconds: float = EXPIRES_SECONDS

    def cdf(self, seconds: npt.ArrayLike) -> Floats:
        """Share of jobs that end within so many seconds, of those that do not expire."""
        return np.interp(np.asarray(seconds, dtype=np.float64), self.seconds, self.shares, left=0.0, right=1.0)

    def quantile(self, share: npt.ArrayLike) -> Floats:
        """Seconds within which this share of jobs ends, of those that do not expire."""
        return np.interp(np.asarray(share, dtype=np.float64), self.shares, self.seconds)

    def given(self, seconds: npt.ArrayLike, z: npt.ArrayLike) -> Floats:
        """`cdf` where the common factor of jobs sent together is z: above zero they are all slow. Both broadcast."""
        shared = min(self.shared, _MOST_SHARED)
        own = normal_score(self.cdf(seconds)) - math.sqrt(shared) * np.asarray(z, dtype=np.float64)
        return normal_cdf(own / math.sqrt(1 - shared))

    def interval(self, coverage: float = 0.8) -> tuple[float, float]:
        """Seconds between which the next job ends with this probability, as often below as above."""
        low, high = self.quantile([(1 - coverage) / 2, (1 + coverage) / 2])
        return float(low), float(high)

    def band(self, share: float, coverage: float = 0.8) -> tuple[float, float]:
        """How well a quantile is known: seconds between which the true one lies with this probability.

        The share of jobs that end within a time has a Beta posterior (Ferguson 1973), worth the observations behind
        it; on top comes what is not known of the level itself.
        """
        tail = (1 - coverage) / 2
        low, high = (self._share_where(share, 1 - tail), self._share_where(share, tail))
        middle = math.log(float(self.quantile(share)))
        level = float(normal_score(1 - tail)) * self.level_sd
        below = math.hypot(middle - math.log(float(self.quantile(low))), level)
        above = math.hypot(math.log(float(self.quantile(high))) - middle, level)
        return math.exp(middle - below), math.exp(middle + above)

    def _share_where(self, share: float, below: float) -> float:
        """The mean share m for which a Beta posterior around m lies under `share` with probability `below`."""
        low, high = 0.0, 1.0
        for _ in range(_HALVINGS):
            mean = (low + high) / 2
            spread = beta_cdf(share, self.observations * mean, self.observations * (1 - mean))
            low, high = (mean, high) if spread > below else (low, mean)
        return (low + high) / 2


HISTORY_SCHEMA: dict[str, Any] = {
    "model": pl.String,
    "class_id": pl.String,
    "items": pl.Int64,
    "submitted_at": pl.Datetime("us", "UTC"),
    "seconds": pl.Float64,
    "expired": pl.Boolean,
}
"""One finished job a row; `expired`: some of its items were not got to in 24 hours."""

HALF_LIFE_DAYS = 30.0
"""After so long a job counts half as much, here as wherever a workspace learns from its jobs."""

_SECONDS_A_DAY = 86_400.0
# The assumed correlation counts as so many times of sending.
_PRIOR_WAVES = 10.0
_PRIOR_SHARED, _PRIOR_EXPIRY = 0.5, 0.005
# Jobs sent within so many seconds of the one before are sent together.
_TOGETHER_SECONDS = 600.0
# Older ones hardly count by then, and the newest say enough.
_MOST_JOBS = 4_000
_PASSES = 2


@dataclass(frozen=True, kw_only=True)
class Turnarounds:
    """What a workspace knows of turnarounds; without any job, the documented assumptions.

    `residuals`: log seconds over the level at `KNOTS`; `jobs`: finished jobs by model; `observations`: what they are
    worth, in independent jobs of today; `scale`: how many times faster than life the server runs.
    """

    levels: Levels = field(default_factory=assumed_levels)
    residuals: Floats = field(default_factory=lambda: RESIDUAL_SD * KNOTS)
    shared: float = _PRIOR_SHARED
    expiry: float = _PRIOR_EXPIRY
    jobs: Mapping[str, int] = field(default_factory=dict)
    observations: float = 0.0
    scale: float = 1.0

    @classmethod
    def learn(cls, history: pl.DataFrame, *, now: datetime, scale: float = 1.0) -> Self:
        """Learn from finished jobs (columns of `HISTORY_SCHEMA`), newer ones more."""
        known = history.filter(pl.col("submitted_at") <= now, pl.col("seconds") > 0).sort("submitted_at")
        known = _in_waves(known.tail(_MOST_JOBS), now, scale)
        waves = known.group_by("wave").agg(pl.col("expired").any(), pl.col("weight").max())
        weight = waves["weight"].to_numpy()
        expiry = (_PRIOR_EXPIRY * PRIOR_JOBS + float(weight[waves["expired"].to_numpy()].sum())) / (
            PRIOR_JOBS + float(weight.sum())
        )
        ended = known.filter(~pl.col("expired"))
        if ended.is_empty():
            return cls(levels=assumed_levels(scale), expiry=expiry, scale=scale)
        return cls(expiry=expiry, scale=scale, **_learned(ended, scale))

    def of(self, model: str, items: int, at: datetime, class_id: str | None = None) -> Turnaround:
        """What to expect of a job of so many items, sent at a moment; of any class where none is named."""
        level = self.levels.at(model, items, at, class_id)
        # What is not known of the level widens the distribution, and jobs sent together have it in common.
        middle, spread = self._middle_and_spread
        wider = math.hypot(1.0, level.sd / spread)
        jobs = self.jobs.get(model, 0)
        return Turnaround(
            seconds=np.exp(level.mean + middle + wider * (self.residuals - middle)),
            shares=KNOT_SHARES,
            shared=1 - (1 - self.shared) / wider**2,
            expiry=self.expiry,
            jobs=jobs,
            basis="measured" if jobs else "estimated" if self.jobs else "assumed",
            observations=PRIOR_JOBS + self.observations,
            level_sd=level.sd,
            expires_seconds=EXPIRES_SECONDS / self.scale,
        )

    def off(self, history: pl.DataFrame) -> pl.DataFrame:
        """Every job that ended, with the `wave` in which it was sent and how far it lies `off` its level, in logs."""
        ended = history.filter(~pl.col("expired"), pl.col("seconds") > 0).sort("submitted_at")
        off = np.log(ended["seconds"].to_numpy()) - self.levels.of_jobs(ended)
        return ended.with_columns(_wave(self.scale), off=pl.Series(off))

    @cached_property
    def _middle_and_spread(self) -> tuple[float, float]:
        """Of the residuals: their median, and half of what lies between the scores of -1 and 1."""
        low, middle, high = np.interp([-1.0, 0.0, 1.0], KNOTS, self.residuals)
        return float(middle), float(high - low) / 2


def _in_waves(jobs: pl.DataFrame, now: datetime, scale: float) -> pl.DataFrame:
    """The jobs with what each counts for its age (`weight`), and the `wave` in which it was sent."""
    age = (pl.lit(now) - pl.col("submitted_at")).dt.total_milliseconds() / 1_000 / _SECONDS_A_DAY
    return jobs.with_columns(_wave(scale), weight=0.5 ** (age / HALF_LIFE_DAYS))


def _wave(scale: float) -> pl.Expr:
    apart = pl.col("submitted_at").diff().dt.total_milliseconds() > 1_000 * _TOGETHER_SECONDS / scale
    return apart.fill_null(False).cum_sum().alias("wave")


def _learned(jobs: pl.DataFrame, scale: float) -> dict[str, Any]:
    """Levels, residuals and what goes with them, from jobs that ended.

    Jobs sent together say less than as many sent apart (the design effect of Kish 1965), the less the more they have
    in common; and that shows only once the levels are known.
    """
    logs = np.log(jobs["seconds"].to_numpy())
    wave, together = jobs["wave"].to_numpy(), jobs.select(pl.len().over("wave")).to_series().to_numpy()
    age_weight, shared = jobs["weight"].to_numpy(), _PRIOR_SHARED
    for _ in range(_PASSES):
        weight = age_weight / (1 + (together - 1) * shared)
        levels = learn_levels(jobs, weight, scale=scale)
        off = logs - levels.of_jobs(jobs)
        residuals = blended(off, weight, levels.residual_sd)
        shared = _correlation(np.interp(off, residuals, KNOTS), wave, age_weight)
    return {
        "levels": levels,
        "residuals": residuals,
        "shared": shared,
        "jobs": dict(jobs.group_by("model").len().iter_rows()),
        "observations": float(weight.sum()),
    }


def _correlation(scores: Floats, wave: npt.NDArray[np.uint32], weight: Floats) -> float:
    """Mean product of the scores of two jobs of a wave, the assumed correlation counting as ten waves."""
    count = np.bincount(wave).astype(np.float64)
    total, square, worth = (np.bincount(wave, values).astype(np.float64) for values in (scores, scores**2, weight))
    several = count > 1
    pairs = (total[several] ** 2 - square[several]) / (count[several] * (count[several] - 1))
    worth = worth[several] / count[several]
    shared = (_PRIOR_WAVES * _PRIOR_SHARED + float((worth * pairs).sum())) / (_PRIOR_WAVES + float(worth.sum()))
    return min(max(shared, 0.0), _MOST_SHARED)
