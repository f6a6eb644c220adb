"""How much of what could be read from the cache was read, over time."""

import altair as alt
import polars as pl

from core.charts.figure import DAY_AXIS, Figure, clicked, dimmed, figure, layers, legend, nothing, pick
from core.charts.series import by_class, rolling_ratio
from core.wording import day, listing, percent

BREAK_EVEN = 0.526
"""Below this share of reads a one-hour write costs more than no cache (at reads of a tenth)."""


def hit_rate(frame: pl.DataFrame) -> Figure:
    """Tokens read as a share of tokens read or written, seven-day weighted, by class.

    From rows of `unit_cost_day`; a class without marks has no hit rate and no line. A click on a line gives its
    `class_name`.
    """
    if frame.is_empty():
        return nothing("No results yet, so nothing was read from the cache. Send a job, or load the demo.")
    every = by_class(frame)
    cached = pl.col("cache_read_tokens") + pl.col("cache_write_tokens")
    series = every.with_columns(cached.alias("cached")).filter(pl.col("cached") > 0)
    if series.is_empty():
        return nothing("Nothing used the cache in this time. Plan a class with a heavy prefix: it is primed first.")
    points = series.select(
        "day",
        "class_name",
        (pl.col("cache_read_tokens") / pl.col("cached")).round(4).alias("rate"),
        rolling_ratio("cache_read_tokens", "cached").round(4).alias("mean_rate"),
        (pl.col("cached") / 1e6).round(3).alias("million"),
    )
    chosen = pick("hit_rate_class", "class_name")
    axis = alt.Axis(title="read from cache, share of tokens", format="%")
    scale = alt.Scale(domain=[0, 1])
    base = alt.Chart(points).encode(
        x=alt.X("day:T", axis=DAY_AXIS),
        # All classes are in the scale, so that each has the colour that it has in the other charts.
        color=alt.Color("class_name:N", scale=alt.Scale(domain=_names(every)), legend=legend(only=_names(points))),
        tooltip=[
            alt.Tooltip("class_name:N", title="class"),
            alt.Tooltip("day:T", title="day (UTC)", format="%-d %b %Y"),
            alt.Tooltip("rate:Q", title="hit rate", format=".1%"),
            alt.Tooltip("mean_rate:Q", title="7-day hit rate", format=".1%"),
            alt.Tooltip("million:Q", title="million tokens read or written", format=",.2f"),
        ],
    )
    dots = base.mark_circle(size=14).encode(y=alt.Y("rate:Q", axis=axis, scale=scale), opacity=dimmed(chosen, 0.4))
    lines = base.mark_line(strokeWidth=2.5).encode(
        y=alt.Y("mean_rate:Q", axis=axis, scale=scale), opacity=dimmed(chosen)
    )
    return figure(
        layers(dots, lines.add_params(chosen, clicked("class_name")).properties(name="hit_rate")), _words(points)
    )


def _names(series: pl.DataFrame) -> list[str]:
    return series["class_name"].unique().sort().to_list()


def _words(points: pl.DataFrame) -> str:
    classes = points.group_by("class_name", maintain_order=True).agg(
        pl.col("mean_rate").first().alias("first"), pl.col("mean_rate").last().alias("last")
    )
    parts = [
        f"{row['class_name']} {percent(row['first'])} at first, {percent(row['last'])} now"
        for row in classes.iter_rows(named=True)
    ]
    low = classes.filter(pl.col("last") < BREAK_EVEN)["class_name"].to_list()
    warning = f" Under the break-even of {percent(BREAK_EVEN)} for one-hour writes: {listing(low)}." if low else ""
    first, last = points["day"].min(), points["day"].max()
    return (
        f"Cache hit rate by class, seven-day mean, from {day(first)} to {day(last)} (UTC): "  # type: ignore[arg-type]
        f"{listing(parts)}.{warning}"
    )
