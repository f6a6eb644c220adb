"""The price book: models, dated rates, cliffs, and the frame that bulk pricing joins with."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from core.prices import NaiveTime, PriceBook, PriceBookInvalid, UnknownModel, UnpricedModel

BOOK = PriceBook.load()
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
CHANGES = json.loads((Path(__file__).parent / "cases" / "changes.json").read_text("utf-8"))
TOKEN_RATES = ("input", "output", "cache_write_5m", "cache_write_1h", "cache_read")

MODELS_TOML = """
[chars_per_token]
newer = 2.85
[[model]]
id = "m"
display_name = "M"
line = "opus"
lifecycle = "active"
tokenizer = "newer"
cache_floor_tokens = 512
max_input_tokens = 1000
max_tokens = 100
"""
PRICES_TOML = """
[default]
write_5m = 1.25
write_1h = 2
batch = 0.5
geo_us = 1.1
web_search = 10
[[price]]
models = ["{model}"]
valid_from = 2026-01-01
input = {price}
output = 1
read = 0.1
source = "a page"
checked = 2026-01-01
"""


def per_million(rate: Decimal) -> Decimal:
    """A rate the way price lists print it."""
    return rate * 1_000_000


def test_the_packaged_book_is_read_once() -> None:
    """Every caller shares one book, so two figures on one page never rest on different prices."""
    assert PriceBook.load() is BOOK


def test_every_listed_model_is_priced_today() -> None:
    """A model the planner may propose always has a price."""
    assert len(BOOK.models()) == 18
    for model in BOOK.models():
        assert BOOK.rates(model.id, at=NOW).input > 0


@pytest.mark.parametrize(
    ("floor", "models"),
    [
        (
            512,
            "opus-5-5 opus-5 sonnet-5-5 haiku-5-5 fable-5 fable-5-1 fable-5-2 mythos-5 mythos-5-1 mythos-5-2",
        ),
        (1024, "opus-4-8 sonnet-5 sonnet-4-6 sonnet-4-5"),
        (2048, "opus-4-7"),
        (4096, "opus-4-6 opus-4-5 haiku-4-5"),
    ],
)
def test_cache_floors(floor: int, models: str) -> None:
    """A prefix under the floor is silently not cached, so the planner must know each model's own."""
    assert {m.id for m in BOOK.models() if m.cache_floor_tokens == floor} == {
        f"claude-{name}" for name in models.split()
    }


def test_unpublished_floors_are_marked_as_assumed() -> None:
    """What is assumed can be told from what is published."""
    assert {m.id for m in BOOK.models() if m.floor_assumed} == {"claude-fable-5-2", "claude-mythos-5-2"}


def test_newer_tokenizer_yields_more_tokens() -> None:
    """From 4.7 on the same text is about 30 % more tokens, so characters per token are fewer."""
    older = {
        "claude-haiku-4-5",
        "claude-sonnet-4-5",
        "claude-sonnet-4-6",
        "claude-opus-4-5",
        "claude-opus-4-6",
    }
    assert {m.id for m in BOOK.models() if m.chars_per_token == 3.7} == older
    assert {m.chars_per_token for m in BOOK.models() if m.id not in older} == {2.85}


@pytest.mark.parametrize("model", BOOK.models(), ids=lambda model: model.id)
def test_line_matches_id(model: Any) -> None:
    """The line is data, not parsed from the id; for the packaged models the two agree."""
    assert model.id.startswith(f"claude-{model.line}-")


def test_only_a_deprecated_model_is_marked_so() -> None:
    """Sonnet 4.5 retires on 2026-11-30; nothing else of the book has a retirement date yet."""
    assert [m.id for m in BOOK.models() if m.lifecycle != "active"] == ["claude-sonnet-4-5"]


@pytest.mark.parametrize(
    ("given", "listed"),
    [
        ("claude-haiku-4-5", "claude-haiku-4-5"),
        ("claude-haiku-4-5-20251001", "claude-haiku-4-5"),
        ("claude-opus-4-5-20251101", "claude-opus-4-5"),
        ("claude-opus-5-5-20260922", "claude-opus-5-5"),
        ("claude-sonnet-5", "claude-sonnet-5"),
    ],
)
def test_aliases_and_snapshots_resolve(given: str, listed: str) -> None:
    """Results name the dated snapshot that ran; it is priced as its model."""
    assert BOOK.model(given).id == listed
    assert BOOK.rates(given, at=NOW) == BOOK.rates(listed, at=NOW)


@pytest.mark.parametrize("model", ["claude-opus-9", "", "claude-opus-9-20260101", "claude-opus-5-5-2026"])
def test_unknown_models_are_refused_by_name(model: str) -> None:
    """A near miss never falls back to another model's price."""
    with pytest.raises(UnknownModel, match=rf"model: {model}"):
        BOOK.model(model)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change["why"])
def test_price_changes_take_effect_on_their_day(change: dict[str, Any]) -> None:
    """The last instant before a change has the old price, the first instant of its day the new one."""
    day = datetime.combine(date.fromisoformat(change["day"]), datetime.min.time(), UTC)

    def rate(at: datetime) -> Decimal:
        rates = BOOK.rates(change["model"], at=at, total_input_tokens=change.get("total_input_tokens", 0), batch=False)
        return per_million(getattr(rates, change["rate"]))

    assert rate(day) == Decimal(change["after"])
    just_before = day - timedelta(microseconds=1)
    if change["before"] is None:
        with pytest.raises(UnpricedModel, match=change["model"]):
            rate(just_before)
    else:
        assert rate(just_before) == Decimal(change["before"])


def test_every_dated_row_is_covered_by_a_change_case() -> None:
    """A new row in prices.toml needs a case for the day before and the day of its change."""
    frame = BOOK.rate_frame().filter(pl.col("valid_from") > datetime(2025, 1, 1, tzinfo=UTC))
    rows = {(model, f"{start:%Y-%m-%d}") for model, start in frame.select("model", "valid_from").iter_rows()}
    assert rows == {(change["model"], change["day"]) for change in CHANGES}


@pytest.mark.parametrize(
    ("model", "at", "cliff", "below", "above"),
    [
        ("claude-haiku-5-5", "2026-11-22", 100_000, ("0.10", "0.50", "0.01"), ("0.50", "2.50", "0.05")),
        ("claude-sonnet-4-6", "2026-03-12", 200_000, ("3", "15", "0.3"), ("6", "22.5", "0.6")),
        ("claude-opus-4-6", "2026-03-12", 200_000, ("5", "25", "0.5"), ("10", "37.5", "1")),
        ("claude-sonnet-4-5", "2026-11-22", 200_000, ("3", "15", "0.3"), ("6", "22.5", "0.6")),
    ],
)
def test_cliffs(model: str, at: str, cliff: int, below: tuple[str, str, str], above: tuple[str, str, str]) -> None:
    """The cliff itself is still cheap; one token more makes the whole request dear."""
    when = datetime.fromisoformat(at).replace(tzinfo=UTC)
    for total, expected in ((0, below), (cliff, below), (cliff + 1, above)):
        rates = BOOK.rates(model, at=when, total_input_tokens=total, batch=False)
        found = tuple(per_million(r) for r in (rates.input, rates.output, rates.cache_read))
        assert found == tuple(map(Decimal, expected))


@pytest.mark.parametrize("model", ["claude-sonnet-4-6", "claude-opus-4-6", "claude-opus-5", "claude-sonnet-5-5"])
def test_no_cliff_where_none_is_listed(model: str) -> None:
    """A million tokens of input cost the same per token as one."""
    assert BOOK.rates(model, at=NOW, total_input_tokens=1_000_000) == BOOK.rates(model, at=NOW)


def test_batch_and_geo_apply_to_tokens_but_not_to_searches() -> None:
    """Batch halves and US inference adds a tenth, on every kind of token; a search is always a cent."""
    plain = BOOK.rates("claude-opus-5-5", at=NOW, batch=False)
    both = BOOK.rates("claude-opus-5-5", at=NOW, geo="us")
    for name in TOKEN_RATES:
        assert getattr(both, name) == getattr(plain, name) * Decimal("0.55")
    assert both.web_search == plain.web_search == Decimal("0.01")
    assert BOOK.rates("claude-opus-5-5", at=NOW, geo="global") == BOOK.rates("claude-opus-5-5", at=NOW)


def test_rates_say_where_they_come_from() -> None:
    """Every figure on screen can name its prices."""
    assert "checked 2026-09-29" in BOOK.rates("claude-sonnet-5-5", at=datetime(2026, 9, 30, tzinfo=UTC)).source


def test_naive_times_are_refused() -> None:
    """A time without a zone could belong to either side of a price change."""
    with pytest.raises(NaiveTime):
        BOOK.rates("claude-opus-5-5", at=datetime(2026, 10, 7))  # noqa: DTZ001


def test_other_zones_are_read_as_the_same_instant() -> None:
    """Prices change at midnight UTC, whatever the clock of the caller says."""
    late = datetime(2026, 10, 6, 23, tzinfo=timezone(timedelta(hours=-2)))
    assert per_million(BOOK.rates("claude-sonnet-5-5", at=late, batch=False).cache_read) == Decimal("0.1")


def test_rate_frame_equals_single_lookups() -> None:
    """The bulk join and the single lookup can never disagree."""
    for row in BOOK.rate_frame().iter_rows(named=True):
        rates = BOOK.rates(
            row["model"],
            at=row["valid_from"],
            total_input_tokens=row["min_input_tokens"],
            batch=row["batch"],
            geo="us" if row["geo_us"] else None,
        )
        assert {name: row[name] for name in vars(rates)} == vars(rates)


def test_rate_frame_covers_each_request_once() -> None:
    """Rows of one model join seamlessly in time and in size: no gap, no overlap."""
    frame = BOOK.rate_frame().filter(pl.col("batch"), ~pl.col("geo_us"))
    for (_, _), tiers in frame.group_by("model", "valid_from"):
        ordered = tiers.sort("min_input_tokens")
        assert ordered["min_input_tokens"].to_list()[1:] == [m + 1 for m in ordered["max_input_tokens"][:-1]]
        assert ordered["max_input_tokens"][-1] is None
    for _, rows in frame.filter(min_input_tokens=0).group_by("model"):
        ordered = rows.sort("valid_from")
        assert ordered["valid_to"].to_list() == [*ordered["valid_from"][1:], None]


def book(model: str = "m", price: str = "1", extra: str = "") -> PriceBook:
    """A book of one model with one price, and whatever else is appended to its price file."""
    return PriceBook.parse(MODELS_TOML, PRICES_TOML.format(model=model, price=price) + extra)


def test_a_listed_model_without_price_is_unpriced() -> None:
    """Listing a model never gives it a price of zero."""
    only_listed = PriceBook(book().models(), [])
    with pytest.raises(UnpricedModel, match="model: m"):
        only_listed.rates("m", at=NOW)
    assert only_listed.rate_frame().is_empty()


def test_price_of_an_unlisted_model_is_refused() -> None:
    """A misspelt id in the price data fails at once, not as a missing price later."""
    with pytest.raises(PriceBookInvalid, match="not listed"):
        book(model="n")


def test_two_rows_on_one_day_are_refused() -> None:
    """One day has one price."""
    with pytest.raises(PriceBookInvalid, match="two rows"):
        book(extra=PRICES_TOML[PRICES_TOML.index("[[price]]") :].format(model="m", price="2"))


def test_prices_too_fine_to_keep_exactly_are_refused() -> None:
    """A rate is never rounded silently."""
    with pytest.raises(PriceBookInvalid, match="too fine"):
        book(price="0.0000001").rates("m", at=NOW)
