"""The journal: jobs and their claims on items, committed before anything is sent."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import polars as pl

from core.errors import LotwiseError
from core.jobs.predictions import predictions_of
from core.jobs.spending import Allowance, Check
from core.jobs.states import JobState
from core.planning.envelope import body_bytes
from core.planning.identity import custom_ids, new_job_id
from core.planning.plan import Plan
from core.prices.book import MONEY
from core.store import Store, Transaction

JOB_SCHEMA: dict[str, Any] = {
    "job_id": pl.String,
    "plan_id": pl.String,
    "parent_job_id": pl.String,
    "primer_job_id": pl.String,
    "role": pl.String,
    "class_id": pl.String,
    "model": pl.String,
    "state": pl.String,
    "item_count": pl.Int64,
    "body_bytes": pl.Int64,
    "predicted_usd": MONEY,
    "predicted_plain_usd": MONEY,
    "cache_ttl": pl.String,
    "predicted_read_tokens": pl.Int64,
    "predicted_write_tokens": pl.Int64,
    "prediction_basis": pl.String,
    "created_at": pl.Datetime("us", "UTC"),
    "send_at": pl.Datetime("us", "UTC"),
    "ready_by": pl.Datetime("us", "UTC"),
    "place": pl.Int64,
    "processing": pl.Int64,
    "simulated": pl.Boolean,
    "trial_id": pl.String,
}


class PlanOutdated(LotwiseError):
    """Some of these items went into another job meanwhile, so nothing was submitted. Look at the new plan."""


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A stored plan: its id, the ids of its jobs in sending order, and how they met the budgets."""

    plan_id: str
    jobs: tuple[str, ...]
    check: Check


def record_plan(
    store: Store,
    plan: Plan,
    *,
    now: datetime,
    simulated: bool,
    allowance: Allowance,
    first: Callable[[Transaction], None] | None = None,
    then: Callable[[Transaction, Recorded], None] | None = None,
    trial_id: str | None = None,
) -> Recorded:
    """Store the plan, its jobs and their claims in one step with what is to be done `first` and `then`.

    Or only rehearse that, as the allowance says. What is planned for a trial is no work: its bodies are its own.

    Raises `PlanOutdated` where an item is claimed already (submitting twice submits once), `OverBudget` and
    `SendingStopped`; then nothing is stored.
    """
    plan_id = new_job_id()
    ids = [new_job_id() for _ in plan.jobs]
    rows = [
        {
            "job_id": job_id,
            "plan_id": plan_id,
            "primer_job_id": None if job.primer is None else ids[job.primer],
            "role": "trial" if trial_id and job.role == "body" else job.role,
            "class_id": job.class_id,
            "model": job.model,
            "state": JobState.PLANNED if job.primer is None else JobState.WAITING,
            "item_count": job.items,
            "body_bytes": job.body_bytes,
            "predicted_usd": job.predicted_usd,
            "predicted_plain_usd": job.predicted_plain_usd,
            "cache_ttl": job.lifetime,
            "predicted_read_tokens": job.predicted_read_tokens,
            "predicted_write_tokens": job.predicted_write_tokens,
            "prediction_basis": job.prediction_basis,
            "created_at": now,
            "send_at": job.send_at,
            "ready_by": job.ready_by,
            "place": job.number,
            "processing": job.items,
            "simulated": simulated,
            "trial_id": trial_id,
        }
        for job_id, job in zip(ids, plan.jobs, strict=True)
    ]
    names = pl.DataFrame({"job": range(len(ids)), "job_id": ids}, schema={"job": pl.Int64, "job_id": pl.String})
    claims = plan.assignments.with_columns(pl.col("job").cast(pl.Int64)).join(names, on="job", maintain_order="left")
    predictions = predictions_of(plan.jobs, ids, plan.evidence, now=now)

    def record(tx: Transaction) -> Recorded:
        if first is not None:
            first(tx)
        tx.run(
            "add_plan",
            plan_id=plan_id,
            trial_id=trial_id,
            created_at=now,
            items=plan.items,
            jobs=len(plan.jobs),
            predicted_usd=plan.predicted_usd,
            predicted_plain_usd=plan.predicted_plain_usd,
            inputs=orjson.dumps(plan.inputs | {"unpriced": plan.unpriced}).decode(),
            deadline=plan.needs.deadline,
            confidence=plan.needs.confidence,
            on_time_probability=plan.timing.on_time_probability,
        )
        add_jobs(tx, rows, claims.drop("job"))
        tx.merge("add_predictions", predictions)
        made = Recorded(plan_id=plan_id, jobs=tuple(ids), check=allowance.check(tx, rows))
        if then is not None:
            then(tx, made)
        return made

    return store.rehearse(record) if allowance.rehearsal else store.write(record)


def add_jobs(tx: Transaction, rows: list[dict[str, Any]], claims: pl.DataFrame) -> None:
    """Add jobs and claim their items, or raise `PlanOutdated`.

    Columns of `claims`: job_id, item_id, class_id, model, marks, split_chars, entry_id.
    """
    tx.merge("add_jobs", pl.DataFrame(rows, schema=JOB_SCHEMA))
    claims = claims.with_columns(custom_ids(claims["job_id"], claims["item_id"]))
    if len(tx.merge("claim_items", claims)) != claims.height:
        raise PlanOutdated


def measure(tx: Transaction, job_id: str) -> None:
    """Store the exact size of a job's body, after its items or marks changed."""
    requests = pl.DataFrame(tx.run("job_requests", job_id=job_id), infer_schema_length=None)
    tx.run("set_body", job_id=job_id, body_bytes=body_bytes(requests), item_count=requests.height)
    tx.run("set_unmarked", job_id=job_id)
