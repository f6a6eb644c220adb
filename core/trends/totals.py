"""Days of work summed up: all of them as one row, or one row for each class, model or tag."""

import polars as pl

USABLE = "usable item"
"""The unit that all classes share, whatever each of them counts."""

_SUMS = (
    "attempts",
    "units",
    "usable",
    "failures",
    "reruns",
    "unpriced",
    "cache_read_tokens",
    "cache_write_tokens",
    "input_tokens",
    "output_tokens",
)
_MONEY = ("cost_usd", "counted_usd", "wasted_usd")


def unit_of(days: pl.DataFrame) -> str:
    """What these rows of `trend_days` count: their unit where they have one in common, else usable items."""
    units = days["unit"].unique()
    return str(units[0]) if len(units) == 1 else USABLE


def in_one_unit(days: pl.DataFrame) -> pl.DataFrame:
    """The same rows with `units` in their common unit, and with `counted_usd`, what exactly these units cost."""
    if days["unit"].n_unique() <= 1:
        return days
    return days.with_columns(units="usable", counted_usd="cost_usd", unit=pl.lit(USABLE))


def totals(days: pl.DataFrame, by: str | None = None) -> pl.DataFrame:
    """Rows of `trend_days` summed: one row, or one for each value of the column `by`, dearest first.

    Ratios are those of the sums, null where nothing is below them: `unit_cost_usd` by the common unit, `hit_rate` of
    cached tokens, `failed_share` and `rerun_share` of attempts, `input_each` and `output_each` in tokens an attempt.
    """
    known = in_one_unit(days)
    # A sum of nothing but unknown amounts is unknown, which Polars takes for zero.
    money = (pl.when(pl.col(name).count() > 0).then(pl.col(name).sum()).alias(name) for name in _MONEY)
    sums = (pl.col(_SUMS).sum(), *money)
    summed = known.group_by(by).agg(sums) if by else known.select(sums)
    cost = pl.col("counted_usd").cast(pl.Float64)
    cached = pl.col("cache_read_tokens") + pl.col("cache_write_tokens")
    rows = summed.with_columns(
        unit_cost_usd=_ratio(cost, pl.col("units")),
        hit_rate=_ratio(pl.col("cache_read_tokens"), cached),
        failed_share=_ratio(pl.col("failures"), pl.col("attempts")),
        rerun_share=_ratio(pl.col("reruns"), pl.col("attempts")),
        input_each=_ratio(pl.col("input_tokens") + cached, pl.col("attempts")),
        output_each=_ratio(pl.col("output_tokens"), pl.col("attempts")),
    )
    return rows.sort(["cost_usd", by], descending=[True, False], nulls_last=True) if by else rows


def _ratio(over: pl.Expr, under: pl.Expr) -> pl.Expr:
    return pl.when(under > 0).then(over / under)
