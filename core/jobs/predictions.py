"""What the jobs of a workspace teach the next plan, and the ledger of what plans predicted."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import polars as pl

from core.caching.learned import Basis
from core.gateway import ONE_HOUR, Gateway
from core.jobs.hit_rates import learn
from core.planning.planned_job import PlannedJob
from core.settings import Settings
from core.sizing.calibration import COST, COVERAGE, HIT_RATE, SECONDS, Calibration
from core.sizing.evidence import Evidence, outputs_of
from core.sizing.faults import FaultHistory
from core.sizing.normal import normal_score
from core.sizing.turnaround import Turnarounds
from core.store import Store

PREDICTION_SCHEMA: dict[str, Any] = {
    "job_id": pl.String,
    "measure": pl.String,
    "made_at": pl.Datetime("us", "UTC"),
    "items": pl.Int64,
    "point": pl.Float64,
    "spread": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "basis": pl.String,
}

# What the price of a job is taken to be off by, in logs, until the ledger knows better: counts of tokens are off by a
# few percent, an output that was never seen by far more.
_COST_SPREAD: dict[Basis, float] = {"measured": 0.1, "estimated": 0.2, "assumed": 0.3}
_LEAST_RATE_SPREAD = 0.02
# Standard deviations of a normal distribution between the ends of an interval that holds four of five.
_WIDTH = 2 * float(normal_score((1 + COVERAGE) / 2))


def time_scale(gateway: Gateway) -> float:
    """How many times faster than life the server behind a gateway runs; 1 for the API."""
    return ONE_HOUR / gateway.cache_lifetime


def known_of(store: Store, gateway: Gateway, settings: Settings, *, now: datetime) -> Evidence:
    """What the jobs of a workspace teach about sizes and times, at the pace of its server."""
    return learn_sizing(store, now=now, scale=time_scale(gateway), void_rate=settings.job_fault_rate)


def learn_sizing(store: Store, *, now: datetime, scale: float, void_rate: float) -> Evidence:
    """All that the jobs of the workspace teach about sizes and times.

    `scale`: how many times faster than life the server runs, 1 for the API; `void_rate`: the assumed chance per item
    of a fault that voids its job.
    """
    return Evidence(
        turnarounds=Turnarounds.learn(store.query("turnaround_history", scale=scale), now=now, scale=scale),
        fault_history=FaultHistory.learn(store.query("fault_history"), now=now, void_rate=void_rate),
        outputs=outputs_of(store.query("output_history"), now=now),
        learned=learn(store, now=now, hour=ONE_HOUR / scale),
        calibration=Calibration.learn(store.query("predictions_met"), now=now),
    )


class _Prediction(NamedTuple):
    """What a plan says of one measure of a job, and what it takes for one standard deviation."""

    measure: str
    point: float
    spread: float
    basis: Basis


def predictions_of(
    jobs: Sequence[PlannedJob], job_ids: Sequence[str], evidence: Evidence, *, now: datetime
) -> pl.DataFrame:
    """What a plan predicts of its jobs, as rows of the ledger: cost, seconds and, where it reads, hit rate."""
    rows = []
    for job_id, job in zip(job_ids, jobs, strict=True):
        for said in (_cost(job, evidence), _seconds(job, evidence), _hit_rate(job, evidence)):
            if said is not None:
                low, high = evidence.calibration.interval(said.measure, said.point, said.spread, job.class_id)
                kept = {"job_id": job_id, "made_at": now, "items": job.items, "low": low, "high": high}
                rows.append(kept | said._asdict())
    return pl.DataFrame(rows, schema=PREDICTION_SCHEMA)


def _cost(job: PlannedJob, evidence: Evidence) -> _Prediction | None:
    if not job.predicted_usd:
        return None
    output = evidence.output(job.class_id or "", job.model)
    basis: Basis = "measured" if output else "estimated" if evidence.outputs else "assumed"
    spread = _COST_SPREAD[basis]
    if output:
        # A job of few items also differs from its class by the luck of its outputs.
        spread = math.hypot(spread, output.sd / max(output.mean, 1.0) / math.sqrt(job.items))
    return _Prediction(COST, float(job.predicted_usd), spread, basis)


def _seconds(job: PlannedJob, evidence: Evidence) -> _Prediction:
    turnaround = evidence.turnaround(job.model, job.items, job.send_at, job.class_id)
    low, high = turnaround.interval(COVERAGE)
    return _Prediction(SECONDS, float(turnaround.quantile(0.5)), math.log(high / low) / _WIDTH, turnaround.basis)


def _hit_rate(job: PlannedJob, evidence: Evidence) -> _Prediction | None:
    cached = job.predicted_read_tokens + job.predicted_write_tokens
    if job.prediction_basis is None or not cached:
        return None
    low, high = evidence.learned.reads(job.class_id or "", job.model).rate.interval(job.items)
    spread = max((high - low) / _WIDTH, _LEAST_RATE_SPREAD)
    return _Prediction(HIT_RATE, job.predicted_read_tokens / cached, spread, job.prediction_basis)
