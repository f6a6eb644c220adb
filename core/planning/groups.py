"""Groups: items that may share jobs, in the order in which they are sent. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

import polars as pl

from core.caching.lifetimes import Lifetime
from core.planning.envelope import request_bytes
from core.planning.identity import custom_id_bytes
from core.planning.needs import Needs

SEVERAL = "several"
"""Stands for the model of a job that carries more than one."""


class Kind(IntEnum):
    """What an item goes into, in sending order."""

    PRIMER = 0
    PRIMED = 1
    PLAIN = 2


@dataclass(frozen=True, kw_only=True)
class Group:
    """Items that may share jobs, so many behind each other.

    `class_id`: None where they are of several classes; `components`: which caches they read; `item_usd`: of the mean
    item, None where one has no price; `once_usd`: what writing the prefix costs above reading it; `bytes`: as sent.
    """

    place: int
    kind: Kind
    class_id: str | None
    class_name: str
    model: str
    lifetime: Lifetime | None
    components: tuple[int, ...]
    items: int
    bytes: int
    item_usd: float | None
    once_usd: float
    deadline: datetime | None


# What the items that write cost more than as many that read.
_EXTRA_OF_PRIMERS = (
    pl.col("planned_usd").filter("primes").sum()
    - pl.col("primes").sum() * pl.col("planned_usd").filter(~pl.col("primes")).mean()
).clip(lower_bound=0.0)


def in_sending_order(items: pl.DataFrame, needs: Needs) -> pl.DataFrame:
    """The items, group by group: adds kind, place (of the group), sent (bytes), deadline, and once_usd.

    Primers go together by lifetime: they write the entries, and show early what fails. Bodies that read go class by
    class (see also `pack`). What carries no marks goes together by model and deadline: nothing is gained by sending
    small classes as small jobs.
    """
    first = pl.col("row").min()
    of_primers, of_body = first.over("kind", "lifetime"), first.over("class_id", "lifetime")
    of_plain = first.over("kind", "model", "deadline")
    marked = pl.when("primes").then(Kind.PRIMER).when(pl.col("entry_id").is_not_null()).then(Kind.PRIMED)
    return (
        items.with_columns(
            sent=request_bytes(custom_id_bytes()),
            row=pl.int_range(pl.len()),
            kind=marked.otherwise(Kind.PLAIN),
            once_usd=_EXTRA_OF_PRIMERS.over("class_id", "lifetime"),
            deadline=_deadline(needs),
        )
        .with_columns(
            group=pl.when(kind=Kind.PRIMER).then(of_primers).when(kind=Kind.PRIMED).then(of_body).otherwise(of_plain)
        )
        .sort("kind", "group", "row")
        .with_columns(place=pl.struct("kind", "group").rle_id().cast(pl.Int64))
    )


def pack(items: pl.DataFrame, places: Collection[int]) -> pl.DataFrame:
    """Put the small groups of bodies at these places together where deadline and lifetime agree; places count anew.

    Every job costs something beside its items, and once the entries are written a body may read any number of them.
    What carries no marks goes along with what does.
    """
    together = pl.col("place").is_in(list(places))
    lifetime = pl.coalesce("lifetime", pl.col("lifetime").drop_nulls().first().over("deadline", together))
    return (
        items.with_columns(together=together, life=pl.when(together).then(lifetime))
        .with_columns(
            kind=pl.when("together", pl.col("life").is_not_null()).then(Kind.PRIMED).otherwise("kind"),
            group=pl.when("together")
            .then(pl.col("place").min().over("deadline", "life", "together"))
            .otherwise("place"),
        )
        .sort("kind", "group", "place", maintain_order=True)
        .with_columns(place=pl.struct("kind", "group").rle_id().cast(pl.Int64))
        .drop("together", "life")
    )


def groups_of(items: pl.DataFrame) -> list[Group]:
    """The groups of items that are in sending order."""
    rows = items.group_by("place", maintain_order=True).agg(
        pl.first("kind", "class_id", "class_name", "model", "once_usd"),
        pl.col("lifetime").drop_nulls().first(),
        pl.min("deadline"),
        pl.col("component").unique(maintain_order=True).alias("components"),
        classes=pl.col("class_id").n_unique(),
        models=pl.col("model").n_unique(),
        items=pl.len(),
        bytes=pl.col("sent").sum(),
        item_usd=pl.when(pl.col("planned_usd").is_null().any()).then(None).otherwise(pl.col("planned_usd").mean()),
    )
    return [
        Group(
            place=row["place"],
            kind=Kind(row["kind"]),
            class_id=row["class_id"] if row["classes"] == 1 else None,
            class_name=row["class_name"] if row["classes"] == 1 else f"{row['classes']} classes",
            model=row["model"] if row["models"] == 1 else SEVERAL,
            lifetime=row["lifetime"],
            components=tuple(row["components"]),
            items=row["items"],
            bytes=row["bytes"],
            item_usd=row["item_usd"],
            once_usd=row["once_usd"] or 0.0,
            deadline=row["deadline"],
        )
        for row in rows.iter_rows(named=True)
    ]


def _deadline(needs: Needs) -> pl.Expr:
    """When the results of each item are needed."""
    moment = pl.Datetime("us", "UTC")
    general = pl.lit(needs.deadline, dtype=moment)
    if not needs.deadlines:
        return general
    own = pl.col("class_id").replace_strict(dict(needs.deadlines), default=None, return_dtype=moment)
    return pl.coalesce(own, general)
