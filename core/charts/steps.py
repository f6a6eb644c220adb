"""The step in cost per unit that moved the most money."""

from dataclasses import dataclass
from datetime import date

import polars as pl

_LEAST_CHANGE = 0.15
"""A change smaller than this share, up or down, is weather, not a step."""

_LEAST_DAYS = 2
"""Days with work that a week needs on either side of a step."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """Cost per unit of a class in the week before a day and in the week from it on."""

    class_name: str
    day: date
    before_usd: float
    after_usd: float
    weekly_usd: float
    """What the step costs (or, below zero, saves) in a week with the units of the week after it."""

    @property
    def factor(self) -> str:
        """How many times more or less: ×6.4 or ÷4.2."""
        ratio = self.after_usd / self.before_usd
        return f"×{ratio:.2g}" if ratio >= 1 else f"÷{1 / ratio:.2g}"


def largest_step(series: pl.DataFrame) -> Step | None:
    """The step worth the most dollars a week, up or down; None where nothing moved by 15 % or more.

    `series` has one row a day and class, as `by_class` gives it.
    """
    if series.is_empty():
        return None
    ordered = series.sort("class_name", "day")
    before, after = _week(ordered, "-7d", "before"), _week(ordered, "0d", "after")
    steps = (
        before.join(after, on=["class_name", "day"])
        .filter(pl.min_horizontal("days_before", "days_after") >= _LEAST_DAYS)
        .filter(pl.min_horizontal("units_before", "units_after", "cost_before") > 0)
        .with_columns(
            (pl.col("cost_before") / pl.col("units_before")).alias("before_usd"),
            (pl.col("cost_after") / pl.col("units_after")).alias("after_usd"),
        )
        .with_columns(((pl.col("after_usd") - pl.col("before_usd")) * pl.col("units_after")).alias("weekly_usd"))
        .filter((pl.col("after_usd") / pl.col("before_usd") - 1).abs() >= _LEAST_CHANGE)
        .filter(pl.col("after_usd") > 0)
        .sort([pl.col("weekly_usd").abs(), "class_name", "day"], descending=[True, False, False])
    )
    if steps.is_empty():
        return None
    row = steps.select("class_name", "day", "before_usd", "after_usd", "weekly_usd").row(0, named=True)
    return Step(**row)


def _week(ordered: pl.DataFrame, offset: str, name: str) -> pl.DataFrame:
    """Per class and day, the sums of the seven days that begin at `offset` from it."""
    windows = ordered.rolling("day", period="7d", offset=offset, closed="left", group_by="class_name")
    return windows.agg(
        pl.col("cost_usd").sum().alias(f"cost_{name}"),
        pl.col("units").sum().alias(f"units_{name}"),
        pl.len().alias(f"days_{name}"),
    )
