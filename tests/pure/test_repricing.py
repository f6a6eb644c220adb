"""Cells of the ledger at other prices: exactly what their attempts would cost one by one."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.prices import ContractPrice, PriceBook, UnknownModel, UnpricedModel
from core.prices.book import MONEY
from core.prices.costs import Usage, attempt_cost
from core.prices.repricing import reprice

BOOK = PriceBook.load()
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
CLIFFS = (200_000, 100_000, 0)
COUNTS = ("input_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "cache_read_tokens", "output_tokens")
SCHEMA: dict[str, Any] = {
    "model": pl.String,
    "submitted_at": pl.Datetime("us", "UTC"),
    "billed": pl.Boolean,
    "unpriced": pl.Int64,
    "service_tier": pl.String,
    "inference_geo": pl.String,
    "above_tokens": pl.Int64,
    **dict.fromkeys((*COUNTS, "web_searches"), pl.Int64),
}
AGREED = BOOK.with_contract(
    [
        ContractPrice(number=1, discount=Decimal("0.185"), first_day=date(2026, 3, 1), last_day=date(2026, 10, 31)),
        ContractPrice(
            number=2,
            model="claude-haiku-5-5",
            prices={"input": Decimal("0.07"), "cache_read": Decimal("0.004")},
            first_day=date(2026, 11, 1),
        ),
    ]
)


def cells(*rows: dict[str, Any]) -> pl.DataFrame:
    """A frame of cells; what a row leaves out is billed, priced, batch, and counts nothing."""
    plain = {"billed": True, "unpriced": 0, "above_tokens": 0, "submitted_at": NOW, "model": "claude-opus-5-5"}
    return pl.DataFrame([dict.fromkeys((*COUNTS, "web_searches"), 0) | plain | row for row in rows], schema=SCHEMA)


def cliff(usage: Usage) -> int:
    """The highest cliff that a request exceeds."""
    return next(each for each in CLIFFS if usage.total_input_tokens > each or not each)


def singly(book: PriceBook, usages: list[Usage], *, model: str, at: datetime) -> Decimal | None:
    """What the attempts cost one by one; None where the book does not say."""
    try:
        return sum((attempt_cost(book, usage, model=model, at=at) for usage in usages), Decimal(0))
    except (UnknownModel, UnpricedModel):
        return None


USAGES = st.builds(
    Usage,
    **{name: st.integers(0, 120_000) for name in COUNTS},
    web_searches=st.integers(0, 3),
)


@settings(max_examples=60, deadline=None)
@given(
    usages=st.lists(USAGES, min_size=1, max_size=6),
    model=st.sampled_from([model.id for model in BOOK.models()]),
    other=st.sampled_from([model.id for model in BOOK.models()]),
    at=st.sampled_from([datetime(2026, *day, tzinfo=UTC) for day in ((3, 12), (10, 6), (10, 7), (11, 22))]),
    tier=st.sampled_from([None, "batch", "standard"]),
    geo=st.sampled_from([None, "us"]),
    book=st.sampled_from([BOOK, AGREED, AGREED.listed()]),
    batch=st.sampled_from([None, True, False]),
)
def test_a_cell_costs_what_its_attempts_cost(
    *,
    usages: list[Usage],
    model: str,
    other: str,
    at: datetime,
    tier: str | None,
    geo: str | None,
    book: PriceBook,
    batch: bool | None,
) -> None:
    """Summed before it is priced, or priced before it is summed: to the last decimal the same, on any model."""
    by_cliff: dict[int, list[Usage]] = {}
    for usage in usages:
        by_cliff.setdefault(cliff(usage), []).append(usage)
    frame = cells(
        *(
            {
                "model": model,
                "submitted_at": at,
                "service_tier": tier,
                "inference_geo": geo,
                "above_tokens": above,
                **{name: sum(getattr(one, name) for one in part) for name in (*COUNTS, "web_searches")},
            }
            for above, part in by_cliff.items()
        )
    )
    sent = {None: tier, True: "batch", False: "standard"}[batch]
    one_by_one = [
        Usage(**{**vars(usage), "service_tier": sent, "inference_geo": geo})
        for part in by_cliff.values()
        for usage in part
    ]
    for on in (model, other):
        costs = reprice(frame, book, model=pl.lit(on), batch=batch).to_list()
        expected = singly(book, one_by_one, model=on, at=at)
        assert (None if None in costs else sum(costs, Decimal(0))) == expected


def test_order_and_kind_are_kept() -> None:
    """One cost a cell, in the order of the cells, as exact money; a frame without cells has none."""
    frame = cells(
        *({"output_tokens": count, "model": model} for count in (3, 1, 2) for model in ("claude-opus-5", "x"))
    )
    costs = reprice(frame, BOOK)
    assert costs.dtype == MONEY
    assert costs.to_list() == [Decimal("0.0000375"), None, Decimal("0.0000125"), None, Decimal("0.000025"), None]
    assert reprice(cells(), BOOK).to_list() == []


@pytest.mark.parametrize(
    ("cell", "cost"),
    [
        ({"billed": False}, Decimal(0)),
        ({"billed": False, "model": "nobody's"}, Decimal(0)),
        ({"billed": None}, None),
        ({"unpriced": 4}, None),
        ({"model": "claude-nobody-1"}, None),
        ({"model": None}, None),
        ({"model": "claude-fable-5-2", "submitted_at": datetime(2026, 11, 8, tzinfo=UTC)}, None),
        ({"submitted_at": None}, None),
    ],
)
def test_what_cannot_be_known_is_null(cell: dict[str, Any], cost: Decimal | None) -> None:
    """Not billed is zero, whatever the model; a cost that the book or the ledger does not know is null, never zero."""
    assert reprice(cells({"output_tokens": 1_000, **cell}), BOOK).to_list() == [cost]


def test_the_model_may_be_another_column() -> None:
    """Each cell can be priced on a model of its own: a column, or an expression."""
    frame = cells({"output_tokens": 1_000_000}).with_columns(baseline=pl.lit("claude-fable-5-2"))
    assert reprice(frame, BOOK, model="baseline").to_list() == [Decimal(20)]
    assert reprice(frame, BOOK, model=pl.col("baseline"), batch=False).to_list() == [Decimal(40)]


def test_a_cell_past_a_cliff_is_dear_only_where_there_is_one() -> None:
    """The same cell, on a model with the cliff and on one without."""
    frame = cells({"above_tokens": 100_000, "input_tokens": 1_000_000})
    assert reprice(frame, BOOK, model=pl.lit("claude-haiku-5-5")).to_list() == [Decimal("0.25")]
    assert reprice(frame, BOOK, model=pl.lit("claude-sonnet-4-5")).to_list() == [Decimal("1.5")]
    over = frame.with_columns(above_tokens=pl.lit(200_000))
    assert reprice(over, BOOK, model=pl.lit("claude-sonnet-4-5")).to_list() == [Decimal(3)]


def test_days_decide_to_the_instant() -> None:
    """The last instant before a contract has the list price, its first the agreed one."""
    start = datetime(2026, 11, 1, tzinfo=UTC)
    frame = cells(
        *({"input_tokens": 10**6, "submitted_at": at} for at in (start - timedelta(microseconds=1), start)),
    )
    assert reprice(frame, AGREED, model=pl.lit("claude-haiku-5-5")).to_list() == [Decimal("0.04075"), Decimal("0.035")]
