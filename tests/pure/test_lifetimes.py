"""Lives of entries: every break-even against its published figure, and the choice against what each way costs."""

import json
import math
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.caching.lifetimes import (
    LIFE_SECONDS,
    Lifetime,
    Multipliers,
    break_even_hit_rate,
    choose_lifetime,
    items_to_amortise,
    keep_warm_periods,
    least_items,
    prefix_saving,
    primed_prefix_cost,
    top_up_threshold,
)
from core.prices import PriceBook

CASES = json.loads((Path(__file__).parent / "cases" / "break_evens.json").read_text("utf-8"))
ORDINARY = Multipliers(read=0.1, write_5m=1.25, write_1h=2.0)

rates = st.fixed_dictionaries({"write": st.sampled_from([1.25, 2.0]), "read": st.sampled_from([0.1, 0.05, 0.025])})
chances = st.floats(0, 1)
tokens = st.floats(1, 1e5)


def as_printed(value: float, printed: str) -> bool:
    """Whether a figure is the printed one, to its last digit."""
    last_digit = 0.1 ** len(printed.partition(".")[2])
    return abs(value - float(printed)) <= last_digit / 2 + 1e-9


@pytest.mark.parametrize("case", CASES["rates"], ids=lambda case: f"write {case['write']}, read {case['read']}")
def test_hit_rates_break_even_and_save_as_printed(case: dict[str, Any]) -> None:
    """At 30 % hits an hour's write costs 43 % more than no caching; the break-evens are those of the price list."""
    rate = {"write": case["write"], "read": case["read"]}

    assert as_printed(100 * break_even_hit_rate(**rate), case["break_even"])
    for hit_rate, saving in case["saving"].items():
        assert as_printed(100 * prefix_saving(float(hit_rate), **rate), saving)


def test_one_write_and_reads_save_as_printed() -> None:
    """From 27 % at three items to 90 % at five hundred."""
    case = CASES["one_write_and_reads"]
    for items, saving in case["saving"].items():
        cost = primed_prefix_cost(int(items), write=case["write"], read=case["read"], alive=1.0)
        assert as_printed(100 * (1 - cost / int(items)), saving)


@pytest.mark.parametrize("read", [0.1, 0.05, 0.025])
def test_two_items_pay_for_five_minutes_and_three_for_an_hour(read: float) -> None:
    """For every read price in use."""
    assert [least_items(write=write, read=read) for write in (1.25, 2.0)] == [2, 3]


@given(rates, st.integers(1, 50))
def test_the_fewest_items_are_where_priming_begins_to_save(rate: dict[str, float], items: int) -> None:
    """One item fewer costs as much as no caching, or more."""
    saves = primed_prefix_cost(items, alive=1.0, **rate) < items

    assert (items >= least_items(**rate)) == saves


@given(rates, chances)
def test_marks_pay_only_above_the_break_even_hit_rate(rate: dict[str, float], hit_rate: float) -> None:
    """The saving changes its sign there."""
    beyond = hit_rate - break_even_hit_rate(**rate)

    assert abs(beyond) < 1e-9 or (prefix_saving(hit_rate, **rate) > 0) == (beyond > 0)


@given(st.integers(1, 100_000), chances, chances)
def test_the_choice_is_the_cheapest_and_never_dearer_than_no_marks(items: int, five: float, hour: float) -> None:
    """Three ways, all computed; so no class ever costs more than its plain price."""
    choice = choose_lifetime(items, ORDINARY, alive_5m=five, alive_1h=hour)
    lives: list[tuple[Lifetime, float]] = [("5m", five), ("1h", hour)]

    assert choice.cost == min(choice.costs.values()) <= items
    assert choice.costs[None] == items
    for life, alive in lives:
        assert choice.costs[life] == primed_prefix_cost(items, write=ORDINARY.write(life), read=0.1, alive=alive)


@given(st.integers(1, 10_000), chances, chances, st.floats(0, 1))
def test_an_entry_that_lives_more_surely_never_costs_more(items: int, five: float, hour: float, more: float) -> None:
    """Nor does one item more ever lower the total saving."""
    before = choose_lifetime(items, ORDINARY, alive_5m=five, alive_1h=hour)
    surer = choose_lifetime(items, ORDINARY, alive_5m=five + (1 - five) * more, alive_1h=hour)
    grown = choose_lifetime(items + 1, ORDINARY, alive_5m=five, alive_1h=hour)

    assert surer.cost <= before.cost + 1e-9
    assert items + 1 - grown.cost >= items - before.cost - 1e-9


@pytest.mark.parametrize("case", CASES["five_minutes_against_an_hour"], ids=lambda case: f"{case['items']} items")
def test_five_minutes_are_a_bet_on_a_short_gap(case: dict[str, Any]) -> None:
    """With ten items a chance of 7 % that the entry is dead makes the hour cheaper, with a hundred 0.7 %."""
    border = 0.75 / ((case["items"] - 1) * (1.25 - 0.1))

    def chosen(dead: float) -> Lifetime | None:
        return choose_lifetime(case["items"], ORDINARY, alive_5m=1 - dead, alive_1h=1.0).lifetime

    assert border == pytest.approx(case["most_likely_dead"], rel=0.06)
    assert (chosen(border * 0.99), chosen(border * 1.01)) == ("5m", "1h")


def test_one_item_and_dead_entries_are_sent_plain() -> None:
    """Nobody reads what the only item writes; and where the entry never lives, every item would write."""
    assert choose_lifetime(1, ORDINARY, alive_5m=1.0, alive_1h=1.0).lifetime is None
    assert choose_lifetime(1_000, ORDINARY, alive_5m=0.0, alive_1h=0.0).lifetime is None


@given(tokens, tokens, rates, st.sampled_from([0.01, 0.05, 0.2]))
def test_an_amortised_job_is_within_the_excess_of_its_floor(
    prefix: float, rest: float, rate: dict[str, float], excess: float
) -> None:
    """At that size the cost per item is exactly so much above that of an endless job."""
    items = items_to_amortise(prefix, rest, excess=excess, **rate)
    reader = rate["read"] * prefix + rest

    assert reader + (rate["write"] - rate["read"]) * prefix / items == pytest.approx((1 + excess) * reader)


@pytest.mark.parametrize(("write", "most"), [(1.25, 230), (2.0, 380)])
def test_however_long_the_prefix_a_few_hundred_items_amortise_it(write: float, most: int) -> None:
    """With nothing else in the request it is (w - r) / (0.05 r)."""
    assert math.ceil(items_to_amortise(1e9, 0.0, write=write, read=0.1)) == most


@pytest.mark.parametrize("case", CASES["keep_warm_lives"], ids=lambda case: f"write {case['write']}")
def test_an_entry_is_kept_warm_no_longer_than_it_pays(case: dict[str, Any]) -> None:
    """19 hours at an hour's life, 57 minutes at five; less where the tiny item carries anything of its own."""
    free = keep_warm_periods(4_000.0, 0.0, write=case["write"], read=case["read"])

    assert free == pytest.approx(case["lives"])
    assert keep_warm_periods(4_000.0, 400.0, write=case["write"], read=case["read"]) == pytest.approx(free / 2)


@pytest.mark.parametrize("case", CASES["top_up"], ids=lambda case: case["why"])
def test_short_prefixes_are_worth_filling_from_the_printed_length_on(case: dict[str, Any]) -> None:
    """About a tenth of the floor, a twentieth where reads are cheaper."""
    limit = top_up_threshold(case["floor"], case["items"], write=case["write"], read=case["read"])

    assert round(limit) == case["tokens"]


@given(st.integers(1, 10_000), st.sampled_from([512, 4_096]), rates)
def test_at_the_threshold_filling_up_costs_what_leaving_plain_costs(
    items: int, floor: int, rate: dict[str, float]
) -> None:
    """So every longer prefix gains and every shorter one loses."""
    threshold = top_up_threshold(floor, items, **rate)

    assert items * threshold == pytest.approx(floor * primed_prefix_cost(items, alive=1.0, **rate))


def test_real_prefixes_gain_from_filling_up_as_the_reference_says(shared_data: Path) -> None:
    """On the model with the highest floor, 49 of 115 real prefixes are cheaper filled up for an hour than plain."""
    groups = pl.read_parquet(shared_data / "workloads" / "groups.parquet").filter(pl.col("prefix_tok") < 4_096)
    expected = CASES["top_up_of_real_prefixes"]
    for life in LIFE_SECONDS:
        gaining = [
            prefix
            for prefix, items in groups.select("prefix_tok", "n").iter_rows()
            if prefix > top_up_threshold(4_096, items, write=ORDINARY.write(life), read=0.1)
        ]
        assert min(gaining) == expected[life]["smallest_that_gains"]
        assert len(gaining) == expected[life].get("prefixes_that_gain", len(gaining))


def test_the_price_book_has_the_multipliers_these_figures_rest_on() -> None:
    """A change of the price list must be seen here, not found in a bill."""
    rates = {rate for case in CASES["rates"] for rate in (("write", case["write"]), ("read", case["read"]))}
    frame = PriceBook.load().rate_frame()
    current = frame.filter(pl.col("valid_to").is_null())
    found = {
        (name, round(float(multiple), 6))
        for name, column in (("write", "cache_write_5m"), ("write", "cache_write_1h"), ("read", "cache_read"))
        for multiple in (current[column].cast(pl.Float64) / current["input"].cast(pl.Float64)).to_list()
    }

    assert found == rates
