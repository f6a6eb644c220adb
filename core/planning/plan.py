"""The plan of a backlog: which items go into which jobs, primed or plain, at what predicted price. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl

from core.caching.class_caching import ClassCaching
from core.caching.item_costs import dollars
from core.caching.learned import Basis, Learned
from core.caching.lifetimes import Lifetime
from core.caching.plan import plan_caching
from core.errors import LotwiseError
from core.planning.envelope import BODY_FRAME_BYTES, request_bytes
from core.planning.identity import custom_id_bytes
from core.planning.sizing import job_size, split_evenly
from core.prices import PriceBook
from core.settings import Settings

SEVERAL = "several"
# What the items that write cost more than as many that read.
_EXTRA_OF_PRIMERS = (
    pl.col("planned_usd").filter("primes").sum()
    - pl.col("primes").sum() * pl.col("planned_usd").filter(~pl.col("primes")).mean()
).clip(lower_bound=0.0)


class NothingToPlan(LotwiseError):
    """Every item is already in a job. Import a request file, or put one into the inbox folder."""


@dataclass(frozen=True, kw_only=True)
class PlannedJob:
    """One proposed job. `class_id` is None where it carries several classes; prices are None where unknown.

    `lifetime`: that of its marks, None where nothing is marked; `primer`: the number of the job that it waits for;
    `prediction_basis`: what the predicted reads rest on.
    """

    number: int = 0
    role: str
    class_id: str | None
    class_name: str
    model: str
    items: int
    body_bytes: int
    lifetime: Lifetime | None
    primer: int | None = None
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


_Draft = tuple[PlannedJob, pl.DataFrame]


def draft_plan(
    backlog: pl.DataFrame,
    *,
    book: PriceBook,
    settings: Settings,
    now: datetime,
    learned: Learned | None = None,
    under_floor: frozenset[str] = frozenset(),
) -> Plan:
    """Plan all items of `backlog` (columns as in `plan_caching`, and preview).

    `learned`: what past jobs teach, the documented assumptions where it is None; `under_floor`: entries that turned
    out to be too short. Raises `NothingToPlan` for an empty backlog.
    """
    if backlog.is_empty():
        raise NothingToPlan
    known = learned or Learned()
    caching = plan_caching(backlog, book=book, settings=settings, now=now, learned=known, under_floor=under_floor)
    items = caching.items.drop("chain", "depths", "overheads").with_columns(sent=request_bytes(custom_id_bytes()))
    primers = list(_numbered(_primers(items, settings)))
    primer_of = {component: job.number for job, items in primers for component in items["component"].unique().to_list()}
    basis = {one.class_id: one.basis for one in caching.classes}
    bodies = [*_primed(items, basis, primer_of, settings), *_plain(items, settings)]
    drafts = [*primers, *_numbered(bodies, after=len(primers))]
    return Plan(
        jobs=tuple(job for job, _ in drafts),
        assignments=pl.concat(
            items.select("item_id", "class_id", "model", "marks", "split_chars", "entry_id", job=pl.lit(job.number))
            for job, items in drafts
        ),
        classes=_classes(backlog),
        caching=caching.classes,
        second_round_usd=caching.second_round_usd,
        inputs=_inputs(known, settings, now),
    )


def _primers(items: pl.DataFrame, settings: Settings) -> Iterator[_Draft]:
    """For each lifetime, one job with a real item of every prefix: it writes the entries, and shows early what fails.

    Several such jobs where that many prefixes are over the limits of one.
    """
    for _, first in items.filter("primes").group_by("lifetime", maintain_order=True):
        for inside in _parts(first, settings.max_job_requests, settings):
            job = _job("primer", inside, decided_by="one item a prefix", basis=None)
            prefixes = inside["entry_id"].n_unique()
            yield (job if inside.height == 1 else replace(job, class_name=f"{prefixes} prefixes"), inside)


def _primed(
    items: pl.DataFrame, basis: Mapping[str, Basis], primer_of: Mapping[int, int], settings: Settings
) -> Iterator[_Draft]:
    """The bodies that read: class by class, each behind the primer of its prefixes."""
    marked = items.filter(pl.col("entry_id").is_not_null())
    for (class_id, _), of_class in marked.group_by("class_id", "lifetime", maintain_order=True):
        body = of_class.filter(~pl.col("primes"))
        if body.is_empty():
            continue
        once_usd = float(of_class.select(_EXTRA_OF_PRIMERS).item())
        for job, inside in _bodies(body, once_usd, settings, basis=basis[str(class_id)]):
            primer = max(primer_of[component] for component in inside["component"].unique().to_list())
            yield replace(job, primer=primer), inside


def _plain(items: pl.DataFrame, settings: Settings) -> Iterator[_Draft]:
    """What carries no marks goes together by model: nothing is gained by sending small classes as small jobs."""
    plain = items.filter(pl.col("entry_id").is_null())
    for _, of_model in plain.group_by("model", maintain_order=True):
        for job, inside in _bodies(of_model, 0.0, settings, basis=None):
            several = job.class_id is None
            name = f"{inside['class_id'].n_unique()} classes, unprimed" if several else job.class_name
            yield replace(job, class_name=name), inside


def _bodies(items: pl.DataFrame, once_usd: float, settings: Settings, *, basis: Basis | None) -> Iterator[_Draft]:
    size = job_size(
        item_usd=float(items["planned_usd"].mean() or 0.0),  # type: ignore[arg-type]
        once_usd=once_usd,
        job_usd=float(settings.job_cost_usd),
        fault_rate=settings.job_fault_rate,
        blast_usd=float(settings.blast_radius_usd),
        most=settings.max_job_requests,
    )
    parts = list(_parts(items, size.items, settings))
    decided_by = size.decided_by if len(parts) > 1 else "all there is"
    for inside in parts:
        yield _job("body", inside, decided_by=decided_by, basis=basis), inside


def _parts(items: pl.DataFrame, most: int, settings: Settings) -> Iterator[pl.DataFrame]:
    part = split_evenly(items["sent"].to_numpy(), items=most, most_bytes=settings.max_job_bytes - BODY_FRAME_BYTES)
    begin = 0
    for count in np.bincount(part).tolist():
        yield items.slice(begin, count)
        begin += count


def _job(role: str, items: pl.DataFrame, *, decided_by: str, basis: Basis | None) -> PlannedJob:
    classes, models = items["class_id"].n_unique(), items["model"].unique()
    return PlannedJob(
        role=role,
        class_id=items["class_id"][0] if classes == 1 else None,
        class_name=items["class_name"][0],
        model=models[0] if len(models) == 1 else SEVERAL,
        items=items.height,
        body_bytes=BODY_FRAME_BYTES + int(items["sent"].sum()),
        lifetime=items["lifetime"][0],
        decided_by=decided_by,
        predicted_usd=dollars(items["planned_usd"]),
        predicted_plain_usd=dollars(items["plain_usd"]),
        predicted_read_tokens=round(items["read_tokens"].sum()),
        predicted_write_tokens=round(items["write_tokens"].sum()),
        prediction_basis=basis,
    )


def _numbered(drafts: Iterator[_Draft] | list[_Draft], after: int = 0) -> Iterator[_Draft]:
    for number, (job, items) in enumerate(drafts, after):
        yield replace(job, number=number), items


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
