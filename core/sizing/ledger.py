"""How far predictions kept their word: share inside their interval, bias, and both over time. Pure."""

import polars as pl

from core.sizing.calibration import HIT_RATE

RECENT = 100
"""Newest predictions whose share inside the interval is one point of the curve: with fewer it jumps about."""

LEAST = 10
"""Predictions that came out before a share inside is told: of fewer, one moves it by more than ten points."""


def summary(met: pl.DataFrame) -> pl.DataFrame:
    """One row a measure of predictions that came out: jobs, `inside` (share), `bias`, `typical`.

    `bias`: median of actual over predicted less one, for hit rates of actual less predicted; `typical`: median of how
    far off, either way. Columns read: measure, point, low, high, actual.
    """
    return (
        met.with_columns(_inside(), off=_off())
        .group_by("measure", maintain_order=True)
        .agg(
            jobs=pl.len(),
            inside=pl.col("inside").mean(),
            bias=pl.col("off").median(),
            typical=pl.col("off").abs().median(),
        )
    )


def coverage(met: pl.DataFrame) -> pl.DataFrame:
    """The curve of each measure: at every prediction that came out, the share inside of the newest ones.

    Columns read: those of `summary`, and known_at; returned: measure, known_at, jobs, inside, bias, in order of time.
    """
    return (
        met.sort("known_at", maintain_order=True)
        .with_columns(_inside(), off=_off())
        .select(
            "measure",
            "known_at",
            jobs=pl.int_range(1, pl.len() + 1).over("measure").clip(upper_bound=RECENT),
            inside=pl.col("inside").cast(pl.Float64).rolling_mean(RECENT, min_samples=1).over("measure"),
            bias=pl.col("off").rolling_median(RECENT, min_samples=1).over("measure"),
        )
        .filter(pl.col("jobs") >= LEAST)
    )


def _inside() -> pl.Expr:
    return pl.col("actual").is_between("low", "high").alias("inside")


def _off() -> pl.Expr:
    rate = pl.col("measure") == HIT_RATE
    return pl.when(rate).then(pl.col("actual") - pl.col("point")).otherwise(pl.col("actual") / pl.col("point") - 1)
