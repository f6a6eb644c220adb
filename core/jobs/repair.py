"""Repair: one job with just the items that did not complete and can be sent again as they are."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import polars as pl

from core.errors import LotwiseError
from core.gateway import ONE_HOUR
from core.jobs.causes import RESUBMIT, explain
from core.jobs.journal import add_jobs
from core.jobs.priming import warm_since
from core.jobs.states import JobState
from core.planning.envelope import body_bytes
from core.planning.identity import new_job_id
from core.planning.plan import SEVERAL, item_price
from core.prices import PriceBook
from core.settings import Settings
from core.store import Store, Transaction


class NoSuchJob(LotwiseError):
    """There is no job of this id in the workspace. `python -m core status` lists them."""


class NothingToRepair(LotwiseError):
    """No item of this job can be sent again as it is. The causes say what would help."""


@dataclass(frozen=True, kw_only=True)
class CauseCount:
    """Items of a slice that failed for one cause, what helps, and a sentence for people."""

    cause: str
    action: str
    items: int
    says: str


@dataclass(frozen=True, kw_only=True)
class Slice:
    """What is left to repair of a job. `repaired_by`: the repair job that has its items already, if any."""

    job_id: str
    items: int
    repairable: int
    predicted_usd: Decimal | None
    warm: bool
    causes: tuple[CauseCount, ...]
    blocked_reason: str | None
    repaired_by: str | None


@dataclass(frozen=True, kw_only=True)
class Repair:
    """The repair job of a slice; `created` is False where it was there already."""

    job_id: str
    items: int
    created: bool


def failed_slice(
    store: Store, book: PriceBook, settings: Settings, job_id: str, *, now: datetime, lifetime: timedelta = ONE_HOUR
) -> Slice:
    """The open failures of a job by cause, and what repairing them would cost. Raises `NoSuchJob`."""
    if store.query("job", job_id=job_id).is_empty():
        raise NoSuchJob(job=job_id)
    counts = store.query("slice_causes", job_id=job_id)
    items = store.query("slice_items", job_id=job_id, warm_since=warm_since(now, lifetime))
    repairs = store.query("repairs_of", job_id=job_id)
    return Slice(
        job_id=job_id,
        items=int(counts["items"].sum()),
        repairable=items.height,
        predicted_usd=_predicted(items, book, settings, now),
        warm=bool(items.height and items["marked"].all()),
        causes=tuple(
            CauseCount(cause=row["cause"], action=row["action"], items=row["items"], says=explain(row["cause"]).says)
            for row in counts.iter_rows(named=True)
        ),
        blocked_reason=_blocked(counts, items),
        repaired_by=None if repairs.is_empty() else repairs["job_id"][0],
    )


def repair_slice(
    store: Store,
    book: PriceBook,
    settings: Settings,
    job_id: str,
    *,
    now: datetime,
    simulated: bool,
    lifetime: timedelta = ONE_HOUR,
) -> Repair:
    """Create the repair job of a slice, or return the one that exists.

    The slice is read and claimed in one transaction of the one writer: two clicks, two tabs or a restart make one
    job. Raises `NoSuchJob`, or `NothingToRepair` with the reason.
    """
    if store.query("job", job_id=job_id).is_empty():
        raise NoSuchJob(job=job_id)

    def repair(tx: Transaction) -> Repair:
        items = pl.DataFrame(
            tx.run("slice_items", job_id=job_id, warm_since=warm_since(now, lifetime)), infer_schema_length=None
        )
        if items.is_empty():
            existing = tx.run("repairs_of", job_id=job_id)
            if existing:
                return Repair(job_id=existing[0]["job_id"], items=existing[0]["item_count"], created=False)
            raise NothingToRepair(job=job_id)
        new_id = new_job_id()
        classes, models = items["class_id"].unique(), items["model"].unique()
        row = {
            "job_id": new_id,
            "parent_job_id": job_id,
            "role": "repair",
            "class_id": classes[0] if len(classes) == 1 else None,
            "model": models[0] if len(models) == 1 else SEVERAL,
            "state": JobState.PLANNED,
            "item_count": items.height,
            "body_bytes": 0,
            "predicted_usd": _predicted(items, book, settings, now),
            "predicted_plain_usd": _predicted(items.with_columns(marked=pl.lit(False)), book, settings, now),
            "created_at": now,
            "processing": items.height,
            "simulated": simulated,
        }
        claims = items.select(pl.lit(new_id).alias("job_id"), "item_id", "class_id", "model", "marked")
        add_jobs(tx, [row], claims)
        requests = pl.DataFrame(tx.run("job_requests", job_id=new_id), infer_schema_length=None)
        tx.run("set_body", job_id=new_id, body_bytes=body_bytes(requests), item_count=items.height)
        return Repair(job_id=new_id, items=items.height, created=True)

    return store.write(repair)


def _predicted(items: pl.DataFrame, book: PriceBook, settings: Settings, now: datetime) -> Decimal | None:
    """Price of sending the items: reading where the entry is surely warm, without caching elsewhere."""
    total = Decimal(0)
    for _, group in items.group_by("class_id", "marked") if items.height else ():
        price = item_price(group, book=book, settings=settings, now=now)
        if price is None:
            return None
        total += (price.read if group["marked"][0] else price.plain) * group.height
    return total


def _blocked(counts: pl.DataFrame, items: pl.DataFrame) -> str | None:
    if items.height:
        return None
    if counts.is_empty():
        return "Nothing is left to repair."
    if counts["action"].is_in([RESUBMIT]).any():
        return "The parameters of these items are no longer kept. Import the request file again."
    return "None of these failures passes by itself: " + " ".join(
        explain(cause).says for cause in counts["cause"].unique(maintain_order=True)
    )
