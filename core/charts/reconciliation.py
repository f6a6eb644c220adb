"""What the account reports and what the ledger has, day by day."""

import altair as alt
import polars as pl

from core.charts.figure import DAY_AXIS, Figure, figure, layers, legend, nothing
from core.wording import day, usd

REPORTED = "the account reports"
SERIES = ("Lotwise's ledger", "explained", "not explained")
"""What a day's bar is made of; together it is what the account reports, unless the ledger has more."""


def reconciliation(frame: pl.DataFrame) -> Figure:
    """Dollars a day, ledger and difference stacked, and a mark at what the account reports.

    `frame`: day, our_usd, explained_usd, unexplained_usd, reported_usd; the middle two are report less ledger.
    """
    if frame.is_empty() or not any(frame[name].cast(pl.Float64).abs().sum() for name in frame.columns[1:]):
        return nothing("Nothing to compare on these days. Read the reports, or choose days with work.")
    columns = dict(zip(SERIES, ("our_usd", "explained_usd", "unexplained_usd"), strict=True))
    drawn = frame.select("day", pl.all().exclude("day").cast(pl.Float64))
    bars = drawn.rename({column: name for name, column in columns.items()}).unpivot(
        on=list(SERIES), index=["day", "reported_usd"], variable_name="part", value_name="usd"
    )
    x = alt.X("day:T", axis=DAY_AXIS, timeUnit="yearmonthdate")
    stacked = (
        alt.Chart(bars, name="reconciliation")
        .mark_bar()
        .encode(
            x=x,
            y=alt.Y("usd:Q", stack="zero", axis=alt.Axis(title="USD per day", format="$,~r")),
            color=alt.Color("part:N", scale=alt.Scale(domain=[*SERIES, REPORTED]), legend=legend()),
            tooltip=[
                alt.Tooltip("day:T", title="day (UTC)", format="%-d %b %Y"),
                alt.Tooltip("part:N", title="part"),
                alt.Tooltip("usd:Q", title="USD", format="$,.4f"),
                alt.Tooltip("reported_usd:Q", title="the account reports, USD", format="$,.4f"),
            ],
        )
    )
    points = (
        alt.Chart(drawn, name="reconciliation_reported")
        .mark_point(shape="diamond", filled=True, size=60)
        .encode(
            x=alt.X("day:T", axis=DAY_AXIS, timeUnit="yearmonthdate", bandPosition=0.5),
            y=alt.Y("reported_usd:Q"),
            color=alt.ColorDatum(REPORTED),
            tooltip=[
                alt.Tooltip("day:T", title="day (UTC)", format="%-d %b %Y"),
                alt.Tooltip("reported_usd:Q", title="the account reports, USD", format="$,.4f"),
            ],
        )
    )
    return figure(layers(stacked, points), _words(drawn))


def _words(drawn: pl.DataFrame) -> str:
    reported, ours, explained, rest = (
        float(drawn[name].sum()) for name in ("reported_usd", "our_usd", "explained_usd", "unexplained_usd")
    )
    first, last = drawn["day"].min(), drawn["day"].max()
    return (
        f"By day from {day(first)} to {day(last)} (UTC), the account reports {usd(reported)} and the ledger has "  # type: ignore[arg-type]
        f"{usd(ours)}. Of the difference {usd(explained)} is explained and {usd(rest)} is not."
    )
