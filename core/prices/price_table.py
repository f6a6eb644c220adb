"""The price book as rows to look at: every model and the days between which each price held."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import polars as pl

from core.prices.book import PriceBook
from core.prices.contract import KINDS, ContractPrice
from core.prices.rates import PriceRow

PRICE = pl.Decimal(18, 6)
_SCHEMA: dict[str, Any] = {
    "model": pl.String,
    "first_day": pl.Date,
    "last_day": pl.Date,
    "above_tokens": pl.Int64,
    **dict.fromkeys(KINDS, PRICE),
    "list_input": PRICE,
    "list_output": PRICE,
    "number": pl.Int64,
    "terms": pl.String,
    "source": pl.String,
    "checked": pl.Date,
}


def price_table(book: PriceBook) -> pl.DataFrame:
    """Prices of standard requests in USD per million tokens (per thousand searches), by model, newest first.

    A row per stretch of days (UTC, both included; null = open) and side of a cliff: `above_tokens` is the total input
    beyond which it holds, null below. `list_…` is what the list says; `number` and `terms`: what changed it.
    """
    rows = [row for each in book.rows() for row in _sides(each)]
    frame = pl.DataFrame(rows, schema=_SCHEMA, orient="row")
    order = pl.Series([model.id for model in book.models()], dtype=pl.String)
    return (
        frame.with_columns(order=pl.col("model").replace_strict(order, range(len(order)), default=len(order)))
        .sort("order", "model", "first_day", "above_tokens", descending=[False, False, True, False])
        .drop("order")
    )


def _sides(row: PriceRow) -> Iterator[dict[str, Any]]:
    listed = replace(row, terms=tuple(one for one in row.terms if one.listed))
    agreed: ContractPrice | None = next((one for one in row.terms if not one.listed), None)
    for tier in row.tiers():
        list_prices = listed.prices(tier)
        yield {
            "model": row.model,
            "first_day": row.valid_from.date(),
            "last_day": row.valid_to.date() - timedelta(1) if row.valid_to else None,
            "above_tokens": tier.min_input_tokens - 1 if tier.min_input_tokens else None,
            **{kind: round(price, 6) for kind, price in row.prices(tier).items()},
            "list_input": list_prices["input"],
            "list_output": list_prices["output"],
            "number": agreed.number if agreed else None,
            "terms": agreed.said if agreed else None,
            "source": row.source,
            "checked": row.checked,
        }
