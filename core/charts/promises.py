"""Savings that were taken up: what was promised of each beside what the ledger shows."""

import altair as alt
import polars as pl

from core.charts.figure import DIGITS, FITTING_LABEL, HEIGHT, Figure, layers, legend, nothing
from core.wording import count, usd

_SHOWN = 9
_ROW, _ROOM = 40, 120
_PROMISED, _REALISED = "promised", "realised"


def promises(frame: pl.DataFrame) -> Figure:
    """Dollars by saving: a bar for what was promised of the work done since, a dot and its range for what came.

    `frame`: name (what was taken up), promised_usd, realised_usd, low_usd and high_usd (null while it is too early to
    say); the newest first, of which so many are drawn as there are colours of series elsewhere.
    """
    known = frame.filter(pl.col("realised_usd").is_not_null()).head(_SHOWN)
    if known.is_empty():
        return nothing("Nothing that was taken up can be judged yet: five jobs on three days are the least.")
    rows = known.select(
        "name", pl.col("promised_usd", "realised_usd", "low_usd", "high_usd").cast(pl.Float64).round_sig_figs(DIGITS)
    )
    names, kinds = rows["name"].to_list(), [_PROMISED, _REALISED]
    y = alt.Y("name:N", sort=names, axis=alt.Axis(title=None, grid=False, labelLimit=FITTING_LABEL))
    axis = alt.Axis(title="USD", format="$,~r", labelOverlap=True, tickCount=5)
    colour = alt.Color("what:N", sort=kinds, legend=legend(), scale=alt.Scale(domain=kinds))
    tooltip = [
        alt.Tooltip("name:N", title="saving"),
        alt.Tooltip("promised_usd:Q", title="promised so far, USD", format="$,.4~r"),
        alt.Tooltip("realised_usd:Q", title="realised, USD", format="$,.4~r"),
        alt.Tooltip("low_usd:Q", title="at least (4 times of 5), USD", format="$,.4~r"),
        alt.Tooltip("high_usd:Q", title="at most, USD", format="$,.4~r"),
    ]
    bars = (
        alt.Chart(rows.with_columns(what=pl.lit(_PROMISED)), name="promised")
        .mark_bar(opacity=0.45, height=14, cornerRadius=3)
        .encode(x=alt.X("promised_usd:Q", axis=axis), y=y, color=colour, tooltip=tooltip)
    )
    realised = rows.with_columns(what=pl.lit(_REALISED))
    ranges = (
        alt.Chart(realised, name="ranges")
        .mark_rule(strokeWidth=2)
        .encode(x=alt.X("low_usd:Q", axis=axis), x2="high_usd:Q", y=y, color=colour, tooltip=tooltip)
    )
    dots = (
        alt.Chart(realised, name="realised")
        .mark_point(filled=True, size=80, opacity=1)
        .encode(x=alt.X("realised_usd:Q", axis=axis), y=y, color=colour, tooltip=tooltip)
    )
    text = _words(rows)
    height = min(HEIGHT, _ROOM + _ROW * rows.height)
    chart = layers(bars, ranges, dots).properties(width="container", height=height, description=text)
    return Figure(chart=chart, alt=text)


def _words(rows: pl.DataFrame) -> str:
    promised, realised = float(rows["promised_usd"].sum()), float(rows["realised_usd"].sum())
    short = rows.filter(pl.col("high_usd") < pl.col("promised_usd"))["name"].to_list()
    behind = f" Surely less than promised: {', '.join(short)}." if short else " None is surely less than promised."
    return (
        f"What {count(rows.height, 'saving')} came to: {usd(realised)} realised of {usd(promised)} promised so far."
        f"{behind}"
    )
