"""Cost per unit of a few rows side by side: each with the range of it, and with how steady it was."""

import altair as alt
import polars as pl

from core.charts.figure import DIGITS, FITTING_LABEL, Figure, layers, legend, log_ticks, nothing
from core.wording import count, usd

ROWS = 12
"""Rows drawn at most: those that cost most."""
PER = 1_000
_ROW = 34
_AROUND = 70
_WORDS = ("steady", "moving", "too little data")


def unit_bands(frame: pl.DataFrame) -> Figure:
    """Cost per 1,000 units on a logarithmic axis, with the range that holds it nine times in ten.

    `frame`: name, unit (null for usable items), cost_usd, unit_cost_usd, low, high, and word (how steady it was:
    steady, moving, too little data). Rows without a known cost per unit are left out.
    """
    known = frame.filter(pl.col("unit_cost_usd") > 0).sort("cost_usd", descending=True).head(ROWS)
    if known.is_empty():
        return nothing("No cost per unit is known here yet. Choose other days, or wait for the first results.")
    rows = known.select(
        row=pl.when(pl.col("unit").is_null()).then("name").otherwise(pl.format("{}, per {}", "name", "unit")),
        word="word",
        cost=(pl.col("unit_cost_usd").cast(pl.Float64) * PER).round_sig_figs(DIGITS),
        low=(pl.col("low") * PER).round_sig_figs(DIGITS),
        high=(pl.col("high") * PER).round_sig_figs(DIGITS),
    )
    # A range that begins at nothing has no place on this axis: it is drawn from its left end on.
    least = float(rows["cost"].min()) / 3  # type: ignore[arg-type]
    rows = rows.with_columns(low_drawn=pl.max_horizontal("low", pl.lit(least)))
    top = max(rows["high"].drop_nulls().to_list() + rows["cost"].to_list())
    scale = alt.Scale(type="log", nice=False, domain=[least, top * 1.3])
    axis = alt.Axis(title=f"USD per {PER:,} units", format="$,~r", values=log_ticks(least, top), labelOverlap=True)
    y = alt.Y(
        "row:N",
        sort=rows["row"].to_list(),
        axis=alt.Axis(title=None, grid=False, labelLimit=FITTING_LABEL),
    )
    shown = [word for word in _WORDS if word in rows["word"]]
    colour = alt.Color("word:N", sort=shown, legend=legend(only=shown), scale=alt.Scale(domain=list(_WORDS)))
    tooltip = [
        alt.Tooltip("row:N", title="what"),
        alt.Tooltip("cost:Q", title=f"USD per {PER:,}", format="$,.4~r"),
        alt.Tooltip("low:Q", title="at least", format="$,.4~r"),
        alt.Tooltip("high:Q", title="at most", format="$,.4~r"),
        alt.Tooltip("word:N", title="week by week"),
    ]
    bands = (
        alt.Chart(rows.filter(pl.col("low").is_not_null()), name="ranges")
        .mark_bar(opacity=0.4, height=12, cornerRadius=3)
        .encode(x=alt.X("low_drawn:Q", axis=axis, scale=scale), x2="high:Q", y=y, color=colour, tooltip=tooltip)
    )
    dots = (
        alt.Chart(rows, name="costs")
        .mark_point(filled=True, size=90, opacity=1)
        .encode(
            x=alt.X("cost:Q", axis=axis, scale=scale),
            y=y,
            color=colour,
            shape=alt.Shape("word:N", sort=shown, legend=None, scale=alt.Scale(domain=list(_WORDS))),
            tooltip=tooltip,
        )
    )
    text = _words(rows)
    height = _ROW * rows.height + _AROUND
    return Figure(chart=layers(bands, dots).properties(width="container", height=height, description=text), alt=text)


def _words(rows: pl.DataFrame) -> str:
    first = rows.row(0, named=True)
    between = "" if first["low"] is None else f" (between {usd(first['low'])} and {usd(first['high'])})"
    steady = rows["word"].to_list().count("steady")
    return (
        f"Cost per {PER:,} units of {count(rows.height, 'row')}, the dearest in all first: {first['row']} "
        f"{usd(first['cost'])}{between}. Steady from week to week: {steady}."
    )
