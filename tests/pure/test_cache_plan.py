"""The cache plan: the cheapest of three ways for every prefix, the rule that binds, and what other ways would cost."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.caching.class_caching import ClassCaching
from core.caching.learned import HISTORY_SCHEMA, Learned
from core.caching.lifetimes import Lifetime
from core.caching.plan import CachePlan, plan_caching
from core.caching.waves import serve
from core.prices import PriceBook
from core.settings import Settings
from tests.pure.test_plan import backlog

BOOK = PriceBook.load()
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SURE: dict[Lifetime, float] = {"5m": 1.0, "1h": 1.0}
MODEL = "claude-haiku-5-5"
PREFIX_CHARS = 20_000


def history(hit_rate: float, jobs: int = 20, class_id: str = f"{0:016x}") -> pl.DataFrame:
    """As many primed jobs of one class that ended just now, of 100 items each."""
    row = {"class_id": class_id, "model": MODEL, "hit_rate": hit_rate, "items": 100, "age_days": 0.0}
    return pl.DataFrame([row], schema=HISTORY_SCHEMA).select(pl.all().repeat_by(jobs).explode())


def plan(items: pl.DataFrame, learned: Learned | None = None, **more: Any) -> CachePlan:
    """The cache plan of these items today."""
    return plan_caching(items, book=BOOK, settings=Settings(), now=NOW, learned=learned or Learned(), **more)


def only(of: CachePlan) -> ClassCaching:
    """The one class of a plan."""
    (one,) = of.classes
    return one


def nested(*, few: int, lone: int, outer: int = 20_000, inner: int = 60_000) -> pl.DataFrame:
    """One class of items that share an outer block; `few` of them share the next block, too."""
    items = backlog({"items": few + lone, "prefix_chars": outer})
    chains, depths, overheads = [], [], []
    for row in items.with_row_index().iter_rows(named=True):
        scope, key, own = row["chain"]
        if row["index"] < few:
            chains.append([scope, key, 77, own])
            depths.append([0, outer, inner, inner + 500])
            overheads.append([0, 70, 70, 70])
        else:
            chains.append([scope, key, own])
            depths.append([0, outer, outer + 500])
            overheads.append([0, 70, 70])
    return items.with_columns(
        chain=pl.Series(chains, dtype=pl.List(pl.UInt64)),
        depths=pl.Series(depths, dtype=pl.List(pl.Int64)),
        overheads=pl.Series(overheads, dtype=pl.List(pl.Int16)),
    ).with_columns(chars=pl.col("depths").list.last())


def test_a_class_costs_what_its_writer_and_readers_cost() -> None:
    """One item writes for an hour, the others read or miss as expected; five minutes and no marks beside it."""
    of = only(plan(backlog({"items": 50, "max_tokens": 1, "output_tokens": 0.0}), Learned(alive=SURE)))
    rates = BOOK.rates(MODEL, at=NOW)
    prefix = of.prefix_tokens
    suffix = 500 / BOOK.model(MODEL).chars_per_token

    def usd(write: Decimal) -> float:
        rest = 50 * suffix * float(rates.input)
        reading = 0.9 * float(rates.cache_read) + 0.1 * float(write)
        return rest + prefix * (float(write) + 49 * reading)

    assert of.plain_usd is not None
    assert float(of.plain_usd) == pytest.approx(50 * (prefix + suffix) * float(rates.input), rel=1e-3)
    assert float(of.five_minutes_usd or 0) == pytest.approx(usd(rates.cache_write_5m), rel=1e-3)
    assert float(of.one_hour_usd or 0) == pytest.approx(usd(rates.cache_write_1h), rel=1e-3)
    assert (of.read_tokens, of.write_tokens) == pytest.approx((prefix * 49 * 0.9, prefix * (1 + 49 * 0.1)), rel=1e-3)


def test_an_hour_is_taken_while_nothing_is_known_of_priming() -> None:
    """Batches commonly take longer than five minutes: the short life is a bet that priming is quick."""
    assert only(plan(backlog({"items": 50}))).lifetime == "1h"


def test_five_minutes_are_taken_where_priming_was_always_quick() -> None:
    """Writing for five minutes is cheaper, once the workspace's own primers ended in time."""
    assert only(plan(backlog({"items": 50}), Learned(alive=SURE))).lifetime == "5m"


@pytest.mark.parametrize(
    ("alive", "life", "items"), [({"5m": 1.0, "1h": 0.0}, "5m", 2), ({"5m": 0.0, "1h": 1.0}, "1h", 3)]
)
def test_the_fewest_items_that_pay(alive: dict[Lifetime, float], life: str, items: int) -> None:
    """Two at five minutes, three at an hour, for every read price in use."""
    sure = Learned(history=history(1.0, jobs=500), alive=alive)

    assert only(plan(backlog({"items": items}), sure)).lifetime == life
    fewer = only(plan(backlog({"items": items - 1}), sure)) if items > 2 else None
    assert fewer is None or fewer.lifetime is None


def test_marks_are_not_risked_where_reads_are_too_rare() -> None:
    """Decided with the low quantile: a class whose primed bodies read under the break-even is sent plain."""
    of = only(plan(backlog({"items": 50}), Learned(history=history(0.1))))

    assert (of.lifetime, of.reasons, of.basis) == (None, ("reads_too_rare",), "measured")
    assert of.planned_usd == of.plain_usd


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, "primed_1h"),
        ({"prefix_blocks": 0}, "shares_nothing"),
        ({"prefix_chars": 1_000}, "under_floor"),
        ({"items": 2}, "too_few"),
        ({"mark_bytes": 0}, "not_markable"),
        ({"model": "claude-unheard-of"}, "unpriced"),
    ],
)
def test_the_rule_that_binds_is_named(change: dict[str, Any], reason: str) -> None:
    """Every class says why it is cached as it is, or why not."""
    items = backlog(change)
    if reason == "not_markable":
        items = items.with_columns(overheads=pl.col("overheads").list.eval(pl.element() * 0))

    assert only(plan(items)).reasons[0] == reason


def test_an_entry_that_proved_too_short_is_not_marked_again() -> None:
    """Measured beats estimated, whatever the estimate of the prefix says."""
    items = backlog({})
    of = only(plan(items, under_floor=frozenset(items["prefix_key"])))

    assert (of.lifetime, of.reasons) == (None, ("under_floor_measured",))


def test_ways_not_taken_carry_their_dollars() -> None:
    """Marks without a primer write in every item; automatic caching writes whole prompts; both against the plan."""
    of = only(plan(backlog({"items": 50})))
    ways = {way.way: float(way.extra_usd) for way in of.refused}
    rates = BOOK.rates(MODEL, at=NOW)
    saved = float((of.plain_usd or 0) - (of.planned_usd or 0))
    prompt = of.prefix_tokens + 500 / BOOK.model(MODEL).chars_per_token

    assert set(ways) == {"unprimed_5m", "unprimed_1h", "primed_5m", "no_marks", "automatic"}
    assert ways["no_marks"] == pytest.approx(saved)
    cold = 50 * of.prefix_tokens * float(rates.input)
    assert ways["unprimed_1h"] == pytest.approx(saved + cold, rel=1e-3)
    assert ways["unprimed_5m"] == pytest.approx(saved + cold / 4, rel=1e-3)
    assert ways["automatic"] == pytest.approx(saved + 50 * prompt * float(rates.input) / 4, rel=1e-3)
    below = only(plan(backlog({"prefix_chars": 1_000}))).refused
    assert next((way.way, way.extra_usd) for way in below) == ("mark_below_floor", Decimal(0))


def test_every_shape_of_parameters_primes_where_that_is_cheap() -> None:
    """The primer is the canary: what the API refuses of one shape it may take of another."""
    many, few = backlog({"items": 2_000}), backlog({"items": 20})

    def primers(items: pl.DataFrame) -> list[int]:
        shapes = items.with_columns(max_tokens=100 * (pl.int_range(pl.len()) % 2 + 1))
        return sorted(plan(shapes).items.filter("primes")["max_tokens"])

    assert primers(many) == [100, 200]
    assert len(primers(few)) == 1


def test_nested_prefixes_carry_both_marks_and_one_primer_writes_them() -> None:
    """Items of the inner prefix are marked twice; those that share only the outer one read what its primer wrote."""
    of = plan(nested(few=40, lone=40))
    items = of.items

    assert items["marks"].to_list() == [[1, 2]] * 40 + [[1]] * 40
    assert items["entry_id"].n_unique() == 2
    assert items["primes"].sum() == 1
    assert only(of).reasons == ("primed_1h", "nested_marks")


def test_a_second_round_of_primers_is_proposed_with_its_dollars() -> None:
    """Where two inner prefixes both write the outer one, staging them would save that once; else it saves nothing."""
    two = pl.concat([nested(few=40, lone=0), nested(few=40, lone=0)])
    other = pl.int_range(pl.len()) >= 40
    chain = pl.col("chain").list
    two = two.with_columns(
        item_id=pl.format("i{}", pl.int_range(pl.len())),
        chain=pl.when(other)
        .then(pl.concat_list(chain.get(0), chain.get(1), pl.lit(78, pl.UInt64), chain.get(3) + pl.lit(500, pl.UInt64)))
        .otherwise("chain"),
    )
    of = plan(two)

    assert of.items["primes"].sum() == 2
    write_outer = PREFIX_CHARS / BOOK.model(MODEL).chars_per_token * float(BOOK.rates(MODEL, at=NOW).input)
    assert write_outer < float(of.second_round_usd) < 3 * write_outer
    assert plan(backlog({"items": 40})).second_round_usd == 0


@given(st.integers(5, 60), st.integers(0, 60), st.sampled_from([2_000, 20_000, 50_000]), st.integers(1, 8))
def test_the_wave_model_serves_what_was_planned(few: int, lone: int, outer: int, jobs: int) -> None:
    """Primers first, then bodies all at once: the simulator reads and writes to the token what the plan predicts."""
    sure = Learned(history=history(1.0, jobs=100_000), alive=SURE)
    items = plan(nested(few=few, lone=lone, outer=outer), sure).items.with_row_index("row")
    marks = items.select("row", "chain", "depths", block="marks").explode("block").drop_nulls()
    ratio = 1 / BOOK.model(MODEL).chars_per_token
    pairs = marks.select("row", entry=pl.col("chain").list.get("block"), depth=pl.col("depths").list.get("block"))
    starts = np.where(items["primes"].to_numpy(), 0.0, 240.0 + np.arange(items.height) % jobs)
    served = serve(
        starts,
        items["prompt_tokens"].to_numpy(),
        item=pairs["row"].cast(pl.Int64).to_numpy(),
        entry=pairs["entry"].cast(pl.Int64).to_numpy(),
        depth=pairs["depth"].to_numpy() * ratio,
        life=300.0,
    )

    assert served.read.sum() == pytest.approx(items["read_tokens"].sum(), rel=1e-3)
    assert served.written.sum() == pytest.approx(items["write_tokens"].sum(), rel=1e-3)


trees = st.lists(
    st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(0, 4)), min_size=1, max_size=24
)


@given(trees, st.sampled_from([1_500, 6_000, 20_000]), st.floats(0, 1), st.floats(0, 1))
def test_no_tree_is_planned_dearer_than_plain(
    paths: list[tuple[int, int, int, int]], block: int, soon: float, late: float
) -> None:
    """Whatever is shared by whom: never dearer than no caching, no mark under the floor, four marks at most."""
    items = backlog({"items": len(paths), "prefix_chars": block})
    chains = [
        [1, *(1_000 * (at + 1) + hash(path[: at + 1]) % 997 for at in range(path[3])), 10**9 + number]
        for number, path in enumerate((*path, depth) for *path, depth in paths)
    ]
    depths = [[block * at for at in range(len(chain))] for chain in chains]
    items = items.with_columns(
        chain=pl.Series(chains, dtype=pl.List(pl.UInt64)),
        depths=pl.Series(depths, dtype=pl.List(pl.Int64)),
        overheads=pl.Series([[0] + [70] * (len(chain) - 1) for chain in chains], dtype=pl.List(pl.Int16)),
        chars=pl.Series([depth[-1] for depth in depths]),
    )
    of = plan(items, Learned(alive={"5m": soon, "1h": late}))

    assert of.items["planned_usd"].sum() <= of.items["plain_usd"].sum()
    marked = of.items.filter(pl.col("entry_id").is_not_null())
    assert marked.filter(pl.col("cached_tokens") < BOOK.model(MODEL).cache_floor_tokens).is_empty()
    assert of.items["marks"].list.len().max() <= 4  # type: ignore[operator]
    assert of.second_round_usd >= 0
    assert abs((only(of).planned_usd or 0) - Decimal(float(of.items["planned_usd"].sum()))) < Decimal("1e-9")
