"""What past jobs teach the next cache plan: how surely a primed body reads, and how long priming takes."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
import polars as pl

from core.caching.lifetimes import LIFE_SECONDS, Lifetime
from core.caching.widths import ReadRate, read_rate

Basis = Literal["measured", "estimated", "assumed"]
"""Learned from the class itself; from other classes of its model or the workspace; from nothing yet."""

SURELY_ALIVE = 5 / 6
"""Share of an entry's life after which nothing more is sent on it: what is left covers a job's way to the model."""

HISTORY_SCHEMA: dict[str, Any] = {
    "class_id": pl.String,
    "model": pl.String,
    "hit_rate": pl.Float64,
    "items": pl.Int64,
    "age_days": pl.Float64,
}

# Assumed until there are turnarounds of one's own, which then count beside it as so many jobs: half of all batches end
# within a quarter of an hour and 95 % within an hour ("Batch processing": most in less than an hour, no guarantee).
_TURNAROUND = NormalDist(mu=math.log(0.25), sigma=math.log(4) / NormalDist().inv_cdf(0.95))
_TURNAROUND_JOBS = 20


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """How probably an item of a primed body reads, what that rests on, and from how many jobs it was learned."""

    rate: ReadRate
    basis: Basis
    jobs: int


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What a workspace knows from its own jobs; without any, the documented assumptions.

    `history`: primed bodies that ended (columns of `HISTORY_SCHEMA`; hit rates by tokens). `alive`: probability that
    an entry of a lifetime still lives when the body starts.
    """

    history: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=HISTORY_SCHEMA))
    alive: Mapping[Lifetime, float] = field(default_factory=lambda: alive_after_priming([], timedelta(hours=1)))

    def reads(self, class_id: str, model: str) -> Expectation:
        """What to expect of a class: from its own jobs, else from those of its model, else from all, else assumed."""
        of_model = self.history.filter(model=model)
        of_class = of_model.filter(class_id=class_id)
        if of_class.height:
            return _expectation(of_class, "measured")
        return _expectation(of_model, "estimated") if of_model.height else self._elsewhere

    @cached_property
    def _elsewhere(self) -> Expectation:
        """What to expect where neither the class nor its model has had a job."""
        return _expectation(self.history, "estimated" if self.history.height else "assumed")

    def reads_of(self, classes: Iterable[tuple[str, str]]) -> dict[str, Expectation]:
        """What `reads` says of every one of many classes (id and model), by class id: one pass over the history."""
        of_classes, of_models = self._known("measured", "class_id", "model"), self._known("estimated", "model")
        return {
            class_id: of_classes.get((class_id, model)) or of_models.get((model,)) or self._elsewhere
            for class_id, model in classes
        }

    def _known(self, basis: Basis, *names: str) -> dict[tuple[Any, ...], Expectation]:
        jobs = self.history.group_by(names, maintain_order=True).agg("hit_rate", "items", "age_days")
        return {
            tuple(of): Expectation(rate=_rate(hit_rates, items, ages), basis=basis, jobs=len(items))
            for *of, hit_rates, items, ages in jobs.iter_rows()
        }


def alive_after_priming(turnarounds: Sequence[float], hour: timedelta) -> dict[Lifetime, float]:
    """Probability, by lifetime, that an entry still lives when the body behind its primer starts.

    `turnarounds`: seconds from sending a primer to its end; `hour`: how long an entry written for an hour lives, less
    on a local server that runs faster than life.
    """
    found: dict[Lifetime, float] = {}
    for lifetime, seconds in LIFE_SECONDS.items():
        share = SURELY_ALIVE * seconds / LIFE_SECONDS["1h"]
        in_time = sum(one <= share * hour.total_seconds() for one in turnarounds)
        assumed = _TURNAROUND.cdf(math.log(share)) * _TURNAROUND_JOBS
        found[lifetime] = (in_time + assumed) / (len(turnarounds) + _TURNAROUND_JOBS)
    return found


def _expectation(jobs: pl.DataFrame, basis: Basis) -> Expectation:
    rate = _rate(*(jobs[name].to_list() for name in ("hit_rate", "items", "age_days")))
    return Expectation(rate=rate, basis=basis, jobs=jobs.height)


def _rate(hit_rates: list[float], items: list[int], age_days: list[float]) -> ReadRate:
    return read_rate(np.array(hit_rates), np.array(items, dtype=np.float64), np.array(age_days), primed=True)
