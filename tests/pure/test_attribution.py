"""Attribution: parts that add up exactly, are the same in every order, and land on what was really changed."""

import math
from datetime import date, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.prices import PriceBook
from core.prices.repricing import reprice
from core.trends.attribution import PARTS, Attribution, attribute, attribute_unit_cost
from core.trends.factors import FACTORS, UnitCosts
from core.trends.lines import listed, periods_of

BOOK = PriceBook.load()
BEFORE, AFTER = date(2026, 11, 2), date(2026, 11, 9)
SCHEMA: dict[str, Any] = {
    "job_id": pl.String,
    "class_id": pl.String,
    "class_name": pl.String,
    "model": pl.String,
    "day": pl.Date,
    "cause": pl.String,
    "usable": pl.Boolean,
    "billed": pl.Boolean,
    "service_tier": pl.String,
    "inference_geo": pl.String,
    "above_tokens": pl.Int64,
    "attempts": pl.Int64,
    "input_tokens": pl.Int64,
    "cache_write_5m_tokens": pl.Int64,
    "cache_write_1h_tokens": pl.Int64,
    "cache_read_tokens": pl.Int64,
    "output_tokens": pl.Int64,
    "web_searches": pl.Int64,
    "cost_usd": pl.Decimal(38, 12),
    "unpriced": pl.Int64,
    "units": pl.Int64,
    "unit": pl.String,
    "uncounted": pl.Int64,
}
USUAL: dict[str, Any] = {
    "job_id": "j",
    "class_id": "a",
    "class_name": "Alpha",
    "model": "claude-opus-5",
    "day": BEFORE,
    "cause": None,
    "usable": True,
    "billed": True,
    "service_tier": "batch",
    "inference_geo": "global",
    "above_tokens": 0,
    "attempts": 100,
    "input_tokens": 50_000,
    "cache_write_5m_tokens": 0,
    "cache_write_1h_tokens": 10_000,
    "cache_read_tokens": 990_000,
    "output_tokens": 20_000,
    "web_searches": 0,
    "unpriced": 0,
    "unit": "usable item",
    "uncounted": 0,
}


def cells(*rows: dict[str, Any], book: PriceBook = BOOK) -> pl.DataFrame:
    """Cells as `work_cell` has them, priced; what a row does not name is usual, and units are its usable attempts."""
    filled = [USUAL | row for row in rows]
    filled = [row | {"units": row.get("units", row["attempts"] if row["usable"] else 0)} for row in filled]
    frame = pl.DataFrame([{"cost_usd": None} | row for row in filled], schema=SCHEMA, orient="row")
    at = frame.with_columns(submitted_at=pl.col("day").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"))
    return frame.with_columns(pl.coalesce("cost_usd", reprice(at, book)).alias("cost_usd"))


def named(split: Attribution | None) -> dict[str, Decimal]:
    """Its parts by name."""
    assert split is not None
    return {part.name: part.amount for part in split.parts}


def plain(name: str, items: int, tokens: int, day: date = BEFORE) -> dict[str, Any]:
    """Items that are output alone: at 12.50 USD per million tokens of Opus 5 in a batch."""
    nothing = dict.fromkeys(("input_tokens", "cache_write_1h_tokens", "cache_read_tokens"), 0)
    names = {"class_id": name, "class_name": name, "day": day}
    return {**names, **nothing, "attempts": items, "output_tokens": items * tokens}


def test_volume_mix_and_rate_of_the_golden_example() -> None:
    """1000 units at shares (.5, .5) and costs (.02, .004) become 1200 at (.25, .75) and (.018, .005)."""
    before = cells(plain("one", 500, 1600), plain("two", 500, 320))
    after = cells(plain("one", 300, 1440, AFTER), plain("two", 900, 400, AFTER))

    split = attribute(before, after, book=BOOK)

    assert (split.before_usd, split.after_usd) == (Decimal("12.0"), Decimal("9.9"))
    assert named(split) == {"mix": Decimal("-3.975"), "volume": Decimal("2"), "output": Decimal("-0.125")}


def test_one_class_beside_the_logarithmic_mean_index() -> None:
    """1000 at .012 become 1400 at .009: +4.2 and -3.6, where the LMDI says +4.13779 and -3.53779."""
    split = attribute(cells(plain("one", 1000, 960)), cells(plain("one", 1400, 720, AFTER)), book=BOOK)

    assert named(split) == {"volume": Decimal("4.2"), "output": Decimal("-3.6")}
    mean = (12.6 - 12.0) / math.log(12.6 / 12.0)
    lmdi = {"volume": mean * math.log(1400 / 1000), "output": mean * math.log(0.009 / 0.012)}
    assert lmdi == pytest.approx({"volume": 4.13779, "output": -3.53779}, abs=1e-5)
    assert {name: float(amount) for name, amount in named(split).items()} == pytest.approx(lmdi, rel=0.02)


@pytest.mark.parametrize(
    ("part", "changed", "sign"),
    [
        ("volume", {"attempts": 200} | {name: 2 * USUAL[name] for name in USUAL if name.endswith("_tokens")}, 1),
        ("own_input", {"input_tokens": 80_000}, 1),
        ("output", {"output_tokens": 30_000}, 1),
        ("prefix", {"cache_write_1h_tokens": 15_000, "cache_read_tokens": 1_485_000}, 1),
        ("hit_rate", {"cache_write_1h_tokens": 1_000_000, "cache_read_tokens": 0}, 1),
        ("hit_rate", {"cache_write_5m_tokens": 10_000, "cache_write_1h_tokens": 0}, -1),
        ("tier", {"service_tier": "standard"}, 1),
        ("tier", {"inference_geo": "us"}, 1),
        ("searches", {"web_searches": 40}, 1),
    ],
)
def test_what_was_changed_is_what_it_is_put_down_to(part: str, changed: dict[str, Any], sign: int) -> None:
    """One thing changed and all else as it was: the whole difference is that part, to the last decimal."""
    split = attribute(cells({}), cells({"day": AFTER} | changed), book=BOOK)

    assert named(split) == {part: split.after_usd - split.before_usd}
    assert sign * split.amount(part) > 0


def test_a_changed_list_price_is_price_and_terms_are_contract() -> None:
    """Reads of Sonnet 5.5 became cheaper on 7 October; a tenth off by contract is no list price."""
    sonnet = {"model": "claude-sonnet-5-5"}
    before = cells(sonnet | {"day": date(2026, 10, 5)})

    cheaper = attribute(before, cells(sonnet | {"day": date(2026, 10, 8)}), book=BOOK)
    assert named(cheaper) == {"price": Decimal("-0.0495")}

    paid = before["cost_usd"][0] * Decimal("0.9")
    agreed = attribute(before, cells(sonnet | {"day": date(2026, 10, 5), "cost_usd": paid}), book=BOOK)
    assert named(agreed) == {"contract": -before["cost_usd"][0] / 10}


def test_a_model_that_writes_other_tokens_is_tier_and_not_longer_prompts() -> None:
    """The newer tokenizer makes 30 % more tokens of the same text: the text did not grow."""
    older, newer = (BOOK.model(name).chars_per_token for name in ("claude-haiku-4-5", "claude-haiku-5-5"))
    texts = {"input_tokens": 285_000, "cache_write_1h_tokens": 0, "cache_read_tokens": 0, "output_tokens": 28_500}
    counted = {name: round(tokens * newer / older) for name, tokens in texts.items()}
    before = cells({"model": "claude-haiku-4-5"} | counted)
    after = cells({"model": "claude-haiku-5-5", "day": AFTER} | texts)

    split = attribute(before, after, book=BOOK)

    assert split.amount("tier") < 0
    assert abs(split.amount("own_input") + split.amount("output")) < abs(split.amount("tier")) / 1000


def test_failures_that_are_billed_and_reruns_are_one_part() -> None:
    """Forty attempts that gave nothing and forty more that did: the units stay, what each costs rises by two fifths."""
    tokens = {name: USUAL[name] * 4 // 10 for name in USUAL if name.endswith("_tokens")}
    failed = {"day": AFTER, "attempts": 40, "usable": False, "cause": "refusal"} | tokens
    rest = {name: USUAL[name] for name in tokens}

    split = attribute(cells({}), cells({"day": AFTER} | rest, failed), book=BOOK)

    assert named(split) == {"reruns": split.before_usd * 4 / 10}


def test_failures_that_are_not_billed_move_nothing() -> None:
    """An expired request cost nothing, whatever it asked."""
    expired = {"day": AFTER, "attempts": 50, "usable": False, "billed": False, "cost_usd": Decimal(0)}

    assert attribute(cells({}), cells({"day": AFTER}, expired), book=BOOK).parts == ()


def test_a_prefix_sent_without_marks_is_a_prefix_all_the_same() -> None:
    """Nothing was marked any more: the prefix is paid in full. That is the cache, and no longer text of the items."""
    whole = 50_000 + 1_000_000
    bare = {"day": AFTER, "input_tokens": whole, "cache_write_1h_tokens": 0, "cache_read_tokens": 0}

    split = attribute(cells({}), cells(bare), book=BOOK)

    assert set(named(split)) == {"hit_rate"}


def test_new_and_ended_classes_are_volume_and_mix() -> None:
    """What a class cost that was not there before has nothing to be compared with: no rate of it changed."""
    old, new = {"class_id": "o", "class_name": "Old"}, {"class_id": "n", "class_name": "New", "day": AFTER}
    split = attribute(
        cells({}, old | {"output_tokens": 90_000}), cells({"day": AFTER}, new | {"output_tokens": 5_000}), book=BOOK
    )

    assert set(named(split)) == {"mix"}
    assert {line.class_name for line in split.lines} == {"Alpha", "Old", "New"}
    assert attribute(cells(), cells({"day": AFTER}), book=BOOK).parts[0].name == "volume"


def test_spend_without_a_single_usable_item_is_told() -> None:
    """All of a class failed and was billed: there is no cost per unit, and the money does not vanish."""
    failed = {"day": AFTER, "usable": False, "class_id": "b", "class_name": "Beta"}

    split = attribute(cells({}), cells({"day": AFTER}, failed), book=BOOK)

    assert named(split) == {"reruns": split.before_usd}
    assert attribute_unit_cost(cells({}), cells(failed), book=BOOK) is None


def test_attempts_without_a_known_price_are_on_neither_side() -> None:
    """Unknown is not zero: they are counted and left out of both amounts."""
    unknown = {"day": AFTER, "model": "claude-nobody-9", "attempts": 7, "unpriced": 7}

    split = attribute(cells({}), cells({"day": AFTER}, unknown), book=BOOK)

    assert (split.before_usd, split.parts, split.unknown) == (split.after_usd, (), 7)


def test_periods_of_different_length_are_compared_by_day() -> None:
    """Two days of the same work are no growth of one."""
    after = cells({"day": AFTER}, {"day": AFTER + timedelta(days=1)})

    split = attribute(cells({}), after, book=BOOK, days=(1, 2))

    assert split.parts == ()
    assert split.before_usd == split.after_usd == cells({})["cost_usd"][0]


def test_units_of_different_kinds_are_not_added_up() -> None:
    """Pages and tokens have no sum: of both together, usable items count."""
    pages = {"units": 900, "unit": "page"}
    split = attribute(cells({}, pages), cells({"day": AFTER}, pages | {"day": AFTER}), book=BOOK)

    assert [line.before_units for line in split.lines] == [200]


COUNTS = st.integers(0, 400_000)


@st.composite
def periods(draw: st.DrawFn) -> pl.DataFrame:
    """Up to three classes on two models, some of it failed, some at a contract price."""
    rows = []
    for name in draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True)):
        for usable in draw(st.sampled_from([(True,), (True, False), (False,)])):
            attempts = draw(st.integers(1, 5_000))
            tokens = {column: draw(COUNTS) for column in USUAL if column.endswith("_tokens")}
            row = tokens | {"input_tokens": tokens["input_tokens"] + 1, "attempts": attempts, "usable": usable}
            model = draw(st.sampled_from(["claude-opus-5", "claude-sonnet-5-5", "claude-haiku-5-5"]))
            day = draw(st.sampled_from([date(2026, 10, 8), BEFORE, AFTER]))
            rows.append(row | {"class_id": name, "class_name": name, "model": model, "day": day})
    frame = cells(*rows)
    factor = draw(st.sampled_from([Decimal(1), Decimal("0.83")]))
    return frame.with_columns((pl.col("cost_usd") * pl.lit(factor)).cast(pl.Decimal(38, 12)))


@settings(max_examples=25, deadline=None)
@given(before=periods(), after=periods())
def test_parts_sum_exactly_to_the_difference_and_turn_round_with_it(before: pl.DataFrame, after: pl.DataFrame) -> None:
    """To the last of twelve decimals, for spend, each line and the cost of an item; backwards it is the negative."""
    split = attribute(before, after, book=BOOK)
    back = attribute(after, before, book=BOOK)

    assert split.before_usd == before["cost_usd"].sum()
    assert sum(named(split).values(), Decimal(0)) == split.after_usd - split.before_usd
    for line in split.lines:
        assert sum((part.amount for part in line.parts), Decimal(0)) == line.after_usd - line.before_usd
    for name in PARTS:
        assert abs(split.amount(name) + back.amount(name)) < Decimal("1e-9")
    unit = attribute_unit_cost(before, after, book=BOOK)
    if unit is not None:
        assert "volume" not in named(unit)
        assert sum(named(unit).values(), Decimal(0)) == unit.after_usd - unit.before_usd


def test_it_is_the_mean_over_every_order() -> None:
    """Shapley by definition: what each factor adds, over all orders in which the factors can change."""
    before = cells({}, {"usable": False, "attempts": 10, "cause": "max_tokens"})
    changed = {"day": AFTER, "model": "claude-sonnet-5-5", "output_tokens": 44_000, "cache_read_tokens": 400_000}
    after = cells(changed | {"attempts": 130, "input_tokens": 90_000})
    first, last, _ = periods_of(listed(before, BOOK), listed(after, BOOK), BOOK)
    costs = UnitCosts(first.lines["Alpha"], last.lines["Alpha"], days=(first.last, last.first), book=BOOK)
    players = [name for name in FACTORS if name not in costs.equal]
    assert len(players) == 6

    expected = dict.fromkeys(players, Decimal(0))
    orders = list(permutations(players))
    for order in orders:
        done: frozenset[str] = frozenset()
        for name in order:
            expected[name] += costs.cost(done | {name}) - costs.cost(done)
            done |= {name}
    split = named(attribute_unit_cost(before, after, book=BOOK))
    for name in players:
        assert abs(split[name] - expected[name] / len(orders)) < Decimal("1e-11")
