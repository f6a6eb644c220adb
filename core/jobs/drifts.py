"""What left what was learned: turnarounds, faults, hit rates and output tokens that are not what they were."""

from datetime import datetime

import polars as pl

from core.sizing.drift import SERIES_SCHEMA, Drift, drifts
from core.sizing.turnaround import Turnarounds
from core.store import Store

# The share or mean of fewer items says more about luck than about the class.
_LEAST_ITEMS = 10


def drifts_of(store: Store, *, now: datetime, scale: float) -> tuple[Drift, ...]:
    """What drifted in the last 30 days, newest first; `scale` as in `learn_sizing`.

    Measures: seconds (of a model's jobs, against what their size and hour let expect: 2 is twice as long), faults
    (share of a class's items), hit_rate, output (mean tokens an item).
    """
    many = pl.col("items") >= _LEAST_ITEMS
    faults = store.query("fault_history").filter(many)
    output = store.query("output_history").filter(many)
    read = store.query("primed_history").filter(many)
    series = [
        _turnarounds(store.query("turnaround_history", scale=scale), now, scale),
        _of_classes(faults, "faults", (pl.col("billed_faults") + pl.col("unbilled_faults")) / pl.col("items")),
        _of_classes(read, "hit_rate", pl.col("hit_rate")),
        _of_classes(output, "output", pl.col("mean")),
    ]
    return drifts(pl.concat(series), now=now)


def _turnarounds(history: pl.DataFrame, now: datetime, scale: float) -> pl.DataFrame:
    """By model, one value for all jobs that were sent together: they are slow or fast together."""
    off = Turnarounds.learn(history, now=now, scale=scale).off(history)
    values = off.group_by("model", "wave", maintain_order=True).agg(
        pl.first("submitted_at"), value=pl.col("off").mean().exp()
    )
    return values.select(
        measure=pl.lit("seconds"), subject="model", name="model", at="submitted_at", value="value"
    ).cast(SERIES_SCHEMA)


def _of_classes(jobs: pl.DataFrame, measure: str, value: pl.Expr) -> pl.DataFrame:
    """By class, which is one of its model: what one model writes or reads says nothing of another."""
    return (
        jobs.filter(pl.col("class_id").is_not_null())
        .select(
            measure=pl.lit(measure),
            subject=pl.col("class_id"),
            name=pl.coalesce("class_name", "class_id"),
            at="submitted_at",
            value=value,
        )
        .cast(SERIES_SCHEMA)
    )
