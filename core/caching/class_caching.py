"""How a class meets the cache: the plan taken, the two not taken, which rule binds, and what other ways would cost."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import polars as pl

from core.caching.item_costs import ClassRates, money
from core.caching.learned import Basis, Expectation
from core.caching.lifetimes import Lifetime, break_even_hit_rate, least_items


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A way that was not taken, by its key in the words, and what it would cost more than the plan."""

    way: str
    extra_usd: Decimal


@dataclass(frozen=True, kw_only=True)
class ClassCaching:
    """The caching of one class.

    `marks`, `split_chars`: those of most of its items; `entries`: how many different innermost entries its items use;
    `primers`: items that go first; `prefix_tokens`: up to the last mark in the mean item, or of the shared prefix
    where nothing is marked. `read_tokens`, `write_tokens`: predicted. `hit_rate`: probability that an item of the body
    reads; `interval`: what the next body's hit rate lies within, four times of five; `basis`: what both rest on;
    `alive`: probability that the entry lives when the body starts. `plain_usd`, `five_minutes_usd`, `one_hour_usd`: the
    three plans, None where unpriced; `planned_usd`: the one taken. `reasons`: keys of the words, the binding rule
    first. `split_usd`: what consent to splitting the text would save.
    """

    class_id: str
    class_name: str
    model: str
    items: int
    prefix_tokens: int
    marks: tuple[int, ...]
    split_chars: int | None
    lifetime: Lifetime | None
    entries: int
    primers: int
    read_tokens: int
    write_tokens: int
    hit_rate: float
    interval: tuple[float, float]
    basis: Basis
    alive: float | None
    plain_usd: Decimal | None
    five_minutes_usd: Decimal | None
    one_hour_usd: Decimal | None
    planned_usd: Decimal | None
    reasons: tuple[str, ...]
    split_usd: Decimal | None
    refused: tuple[Refused, ...]


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What the summaries rest on, by class id; `saved`: dollars that the best marks of a lifetime save."""

    rates: Mapping[str, ClassRates]
    expected: Mapping[str, Expectation]
    alive: Mapping[Lifetime, float]
    saved: Mapping[Lifetime, Mapping[str, float]]
    split_usd: Mapping[str, float]


def summarise(items: pl.DataFrame, costs: Costs, under_floor: frozenset[str]) -> tuple[ClassCaching, ...]:
    """One summary a class, the dearest first; `items` as in `CachePlan`."""
    marked = pl.col("entry_id").is_not_null()
    classes = items.group_by("class_id", maintain_order=True).agg(
        pl.first("class_name", "model", "prefix_chars", "prefix_key", "cut_chars", "cacheable", "split_agreed"),
        pl.col("lifetime").drop_nulls().first(),
        items=pl.len(),
        marked=marked.sum(),
        shared_tokens=pl.first("prefix_tokens").cast(pl.Float64),
        cached_tokens=pl.col("cached_tokens").filter(marked).mean(),
        marks=pl.col("marks").filter(marked).mode(maintain_order=True).first(),
        split_chars=pl.col("split_chars").drop_nulls().first(),
        entries=pl.col("entry_id").drop_nulls().n_unique(),
        primers=pl.col("primes").sum(),
        markable=pl.col("overheads").list.max().max() > 0,
        prompt_tokens=pl.col("prompt_tokens").sum(),
        **{name: pl.col(name).sum() for name in ("read_tokens", "write_tokens", "plain_usd", "planned_usd")},
    )
    rows = classes.sort("plain_usd", "items", descending=True, nulls_last=True).iter_rows(named=True)
    return tuple(_summary(row, costs, under_floor) for row in rows)


def _summary(row: dict[str, Any], costs: Costs, under_floor: frozenset[str]) -> ClassCaching:
    class_id, lifetime = row["class_id"], row["lifetime"]
    rates, expected = costs.rates.get(class_id), costs.expected[class_id]
    plain = row["plain_usd"] if rates else None
    primed = {life: None if plain is None else plain - costs.saved[life][class_id] for life in costs.saved}
    split_usd = costs.split_usd.get(class_id, 0.0)
    return ClassCaching(
        class_id=class_id,
        class_name=row["class_name"],
        model=row["model"],
        items=row["items"],
        prefix_tokens=round(row["cached_tokens"] or row["shared_tokens"]),
        marks=tuple(row["marks"] or ()),
        split_chars=row["split_chars"],
        lifetime=lifetime,
        entries=row["entries"],
        primers=row["primers"],
        read_tokens=round(row["read_tokens"]),
        write_tokens=round(row["write_tokens"]),
        hit_rate=expected.rate.mean,
        interval=expected.rate.interval(max(row["items"] - row["primers"], 1)),
        basis=expected.basis,
        alive=costs.alive.get(lifetime),
        plain_usd=money(plain),
        five_minutes_usd=money(primed["5m"]),
        one_hour_usd=money(primed["1h"]),
        planned_usd=money(row["planned_usd"] if rates else None),
        reasons=tuple(_reasons(row, costs, under_floor)),
        split_usd=money(split_usd) if split_usd > 0 else None,
        refused=tuple(_refused(row, rates, primed)) if rates else (),
    )


def _reasons(row: dict[str, Any], costs: Costs, under_floor: frozenset[str]) -> Iterator[str]:
    """Why the class is cached as it is, or why not: the rule that binds, then what else a person should know."""
    if row["marked"]:
        yield "primed_5m" if row["lifetime"] == "5m" else "primed_1h"
        if len(row["marks"]) > 1:
            yield "nested_marks"
        if row["marked"] < row["items"]:
            yield "partly_marked"
    else:
        yield _why_not(row, costs, under_floor)
    if row["cut_chars"] and not row["split_agreed"]:
        yield "ends_inside_text"


def _why_not(row: dict[str, Any], costs: Costs, under_floor: frozenset[str]) -> str:
    rates = costs.rates.get(row["class_id"])
    if rates is None:
        return "unpriced"
    of, rate = rates.multipliers, costs.expected[row["class_id"]].rate
    likely = [life for life, alive in costs.alive.items() if 2 * alive > 1] or list(costs.alive)
    least = min(least_items(write=of.write(life), read=of.read) for life in likely)
    break_evens = [break_even_hit_rate(write=of.write(life), read=of.read) for life in costs.alive]
    rules = {
        "shares_nothing": not row["prefix_chars"],
        "under_floor_measured": row["prefix_key"] in under_floor,
        "under_floor": not row["cacheable"] or row["shared_tokens"] < rates.floor,
        "not_markable": not row["markable"],
        "needs_split": costs.split_usd.get(row["class_id"], 0.0) > 0,
        "too_few": row["items"] < least,
        "reads_too_rare": not any(rate.surely_above(share) for share in break_evens),
    }
    return next((rule for rule, binds in rules.items() if binds), "dearer")


def _refused(row: dict[str, Any], rates: ClassRates, primed: Mapping[Lifetime, float | None]) -> Iterator[Refused]:
    """Ways that somebody may think of, with what they cost more than the plan."""
    if row["prefix_chars"] and row["shared_tokens"] < rates.floor:
        # Ignored by the API without a word: no premium, no read.
        yield Refused(way="mark_below_floor", extra_usd=Decimal(0))
    planned = row["planned_usd"]
    for way, usd in _other_ways(row, rates, primed):
        if usd is not None and usd > planned:
            yield Refused(way=way, extra_usd=money(usd - planned) or Decimal(0))


def _other_ways(
    row: dict[str, Any], rates: ClassRates, primed: Mapping[Lifetime, float | None]
) -> Iterator[tuple[str, float | None]]:
    plain, of = row["plain_usd"], rates.multipliers
    if row["prefix_chars"] and row["shared_tokens"] >= rates.floor:
        cold = row["items"] * row["shared_tokens"] * rates.input
        yield "unprimed_5m", plain + cold * (of.write_5m - 1)
        yield "unprimed_1h", plain + cold * (of.write_1h - 1)
        yield from ((f"primed_{life}", usd) for life, usd in primed.items() if life != row["lifetime"])
        if row["marked"]:
            yield "no_marks", plain
    if row["prompt_tokens"] >= rates.floor * row["items"]:
        yield "automatic", plain + row["prompt_tokens"] * rates.input * (of.write_5m - 1)
