"""The level of a turnaround, on the scale of log seconds: what size, model, class and hour of the week make of it.

A linear model with a normal prior for every coefficient, so that an effect is only as large as there is evidence for:
without any, the level is the assumed one and its uncertainty is the prior's (Gelman et al., Bayesian Data Analysis,
ch. 14 and 15).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from core.sizing.normal import Floats
from core.sizing.residuals import PRIOR_JOBS

ASSUMED_SECONDS, ASSUMED_ITEMS = 15 * 60.0, 1_000
"""Half of all jobs of a thousand items end within a quarter of an hour: assumed until a workspace has jobs."""

RESIDUAL_SD = 0.5
"""Assumed spread of jobs alike, in log seconds. With the prior below, 95 % of all jobs end within an hour."""

# Small jobs mostly wait, large ones mostly work: two slopes on log items, for below and above so many. Assumed: ten
# times the items take a quarter longer below, and 60 % longer above.
_HINGE_ITEMS = 100
_SLOPES, _SLOPE_SD = (0.1, 0.2), 0.15
_ABOVE_AT_ASSUMED = math.log(ASSUMED_ITEMS / _HINGE_ITEMS)
_BASE_SD, _MODEL_SD, _CLASS_SD, _HOUR_SD = 0.52, 0.3, 0.25, 0.08
_NO_EFFECT = (0.0, 0.0)
# Waves a week whose sum is the effect of the hour: slow ones, and the day with its half and third.
_WAVES = np.array([1, 2, 3, 7, 14, 21])
_HOURS_A_WEEK = 168
_FIXED = 3 + 2 * len(_WAVES)
# The assumed spread of classes counts as so many.
_PRIOR_CLASSES = 3.0
_ROUNDS = 8
# Degrees of freedom of the t distributions by which a stray job counts less for the level, and the assumed level less
# beside jobs that are far off it.
_TAIL, _BASE_TAIL = 4.0, 2.0


class Level(NamedTuple):
    """Log seconds to expect, and the standard deviation of what is not known of it."""

    mean: float
    sd: float


@dataclass(frozen=True, kw_only=True)
class Levels:
    """The posterior of the coefficients.

    `classes`: effect and its variance by class; `class_sd`: how far classes differ; `centre`: geometric mean size of
    the jobs behind it, in items.
    """

    models: tuple[str, ...]
    mean: Floats
    covariance: Floats
    classes: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    class_sd: float = _CLASS_SD
    residual_sd: float = RESIDUAL_SD
    centre: float = ASSUMED_ITEMS

    def at(self, model: str, items: int, at: datetime, class_id: str | None = None) -> Level:
        """The level of a job. What is not known of it never shrinks with its size, so a larger job is never safer."""
        hour = hour_of_week(at)
        base = self._bases.get((model, hour)) or self._base(model, hour)
        # The variance is convex in log items between these sizes, so the largest at them is the largest up to here.
        sizes = [self.centre, *(float(n) for n in (_HINGE_ITEMS, items) if self.centre < n <= items)]
        effect, unknown = self.classes.get(class_id or "", (0.0, self.class_sd**2))
        below, above = _slopes(items)
        mean = base.mean + below * float(self.mean[1]) + above * float(self.mean[2]) + effect
        return Level(mean, math.sqrt(max(base.variance(size) for size in sizes) + unknown))

    def of_jobs(self, jobs: pl.DataFrame) -> Floats:
        """The levels of many jobs (columns model, class_id, items, submitted_at)."""
        effects: Floats = np.array([self.classes.get(one or "", _NO_EFFECT)[0] for one in jobs["class_id"]])
        explained: Floats = _rows(jobs, self.models) @ self.mean
        return explained + effects

    def _base(self, model: str, hour: float) -> "_Base":
        """What a model and an hour make of the level, kept: plans ask for many sizes at one time."""
        index = np.array([self.models.index(model) if model in self.models else -1])
        row = _design(np.array([float(_HINGE_ITEMS)]), np.array([hour]), index, len(self.models))[0]
        row[1:3] = 0.0
        with_sizes = row @ self.covariance
        self._bases[model, hour] = base = _Base(
            mean=float(row @ self.mean),
            own=float(with_sizes @ row) + (0.0 if index[0] >= 0 else _MODEL_SD**2),
            with_below=float(with_sizes[1]),
            with_above=float(with_sizes[2]),
            slopes=(float(self.covariance[1, 1]), float(self.covariance[1, 2]), float(self.covariance[2, 2])),
        )
        return base

    @cached_property
    def _bases(self) -> dict[tuple[str, float], "_Base"]:
        return {}


class _Base(NamedTuple):
    """The level without the size, and the covariances that its variance at a size is made of."""

    mean: float
    own: float
    with_below: float
    with_above: float
    slopes: tuple[float, float, float]

    def variance(self, items: float) -> float:
        """What is not known of the level of a job of so many items."""
        below, above = _slopes(items)
        of_below, of_both, of_above = self.slopes
        slopes = below**2 * of_below + 2 * below * above * of_both + above**2 * of_above
        return self.own + 2 * (below * self.with_below + above * self.with_above) + slopes


def assumed_levels(scale: float = 1.0) -> Levels:
    """What is expected before there is any job; `scale`: how many times faster than life the server runs."""
    mean, variance = _prior(0, scale)
    return Levels(models=(), mean=mean, covariance=np.diag(variance))


def learn_levels(jobs: pl.DataFrame, weight: Floats, *, scale: float) -> Levels:
    """Learn from finished jobs (columns model, class_id, items, submitted_at, seconds).

    `weight`: what each counts as, in independent jobs of today; `scale` as in `assumed_levels`.
    """
    names = tuple(jobs["model"].unique().sort())
    rows, logs = _rows(jobs, names), np.log(jobs["seconds"].to_numpy())
    mean, variance = _prior(len(names), scale)
    residual_sd, robust = RESIDUAL_SD, np.ones(len(logs))
    for number in range(_ROUNDS):
        coefficients, covariance = _posterior(rows, logs, weight * robust / residual_sd**2, mean, variance)
        # Where the jobs contradict the assumed level, it gives way: its prior is a t distribution too.
        far = (coefficients[0] - mean[0]) / _BASE_SD
        variance[0] = _BASE_SD**2 * (_BASE_TAIL + far**2) / (_BASE_TAIL + 1)
        residuals = logs - rows @ coefficients
        spread = float((weight * robust * residuals**2).sum())
        residual_sd = math.sqrt((PRIOR_JOBS * RESIDUAL_SD**2 + spread) / (PRIOR_JOBS + float(weight.sum())))
        if number:
            robust = (_TAIL + 1) / (_TAIL + (residuals / residual_sd) ** 2)
    classes = _class_effects(jobs["class_id"], residuals, weight * robust / residual_sd**2)
    differ = sum(effect**2 + unknown for effect, unknown in classes.values())
    return Levels(
        models=names,
        mean=coefficients,
        covariance=covariance,
        classes=classes,
        class_sd=math.sqrt((_PRIOR_CLASSES * _CLASS_SD**2 + differ) / (_PRIOR_CLASSES + len(classes))),
        residual_sd=residual_sd,
        centre=math.exp(float(np.average(np.log(jobs["items"].to_numpy()), weights=weight))),
    )


def hour_of_week(at: datetime) -> float:
    """Hours since Monday 00:00 UTC."""
    return at.weekday() * 24 + at.hour + at.minute / 60


def _posterior(rows: Floats, logs: Floats, precision: Floats, mean: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """Mean and covariance of the coefficients; a slope that would be negative is none: no job ends sooner for more."""
    variance = variance.copy()
    while True:
        inverse = np.diag(1 / variance) + rows.T @ (rows * precision[:, None])
        covariance: Floats = np.asarray(np.linalg.inv(inverse), dtype=np.float64)
        found: Floats = covariance @ (mean / variance + rows.T @ (precision * logs))
        negative = [slope for slope in (1, 2) if found[slope] < 0 and mean[slope] > 0]
        if not negative:
            found[1:3] = np.maximum(found[1:3], 0.0)
            return found, covariance
        mean = mean.copy()
        mean[negative], variance[negative] = 0.0, 1e-9


def _class_effects(classes: pl.Series, residuals: Floats, precision: Floats) -> dict[str, tuple[float, float]]:
    """By class, how far its jobs lie off what size, model and hour explain, and the variance of that."""
    sums: dict[str, list[float]] = {}
    for name, residual, worth in zip(classes, residuals.tolist(), precision.tolist(), strict=True):
        if name is not None:
            found = sums.setdefault(name, [0.0, 1 / _CLASS_SD**2])
            found[0] += worth * residual
            found[1] += worth
    return {name: (total / worth, 1 / worth) for name, (total, worth) in sums.items()}


def _slopes(items: float) -> tuple[float, float]:
    """Log items below and above the hinge, as the design has them."""
    size = math.log(max(items, 1) / _HINGE_ITEMS)
    return min(size, 0.0), max(size, 0.0) - _ABOVE_AT_ASSUMED


def _rows(jobs: pl.DataFrame, models: tuple[str, ...]) -> Floats:
    """One row of the model a job; a model that is not known has the effect of none."""
    hours = np.array([hour_of_week(at) for at in jobs["submitted_at"]], dtype=np.float64)
    place = {model: number for number, model in enumerate(models)}
    index = np.array([place.get(model, -1) for model in jobs["model"]], dtype=np.int64)
    return _design(jobs["items"].cast(pl.Float64).to_numpy(), hours, index, len(models))


def _design(items: Floats, hours: Floats, index: npt.NDArray[np.int64], models: int) -> Floats:
    """One row a job: one, two sizes, the waves of the week, and a one for its model."""
    size = np.log(np.maximum(items, 1) / _HINGE_ITEMS)
    turn = 2 * np.pi / _HOURS_A_WEEK * np.outer(hours, _WAVES)
    own = np.zeros((len(items), models))
    known = np.flatnonzero(index >= 0)
    own[known, index[known]] = 1.0
    sizes = [np.ones(len(items)), np.minimum(size, 0), np.maximum(size, 0) - _ABOVE_AT_ASSUMED]
    return np.column_stack([*sizes, np.cos(turn), np.sin(turn), own])


def _prior(models: int, scale: float) -> tuple[Floats, Floats]:
    mean = np.zeros(_FIXED + models)
    mean[:3] = math.log(ASSUMED_SECONDS / scale), *_SLOPES
    sd = [_BASE_SD, _SLOPE_SD, _SLOPE_SD] + [_HOUR_SD] * (2 * len(_WAVES)) + [_MODEL_SD] * models
    return mean, np.square(np.array(sd))
