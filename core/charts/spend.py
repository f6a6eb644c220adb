"""Spend by day, stacked by class."""

import altair as alt
import polars as pl

from core.charts.figure import DAY_AXIS, Figure, clicked, dimmed, figure, legend, nothing, pick
from core.charts.series import by_class, by_week
from core.wording import day, listing, percent, usd


def spend(frame: pl.DataFrame) -> Figure:
    """Dollars a day (a week over many months) by class, from rows of `unit_cost_day`.

    A click gives the `date` of a bar: a day, or the Monday of a week.
    """
    if frame.is_empty():
        return nothing("No spend yet: it appears with the first results. Send a job, or load the demo.")
    series = by_class(frame).select(
        "day", "class_name", "cost_usd", "attempts", pl.col("day").dt.to_string().alias("date")
    )
    every = "week" if by_week(frame) else "day"
    chosen = pick("spend_class", "class_name")
    chart = (
        alt.Chart(series, name="spend")
        .mark_bar()
        .encode(
            x=alt.X("day:T", axis=DAY_AXIS, timeUnit="yearweek" if every == "week" else "yearmonthdate"),
            y=alt.Y("cost_usd:Q", stack="zero", axis=alt.Axis(title=f"USD per {every}", format="$,~r")),
            color=alt.Color("class_name:N", legend=legend()),
            opacity=dimmed(chosen),
            tooltip=[
                alt.Tooltip("class_name:N", title="class"),
                alt.Tooltip("day:T", title=f"{every} (UTC)", format="%-d %b %Y"),
                alt.Tooltip("cost_usd:Q", title="USD", format="$,.2f"),
                alt.Tooltip("attempts:Q", title="attempts", format=","),
            ],
        )
        .add_params(chosen, clicked("date"))
    )
    return figure(chart, _words(series, every))


def _words(series: pl.DataFrame, every: str) -> str:
    total = float(series["cost_usd"].sum())
    first, last = series["day"].min(), series["day"].max()
    days = series.group_by("day").agg(pl.col("cost_usd").sum()).sort(["cost_usd", "day"], descending=[True, False])
    top = days.row(0, named=True)
    classes = (
        series.group_by("class_name")
        .agg(pl.col("cost_usd").sum())
        .sort(["cost_usd", "class_name"], descending=[True, False])
    )
    shares = [
        f"{row['class_name']} {usd(row['cost_usd'])} ({percent(row['cost_usd'] / total) if total else '0 %'})"
        for row in classes.iter_rows(named=True)
    ]
    return (
        f"Spend per {every} by class from {day(first)} to {day(last)} (UTC): {usd(total)} in all. "  # type: ignore[arg-type]
        f"Highest {every}: {day(top['day'])} with {usd(top['cost_usd'])}. By class: {listing(shares)}."
    )
