"""Repair: one job with just the items that did not complete and can be sent again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from core.caching.item_costs import dollars
from core.errors import LotwiseError
from core.gateway import ONE_HOUR
from core.jobs.failures import open_causes
from core.jobs.journal import add_jobs
from core.jobs.slices import chosen_rows, to_send, touched_since, why_blocked
from core.jobs.spending import Allowance
from core.jobs.states import JobState
from core.planning.envelope import body_bytes
from core.planning.groups import SEVERAL
from core.planning.identity import new_job_id
from core.prices import PriceBook
from core.settings import Settings
from core.store import Store, Transaction


class NothingToRepair(LotwiseError):
    """No item of this job can be sent again like this. The causes say what would help."""


@dataclass(frozen=True, kw_only=True)
class Repair:
    """The repair job of a slice; `created` is False where it was there already."""

    job_id: str
    items: int
    created: bool


def repair_slice(
    store: Store,
    book: PriceBook,
    settings: Settings,
    job_id: str,
    *,
    now: datetime,
    simulated: bool,
    allowance: Allowance,
    causes: Sequence[str] | None = None,
    lifetime: timedelta = ONE_HOUR,
) -> Repair:
    """Create the repair job of a slice, or return the one that exists; `causes` as in `failed_slice`.

    The slice is read and claimed in one transaction of the one writer: two clicks, two tabs or a restart make one
    job. Raises `NoSuchJob`, `NothingToRepair` with the reason, `OverBudget` or `SendingStopped`.
    """
    found = open_causes(store, job_id)

    def repair(tx: Transaction) -> Repair:
        rows = tx.run("slice_items", job_id=job_id, **touched_since(now, lifetime))
        items, _ = to_send(chosen_rows(rows, found, causes, now), book, settings, now)
        if items.height:
            return _claim(tx, job_id, items, now=now, simulated=simulated, allowance=allowance)
        existing = tx.run("repairs_of", job_id=job_id, causes=list(causes or ()))
        if not existing:
            raise NothingToRepair(why_blocked(store, job_id, found, causes, now), job=job_id)
        return Repair(job_id=existing[0]["job_id"], items=existing[0]["item_count"], created=False)

    return store.write(repair)


def _claim(
    tx: Transaction,
    parent_id: str,
    items: pl.DataFrame,
    *,
    now: datetime,
    simulated: bool,
    allowance: Allowance,
) -> Repair:
    """Make the job and claim its items, where the budgets allow it."""
    job_id = new_job_id()
    classes, models = items["class_id"].unique(), items["model"].unique()
    row = {
        "job_id": job_id,
        "parent_job_id": parent_id,
        "role": "repair",
        "class_id": classes[0] if len(classes) == 1 else None,
        "model": models[0] if len(models) == 1 else SEVERAL,
        "state": JobState.PLANNED,
        "item_count": items.height,
        "body_bytes": 0,
        "predicted_usd": dollars(items["planned_usd"]),
        "predicted_plain_usd": dollars(items["plain_usd"]),
        "cache_ttl": next(iter(items["lifetime"].drop_nulls()), None),
        "predicted_read_tokens": round(items["read_tokens"].sum()),
        "predicted_write_tokens": 0,
        "created_at": now,
        "processing": items.height,
        "simulated": simulated,
    }
    claims = items.select("item_id", "class_id", "model", "marks", "split_chars", "entry_id", job_id=pl.lit(job_id))
    add_jobs(tx, [row], claims)
    allowance.check(tx, [row])
    requests = pl.DataFrame(tx.run("job_requests", job_id=job_id), infer_schema_length=None)
    tx.run("set_body", job_id=job_id, body_bytes=body_bytes(requests), item_count=items.height)
    return Repair(job_id=job_id, items=items.height, created=True)
