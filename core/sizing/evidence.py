"""Everything that a workspace learned for sizing: turnarounds, faults, output tokens, hit rates. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from core.caching.learned import Learned
from core.sizing.calibration import Calibration
from core.sizing.faults import FaultHistory, Faults
from core.sizing.turnaround import HALF_LIFE_DAYS, Turnaround, Turnarounds

_SECONDS_A_DAY = 86_400


@dataclass(frozen=True, kw_only=True)
class Output:
    """Output tokens of an item of a class: mean and standard deviation over so many items."""

    mean: float
    sd: float
    items: int


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is known before a plan is made; with nothing given, the documented assumptions alone.

    `outputs`: by class id and model; `calibration`: what came of past predictions.
    """

    turnarounds: Turnarounds = field(default_factory=Turnarounds)
    fault_history: FaultHistory = field(default_factory=FaultHistory)
    outputs: Mapping[tuple[str, str], Output] = field(default_factory=dict)
    learned: Learned = field(default_factory=Learned)
    calibration: Calibration = field(default_factory=Calibration)

    def turnaround(self, model: str, items: int, at: datetime, class_id: str | None = None) -> Turnaround:
        """How long a job of so many items, sent at a moment, takes from its create call to its end."""
        return self.turnarounds.of(model, items, at, class_id)

    def faults(self, class_id: str | None, model: str) -> Faults:
        """How often items and whole jobs of a class fail."""
        return self.fault_history.of(class_id, model)

    def output(self, class_id: str, model: str) -> Output | None:
        """Output tokens of its items so far; None where there are none."""
        return self.outputs.get((class_id, model))


def outputs_of(history: pl.DataFrame, *, now: datetime) -> dict[tuple[str, str], Output]:
    """Output tokens by class id and model, half as much for every 30 days of age.

    `history`: one job and class a row: class_id, model, submitted_at, items, mean, variance.
    """
    weight = 0.5 ** ((pl.lit(now) - pl.col("submitted_at")).dt.total_seconds() / _SECONDS_A_DAY / HALF_LIFE_DAYS)
    worth = weight * pl.col("items")
    found = (
        history.filter(pl.col("submitted_at") <= now)
        .group_by("class_id", "model", maintain_order=True)
        .agg(
            mean=(worth * pl.col("mean")).sum() / worth.sum(),
            square=(worth * (pl.col("variance") + pl.col("mean") ** 2)).sum() / worth.sum(),
            items=pl.col("items").sum(),
        )
    )
    return {
        (class_id, model): Output(mean=mean, sd=math.sqrt(max(square - mean**2, 0.0)), items=items)
        for class_id, model, mean, square, items in found.iter_rows()
    }
