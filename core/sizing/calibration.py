"""Intervals that keep their word: what came of past predictions decides how wide the next interval is.

Residuals of the past, in units of what the model took for one standard deviation, give its shape (split conformal
prediction: Lei et al. 2018, weighted towards the newest as in Barber et al. 2023). The levels at which it is cut are
moved by every plan that came out above or below (adaptive conformal inference: Gibbs and Candès 2021), so that the
share covered is right in the long run whatever the process is.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Self

import numpy as np
import polars as pl

from core.sizing.residuals import KNOT_SHARES, blended
from core.sizing.turnaround import HALF_LIFE_DAYS

COVERAGE = 0.8
"""Share of jobs that is to come out inside its interval."""

COST, SECONDS, HIT_RATE = MEASURES = ("cost", "seconds", "hit_rate")
"""What is predicted of a job: dollars, seconds from create to end, share of cached tokens that is read."""

MET_SCHEMA: dict[str, Any] = {
    "measure": pl.String,
    "plan_id": pl.String,
    "class_id": pl.String,
    "known_at": pl.Datetime("us", "UTC"),
    "point": pl.Float64,
    "spread": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "actual": pl.Float64,
}
"""One prediction that came out a row, oldest first."""

# How far one plan moves the level at which a tail is cut, and between which levels it stays.
_STEP = 0.03
_TAIL = (1 - COVERAGE) / 2
_LEVELS = (0.005, 0.4)
# Jobs of one plan come out alike.
_ALIKE = 0.5
# Until a class has so many jobs, those of others stand in for the missing ones.
_OTHERS = 20.0
# Rates are told to a tenth of a percent: one that never moves is not to fall between two that cannot be told apart.
_FINEST_RATE = 1_000
_SECONDS_A_DAY = 86_400.0


@dataclass(frozen=True, kw_only=True)
class Residuals:
    """How one measure came out so far, oldest job first.

    `jobs`: class_id, plan_id, `off` (how far off, in units of its spread), `weight` (what it counts as), and whether it
    came out `below` or `above` its interval.
    """

    jobs: pl.DataFrame

    def ends(self, class_id: str | None = None) -> tuple[float, float]:
        """The residuals between which the next one of a class lies four times of five."""
        if class_id not in self._ends:
            own = self.jobs["class_id"].eq_missing(class_id).to_numpy()
            weight = self.jobs["weight"].to_numpy()
            needed = max(_OTHERS - float(weight[own].sum()), 0.0)
            others = min(1.0, needed / max(float(weight[~own].sum()), 1e-9))
            knots = blended(self.jobs["off"].to_numpy(), np.where(own, weight, others * weight), 1.0)
            below, above = self._levels
            low, high = np.interp([below, 1 - above], KNOT_SHARES, knots)
            self._ends[class_id] = float(low), float(high)
        return self._ends[class_id]

    @cached_property
    def _levels(self) -> tuple[float, float]:
        return _levels(self.jobs)

    @cached_property
    def _ends(self) -> dict[str | None, tuple[float, float]]:
        return {}


_JOB_SCHEMA: dict[str, Any] = {
    "class_id": pl.String,
    "plan_id": pl.String,
    "off": pl.Float64,
    "weight": pl.Float64,
    "below": pl.Boolean,
    "above": pl.Boolean,
}
_NONE = Residuals(jobs=pl.DataFrame(schema=_JOB_SCHEMA))


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What the ledger taught, by measure; without any prediction that came out, what the models say themselves."""

    measures: Mapping[str, Residuals] = field(default_factory=dict)

    @classmethod
    def learn(cls, met: pl.DataFrame, *, now: datetime) -> Self:
        """Learn from the ledger (columns of `MET_SCHEMA`)."""
        known = met.filter(pl.col("known_at") <= now).group_by("measure", maintain_order=True)
        return cls(measures={str(measure): residuals_of(rows, now=now) for (measure,), rows in known})

    def interval(self, measure: str, point: float, spread: float, class_id: str | None = None) -> tuple[float, float]:
        """Between which a measure of a job lies four times of five, where the plan says `point`."""
        low, high = self.measures.get(measure, _NONE).ends(class_id)
        if measure == HIT_RATE:
            low, high = point + spread * low, point + spread * high
            return _rate(math.floor(low * _FINEST_RATE)), _rate(math.ceil(high * _FINEST_RATE))
        return point * math.exp(spread * low), point * math.exp(spread * high)


def residuals_of(met: pl.DataFrame, *, now: datetime) -> Residuals:
    """Learn one measure from its predictions that came out, oldest first (columns of `MET_SCHEMA`)."""
    if met.is_empty():
        return _NONE
    rate = met["measure"][0] == HIT_RATE
    off = pl.col("actual") - pl.col("point") if rate else (pl.col("actual") / pl.col("point")).log()
    age_days = (pl.lit(now) - pl.col("known_at")).dt.total_milliseconds() / 1_000 / _SECONDS_A_DAY
    jobs = met.select(
        "class_id",
        "plan_id",
        off=off / pl.col("spread"),
        weight=0.5 ** (age_days / HALF_LIFE_DAYS) / (1 + _ALIKE * (pl.len().over("plan_id") - 1)),
        below=pl.col("actual") < pl.col("low"),
        above=pl.col("actual") > pl.col("high"),
    )
    return Residuals(jobs=jobs)


def _levels(jobs: pl.DataFrame) -> tuple[float, float]:
    """The shares to leave out, after every plan moved them by the share of its jobs that came out below and above."""
    plans = jobs.group_by("plan_id", maintain_order=True).agg(pl.mean("below", "above"))
    least, most = _LEVELS
    below = above = _TAIL
    for missed_below, missed_above in plans.select("below", "above").iter_rows():
        below = min(max(below + _STEP * (_TAIL - missed_below), least), most)
        above = min(max(above + _STEP * (_TAIL - missed_above), least), most)
    return below, above


def _rate(steps: int) -> float:
    return min(max(steps / _FINEST_RATE, 0.0), 1.0)
