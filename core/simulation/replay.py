"""What there is to be simulated: the jobs of the past weeks as they were sent, or the items that wait."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from core.caching.item_costs import with_tokens
from core.prices import PriceBook, UnknownModel, UnpricedModel
from core.settings import Settings
from core.simulation.dispatch import Dispatch
from core.simulation.work import ClassOfWork, Ints, Traffic
from core.sizing.evidence import Evidence

_HOUR = 3600.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Replay:
    """Items with their classes, and the jobs that they really went into (None where they still wait).

    `unpriced`: items left out because nobody knows what their model costs.
    """

    traffic: Traffic
    classes: tuple[ClassOfWork, ...]
    jobs: Dispatch | None
    unpriced: int


def past(
    items: pl.DataFrame,
    classes: pl.DataFrame,
    *,
    evidence: Evidence,
    within_hours: float,
    book: PriceBook,
    epoch: datetime,
    now: datetime,
) -> Replay:
    """What was sent since `epoch`: rows of `replayed_items` and `replayed_classes`; due `within_hours` of coming in."""
    known = [_measured(row, evidence) for row in classes.iter_rows(named=True)]
    kept = [number for number, one in enumerate(known) if _priced(one, book, now)]
    keys = pl.DataFrame(
        {
            "class_id": classes["class_id"].gather(kept),
            "model": classes["model"].gather(kept),
            "of": pl.Series(range(len(kept)), dtype=pl.Int64),
        }
    )
    rows = items.join(keys, on=("class_id", "model"), how="inner", maintain_order="left").sort(
        "came_in", maintain_order=True
    )
    came_in = rows["came_in"].to_numpy() - epoch.timestamp()
    traffic = Traffic(
        epoch=epoch,
        at=came_in,
        of=rows["of"].to_numpy(),
        due=came_in + within_hours * _HOUR,
        sent=_rounds(rows) - epoch.timestamp(),
    )
    return Replay(
        traffic=traffic,
        classes=tuple(known[number] for number in kept),
        jobs=_as_sent(rows, traffic) if rows.height else None,
        unpriced=items.height - rows.height,
    )


def waiting(
    backlog: pl.DataFrame,
    *,
    evidence: Evidence,
    within_hours: float,
    book: PriceBook,
    settings: Settings,
    now: datetime,
) -> Replay:
    """What waits (columns as in `plan_caching`), all of it there now and due `within_hours` from now."""
    items = with_tokens(backlog, book=book, settings=settings)
    prefix = pl.when("cacheable").then(pl.col("prefix_tokens").cast(pl.Float64)).otherwise(0.0)
    rows = items.group_by("class_id", "class_name", "model", maintain_order=True).agg(
        pl.len().alias("items"),
        cached_tokens=prefix.first(),
        prefix_tokens=pl.lit(0.0),
        input_tokens=pl.col("prompt_tokens").mean(),
        output_tokens=pl.col("answer_tokens").mean(),
        item_bytes=pl.col("payload_bytes").mean(),
    )
    known = [(_measured(row, evidence), row["items"]) for row in rows.iter_rows(named=True)]
    kept = [(one, count) for one, count in known if _priced(one, book, now)]
    of = np.repeat(np.arange(len(kept)), np.array([count for _, count in kept], dtype=np.int64))
    nothing = np.zeros(len(of))
    return Replay(
        traffic=Traffic(epoch=now, at=nothing, of=of, due=nothing + within_hours * _HOUR, sent=nothing),
        classes=tuple(one for one, _ in kept),
        jobs=None,
        unpriced=items.height - len(of),
    )


def _measured(row: dict[str, Any], evidence: Evidence) -> ClassOfWork:
    """A class by its means; its prefix as it was cached, else as it is known."""
    class_id, model = row["class_id"], row["model"]
    whole = row["input_tokens"] or 0.0
    prefix = min(row["cached_tokens"] or row["prefix_tokens"] or 0.0, whole)
    faults, read_rate = evidence.faults(class_id, model), row.get("read_rate")
    return ClassOfWork(
        key=class_id,
        model=model,
        prefix_tokens=prefix,
        suffix_tokens=whole - prefix,
        output_tokens=row["output_tokens"] or 0.0,
        item_bytes=row["item_bytes"] or 0.0,
        void_rate=faults.void_rate.mean,
        fault_rate=faults.fault_rate.mean,
        unbilled_rate=faults.unbilled_rate.mean,
        read_rate=evidence.learned.reads(class_id, model).rate.mean if read_rate is None else read_rate,
    )


def _priced(one: ClassOfWork, book: PriceBook, now: datetime) -> bool:
    try:
        book.rates(one.model, at=now)
    except (UnknownModel, UnpricedModel):
        return False
    return True


def _rounds(rows: pl.DataFrame) -> Any:
    """Per item, when the round began in which it was sent: with its primer, where its job had one."""
    begun = dict(_distinct(rows.select("job_id", "sent")))
    first = {job: begun.get(primer, begun[job]) for job, primer in _distinct(rows.select("job_id", "primer_job_id"))}
    return rows["job_id"].replace_strict(first, return_dtype=pl.Float64).to_numpy()


def _distinct(frame: pl.DataFrame) -> Iterable[tuple[Any, ...]]:
    return frame.unique(maintain_order=True).iter_rows()


def _as_sent(rows: pl.DataFrame, traffic: Traffic) -> Dispatch:
    """The jobs as they were; `rows` in the order of the traffic."""
    jobs = rows.select("job_id", "primer_job_id", "primer", "sent").unique("job_id").sort("sent", "job_id")
    number = {job: place for place, job in enumerate(jobs["job_id"])}
    job = rows["job_id"].replace_strict(number, return_dtype=pl.Int64).to_numpy()
    order: Ints = np.argsort(job, kind="stable")
    begin = np.flatnonzero(np.diff(job[order], prepend=-1))
    return Dispatch(
        item=order,
        job=job[order],
        life=rows["life"].to_numpy()[order],
        send_at=traffic.sent[order[begin]],
        after=np.array([number.get(primer, -1) for primer in jobs["primer_job_id"]], dtype=np.int64),
        primer=jobs["primer"].to_numpy(),
        idempotent=True,
    )
