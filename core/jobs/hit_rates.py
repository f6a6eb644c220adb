"""Hit rates: what finished jobs teach the next plan, and for every class the predicted beside the actual share read."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from core.caching.learned import HISTORY_SCHEMA, Basis, Learned, alive_after_priming
from core.caching.widths import effective_width, has_strayed
from core.store import Store

_SECONDS_A_DAY = 86_400


@dataclass(frozen=True, kw_only=True)
class ClassHitRate:
    """The hit rate of a class, by tokens: reads over reads and writes of its primed bodies.

    `predicted` and `actual`: of the latest one (`predicted` None where none was stored); `overall`: of all of them;
    `expected`: of the next one, which lies in `low` to `high` four times of five; `basis`: what those three rest on;
    `strayed`: the latest two both left the interval that was to be expected of them; `width`: items in flight that
    explain the class's latest unprimed job, infinite where all of it wrote, None where there was none.
    """

    class_id: str
    class_name: str
    model: str
    jobs: int
    predicted: float | None
    actual: float
    overall: float
    expected: float
    low: float
    high: float
    basis: Basis
    strayed: bool
    width: float | None


def learn(store: Store, *, now: datetime, hour: timedelta) -> Learned:
    """What the jobs of the workspace teach; `hour`: how long an entry written for an hour lives there."""
    turnarounds = store.query("primer_turnarounds")["seconds"].to_list()
    return Learned(history=seen_at(store.query("primed_history"), now), alive=alive_after_priming(turnarounds, hour))


def entries_under_floor(store: Store) -> frozenset[str]:
    """Cache entries that turned out to be too short for their model."""
    return frozenset(store.query("entries_under_floor")["entry_id"])


def hit_rates(store: Store, *, now: datetime) -> tuple[ClassHitRate, ...]:
    """Every class that had a primed body, the one that cached most first."""
    history = store.query("primed_history")
    widths = _widths(store.query("cold_history"))
    ordered = history.with_columns(
        cached=(pl.col("read_tokens") + pl.col("write_tokens")).sum().over("class_id", "model")
    ).sort("cached", "class_id", descending=[True, False], maintain_order=True)
    ahead = Learned(history=seen_at(history, now))
    return tuple(
        _class_hit_rate(jobs, history, ahead, widths.get(str(class_id)))
        for (class_id, _), jobs in ordered.group_by("class_id", "model", maintain_order=True)
    )


def _class_hit_rate(jobs: pl.DataFrame, history: pl.DataFrame, learned: Learned, width: float | None) -> ClassHitRate:
    latest = jobs.row(-1, named=True)
    class_id, model = latest["class_id"], latest["model"]
    two = list(jobs.tail(2).iter_rows(named=True))
    intervals = []
    for job in two:
        known = Learned(history=seen_at(history, job["submitted_at"]))
        intervals.append(known.reads(class_id, model).rate.interval(job["items"]))
    ahead = learned.reads(class_id, model)
    low, high = ahead.rate.interval(latest["items"])
    read, written = float(jobs["read_tokens"].sum()), float(jobs["write_tokens"].sum())
    return ClassHitRate(
        class_id=class_id,
        class_name=latest["class_name"],
        model=model,
        jobs=jobs.height,
        predicted=latest["predicted_hit_rate"],
        actual=latest["hit_rate"],
        overall=read / (read + written),
        expected=ahead.rate.mean,
        low=low,
        high=high,
        basis=ahead.basis,
        strayed=has_strayed([job["hit_rate"] for job in two], intervals),
        width=width,
    )


def seen_at(history: pl.DataFrame, moment: datetime) -> pl.DataFrame:
    """The jobs sent before a moment, as what was known then."""
    age = (pl.lit(moment) - pl.col("submitted_at")).dt.total_seconds() / _SECONDS_A_DAY
    known = history.filter(pl.col("submitted_at") < moment).with_columns(age_days=age)
    return known.select(pl.col(name).cast(kind) for name, kind in HISTORY_SCHEMA.items())


def _widths(cold: pl.DataFrame) -> dict[str, float]:
    """By class, the effective width of its latest unprimed job; such a job holds one class."""
    wrote = cold.filter(pl.col("writers") > 0).select("class_id", "items", "writers")
    return {
        class_id: effective_width(np.array([float(items)]), np.ones(1), float(writers))
        for class_id, items, writers in wrote.iter_rows()
    }
