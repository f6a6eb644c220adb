"""Spend by day against what was to be expected: the usual range, the actual line, and the days outside of it."""

import altair as alt
import polars as pl

from core.charts.figure import DAY_AXIS, DIGITS, Figure, figure, layers, nothing
from core.wording import count, day, listing, usd

_NAMED = 5
_FROM = 28


def expected(frame: pl.DataFrame) -> Figure:
    """Actual and expected spend. `frame`: rows of `core.trends.expected.expected`, one a day."""
    if frame.is_empty():
        return nothing("No results yet, so nothing can be expected. Send a job, or load the demo.")
    if frame["expected_usd"].null_count() == frame.height:
        return nothing(f"What is usual shows after {_FROM} days of work. Choose more days, or come back later.")
    numbers = pl.col("usd", "expected_usd", "low_usd", "high_usd").round_sig_figs(DIGITS)
    return figure(_chart(frame.with_columns(numbers)), _words(frame))


def _chart(frame: pl.DataFrame) -> alt.LayerChart:
    x = alt.X("day:T", axis=DAY_AXIS)
    axis = alt.Axis(title="USD a day", format="$,~r")
    tips = [
        alt.Tooltip("day:T", title="day (UTC)", format="%a %-d %b %Y"),
        alt.Tooltip("usd:Q", title="spent", format="$,.4~f"),
        alt.Tooltip("expected_usd:Q", title="expected", format="$,.4~f"),
        alt.Tooltip("low_usd:Q", title="usual from", format="$,.4~f"),
        alt.Tooltip("high_usd:Q", title="usual to", format="$,.4~f"),
    ]
    known = frame.drop_nulls("expected_usd")
    # Weekdays differ by themselves: steps say that each day has an expectation of its own.
    band = (
        alt.Chart(known, name="expected_range")
        .mark_area(opacity=0.2, interpolate="step")
        .encode(x=x, y=alt.Y("low_usd:Q", axis=axis), y2="high_usd:Q")
    )
    middle = (
        alt.Chart(known, name="expected_line")
        .mark_line(interpolate="step", strokeDash=[4, 3], opacity=0.7)
        .encode(x=x, y=alt.Y("expected_usd:Q", axis=axis))
    )
    spent = (
        alt.Chart(frame, name="expected_actual")
        .mark_line(strokeWidth=1.75, point=alt.OverlayMarkDef(size=18))
        .encode(x=x, y=alt.Y("usd:Q", axis=axis), tooltip=tips)
    )
    flagged = (
        alt.Chart(frame.filter("flagged"), name="expected_flagged")
        .mark_point(size=110, strokeWidth=2, filled=False)
        .encode(x=x, y=alt.Y("usd:Q", axis=axis), color=alt.Color("kind:N", legend=None), tooltip=tips)
        .transform_calculate(kind="datum.usd > datum.expected_usd ? 'more than usual' : 'less than usual'")
    )
    # A layer without a mark would be a picture without a name to a screen reader.
    return layers(band, middle, spent, *([flagged] if frame["flagged"].any() else []))


def _words(frame: pl.DataFrame) -> str:
    flagged = frame.filter("flagged").with_columns(off=pl.col("usd") - pl.col("expected_usd"))
    first, last = frame["day"].min(), frame["day"].max()
    sentence = f"Spend by day from {day(first)} to {day(last)} (UTC) against what was to be expected. "  # type: ignore[arg-type]
    if flagged.is_empty():
        return f"{sentence}No day was unusual."
    largest = flagged.sort(pl.col("off").abs(), descending=True).head(_NAMED).sort("day")
    named = [
        f"{day(row['day'])} ({usd(row['usd'])} instead of {usd(row['expected_usd'])})"
        for row in largest.iter_rows(named=True)
    ]
    more = "; the largest are" if flagged.height > _NAMED else ":"
    return f"{sentence}{count(flagged.height, 'day was', 'days were')} unusual{more} {listing(named)}."
