"""The plan of a backlog: which items go into which jobs, primed or plain, at what predicted price. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl

from core.caching.class_caching import ClassCaching
from core.caching.item_costs import money
from core.caching.learned import Basis, Learned
from core.caching.lifetimes import Lifetime
from core.caching.plan import plan_caching
from core.errors import LotwiseError
from core.planning.envelope import BODY_FRAME_BYTES, request_bytes
from core.planning.identity import custom_id_bytes
from core.planning.needs import Needs
from core.planning.sizing import Size, job_size, split_evenly
from core.prices import PriceBook
from core.settings import Settings

SEVERAL = "several"
# What an item goes into, in sending order.
_PRIMER, _PRIMED, _PLAIN = range(3)
# What the items that write cost more than as many that read.
_EXTRA_OF_PRIMERS = (
    pl.col("planned_usd").filter("primes").sum()
    - pl.col("primes").sum() * pl.col("planned_usd").filter(~pl.col("primes")).mean()
).clip(lower_bound=0.0)


class NothingToPlan(LotwiseError):
    """Nothing waits: every item is already in a job, or none was imported yet. Import a request file, or put one into
    the inbox folder."""


@dataclass(frozen=True, kw_only=True)
class PlannedJob:
    """One proposed job. `class_id` is None where it carries several classes; prices are None where unknown.

    `lifetime`: that of its marks, None where nothing is marked; `primer`: the number of the job that it waits for;
    `prediction_basis`: what the predicted reads rest on.
    """

    number: int
    role: str
    class_id: str | None
    class_name: str
    model: str
    items: int
    body_bytes: int
    lifetime: Lifetime | None
    primer: int | None
    decided_by: str
    predicted_usd: Decimal | None
    predicted_plain_usd: Decimal | None
    predicted_read_tokens: int
    predicted_write_tokens: int
    prediction_basis: Basis | None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Proposed jobs in sending order, what each item goes into, and what the prediction rests on.

    `assignments`: columns item_id, class_id, model, job (number), marks, split_chars, entry_id; `caching`: how each
    class meets the cache, and why; `second_round_usd`: see `CachePlan`.
    """

    jobs: tuple[PlannedJob, ...]
    assignments: pl.DataFrame
    classes: pl.DataFrame
    caching: tuple[ClassCaching, ...]
    second_round_usd: Decimal
    inputs: dict[str, Any]

    @property
    def items(self) -> int:
        """Items in all jobs together."""
        return self.assignments.height

    @property
    def predicted_usd(self) -> Decimal | None:
        """Price as planned, of all that has one (see `unpriced`); None where nothing has."""
        return _known([job.predicted_usd for job in self.jobs])

    @property
    def predicted_plain_usd(self) -> Decimal | None:
        """Price of the same requests in batches without caching."""
        return _known([job.predicted_plain_usd for job in self.jobs])

    @property
    def unpriced(self) -> dict[str, int]:
        """Items that no figure counts, because the price book has no price for their model, by model."""
        found: dict[str, int] = {}
        for job in self.jobs:
            if job.predicted_usd is None:
                found[job.model] = found.get(job.model, 0) + job.items
        return found


def draft_plan(
    backlog: pl.DataFrame,
    *,
    book: PriceBook,
    settings: Settings,
    now: datetime,
    learned: Learned | None = None,
    under_floor: frozenset[str] = frozenset(),
    needs: Needs | None = None,
) -> Plan:
    """Plan all items of `backlog` (columns as in `plan_caching`, and preview).

    `learned`: what past jobs teach, the documented assumptions where it is None; `under_floor`: entries that turned
    out to be too short. Raises `NothingToPlan` for an empty backlog.
    """
    if backlog.is_empty():
        raise NothingToPlan
    known = learned or Learned()
    caching = plan_caching(backlog, book=book, settings=settings, now=now, learned=known, under_floor=under_floor)
    items = _in_sending_order(caching.items.drop("chain", "depths", "overheads"))
    groups = _groups(items, settings)
    items = _with_jobs(items, groups, settings)
    basis = {one.class_id: one.basis for one in caching.classes}
    return Plan(
        jobs=tuple(_jobs(items, groups, basis)),
        assignments=items.select("item_id", "class_id", "model", "marks", "split_chars", "entry_id", "job"),
        classes=_classes(backlog),
        caching=caching.classes,
        second_round_usd=caching.second_round_usd,
        inputs=_inputs(known, settings, now),
    )


@dataclass(frozen=True, kw_only=True)
class _Group:
    """Items that may share jobs, so many behind each other: of which kind, and how large their jobs may be."""

    kind: int
    items: int
    size: Size


def _in_sending_order(items: pl.DataFrame) -> pl.DataFrame:
    """The items, group by group: columns kind and group, sent (bytes), and once_usd (what writing a prefix costs).

    Primers go together by lifetime: they write the entries, and show early what fails. Bodies that read go class by
    class. What carries no marks goes together by model: nothing is gained by sending small classes as small jobs.
    """
    first = pl.col("row").min()
    of_primers, of_body = first.over("kind", "lifetime"), first.over("class_id", "lifetime")
    of_plain = first.over("kind", "model")
    return (
        items.with_columns(
            sent=request_bytes(custom_id_bytes()),
            row=pl.int_range(pl.len()),
            kind=pl.when("primes").then(_PRIMER).when(pl.col("entry_id").is_not_null()).then(_PRIMED).otherwise(_PLAIN),
            once_usd=_EXTRA_OF_PRIMERS.over("class_id", "lifetime"),
        )
        .with_columns(group=pl.when(kind=_PRIMER).then(of_primers).when(kind=_PRIMED).then(of_body).otherwise(of_plain))
        .sort("kind", "group", "row")
    )


def _groups(items: pl.DataFrame, settings: Settings) -> list[_Group]:
    rows = items.group_by("kind", "group", maintain_order=True).agg(
        pl.first("once_usd"), pl.len().alias("items"), item_usd=pl.col("planned_usd").mean()
    )
    return [
        _Group(kind=kind, items=count, size=_size(kind, item_usd or 0.0, once_usd, settings))
        for kind, _, once_usd, count, item_usd in rows.iter_rows()
    ]


def _size(kind: int, item_usd: float, once_usd: float, settings: Settings) -> Size:
    if kind == _PRIMER:
        return Size(items=settings.max_job_requests, decided_by="one item a prefix")
    return job_size(
        item_usd=item_usd,
        once_usd=once_usd if kind == _PRIMED else 0.0,
        job_usd=float(settings.job_cost_usd),
        fault_rate=settings.job_fault_rate,
        blast_usd=float(settings.blast_radius_usd),
        most=settings.max_job_requests,
    )


def _with_jobs(items: pl.DataFrame, groups: list[_Group], settings: Settings) -> pl.DataFrame:
    """Cut every group into even jobs: adds the number of each item's `job`, and of its group's (`place`)."""
    sent, most_bytes = items["sent"].to_numpy(), settings.max_job_bytes - BODY_FRAME_BYTES
    job = np.empty(len(sent), dtype=np.int32)
    begin = number = 0
    for group in groups:
        end = begin + group.items
        part = split_evenly(sent[begin:end], items=group.size.items, most_bytes=most_bytes)
        job[begin:end] = number + part
        begin, number = end, number + int(part[-1]) + 1
    place = np.repeat(np.arange(len(groups)), [group.items for group in groups])
    return items.with_columns(job=pl.Series(job), place=pl.Series(place))


def _jobs(items: pl.DataFrame, groups: list[_Group], basis: Mapping[str, Basis]) -> Iterator[PlannedJob]:
    primers = items.filter(kind=_PRIMER).group_by("component").agg(primer=pl.col("job").max())
    rows = (
        items.join(primers, on="component", how="left", maintain_order="left")
        .group_by("job", maintain_order=True)
        .agg(
            pl.first("place", "class_id", "class_name", "model", "lifetime"),
            pl.sum("sent", "read_tokens", "write_tokens"),
            pl.max("primer"),
            items=pl.len(),
            classes=pl.col("class_id").n_unique(),
            models=pl.col("model").n_unique(),
            prefixes=pl.col("entry_id").n_unique(),
            planned_usd=_total("planned_usd"),
            plain_usd=_total("plain_usd"),
        )
    )
    for row in rows.iter_rows(named=True):
        yield _job(row, groups[row["place"]], basis)


def _total(column: str) -> pl.Expr:
    """The sum; null where one of them has no price."""
    return pl.when(pl.col(column).is_null().any()).then(None).otherwise(pl.col(column).sum())


def _job(row: dict[str, Any], group: _Group, basis: Mapping[str, Basis]) -> PlannedJob:
    primed, whole = group.kind == _PRIMED, group.items == row["items"]
    return PlannedJob(
        number=row["job"],
        role="primer" if group.kind == _PRIMER else "body",
        class_id=row["class_id"] if row["classes"] == 1 else None,
        class_name=_name(row, group.kind),
        model=row["model"] if row["models"] == 1 else SEVERAL,
        items=row["items"],
        body_bytes=BODY_FRAME_BYTES + row["sent"],
        lifetime=row["lifetime"],
        primer=row["primer"] if primed else None,
        decided_by="all there is" if whole and group.kind != _PRIMER else group.size.decided_by,
        predicted_usd=money(row["planned_usd"]),
        predicted_plain_usd=money(row["plain_usd"]),
        predicted_read_tokens=round(row["read_tokens"]),
        predicted_write_tokens=round(row["write_tokens"]),
        prediction_basis=basis[row["class_id"]] if primed else None,
    )


def _name(row: dict[str, Any], kind: int) -> str:
    if kind == _PRIMER and row["items"] > 1:
        return f"{row['prefixes']} prefixes"
    if kind == _PLAIN and row["classes"] > 1:
        return f"{row['classes']} classes, unprimed"
    return str(row["class_name"])


def _classes(backlog: pl.DataFrame) -> pl.DataFrame:
    return (
        backlog.group_by("class_id", maintain_order=True)
        .agg(
            pl.first("class_name", "model", "prefix_chars", "cacheable", "preview"),
            pl.first("prefix_tokens").cast(pl.Float64).round().cast(pl.Int64),
            pl.len().alias("items"),
            pl.sum("payload_bytes"),
        )
        .sort("items", descending=True)
    )


def _inputs(learned: Learned, settings: Settings, now: datetime) -> dict[str, Any]:
    return {
        "prices_at": now.isoformat(),
        "output_tokens": "measured for classes with results, else assumed",
        "assumed_output_share": settings.output_share,
        "tokens": "counted, measured or estimated, class by class",
        "reads": f"learned from {learned.history.height} primed jobs, else assumed",
        "alive": dict(learned.alive),
        "blast_radius_usd": str(settings.blast_radius_usd),
        "job_cost_usd": str(settings.job_cost_usd),
        "job_fault_rate": settings.job_fault_rate,
    }


def _known(prices: list[Decimal | None]) -> Decimal | None:
    known = [price for price in prices if price is not None]
    return sum(known, Decimal(0)) if known else None
