"""The plan of a backlog: which items go into which jobs, primed or plain, how large, when and at what price. Pure."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl

from core.caching.class_caching import ClassCaching
from core.caching.item_costs import money
from core.caching.learned import Basis, Learned
from core.caching.plan import plan_caching
from core.errors import LotwiseError
from core.planning.class_size import ClassSize, Sizing
from core.planning.envelope import BODY_FRAME_BYTES
from core.planning.groups import SEVERAL, Group, Kind, groups_of, in_sending_order, pack
from core.planning.needs import Needs
from core.planning.planned_job import PlannedJob
from core.planning.splitting import split_evenly
from core.planning.timing import JobTimes, Timing, job_times, time_groups
from core.prices import PriceBook
from core.settings import Settings
from core.sizing.evidence import Evidence
from core.sizing.faults import FaultHistory

# As many small classes as a person looks at one by one.
_SHOWN_ALONE = 200
# From what is known best to what is only assumed.
_BASES: tuple[Basis, ...] = ("measured", "estimated", "assumed")


class NothingToPlan(LotwiseError):
    """Nothing waits: every item is already in a job, or none was imported yet. Import a request file, or put one into
    the inbox folder."""


class UnknownClass(LotwiseError):
    """No class that waits has this id, so its deadline would mean nothing. `plan --json` shows the ids."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Proposed jobs in sending order, what each item goes into, and what the prediction rests on.

    `assignments`: columns item_id, class_id, model, job (number), marks, split_chars, entry_id; `caching`: how each
    class meets the cache, and why; `second_round_usd`: see `CachePlan`. `sizes`: how large the jobs of each group of
    bodies are, and why, the dearest first; `alone`: the same of the dearest small groups that share their jobs, as if
    each were alone; `timing`: when they go and come back. `needs` and `evidence`: what the plan
    was made for, and from.
    """

    jobs: tuple[PlannedJob, ...]
    assignments: pl.DataFrame
    classes: pl.DataFrame
    caching: tuple[ClassCaching, ...]
    second_round_usd: Decimal
    sizes: tuple[ClassSize, ...]
    alone: tuple[ClassSize, ...]
    timing: Timing
    needs: Needs
    evidence: Evidence
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
    def binding(self) -> str | None:
        """What decided most: what the timing ran into, else what bounds the jobs of the dearest group."""
        if self.timing.binding is not None:
            return self.timing.binding
        return self.sizes[0].decided_by if self.sizes else None

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the jobs are as large as they are, the dearest group first, and what cannot be met."""
        sizes = [
            f"{size.group.class_name}: {size.recommendation.reason()}" for size in self.sizes if size.recommendation
        ]
        return (*self.timing.reasons, *sizes)

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
    evidence: Evidence | None = None,
    under_floor: frozenset[str] = frozenset(),
    needs: Needs | None = None,
) -> Plan:
    """Plan all items of `backlog` (columns as in `plan_caching`, and preview).

    `evidence`: what past jobs teach, the documented assumptions where it is None; `under_floor`: entries that turned
    out to be too short. Raises `NothingToPlan` for an empty backlog, `UnknownClass`, `DeadlinePassed` and
    `RequestTooLarge`.
    """
    if backlog.is_empty():
        raise NothingToPlan
    known = evidence or Evidence(fault_history=FaultHistory(void_rate=settings.job_fault_rate))
    asked = needs or Needs()
    if unknown := set(asked.deadlines) - set(backlog["class_id"].unique()):
        raise UnknownClass(class_id=", ".join(sorted(unknown)))
    caching = plan_caching(
        backlog, book=book, settings=settings, now=now, learned=known.learned, under_floor=under_floor
    )
    sizing = Sizing(settings=settings, evidence=known, needs=asked, now=now)
    items = in_sending_order(caching.items.drop("chain", "depths", "overheads"), asked)
    items, groups, small = _packed(items, sizing)
    sizes = {group.place: sizing.size(group) for group in groups if group.kind != Kind.PRIMER}
    timing = time_groups(groups, sizes, sizing)
    items = _with_jobs(items, groups, sizes, timing, settings)
    times = job_times(items, groups, timing, sizing)
    basis = {one.class_id: one.basis for one in caching.classes}
    return Plan(
        jobs=tuple(_jobs(items, groups, sizes, times, basis)),
        assignments=items.select("item_id", "class_id", "model", "marks", "split_chars", "entry_id", "job"),
        classes=_classes(backlog),
        caching=caching.classes,
        second_round_usd=caching.second_round_usd,
        sizes=tuple(sorted(sizes.values(), key=lambda size: _worth(size.group), reverse=True)),
        alone=tuple(sizing.size(group) for group in sorted(small, key=_worth, reverse=True)[:_SHOWN_ALONE]),
        timing=timing,
        needs=asked,
        evidence=known,
        inputs=_inputs(known.learned, settings, now),
    )


def _worth(group: Group) -> float:
    return (group.item_usd or 0.0) * group.items


def _packed(items: pl.DataFrame, sizing: Sizing) -> tuple[pl.DataFrame, list[Group], list[Group]]:
    """The items with small groups put together (see `pack`), all groups then, and the small ones as they were."""
    groups = groups_of(items)
    small = [group for group in groups if group.kind != Kind.PRIMER and sizing.is_small(group)]
    if len(small) < 2:
        return items, groups, []
    items = pack(items, [group.place for group in small])
    return items, groups_of(items), small


def _with_jobs(
    items: pl.DataFrame, groups: Sequence[Group], sizes: Mapping[int, ClassSize], timing: Timing, settings: Settings
) -> pl.DataFrame:
    """Cut every group into even jobs, as many as were scheduled: adds the number of each item's `job`."""
    sent, most_bytes = items["sent"].to_numpy(), settings.max_job_bytes - BODY_FRAME_BYTES
    job = np.empty(len(sent), dtype=np.int32)
    begin = number = 0
    for group in groups:
        end, bodies = begin + group.items, len(timing.bodies.get(group.place, ()))
        alone = sizes[group.place].items if group.place in sizes else settings.max_job_requests
        most = math.ceil(group.items / bodies) if bodies else alone
        part = split_evenly(sent[begin:end], items=most, most_bytes=most_bytes)
        job[begin:end] = number + part
        begin, number = end, number + int(part[-1]) + 1
    return items.with_columns(job=pl.Series(job))


def _jobs(
    items: pl.DataFrame,
    groups: Sequence[Group],
    sizes: Mapping[int, ClassSize],
    times: Sequence[JobTimes],
    basis: Mapping[str, Basis],
) -> Iterator[PlannedJob]:
    primers = items.filter(kind=Kind.PRIMER).group_by("component").agg(primer=pl.col("job").max())
    rows = (
        items.join(primers, on="component", how="left", maintain_order="left")
        .group_by("job", maintain_order=True)
        .agg(
            pl.first("place", "class_id", "class_name", "model"),
            pl.col("lifetime").drop_nulls().first(),
            pl.sum("sent", "read_tokens", "write_tokens"),
            pl.max("primer"),
            items=pl.len(),
            classes=pl.col("class_id").n_unique(),
            class_ids=pl.col("class_id").unique(),
            models=pl.col("model").n_unique(),
            prefixes=pl.col("entry_id").n_unique(),
            planned_usd=_total("planned_usd"),
            plain_usd=_total("plain_usd"),
        )
    )
    for row in rows.iter_rows(named=True):
        group, when = groups[row["place"]], times[row["job"]]
        primed = group.kind == Kind.PRIMED and row["lifetime"] is not None
        yield PlannedJob(
            number=row["job"],
            role="primer" if group.kind == Kind.PRIMER else "body",
            class_id=row["class_id"] if row["classes"] == 1 else None,
            class_name=_name(row, group.kind),
            model=row["model"] if row["models"] == 1 else SEVERAL,
            items=row["items"],
            body_bytes=BODY_FRAME_BYTES + row["sent"],
            lifetime=row["lifetime"],
            primer=row["primer"] if primed else None,
            decided_by=_decided_by(row, group, sizes),
            predicted_usd=money(row["planned_usd"]),
            predicted_plain_usd=money(row["plain_usd"]),
            predicted_read_tokens=round(row["read_tokens"]),
            predicted_write_tokens=round(row["write_tokens"]),
            prediction_basis=max((basis[each] for each in row["class_ids"]), key=_BASES.index) if primed else None,
            send_at=when.send_at,
            ends_by=when.ends_by,
            ready_by=when.ready_by,
        )


def _total(column: str) -> pl.Expr:
    """The sum; null where one of them has no price."""
    return pl.when(pl.col(column).is_null().any()).then(None).otherwise(pl.col(column).sum())


def _decided_by(row: dict[str, Any], group: Group, sizes: Mapping[int, ClassSize]) -> str:
    if group.kind == Kind.PRIMER:
        return "one_each"
    return "backlog" if group.items == row["items"] else sizes[group.place].decided_by


def _name(row: dict[str, Any], kind: Kind) -> str:
    if kind == Kind.PRIMER and row["items"] > 1:
        return f"{row['prefixes']} prefixes"
    if kind != Kind.PRIMER and row["classes"] > 1:
        return f"{row['classes']} classes" if row["lifetime"] else f"{row['classes']} classes, unprimed"
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
