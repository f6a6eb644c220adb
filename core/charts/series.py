"""Days by class: the shape that the trend charts share, thinned so that a chart stays readable."""

from datetime import timedelta

import polars as pl

KEEP = 5
"""Classes drawn on their own; the rest is one line, in the sixth and last colour of the palette."""

_DAYS = 125
"""Longest stretch drawn by day; a longer one is drawn by week (6 lines x 125 days x 2 marks = 1,500)."""

_SUMS = (
    "attempts",
    "units",
    "failures",
    "reruns",
    "cost_usd",
    "input_tokens",
    "cache_write_tokens",
    "cache_read_tokens",
    "output_tokens",
)


def by_class(frame: pl.DataFrame, keep: int = KEEP, *, thin: bool = True) -> pl.DataFrame:
    """Rows of `unit_cost_day` summed by `day` and `class_name`, as floats, in order of both.

    A class stays one line when it moves to another model. Beyond the `keep` classes with the highest cost all
    others are one; unless `thin` is off, a stretch of many months becomes weeks, dated by their Monday.
    """
    named = frame.select(
        "day",
        pl.col("class_name").fill_null("Unnamed class"),
        pl.col(_SUMS).cast(pl.Float64),
    )
    names = (
        named.group_by("class_name")
        .agg(pl.col("cost_usd").sum(), pl.col("attempts").sum())
        .sort(["cost_usd", "attempts", "class_name"], descending=[True, True, False])["class_name"]
    )
    if len(names) > keep + 1:
        others = f"{len(names) - keep} other classes"
        kept = pl.col("class_name").is_in(names.head(keep).to_list())
        named = named.with_columns(pl.when(kept).then("class_name").otherwise(pl.lit(others)))
    if thin and by_week(frame):
        named = named.with_columns(pl.col("day").dt.truncate("1w"))
    return named.group_by("day", "class_name").agg(pl.col(_SUMS).sum()).sort("class_name", "day")


def folded(frame: pl.DataFrame, column: str, weight: pl.Expr, *, others: str) -> pl.Series:
    """The names in `column`, but one name for all beyond the `KEEP` heaviest: no two series share a colour."""
    names = frame.group_by(column).agg(weight.alias("_weight")).sort(["_weight", column], descending=[True, False])
    if names.height <= KEEP + 1:
        return frame[column]
    kept = pl.col(column).is_in(names[column].head(KEEP).to_list())
    rest = pl.lit(f"{names.height - KEEP} {others}")
    return frame.select(pl.when(kept).then(column).otherwise(rest).alias(column))[column]


def by_week(frame: pl.DataFrame) -> bool:
    """Whether the stretch is long enough to be drawn by week."""
    return frame.select((pl.col("day").max() - pl.col("day").min()) > timedelta(days=_DAYS)).item() is True


def rolling_ratio(over: str, under: str) -> pl.Expr:
    """The weighted mean over seven days up to each day: sum over sum, never a mean of daily means."""

    def total(column: str) -> pl.Expr:
        return pl.col(column).rolling_sum_by("day", "7d").over("class_name")

    return pl.when(total(under) > 0).then(total(over) / total(under))
