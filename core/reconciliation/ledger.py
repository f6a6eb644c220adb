"""Lotwise's own figures in the terms of the account's reports: tokens and dollars by day, model, tier and kind."""

import polars as pl

from core.prices import PriceBook
from core.prices.book import MONEY
from core.prices.repricing import reprice

KINDS = {
    "input": "input_tokens",
    "cache_write_5m": "cache_write_5m_tokens",
    "cache_write_1h": "cache_write_1h_tokens",
    "cache_read": "cache_read_tokens",
    "output": "output_tokens",
    "web_search": "web_searches",
}
"""What is compared, by the name under which it has a price, and the count of it."""


def ledger_by_kind(cells: pl.DataFrame, book: PriceBook) -> pl.DataFrame:
    """What was billed for, one row a day, model, service tier and kind.

    `cells`: day, model, service_tier and what `core.prices.repricing.reprice` reads. Returned: those three, `kind`,
    `tokens` (searches for `web_search`), `unpriced_tokens` (of them, those whose price is not known), `our_usd` as paid
    and `our_list_usd` at list price. What was not billed is in none of them.
    """
    listed = book.listed()
    charged = cells.filter(pl.col("billed"))
    frames = []
    for kind, count in KINDS.items():
        alone = charged.with_columns(pl.lit(0, pl.Int64).alias(other) for other in KINDS.values() if other != count)
        frames.append(
            charged.select(
                "day",
                pl.col("model").replace(book.priced_names(charged["model"].unique())),
                pl.col("service_tier").fill_null("batch"),
                pl.lit(kind).alias("kind"),
                pl.col(count).alias("tokens"),
                reprice(alone, book).alias("our_usd"),
                reprice(alone, listed).alias("our_list_usd"),
            )
        )
    return (
        pl.concat(frames)
        .filter(pl.col("tokens") > 0)
        .group_by("day", "model", "service_tier", "kind")
        .agg(
            pl.col("tokens").sum(),
            pl.col("tokens").filter(pl.col("our_usd").is_null()).sum().alias("unpriced_tokens"),
            pl.col("our_usd").sum().cast(MONEY),
            # At list price only what is paid for is of use: the discount is between the two.
            pl.col("our_list_usd").filter(pl.col("our_usd").is_not_null()).sum().cast(MONEY),
        )
        .sort("day", "model", "service_tier", "kind")
    )
