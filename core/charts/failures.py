"""What failed, by day and cause."""

import altair as alt
import polars as pl

from core.charts.figure import DAY_AXIS, MARKS, Figure, clicked, dimmed, figure, legend, nothing, pick
from core.charts.series import folded
from core.wording import count, day, listing, usd


def failures(frame: pl.DataFrame) -> Figure:
    """Attempts without a usable result by day and cause, from `failure_days`; a click gives the `date` of a bar."""
    if frame.is_empty():
        return nothing("No failed attempts in this time: nothing to rerun.")
    series = frame.with_columns(
        pl.col("cause").str.replace_all("_", " "), pl.col("cost_usd").cast(pl.Float64).fill_null(0)
    ).sort("day", "cause")
    if series.height > MARKS:
        week = pl.col("day").dt.truncate("1w")
        series = series.group_by(week, "cause").agg(pl.col("attempts", "cost_usd").sum()).sort("day", "cause")
    drawn = (
        series.with_columns(folded(series, "cause", pl.col("attempts").sum(), others="other causes"))
        .group_by("day", "cause")
        .agg(pl.col("attempts", "cost_usd").sum())
        .sort("day", "cause")
    )
    drawn = drawn.with_columns(pl.col("day").dt.to_string().alias("date"))
    chosen = pick("failure_cause", "cause")
    chart = (
        alt.Chart(drawn, name="failures")
        .mark_bar()
        .encode(
            x=alt.X("day:T", axis=DAY_AXIS, timeUnit="yearmonthdate"),
            y=alt.Y("attempts:Q", stack="zero", axis=alt.Axis(title="failed attempts", tickMinStep=1)),
            color=alt.Color("cause:N", legend=legend("cause")),
            opacity=dimmed(chosen),
            tooltip=[
                alt.Tooltip("cause:N", title="cause"),
                alt.Tooltip("day:T", title="day (UTC)", format="%-d %b %Y"),
                alt.Tooltip("attempts:Q", title="failed attempts", format=","),
                alt.Tooltip("cost_usd:Q", title="paid for them, USD", format="$,.4~f"),
            ],
        )
        .add_params(chosen, clicked("date"))
    )
    return figure(chart, _words(series))


def _words(series: pl.DataFrame) -> str:
    causes = (
        series.group_by("cause").agg(pl.col("attempts").sum()).sort(["attempts", "cause"], descending=[True, False])
    )
    worst = (
        series.group_by("day").agg(pl.col("attempts").sum()).sort(["attempts", "day"], descending=[True, False])
    ).row(0, named=True)
    first, last = series["day"].min(), series["day"].max()
    parts = [f"{row['cause']} {row['attempts']:,}" for row in causes.iter_rows(named=True)]
    return (
        f"{count(int(series['attempts'].sum()), 'failed attempt')} from {day(first)} to {day(last)} (UTC), "  # type: ignore[arg-type]
        f"{usd(float(series['cost_usd'].sum()))} paid for them. Worst day: {day(worst['day'])} with "
        f"{worst['attempts']:,}. By cause: {listing(parts)}."
    )
