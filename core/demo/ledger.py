"""What the plans of the simulated history would have predicted, each from what was known at its time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import cast

import polars as pl

from core.caching.learned import Basis, Learned
from core.jobs.hit_rates import seen_at
from core.jobs.predictions import predictions_of
from core.planning.planned_job import PlannedJob
from core.sizing.calibration import MEASURES, Calibration
from core.sizing.evidence import Evidence, outputs_of
from core.sizing.turnaround import Turnarounds
from core.store import Store

_LEARNED_EVERY = timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class _Sent:
    """A job as its plan had it: what predictions read of a planned one."""

    class_id: str
    model: str
    items: int
    send_at: datetime
    predicted_usd: Decimal | None
    predicted_read_tokens: int
    predicted_write_tokens: int
    prediction_basis: Basis | None


def ledger(store: Store) -> pl.DataFrame:
    """The rows of the ledger, for a store that holds the history: learned anew every week."""
    jobs = store.query("demo_plans_met")
    turnarounds, outputs = store.query("turnaround_history", scale=1.0), store.query("output_history")
    primed = store.query("primed_history")
    fields = list(_Sent.__dataclass_fields__)
    made: list[pl.DataFrame] = []
    for week in _weeks(jobs):
        now = week["submitted_at"][0] - timedelta(hours=1)
        met = _met(pl.concat(made), jobs, now) if made else pl.DataFrame()
        evidence = Evidence(
            turnarounds=Turnarounds.learn(turnarounds, now=now),
            outputs=outputs_of(outputs, now=now),
            learned=Learned(history=seen_at(primed, now)),
            calibration=Calibration.learn(met, now=now) if made else Calibration(),
        )
        sent = [_Sent(**row) for row in week.select(fields).iter_rows(named=True)]
        rows = predictions_of(cast("list[PlannedJob]", sent), week["job_id"].to_list(), evidence, now=now)
        times = week.select("job_id", made_at=pl.col("submitted_at") - timedelta(minutes=10))
        made.append(rows.drop("made_at").join(times, on="job_id", maintain_order="left").select(rows.columns))
    return pl.concat(made)


def _weeks(jobs: pl.DataFrame) -> Iterator[pl.DataFrame]:
    begin: datetime = jobs["submitted_at"][0]
    while (week := jobs.filter(pl.col("submitted_at").is_between(begin, begin + _LEARNED_EVERY, closed="left"))).height:
        yield week
        begin += _LEARNED_EVERY


def _met(made: pl.DataFrame, jobs: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """The predictions that had come out by then, with what came."""
    known = jobs.filter(pl.col("known_at") <= now)
    index = ("job_id", "plan_id", "class_id", "known_at")
    came = known.unpivot(MEASURES, index=index, variable_name="measure", value_name="actual")
    return made.join(came, on=("job_id", "measure")).filter(pl.col("actual").is_not_null()).sort("known_at", "job_id")
