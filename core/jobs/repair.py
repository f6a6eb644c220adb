"""Repair: one job with just the items that did not complete and can be sent again as they are."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from core.caching.item_costs import class_rates, dollars, tokens_at, with_costs, with_tokens
from core.errors import LotwiseError
from core.gateway import ONE_HOUR
from core.jobs.causes import RESUBMIT, explain
from core.jobs.journal import add_jobs
from core.jobs.priming import life_of, warm_since
from core.jobs.states import JobState
from core.planning.envelope import body_bytes
from core.planning.identity import new_job_id
from core.planning.plan import SEVERAL
from core.prices import PriceBook
from core.settings import Settings
from core.store import Store, Transaction

_SLICE_SCHEMA: dict[str, Any] = {
    "output_tokens": pl.Float64,
    "marks": pl.List(pl.Int16),
    "split_chars": pl.Int64,
    "entry_id": pl.String,
    "warm": pl.String,
}


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
    rows = store.query("slice_items", job_id=job_id, **_since(now, lifetime)).to_dicts()
    items = _to_send(rows, book, settings, now)
    repairs = store.query("repairs_of", job_id=job_id)
    return Slice(
        job_id=job_id,
        items=int(counts["items"].sum()),
        repairable=items.height,
        predicted_usd=dollars(items["planned_usd"]),
        warm=bool(items.height and items["lifetime"].is_not_null().all()),
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
        rows = tx.run("slice_items", job_id=job_id, **_since(now, lifetime))
        items = _to_send(rows, book, settings, now)
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
            "predicted_usd": dollars(items["planned_usd"]),
            "predicted_plain_usd": dollars(items["plain_usd"]),
            "cache_ttl": next(iter(items["lifetime"].drop_nulls()), None),
            "predicted_read_tokens": round(items["read_tokens"].sum()),
            "predicted_write_tokens": 0,
            "created_at": now,
            "processing": items.height,
            "simulated": simulated,
        }
        claims = items.select("item_id", "class_id", "model", "marks", "split_chars", "entry_id", job_id=pl.lit(new_id))
        add_jobs(tx, [row], claims)
        requests = pl.DataFrame(tx.run("job_requests", job_id=new_id), infer_schema_length=None)
        tx.run("set_body", job_id=new_id, body_bytes=body_bytes(requests), item_count=items.height)
        return Repair(job_id=new_id, items=items.height, created=True)

    return store.write(repair)


def _since(now: datetime, hour: timedelta) -> dict[str, datetime]:
    """The moments after which an entry of each lifetime must have been touched to be surely warm."""
    return {f"since_{ttl}": warm_since(now, life_of(ttl, hour)) for ttl in ("5m", "1h")}


def _to_send(rows: list[dict[str, Any]], book: PriceBook, settings: Settings, now: datetime) -> pl.DataFrame:
    """The slice as it would be sent and what it costs: with marks only where they are surely read.

    A job has marks of one lifetime: where a slice's entries have two, the longer one counts.
    """
    items = pl.DataFrame(rows, schema_overrides=_SLICE_SCHEMA, infer_schema_length=None)
    if items.is_empty():
        return items.with_columns(planned_usd=pl.lit(None, pl.Float64), lifetime=pl.lit(None, pl.String))
    # "1h" sorts before "5m".
    warm = pl.col("warm").eq_missing(items["warm"].min()) & pl.col("warm").is_not_null()
    items = with_tokens(items, book=book, settings=settings).with_columns(
        pl.when(warm).then("marks").otherwise([]).alias("marks"),
        pl.when(warm).then("split_chars").alias("split_chars"),
        pl.when(warm).then("entry_id").alias("entry_id"),
        lifetime=pl.when(warm).then("warm"),
        cached_tokens=pl.when(warm).then(tokens_at(pl.col("cached_chars"))).otherwise(0.0),
        read_share=pl.lit(1.0),
        write_share=pl.lit(0.0),
    )
    return with_costs(items, class_rates(items, book=book, now=now))


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
