"""Why an amount moved: a bar for each part of the difference, what made it dearer to the right."""

import altair as alt
import polars as pl

from core.charts.figure import Figure, figure, layers, legend, nothing
from core.wording import listing, usd

_DEARER, _CHEAPER = "made it dearer", "made it cheaper"
# Orange and green of the palette by their order; the blanks pass over blue and what follows.
_HUES = ["", _DEARER, _CHEAPER]
_ROOM = 0.24
"""Beside the longest bars, for their amounts, as a share of the whole width."""


def attribution(frame: pl.DataFrame) -> Figure:
    """Dollars of a difference by what they come from. `frame`: `part`, in words, and `usd`; parts sum to the whole."""
    rows = (
        frame.select("part", pl.col("usd").cast(pl.Float64))
        .filter(pl.col("usd") != 0)
        .with_columns(
            kind=pl.when(pl.col("usd") > 0).then(pl.lit(_DEARER)).otherwise(pl.lit(_CHEAPER)),
            label=pl.col("usd").map_elements(_signed, return_dtype=pl.String),
        )
        .sort(pl.col("usd").abs(), "part", descending=[True, False])
    )
    if rows.is_empty():
        return nothing("Nothing moved between these periods. Choose other days, or fewer filters.")
    order = rows["part"].to_list()
    kinds = [kind for kind in (_DEARER, _CHEAPER) if kind in set(rows["kind"])]
    least, most = rows.select(
        pl.min_horizontal(pl.col("usd").min(), 0), most=pl.max_horizontal(pl.col("usd").max(), 0)
    ).row(0)
    room = _ROOM * (most - least)
    y = alt.Y("part:N", sort=order, axis=alt.Axis(title=None, labelLimit=150, ticks=False, grid=False))
    x = alt.X(
        "usd:Q",
        scale=alt.Scale(domain=[least - room if least else 0, most + room if most else 0], nice=False),
        axis=alt.Axis(title="USD of the difference", format="$,~r", tickCount=5, labelOverlap=True),
    )
    base = alt.Chart(rows).encode(x=x, y=y)
    bars = (
        base.mark_bar()
        .encode(
            color=alt.Color("kind:N", scale=alt.Scale(domain=_HUES), legend=legend(only=kinds)),
            tooltip=[
                alt.Tooltip("part:N", title="part"),
                alt.Tooltip("usd:Q", title="USD", format="+$,.4~f"),
            ],
        )
        .properties(name="attribution")
    )
    # In the colour of their bars: text has none of its own that is read in both themes.
    named = base.encode(text="label:N", color=alt.Color("kind:N", scale=alt.Scale(domain=_HUES), legend=None))
    right = named.mark_text(align="left", dx=4).transform_filter("datum.usd > 0")
    left = named.mark_text(align="right", dx=-4).transform_filter("datum.usd < 0")
    return figure(layers(bars, right, left), _words(rows))


def _signed(amount: float) -> str:
    return f"{'+' if amount > 0 else '-'}{usd(abs(amount))}"


def _words(rows: pl.DataFrame) -> str:
    parts = [f"{row['part']} {row['label']}" for row in rows.iter_rows(named=True)]
    return f"The difference of {_signed(float(rows['usd'].sum()))} by what it comes from: {listing(parts)}."
