"""What past jobs teach the next cache plan: how surely a primed body reads, and how long priming takes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from statistics import NormalDist
from typing import Any, Literal

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
        of_class, of_model = pl.col("class_id") == class_id, pl.col("model") == model
        steps: tuple[tuple[pl.Expr, Basis], ...] = (
            (of_class & of_model, "measured"),
            (of_model, "estimated"),
            (pl.lit(True), "estimated"),
        )
        for wanted, basis in steps:
            jobs = self.history.filter(wanted)
            if jobs.height:
                return Expectation(rate=_rate(jobs), basis=basis, jobs=jobs.height)
        return Expectation(rate=_rate(self.history), basis="assumed", jobs=0)


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


def _rate(jobs: pl.DataFrame) -> ReadRate:
    hit_rates, items, ages = (jobs[name].cast(pl.Float64).to_numpy() for name in ("hit_rate", "items", "age_days"))
    return read_rate(hit_rates, items, ages, primed=True)
