"""What cells of the ledger would cost at other prices, on another model, or sent in another way."""

import polars as pl

from core.prices.book import MONEY, PriceBook

_RATES = {
    "input_tokens": "input",
    "cache_write_5m_tokens": "cache_write_5m",
    "cache_write_1h_tokens": "cache_write_1h",
    "cache_read_tokens": "cache_read",
    "output_tokens": "output",
    "web_searches": "web_search",
}


def reprice(
    cells: pl.DataFrame, book: PriceBook, *, model: str | pl.Expr = "model", batch: bool | None = None
) -> pl.Series:
    """The exact cost of each cell in USD at the prices of its `submitted_at`, in the order of the cells.

    Columns read: submitted_at, service_tier, inference_geo, above_tokens, billed, unpriced, the six counts, and
    whatever `model` names: a column, or an expression of the model to price each cell on. `batch` overrides the tier.
    The requests of a cell are on one side of every cliff, so the price of its sums is the sum of their prices. What is
    not billed is zero; a cell is null where its model has no price on that day, or where attempts of it are unpriced.
    """
    on = pl.col(model) if isinstance(model, str) else model
    tier = pl.col("service_tier")
    asked = cells.select(
        pl.int_range(pl.len()).alias("row"),
        "submitted_at",
        "billed",
        "unpriced",
        *_RATES,
        on.cast(pl.String).alias("model"),
        (pl.col("above_tokens") + 1).alias("total"),
        ((tier == "batch") | tier.is_null() if batch is None else pl.lit(batch)).alias("batch"),
        pl.col("inference_geo").eq_missing("us").alias("geo_us"),
    )
    names = book.priced_names(asked["model"].drop_nulls().unique())
    priced = (
        asked.filter(pl.col("billed"), pl.col("unpriced") == 0)
        .with_columns(pl.col("model").replace_strict(names, default=None, return_dtype=pl.String))
        .join(book.rate_frame(), on=["model", "batch", "geo_us"])
        .filter(
            pl.col("submitted_at") >= pl.col("valid_from"),
            (pl.col("submitted_at") < pl.col("valid_to")).fill_null(True),
            pl.col("total") >= pl.col("min_input_tokens"),
            (pl.col("total") <= pl.col("max_input_tokens")).fill_null(True),
        )
        .select("row", _cost())
    )
    free = (~pl.col("billed") & (pl.col("unpriced") == 0)).fill_null(False)
    return (
        asked.select("row", free=free)
        .join(priced, on="row", how="left", maintain_order="left")
        .select(pl.when("free").then(pl.lit(0, MONEY)).otherwise("cost_usd").alias("cost_usd"))
        .to_series()
    )


def _cost() -> pl.Expr:
    """Counts times rates; whole numbers times decimals, so the sum is exact."""
    parts = (pl.col(count).cast(pl.Decimal(38, 0)) * pl.col(rate) for count, rate in _RATES.items())
    return pl.sum_horizontal(parts).cast(MONEY).alias("cost_usd")
