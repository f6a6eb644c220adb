"""The cache plan: which prefixes of a backlog are written once and read by the rest, and for how long. Pure.

Three plans are made for every component of the prefix tree (no marks, entries of five minutes, entries of an hour),
each with the exact best marks for one round of primers, and the cheapest is taken. What it is expected to cost rests on
the probability that a primed body reads and that the entry still lives when the body could start (see `Odds`); marks
are risked at all only where the former is surely above the break-even hit rate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import numpy as np
import polars as pl

from core.caching.class_caching import ClassCaching, Costs, summarise
from core.caching.entries import Forest, Odds, Option, best_option, forest_of, marks_of, staged_saving
from core.caching.item_costs import ClassRates, class_rates, with_costs, with_tokens
from core.caching.learned import Expectation, Learned
from core.caching.lifetimes import Lifetime
from core.caching.marks import Bools, Floats, Ints
from core.prices import PriceBook
from core.settings import Settings

# Savings under this are noise of floating point.
_LEAST_USD = 1e-9
_LIFETIMES: tuple[Lifetime, ...] = ("5m", "1h")


@dataclass(frozen=True, kw_only=True)
class CachePlan:
    """Marks of every item, and what they mean by class.

    `items`: the backlog with marks, split_chars, entry_id, mark_bytes, lifetime (null: not marked), primes, component
    (equal where entries may be shared), prompt_tokens, cached_tokens, read_tokens, write_tokens, plain_usd and
    planned_usd (see `with_costs`).
    `second_round_usd`: what priming the outer marks in a round of their own, before the inner ones, would save.
    """

    items: pl.DataFrame
    classes: tuple[ClassCaching, ...]
    second_round_usd: Decimal


def plan_caching(
    backlog: pl.DataFrame,
    *,
    book: PriceBook,
    settings: Settings,
    now: datetime,
    learned: Learned,
    under_floor: frozenset[str] = frozenset(),
) -> CachePlan:
    """Plan the caching of all items of `backlog`.

    Columns: item_id, class_id, class_name, model, prefix_blocks, cut_chars, prefix_chars, prefix_tokens,
    prefix_key (running hash at its end, in hexadecimal), cacheable (the prefix reaches the floor), split_agreed,
    payload_bytes, chars (of the whole prompt), chain, depths, overheads, max_tokens, output_tokens (mean of the class
    so far, or null). `under_floor`: ids of entries that were marked, and neither written nor read.
    """
    items = with_tokens(backlog, book=book, settings=settings)
    rates = class_rates(items, book=book, now=now)
    names = items.group_by("class_id", maintain_order=True).agg(pl.first("model"))
    planner = _Planner(
        items=items,
        rates=rates,
        expected=learned.reads_of(names.iter_rows()),
        alive=learned.alive,
        under_floor=under_floor,
    )
    agreed, cut = items["split_agreed"], items["cut_chars"] > 0
    draft = planner.draft(agreed)
    split_usd: Mapping[str, float] = {}
    if (cut & ~agreed).any():
        before, after = (_planned_usd(one.items) for one in (draft, planner.draft(agreed | cut)))
        saved = {class_id: before[class_id] - after[class_id] for class_id in before}
        split_usd = {class_id: usd for class_id, usd in saved.items() if usd > _LEAST_USD}
    costs = Costs(rates=rates, expected=planner.expected, alive=learned.alive, saved=draft.saved, split_usd=split_usd)
    return CachePlan(
        items=draft.items,
        classes=summarise(draft.items, costs, under_floor),
        second_round_usd=Decimal(repr(round(draft.second_round_usd, 9))),
    )


def _planned_usd(items: pl.DataFrame) -> dict[str, float]:
    return dict(items.group_by("class_id").agg(pl.col("planned_usd").sum()).iter_rows())


@dataclass(frozen=True, kw_only=True)
class _Draft:
    """`saved`: dollars that each lifetime's best marks save, by class; `items` as in `CachePlan`."""

    items: pl.DataFrame
    saved: Mapping[Lifetime, Mapping[str, float]]
    second_round_usd: float


@dataclass(frozen=True, kw_only=True)
class _Planner:
    """Everything that does not depend on which texts may be split."""

    items: pl.DataFrame
    rates: Mapping[str, ClassRates]
    expected: Mapping[str, Expectation]
    alive: Mapping[Lifetime, float]
    under_floor: frozenset[str]

    def draft(self, split: pl.Series) -> _Draft:
        """The cheapest of the three plans of every component."""
        forest = forest_of(self.items, self.rates, split=split, under_floor=self.under_floor)
        lead = self._lead(forest)
        reads = np.array([self.expected[class_id].rate.mean for class_id in lead])
        odds = [Odds(lifetime=life, alive=self.alive[life], reads=reads) for life in _LIFETIMES]
        options = [best_option(forest, one) for one in odds]
        price = self._prices()
        worth = [
            np.where(self._safe(forest, lead, option), _by_component(forest, option.saved * price), 0.0)
            for option in options
        ]
        taken = np.argmax([np.full(len(lead), _LEAST_USD), *worth], axis=0)
        return _Draft(
            items=self._marked(forest, options, taken),
            saved={option.odds.lifetime: self._by_class(option.saved * price) for option in options},
            second_round_usd=self._second_round(forest, options, taken, lead),
        )

    def _lead(self, forest: Forest) -> list[str]:
        """Per node, the class that most items of its component are in: its reads and price stand for all."""
        counts = (
            self.items.select("class_id", component=pl.Series(forest.item_component))
            .group_by("component", "class_id")
            .agg(items=pl.len())
            .sort("items", "class_id", descending=[True, False])
            .unique("component", keep="first", maintain_order=True)
        )
        names = dict(counts.select("component", "class_id").iter_rows())
        fallback = self.items["class_id"][0]
        return [names.get(component, fallback) for component in forest.component.tolist()]

    def _safe(self, forest: Forest, lead: list[str], option: Option) -> Bools:
        """Where even a poor share of reads beats sending the prefix plain."""
        write, read = forest.write[option.odds.lifetime], forest.read
        break_even = np.divide(write - 1, write - read, out=np.ones_like(write), where=write > read)
        pairs = zip(lead, break_even.tolist(), strict=True)
        return np.array([self.expected[class_id].rate.surely_above(share) for class_id, share in pairs])

    def _prices(self) -> Floats:
        """Per item, dollars of one token of plain input; 0 where unpriced, because nothing is marked there."""
        prices = {class_id: rate.input for class_id, rate in self.rates.items()}
        return self.items["class_id"].replace_strict(prices, default=0.0, return_dtype=pl.Float64).to_numpy()

    def _by_class(self, usd: Floats) -> dict[str, float]:
        sums = self.items.select("class_id", usd=pl.Series(usd)).group_by("class_id").agg(pl.col("usd").sum())
        return dict(sums.iter_rows())

    def _marked(self, forest: Forest, options: Sequence[Option], taken: Ints) -> pl.DataFrame:
        """The items with the marks of what was taken, and what they then cost."""
        component = forest.item_component
        cached = np.zeros(len(taken), dtype=np.bool_)
        inner = np.full(len(component), -1)
        primes = np.zeros(len(component), dtype=np.bool_)
        reads, writes = np.zeros(len(component)), np.zeros(len(component))
        lifetime = np.full(len(component), None, dtype=object)
        for number, option in enumerate(options, 1):
            odds = option.odds
            cached |= option.cached & (taken == number) & (forest.component >= 0)
            here = (component >= 0) & (taken[component] == number) & (option.inner >= 0)
            inner[here], primes[here], lifetime[here] = option.inner[here], option.primes[here], odds.lifetime
            reads[here] = np.where(option.primes, 0.0, odds.marked * odds.reads[component])[here]
            writes[here] = np.where(option.primes, odds.writes, odds.marked * (1 - odds.reads[component]))[here]
        return with_costs(
            self.items.with_row_index("row")
            .with_columns(pl.col("row").cast(pl.Int64))
            .join(marks_of(forest, cached), on="row", how="left", maintain_order="left")
            .drop("row")
            .with_columns(
                pl.col("marks").fill_null([]),
                pl.col("mark_bytes").fill_null(0),
                lifetime=pl.Series(lifetime.tolist(), dtype=pl.String),
                primes=pl.Series(primes),
                component=pl.Series(component),
                cached_tokens=pl.Series(np.where(inner >= 0, forest.tokens[inner], 0.0)),
                read_share=pl.Series(reads),
                write_share=pl.Series(writes),
            ),
            self.rates,
        )

    def _second_round(self, forest: Forest, options: Sequence[Option], taken: Ints, lead: list[str]) -> float:
        """Dollars that staged primers would save beyond one round, over the components that are cached."""
        price = np.array([self.rates[name].input if name in self.rates else 0.0 for name in lead])
        more = 0.0
        for number, option in enumerate(options, 1):
            here = (taken == number) & (forest.component == np.arange(len(taken)))
            if here.any():
                gained = staged_saving(forest, option.odds) - _by_component(forest, option.saved)
                more += float((np.maximum(gained, 0.0) * price)[here].sum())
        return more


def _by_component(forest: Forest, values: Floats) -> Floats:
    """Sums over the items of each component, for every node of it."""
    component = forest.item_component
    sums = np.zeros(len(forest.component) + 1)
    np.add.at(sums, component, values)
    sums[-1] = 0.0
    return sums[forest.component]
