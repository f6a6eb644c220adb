"""Savings: from list price to paid, shared among the levers exactly, in no order, whatever is looked at together."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import permutations
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.prices import ContractPrice, PriceBook
from core.prices.book import MONEY
from core.prices.costs import Usage, attempt_cost
from core.savings import LEVERS, Savings, decompose, decompose_by
from core.savings.approximations import approximations
from core.savings.coalitions import COALITIONS, coalition_costs
from core.savings.shapley import apportioned, shapley

CASE = json.loads((Path(__file__).parent / "cases" / "savings.json").read_text("utf-8"))
BOOK = PriceBook.load()
AGREED = BOOK.with_contract(
    [
        ContractPrice(model="*", discount=Decimal("0.15"), first_day=date(2026, 10, 20)),
        ContractPrice(model="claude-opus-4-5", prices={"output": Decimal(20)}, first_day=date(2026, 10, 1)),
    ]
)
NOW = datetime(2026, 11, 1, 8, tzinfo=UTC)
STEP = Decimal(1).scaleb(-12)
COUNTS = (
    "input_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "cache_read_tokens",
    "output_tokens",
    "web_searches",
)
CELL: dict[str, Any] = {
    "class_id": "c1",
    "model": "claude-haiku-4-5",
    "submitted_at": NOW,
    "service_tier": "batch",
    "inference_geo": None,
    "above_tokens": 0,
    "billed": True,
    "again": 0,
    "attempts": 1,
    "unpriced": 0,
    **dict.fromkeys(COUNTS, 0),
}


def cells(*rows: dict[str, Any], book: PriceBook = BOOK) -> pl.DataFrame:
    """Cells with what the ledger has as their cost."""
    filled = [CELL | row for row in rows]
    for row in filled:
        row.setdefault("cost_usd", None if row["unpriced"] else cost(row, book))
    return pl.DataFrame(filled, schema_overrides={"cost_usd": MONEY, "inference_geo": pl.String})


def cost(row: dict[str, Any], book: PriceBook, **otherwise: Any) -> Decimal:
    """What an attempt costs, reckoned alone; the cells of these tests are small enough to stay under every cliff."""
    if not row["billed"]:
        return Decimal(0)
    asked = row | otherwise
    usage = Usage(**{name: asked[name] for name in (*COUNTS, "service_tier", "inference_geo")})
    return attempt_cost(book, usage, model=asked["model"], at=asked["submitted_at"])


def worth(row: dict[str, Any], book: PriceBook, baselines: dict[str, str], levers: frozenset[str]) -> Decimal:
    """What an attempt would have cost with these levers only."""
    otherwise: dict[str, Any] = {}
    if "routing" not in levers:
        otherwise["model"] = baselines.get(row["class_id"], row["model"])
    if "batch" not in levers:
        otherwise["service_tier"] = "standard"
    if "caching" not in levers:
        plain = sum(row[name] for name in COUNTS[:4])
        otherwise |= dict.fromkeys(COUNTS[:4], 0) | {"input_tokens": plain}
    paid = cost(row, book if "contract" in levers else book.listed(), **otherwise)
    return paid * (1 if "sizing" in levers else 1 + row["again"])


def mean_over_orders(rows: list[dict[str, Any]], book: PriceBook, baselines: dict[str, str]) -> dict[str, Fraction]:
    """What each lever takes off when it comes, averaged over every order in which they may come."""
    known: dict[frozenset[str], Decimal] = {}

    def value(levers: frozenset[str]) -> Decimal:
        if levers not in known:
            known[levers] = sum((worth(row, book, baselines, levers) for row in rows), start=Decimal(0))
        return known[levers]

    total = dict.fromkeys(LEVERS, Fraction())
    orders = list(permutations(LEVERS))
    for order in orders:
        for place, lever in enumerate(order):
            before, after = value(frozenset(order[:place])), value(frozenset(order[: place + 1]))
            total[lever] += Fraction(before) - Fraction(after)
    return {lever: amount / len(orders) for lever, amount in total.items()}


rows = st.fixed_dictionaries(
    {
        "class_id": st.sampled_from(["c1", "c2", "c3"]),
        "model": st.sampled_from(["claude-haiku-4-5", "claude-sonnet-4-6", "claude-haiku-5-5"]),
        "submitted_at": st.integers(0, 20).map(lambda days: NOW - timedelta(days=days)),
        "service_tier": st.sampled_from(["batch", "standard", None]),
        "inference_geo": st.sampled_from([None, "us", "global"]),
        "billed": st.sampled_from([True, True, True, False]),
        "again": st.integers(0, 2),
        **{name: st.integers(0, 9_000) for name in COUNTS[:-1]},
        "web_searches": st.integers(0, 2),
    }
).map(lambda row: CELL | row)
BASELINES = {"c1": "claude-opus-4-5", "c2": "claude-sonnet-4-6"}


def test_the_worked_example_comes_out_to_the_digit() -> None:
    """A case reckoned by hand: list price, what was paid, and each lever's part of the difference."""
    at = {"submitted_at": datetime.fromisoformat(CASE["at"]), "model": CASE["model"]}
    found = decompose(cells(*(row | at for row in CASE["cells"])), book=BOOK, baselines={"c1": CASE["baseline"]})
    assert (found.list_cost, found.paid) == (Decimal(CASE["list_cost"]), Decimal(CASE["paid"]))
    assert {lever.name: lever.amount for lever in found.levers} == {
        name: Decimal(amount) for name, amount in CASE["levers"].items()
    }


@pytest.mark.parametrize("case", CASE["by_order"], ids=lambda case: " > ".join(case["order"]))
def test_taken_one_after_the_other_the_same_levers_have_other_amounts(case: dict[str, Any]) -> None:
    """The re-pricings themselves are right: in two given orders, each step is what was reckoned by hand."""
    at = {"submitted_at": datetime.fromisoformat(CASE["at"]), "model": CASE["model"]}
    frame = cells(*(row | at for row in CASE["cells"]))
    costs = coalition_costs(frame, "model", book=BOOK, baselines={"c1": CASE["baseline"]}).row(0, named=True)
    have, amounts = 0, []
    for name in case["order"]:
        then = have | 1 << LEVERS.index(name)
        amounts.append(costs[f"v{have}"] - costs[f"v{then}"])
        have = then
    assert amounts == [Decimal(amount) for amount in case["amounts"]]


@settings(max_examples=12)
@given(drawn=st.lists(rows, min_size=1, max_size=5), agreed=st.booleans())
def test_levers_are_the_mean_over_every_order_and_add_up(drawn: list[dict[str, Any]], agreed: bool) -> None:
    """Reckoned attempt by attempt in all 120 orders, each lever is the same, and together they are list less paid."""
    book = AGREED if agreed else BOOK
    found = decompose(cells(*drawn, book=book), book=book, baselines=BASELINES)
    assert found.list_cost == sum(worth(row, book, BASELINES, frozenset()) for row in drawn)
    assert found.paid == sum(cost(row, book) for row in drawn)
    assert sum(lever.amount for lever in found.levers) == found.list_cost - found.paid
    for name, mean in mean_over_orders(drawn, book, BASELINES).items():
        assert abs(Fraction(found.of(name)) - mean) < Fraction(STEP), name


@settings(max_examples=12)
@given(drawn=st.lists(rows, min_size=1, max_size=8))
def test_parts_add_up_to_the_whole(drawn: list[dict[str, Any]]) -> None:
    """By class or by day, every amount sums to that of all together, to the last decimal that is kept."""
    frame = cells(*drawn).with_columns(day=pl.col("submitted_at").dt.date())
    whole = decompose(frame, book=BOOK, baselines=BASELINES)
    for by in ("class_id", "day"):
        parts = decompose_by(frame, by, book=BOOK, baselines=BASELINES).values()
        assert sum(part.list_cost for part in parts) == whole.list_cost
        assert sum(part.paid for part in parts) == whole.paid
        assert sum(part.attempts for part in parts) == whole.attempts
        for name in LEVERS:
            assert abs(sum(part.of(name) for part in parts) - whole.of(name)) <= len(drawn) * STEP


@pytest.mark.parametrize(
    ("row", "levers"),
    [
        ({"service_tier": "standard", "input_tokens": 900}, set()),
        ({"input_tokens": 900}, {"batch"}),
        ({"service_tier": "standard", "cache_read_tokens": 900}, {"caching"}),
        ({"service_tier": "standard", "input_tokens": 900, "again": 2}, {"sizing"}),
        ({"service_tier": "standard", "input_tokens": 900, "class_id": "c2"}, {"routing"}),
        ({"service_tier": "standard", "web_searches": 2}, set()),
        ({"billed": False, "input_tokens": 900, "class_id": "c2"}, set()),
    ],
    ids=["none", "batch", "caching", "sizing", "routing", "searches", "unbilled"],
)
def test_what_was_not_used_saved_nothing(row: dict[str, Any], levers: set[str]) -> None:
    """Only the lever that changed the bill has an amount: without a declared baseline a class counts as not routed."""
    found = decompose(cells(row), book=BOOK, baselines={"c2": "claude-opus-4-5"})
    assert {lever.name for lever in found.levers if lever.amount} == levers


def test_two_levers_that_do_the_same_are_credited_alike() -> None:
    """Half the price by batch and half by running once instead of twice: the same amount each."""
    found = decompose(cells({"input_tokens": 800, "again": 1}), book=BOOK, baselines={})
    assert found.of("batch") == found.of("sizing") == found.saved / 2


def test_cache_writes_that_nobody_read_cost_more_than_they_saved() -> None:
    """A lever that lost money says so: its amount is negative, and the sum still holds."""
    found = decompose(cells({"cache_write_1h_tokens": 5_000}), book=BOOK, baselines={})
    assert found.of("caching") < 0
    assert sum(lever.amount for lever in found.levers) == found.saved


def test_each_attempt_is_priced_at_its_own_day_and_beyond_its_own_cliff() -> None:
    """A baseline with a cliff, whose price changed between two attempts: each is re-priced where it belongs."""
    # Sonnet 4.6 charged twice as much beyond 200,000 tokens of input until 2026-03-13.
    frame = cells(
        {"submitted_at": datetime(2026, 3, 1, tzinfo=UTC), "input_tokens": 300_000, "above_tokens": 200_000},
        {"submitted_at": datetime(2026, 4, 1, tzinfo=UTC), "input_tokens": 300_000, "above_tokens": 200_000},
    )
    found = decompose(frame, book=BOOK, baselines={"c1": "claude-sonnet-4-6"})
    assert found.list_cost == Decimal(300_000) * (Decimal(6) + Decimal(3)) / 10**6


def test_what_has_no_price_is_left_out_and_counted() -> None:
    """Attempts of unknown cost are on neither side; a baseline without a price that day counts as not routed."""
    frame = cells(
        {"input_tokens": 900},
        {"input_tokens": 900, "model": "claude-unheard-of", "unpriced": 3, "attempts": 3},
        {"input_tokens": 700, "class_id": "c2", "attempts": 2},
    )
    found = decompose(frame, book=BOOK, baselines={"c2": "claude-unheard-of"})
    assert (found.unknown, found.attempts, found.no_baseline) == (3, 3, 2)
    assert found.paid == frame["cost_usd"].sum()
    assert found.of("routing") == 0


def test_what_the_ledger_has_beside_the_book_is_contract() -> None:
    """Paid is what the ledger says, whatever the book says now; the difference is not put to what people did."""
    book_usd = cost(CELL | {"input_tokens": 1_000}, BOOK)
    found = decompose(cells({"input_tokens": 1_000, "cost_usd": book_usd - Decimal("0.0001")}), book=BOOK, baselines={})
    assert found.paid == book_usd - Decimal("0.0001")
    assert (found.of("batch"), found.of("contract")) == (book_usd, Decimal("0.0001"))


def test_nothing_saves_nothing() -> None:
    """No cells: everything is zero, and nothing breaks."""
    found = decompose(cells(CELL).clear(), book=BOOK, baselines={})
    assert not any((found.list_cost, found.paid, found.saved, found.attempts))
    assert approximations(found) == ()


def test_every_approximation_is_said_where_it_applies() -> None:
    """Tokens of another model, a prefix under its floor, no price that day, reruns of whole jobs, unknown prices."""
    routed = {"class_id": "c2", "cache_read_tokens": 2_000, "again": 1}
    frame = cells(routed, {"class_id": "c3", "input_tokens": 5}, {"unpriced": 1})
    baselines = {"c2": "claude-opus-4-5", "c3": "claude-unheard-of"}
    found = decompose(frame, book=BOOK, baselines=baselines)
    assert (found.routed, found.under_floor, found.no_baseline, found.again, found.unknown) == (2, 1, 1, 1, 1)
    assert len(approximations(found)) == 5
    assert len(approximations(found, moved=1)) == 6


@given(
    cents=st.lists(st.integers(-10_000, 10_000), min_size=1, max_size=6),
    over=st.integers(1, 120),
)
def test_shown_cents_add_up(cents: list[int], over: int) -> None:
    """Rounded by largest remainder, parts sum to the rounded total and none is a cent or more away from its amount."""
    shares = [Fraction(cent, over) for cent in cents]
    total = (Decimal(sum(cents)) / over).quantize(Decimal("0.01"))
    shown = apportioned(shares, total, decimals=2)
    assert sum(shown) == total
    assert all(abs(Fraction(part) - share) < Fraction(1, 100) for part, share in zip(shown, shares, strict=True))


def test_cents_of_savings_add_up() -> None:
    """What a picture shows in cents adds up to its own ends."""
    frame = cells({"input_tokens": 33_333, "output_tokens": 777, "cache_read_tokens": 8_000, "again": 1})
    shown: Savings = decompose(frame, book=BOOK, baselines={"c1": "claude-opus-4-5"}).cents()
    assert sum(lever.amount for lever in shown.levers) == shown.list_cost - shown.paid
    assert all(lever.amount == lever.amount.quantize(Decimal("0.01")) for lever in shown.levers)


def test_shares_of_one_player_and_of_three() -> None:
    """The formula itself: alone a player has it all; with three, what takes all three is shared alike."""
    assert shapley([Decimal(7), Decimal(4)]) == [3]
    assert shapley([Decimal(9)] * 7 + [Decimal(0)]) == [3, 3, 3]
    assert 2 ** len(LEVERS) == COALITIONS
