"""Prices that a contract changes: which terms hold on which day, what they make of a price, and files of them."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.prices import ContractPrice, PriceBook, UnknownModel, UnpricedModel
from core.prices.acceptance import NotUsd, PriceRefused, accepted, in_usd
from core.prices.contract import KINDS
from core.prices.costs import Usage, attempt_cost
from core.prices.price_file import PriceFileRefused, as_csv, as_toml, kept_row, packaged_row, read_price_file
from core.prices.price_table import price_table

BOOK = PriceBook.load()
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
FIRST = date(2026, 11, 1)
FIFTH_OFF = ContractPrice(number=1, discount=Decimal("0.2"), first_day=FIRST, source="Order form")
NOVA = ContractPrice(
    number=2,
    model="claude-nova-1",
    listed=True,
    prices={"input": Decimal(3), "output": Decimal(15), "cache_read": Decimal("0.3")},
    first_day=date(2026, 10, 1),
)


def million(book: PriceBook, model: str, *, at: datetime = NOW, **asked: Any) -> Decimal:
    """The standard price of a million tokens of input."""
    return book.rates(model, at=at, batch=False, **asked).input * 1_000_000


def test_a_discount_holds_from_its_first_to_its_last_day() -> None:
    """Midnight UTC begins it, and midnight after its last day ends it; every rate is that share less, searches too."""
    book = BOOK.with_contract([replace(FIFTH_OFF, last_day=date(2026, 11, 30))])
    start, end = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
    tick = timedelta(microseconds=1)
    for at, share in ((start - tick, 1), (start, Decimal("0.8")), (end - tick, Decimal("0.8")), (end, 1)):
        for model in ("claude-opus-5-5", "claude-haiku-5-5"):
            listed, paid = BOOK.rates(model, at=at, geo="us"), book.rates(model, at=at, geo="us")
            for kind in KINDS:
                assert getattr(paid, kind) == (getattr(listed, kind) * share).quantize(Decimal("1e-12")), (at, kind)


def test_list_prices_stay_within_reach() -> None:
    """Under any contract the list is still there, unchanged; a book that nothing was agreed for is its own list."""
    book = BOOK.with_contract([FIFTH_OFF])
    assert book.listed().rate_frame().equals(BOOK.rate_frame())
    assert book.listed().rate_frame() is book.listed().rate_frame()
    assert BOOK.with_contract([]).rate_frame() is BOOK.rate_frame()


def test_whoever_holds_a_book_follows_what_it_adopts() -> None:
    """One book is held in many places: what is agreed later counts for all of them, and never for the packaged one."""
    held = BOOK.with_contract([])
    held.adopt(BOOK.with_contract([FIFTH_OFF]))
    assert million(held, "claude-opus-5-5") == Decimal("3.2")
    assert million(BOOK, "claude-opus-5-5") == 4


@pytest.mark.parametrize(
    ("terms", "price"),
    [
        ([], "4"),
        ([{"discount": "0.2"}], "3.2"),
        ([{"discount": "0.2"}, {"discount": "0.1"}], "3.6"),
        ([{"model": "claude-opus-5-5", "discount": "0.5"}, {"discount": "0.1"}], "2"),
        ([{"discount": "0.1"}, {"model": "claude-opus-5-5", "input": "3.33"}], "3.33"),
        ([{"discount": "0.1"}, {"model": "claude-opus-5-5", "output": "1"}], "4"),
        ([{"discount": "0.1"}, {"model": "claude-opus-5-5", "discount": "0"}], "4"),
        ([{"model": "claude-opus-5", "discount": "0.5"}], "4"),
        ([{"discount": "0.1", "first_day": date(2027, 1, 1)}], "4"),
    ],
)
def test_one_of_the_terms_counts(terms: list[dict[str, Any]], price: str) -> None:
    """A model's own before everybody's, of those the last one added; what it does not name keeps its list price."""
    rows = []
    for number, each in enumerate(terms, 1):
        prices = {kind: Decimal(each[kind]) for kind in KINDS if kind in each}
        discount = Decimal(each["discount"]) if "discount" in each else None
        rest = {name: each[name] for name in ("model", "first_day") if name in each}
        rows.append(ContractPrice(number=number, prices=prices, discount=discount, **{"first_day": FIRST, **rest}))
    assert million(BOOK.with_contract(rows), "claude-opus-5-5") == Decimal(price)
    assert million(BOOK.with_contract(reversed(rows)), "claude-opus-5-5") == Decimal(price)


def test_agreed_prices_take_the_factors_and_the_step_of_the_list() -> None:
    """Batch halves them, the US costs a tenth more, and past the cliff they rise as the list does; searches do not."""
    terms = ContractPrice(
        number=1,
        model="claude-haiku-5-5",
        prices={"input": Decimal("0.08"), "web_search": Decimal(9)},
        first_day=FIRST,
    )
    book = BOOK.with_contract([terms])
    below = book.rates("claude-haiku-5-5", at=NOW, geo="us")
    assert below.input == Decimal("0.08") * Decimal("0.55") / 1_000_000
    assert below.web_search == Decimal("0.009")
    assert million(book, "claude-haiku-5-5", total_input_tokens=100_001) == Decimal("0.4")
    assert book.rates("claude-haiku-5-5", at=NOW, total_input_tokens=100_001).output == Decimal("1.25") / 1_000_000


def test_rates_are_rounded_once_and_only_under_a_contract() -> None:
    """What is finer than twelve decimals of a USD is rounded in the rate, half to even: sums stay exact sums of it."""
    book = BOOK.with_contract([replace(FIFTH_OFF, discount=Decimal("0.185"))])
    rate = book.rates("claude-haiku-5-5", at=NOW, geo="us").cache_write_5m
    assert rate == Decimal("0.000000056031")  # 0.125 * 0.5 * 1.1 * 0.815 per million = 0.00000005603125
    usage = Usage(cache_write_5m_tokens=7, inference_geo="us")
    assert attempt_cost(book, usage, model="claude-haiku-5-5", at=NOW) == 7 * rate


def test_a_model_that_the_book_lacks_can_be_given_a_price() -> None:
    """From its first day it is priced, also under a discount; what nobody said of it is as for every model."""
    terms = accepted(NOVA, BOOK)
    assert terms.prices["cache_write_1h"] == 6
    assert terms.prices["web_search"] == 10
    book = BOOK.with_contract([terms, FIFTH_OFF])
    assert million(book, "claude-nova-1") == Decimal("2.4")
    assert million(book.listed(), "claude-nova-1") == 3
    assert book.rates("claude-nova-1", at=NOW).input == Decimal("1.2") / 1_000_000
    with pytest.raises(UnpricedModel):
        book.rates("claude-nova-1", at=datetime(2026, 9, 30, tzinfo=UTC))
    with pytest.raises(UnknownModel):
        BOOK.rates("claude-nova-1", at=NOW)
    assert {"claude-nova-1"} < set(price_table(book)["model"])
    assert million(book, "claude-nova-1-20261001") == Decimal("2.4")
    assert book.priced_names(["claude-nova-1-20261001"]) == {"claude-nova-1-20261001": "claude-nova-1"}


def test_the_days_before_a_model_was_priced_can_be_filled() -> None:
    """A list price may be added for days on which the book has none, and for no others."""
    early = replace(NOVA, model="claude-fable-5-2", first_day=date(2026, 11, 1), last_day=date(2026, 11, 8))
    book = BOOK.with_contract([accepted(early, BOOK)])
    assert million(book, "claude-fable-5-2", at=datetime(2026, 11, 8, tzinfo=UTC)) == 3
    assert million(book, "claude-fable-5-2", at=datetime(2026, 11, 9, tzinfo=UTC)) == 8
    with pytest.raises(PriceRefused, match="has a list price of this model in that time"):
        accepted(replace(early, last_day=date(2026, 11, 9)), BOOK)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"discount": None}, "either a discount or prices"),
        ({"prices": {"input": Decimal(1)}, "model": "claude-opus-5"}, "either a discount or prices"),
        ({"discount": Decimal(18)}, "from 0 to below 1"),
        ({"discount": Decimal("-0.1")}, "from 0 to below 1"),
        ({"discount": Decimal("NaN")}, "from 0 to below 1"),
        ({"discount": Decimal("0.1234567")}, "at most 6 decimals"),
        ({"discount": None, "prices": {"input": Decimal(1)}}, "need a model"),
        ({"discount": None, "prices": {"input": Decimal(0)}, "model": "claude-opus-5"}, "from 0.001"),
        ({"discount": None, "prices": {"input": Decimal("0.000999")}, "model": "claude-opus-5"}, "from 0.001"),
        ({"discount": None, "prices": {"input": Decimal(-1)}, "model": "claude-opus-5"}, "from 0.001"),
        ({"discount": None, "prices": {"input": Decimal("Infinity")}, "model": "claude-opus-5"}, "from 0.001"),
        ({"discount": None, "prices": {"thought": Decimal(1)}, "model": "claude-opus-5"}, "kind: thought"),
        ({"model": "claude-nobody-1"}, "does not know this model"),
        ({"last_day": date(2026, 10, 31)}, "before it begins"),
        ({"first_day": date(1999, 1, 1)}, "day: 1999-01-01"),
        ({"last_day": date(9999, 12, 31)}, "day: 9999-12-31"),
        ({"listed": True, "model": "claude-nova-1"}, "own prices"),
        ({"listed": True, "model": " ", "discount": None}, "own prices"),
        ({"listed": True, "model": "x", "discount": None, "prices": {"input": Decimal(1)}}, "output, cache_read"),
    ],
)
def test_what_makes_no_price_is_refused(changed: dict[str, Any], why: str) -> None:
    """Each refusal names what is wrong."""
    with pytest.raises(PriceRefused, match=why):
        accepted(replace(FIFTH_OFF, **changed), BOOK)


def test_only_usd_is_taken() -> None:
    """Another currency is named, and never converted."""
    in_usd(" usd ")
    for other in ("EUR", "", "$"):
        with pytest.raises(NotUsd, match="currency"):
            in_usd(other)


def test_terms_are_kept_under_the_listed_name() -> None:
    """A snapshot id means its model."""
    terms = accepted(replace(FIFTH_OFF, model="claude-haiku-4-5-20251001"), BOOK)
    assert terms.model == "claude-haiku-4-5"


def test_no_discount_has_no_sign() -> None:
    """Nought below zero is nought: it is shown and kept as that."""
    assert "from 2026" in accepted(replace(FIFTH_OFF, discount=Decimal("-0")), BOOK).said
    assert accepted(replace(FIFTH_OFF, discount=Decimal("-0")), BOOK).said.startswith("0 % off")


TEXTS = (
    st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12)
    .map(str.strip)
    .filter(lambda text: not text.startswith("'"))
)
AMOUNTS = st.decimals(Decimal("0.000001"), 1_000, places=6)
DAYS = st.dates(date(2025, 1, 1), date(2028, 1, 1))
TERMS = st.builds(
    ContractPrice,
    model=st.sampled_from([model.id for model in BOOK.models()]),
    prices=st.dictionaries(st.sampled_from(KINDS), AMOUNTS, min_size=1),
    first_day=DAYS,
    last_day=st.none() | DAYS,
    listed=st.booleans(),
    source=TEXTS,
    note=TEXTS,
) | st.builds(ContractPrice, discount=st.decimals(0, Decimal("0.999"), places=6), first_day=DAYS, note=TEXTS)


@settings(max_examples=80, deadline=None)
@given(st.lists(TERMS, max_size=4), st.booleans())
def test_a_file_says_what_was_written(terms: list[ContractPrice], toml: bool) -> None:
    """Every amount, day and text comes back from either kind of file; spreadsheets find no formula in it."""
    rows = [kept_row(one) for one in terms]
    text = as_toml(rows) if toml else as_csv(rows)
    assert [row.terms for row in read_price_file(text, toml=toml)] == terms
    if not toml:
        assert not any(line.startswith(("=", "+", "@")) for line in text.splitlines())


def test_the_packaged_book_as_a_file() -> None:
    """Each packaged row stands in it with its prices, its cliff, its source and the day on which it was checked."""
    rows = [packaged_row(row) for row in BOOK.packaged_rows()]
    for toml in (True, False):
        found = read_price_file(as_toml(rows) if toml else as_csv(rows), toml=toml)
        assert [(row.kind, row.terms.model) for row in found] == [("packaged", row["model"]) for row in rows]
        assert [row.terms.prices for row in found] == [{kind: row[kind] for kind in KINDS} for row in rows]
        assert len({row.line for row in found}) == len(rows)
    assert "above_tokens = 100000" in as_toml(rows)
    assert "checked = 2026-11-22" in as_toml(rows)


GOOD = "kind,model,first_day,discount\ncontract,*,2026-11-01,0.2\n"
CLIFF = '[[price]]\nkind="{kind}"\nmodel="m"\nfirst_day=2026-11-01\ninput=5\nabove_tokens=200000\nabove_input=20\n'
HEAD = "kind,model,first_day,last_day,discount,input,currency\n"


@pytest.mark.parametrize(
    ("text", "toml", "why"),
    [
        (GOOD + "contract,*,soon,0.2\n", False, "line: 3, why: first_day is a day"),
        (GOOD + "contract,*,2026-11-01,a fifth\n", False, "line: 3, why: discount is a number"),
        (GOOD + "contract,*,2026-11-01,NaN\n", False, "line: 3, why: discount is a number"),
        (GOOD + "gift,*,2026-11-01,0.2\n", False, "line: 3, why: kind is one of"),
        (GOOD + "contract,*,2026-11-01\n", False, "line: 3, why: it has not as many cells"),
        (GOOD + "contract,*,2026-11-01,0.2,1\n", False, "line: 3, why: it has not as many cells"),
        (GOOD + "contract,,2026-11-01,0.2\n", False, "line: 3, why: a row needs a model"),
        (GOOD + "contract,*,,0.2\n", False, "line: 3, why: a row needs a model"),
        (GOOD + 'contract,"*,2026-11-01,0.2\n', False, "line: 3"),
        ("model,discount\n", False, "line: 1, why: the header does not name first_day, kind"),
        ("", False, "the header does not name"),
        (HEAD.replace("input", "rebate") + "contract,*,2026-11-01,,,0.2,\n", False, "line: 2, why: it has no rebate"),
        (GOOD + "contract,*,2026-W45-1,0.2\n", False, "line: 3, why: first_day is a day"),
        (GOOD + "contract,*,20261101,0.2\n", False, "line: 3, why: first_day is a day"),
        (GOOD + "contract,*,2026-11-01,0_1\n", False, "line: 3, why: discount is a number"),
        (GOOD + "contract,*,2026-11-01,\u0660.\u0661\n", False, "line: 3, why: discount is a number"),
        (GOOD + "contract,*,2026-11-01,1e999999999999999999999\n", False, "line: 3, why: discount is a number"),
        (HEAD.replace("currency", "input") + "contract,m,2026-11-01,,,1,2\n", False, "line: 1, .* names input twice"),
        (CLIFF.format(kind="contract"), True, "line: 1, why: only what came with Lotwise has a cliff"),
        (CLIFF.format(kind="list"), True, "line: 1, why: only what came with Lotwise has a cliff"),
        (f"price = {'9' * 5_000}\n", True, "a number in it is too long"),
        (f"price = 1e{'9' * 30}\n", True, "a number in it is too long"),
        (f"price = {'[' * 5_000}{']' * 5_000}\n", True, "nested too deeply"),
        ('[[price]]\nkind="contract"\nmodel="*"\nfirst_day=2026-11-01\ndiscount=[0, [2], -1]\n', True, "is a number"),
        ("price = 3\n", True, "rows begin with"),
        ("[[price]\n", True, "line 1"),
        ('[[price]]\nkind="contract"\nmodel="*"\nfirst_day=2026-11-01\n\n[[price]]\nkind="x"\n', True, "line: 6"),
        ('[[price]]\nkind="contract"\nmodel=3\nfirst_day=2026-11-01\n', True, "line: 1, why: model is a text"),
        ('[[price]]\nkind="contract"\nmodel="*"\nfirst_day=2026-11-01\ndiscount=true\n', True, "discount is a number"),
        ('[[price]]\nkind="contract"\nmodel="*"\nfirst_day=2026-11-01T00:00:00\n', True, "first_day is a day"),
    ],
)
def test_a_faulty_file_is_refused_with_its_line(text: str, toml: bool, why: str) -> None:
    """Whole, and never guessed at."""
    with pytest.raises(PriceFileRefused, match=why):
        read_price_file(text, toml=toml)


def test_another_currency_in_a_file_is_refused_with_its_line() -> None:
    """In a row of a spreadsheet, or for the whole of a TOML file."""
    with pytest.raises(NotUsd, match=r"line: 3, currency: EUR"):
        read_price_file(HEAD + "contract,*,2026-11-01,,0.2,,USD\ncontract,*,2026-12-01,,0.2,,EUR\n", toml=False)
    with pytest.raises(NotUsd, match="currency: GBP"):
        read_price_file('currency="GBP"\n[[price]]\nkind="contract"\nmodel="*"\nfirst_day=2026-11-01\n', toml=True)


def test_the_table_shows_what_is_paid_beside_the_list() -> None:
    """Newest first in a model, each side of a cliff a row of its own, and the terms that changed it."""
    table = price_table(BOOK.with_contract([FIFTH_OFF])).filter(pl.col("model") == "claude-haiku-5-5")
    assert table["first_day"].to_list() == [FIRST, FIRST, date(2026, 10, 7), date(2026, 10, 7)]
    assert table["above_tokens"].to_list() == [None, 100_000, None, 100_000]
    assert table["input"].to_list() == [Decimal("0.08"), Decimal("0.4"), Decimal("0.1"), Decimal("0.5")]
    assert table["list_input"].to_list() == [Decimal("0.1"), Decimal("0.5")] * 2
    assert table["number"].to_list() == [1, 1, None, None]
    assert table["terms"][0] == "20 % off by contract from 2026-11-01 (Order form)"
    assert table["last_day"].to_list() == [None, None, date(2026, 10, 31), date(2026, 10, 31)]
