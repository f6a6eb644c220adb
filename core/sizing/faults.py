"""How often things go wrong: single items, billed or not, and whole jobs. Beta distributions, learned from jobs."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Self

import polars as pl

from core.caching.learned import Basis
from core.caching.widths import beta_cdf
from core.sizing.turnaround import HALF_LIFE_DAYS

FAULT_SCHEMA: dict[str, Any] = {
    "class_id": pl.String,
    "model": pl.String,
    "submitted_at": pl.Datetime("us", "UTC"),
    "items": pl.Int64,
    "billed_faults": pl.Int64,
    "unbilled_faults": pl.Int64,
    "voided": pl.Boolean,
}
"""One finished job and class a row: its items, how many failed billed and unbilled, and whether all was for nothing."""

# Items of one job meet the same trouble, so a job says no more of its class's item faults than so many would.
_MOST_OBSERVATIONS = 200
_HALVINGS = 60
# Rounds in which so few failures are expected count no more.
_NO_ITEM = 1e-3
_SECONDS_A_DAY = 86_400
_SUMS = ("voids", "exposed", "billed", "unbilled", "observed", "jobs")


@dataclass(frozen=True, kw_only=True)
class Rate:
    """What is known of a rate: a Beta distribution of `faults` and `rest`."""

    faults: float
    rest: float

    @property
    def mean(self) -> float:
        """The rate to expect."""
        return self.faults / (self.faults + self.rest)

    def upper(self, certainty: float = 0.8) -> float:
        """The rate that the true one stays under with this certainty."""
        low, high = 0.0, 1.0
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if beta_cdf(middle, self.faults, self.rest) < certainty else (low, middle)
        return high

    def after(self, faults: float, rest: float) -> "Rate":
        """The same once so many more were seen."""
        return Rate(faults=self.faults + faults, rest=self.rest + rest)

    def as_prior(self, worth: float) -> "Rate":
        """The same rate as an assumption for something alike: worth no more than so many observations."""
        less = min(1.0, worth / (self.faults + self.rest))
        return Rate(faults=self.faults * less, rest=self.rest * less)


# Assumed before any job, and what a class is worth of its model, a model of its workspace.
_VOID_RATE, _LEAST_RATE = 1e-5, 1e-9
_ITEM = Rate(faults=1.0, rest=200.0)


@dataclass(frozen=True, kw_only=True)
class Faults:
    """What is known of the faults of a class on its model, and from how many of its jobs.

    `void_rate`: chance per item of a fault that makes all of its job useless; `fault_rate`: share of items that are
    billed and must be sent again; `unbilled_rate`: share that fails without a bill, which costs time only.
    """

    void_rate: Rate = field(default_factory=lambda: _assumed_void(_VOID_RATE))
    fault_rate: Rate = _ITEM
    unbilled_rate: Rate = _ITEM
    jobs: int = 0
    basis: Basis = "assumed"


_NOTHING: Mapping[str, float] = dict.fromkeys(_SUMS, 0.0)


@dataclass(frozen=True, kw_only=True)
class FaultHistory:
    """Faults of all finished jobs, summed up by class and model; without any, the documented assumptions.

    A class is expected to be like its model, and a model like the rest of the workspace, until its own jobs outweigh
    that: what others show stands in for the assumption, with no more weight than that has.
    """

    total: Mapping[str, float] = field(default_factory=lambda: _NOTHING)
    models: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    classes: Mapping[tuple[str | None, str], Mapping[str, float]] = field(default_factory=dict)
    void_rate: float = _VOID_RATE

    @classmethod
    def learn(cls, history: pl.DataFrame, *, now: datetime, void_rate: float = _VOID_RATE) -> Self:
        """Learn from finished jobs (columns of `FAULT_SCHEMA`), half as much for every 30 days of age.

        `void_rate`: what is assumed of faults that void a job.
        """
        counted = _counted(history.filter(pl.col("submitted_at") <= now, pl.col("items") > 0), now)
        models = counted.group_by("model").agg(pl.sum(*_SUMS))
        classes = counted.group_by("class_id", "model").agg(pl.sum(*_SUMS))
        return cls(
            void_rate=void_rate,
            total=counted.select(pl.sum(*_SUMS)).row(0, named=True),
            models={row["model"]: row for row in models.iter_rows(named=True)},
            classes={(row["class_id"], row["model"]): row for row in classes.iter_rows(named=True)},
        )

    def of(self, class_id: str | None, model: str) -> Faults:
        """What to expect of a class on a model; of any class of it where none is named."""
        # Classes without jobs of their own are all alike, and a backlog may have thousands.
        known = (class_id, model) if (class_id, model) in self.classes else (None, model)
        if known not in self._found:
            self._found[known] = self._of(class_id, model)
        return self._found[known]

    @cached_property
    def _found(self) -> dict[tuple[str | None, str], Faults]:
        return {}

    def _of(self, class_id: str | None, model: str) -> Faults:
        of_model = self.models.get(model, _NOTHING)
        of_class = self.classes.get((class_id, model), _NOTHING)
        steps = (_less(self.total, of_model), _less(of_model, of_class), of_class)
        return Faults(
            void_rate=_learned(_assumed_void(self.void_rate), [(one["voids"], one["exposed"]) for one in steps]),
            fault_rate=_learned(_ITEM, [(one["billed"], one["observed"]) for one in steps]),
            unbilled_rate=_learned(_ITEM, [(one["unbilled"], one["observed"]) for one in steps]),
            jobs=round(of_class["jobs"]),
            basis="measured" if of_class["jobs"] else "estimated" if self.total["jobs"] else "assumed",
        )


def _counted(jobs: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """What each job counts for."""
    weight = 0.5 ** ((pl.lit(now) - pl.col("submitted_at")).dt.total_seconds() / _SECONDS_A_DAY / HALF_LIFE_DAYS)
    # What a voided job did to its items says nothing of items.
    observed = pl.when("voided").then(0).otherwise(pl.min_horizontal("items", pl.lit(_MOST_OBSERVATIONS)))
    return jobs.select(
        "class_id",
        "model",
        voids=weight * pl.col("voided"),
        exposed=weight * pl.col("items"),
        billed=weight * observed * pl.col("billed_faults") / pl.col("items"),
        unbilled=weight * observed * pl.col("unbilled_faults") / pl.col("items"),
        observed=weight * observed,
        jobs=pl.lit(1.0),
    )


def _assumed_void(rate: float) -> Rate:
    """Half a fault, in as many items as that takes at this rate."""
    return Rate(faults=0.5, rest=0.5 / max(rate, _LEAST_RATE))


def repair_jobs(items: float, rate: float) -> float:
    """Jobs that repairing one job of so many items takes, repairs of repairs included; `rate`: of items that fail.

    Round k is needed unless none of its `items rate^k` failures comes, each rare and by itself (Poisson).
    """
    jobs = 0.0
    while (items := items * rate) > _NO_ITEM:
        jobs += -math.expm1(-items)
    return jobs


def _less(whole: Mapping[str, float], part: Mapping[str, float]) -> dict[str, float]:
    return {name: max(whole[name] - part[name], 0.0) for name in _SUMS}


def _learned(assumed: Rate, steps: list[tuple[float, float]]) -> Rate:
    """From the rest of the workspace to the rest of the model to the class, each the assumption of the next."""
    worth, rate = assumed.faults + assumed.rest, assumed
    for faults, seen in steps:
        rate = rate.as_prior(worth).after(faults, seen - faults)
    return rate
