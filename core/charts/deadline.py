"""How surely every result is there in time, by the size of the jobs."""

import altair as alt
import polars as pl

from core.charts.blast import SMALL, Y_EXTENT, level_line, size_line
from core.charts.figure import Figure, layers, nothing
from core.charts.size_costs import SIZE_HUES, size_axis, size_colour
from core.wording import count, percent


def deadline(curve: pl.DataFrame, *, items: int, confidence: float) -> Figure:
    """The probability over the size of the job, the recommended size, and the confidence that is asked for.

    `curve`: items and on_time (a share, null where no deadline is given), from small to large.
    """
    known = curve.drop_nulls("on_time")
    if known.is_empty():
        return nothing("No deadline is given. Say when the results are needed to see how surely they are there.")
    first, last = int(known["items"][0]), int(known["items"][-1])
    x = size_axis((first, last))
    y = alt.Y(
        "on_time:Q",
        scale=alt.Scale(domain=[0, 1.08], nice=False),
        axis=alt.Axis(title="on time", format="%", values=[0, 0.5, 1], minExtent=Y_EXTENT),
    )
    rows = known.select("items", pl.col("on_time").round(4), part=pl.lit(SIZE_HUES[0]))
    line = (
        alt.Chart(rows, name="on_time")
        .mark_line(strokeWidth=2.5)
        .encode(
            x=x,
            y=y,
            color=size_colour(),
            tooltip=[
                alt.Tooltip("items:Q", title="items in a job", format=","),
                alt.Tooltip("on_time:Q", title="chance to be on time", format=".1%"),
            ],
        )
    )
    text = _words(known, items=items, confidence=confidence)
    asked = level_line("on_time", confidence, f"asked for: {percent(confidence)}", y, left=first, above=False)
    chart = layers(line, size_line(items, x), *asked).properties(width="container", height=SMALL, description=text)
    return Figure(chart=chart, alt=text)


def _words(curve: pl.DataFrame, *, items: int, confidence: float) -> str:
    chance = float(curve["on_time"][(curve["items"] - items).abs().arg_min() or 0])
    enough = curve.filter(pl.col("on_time") >= confidence)
    text = (
        f"With jobs of {count(items, 'item')} every result is there in time with a chance of {percent(chance)}; "
        f"{percent(confidence)} is asked for. "
    )
    if enough.is_empty():
        return f"{text}No size drawn reaches that."
    if enough.height == curve.height:
        return f"{text}Every size drawn reaches that."
    low, high = enough.select(low=pl.col("items").min(), high=pl.col("items").max()).row(0)
    return f"{text}Sizes from {low:,} to {high:,} reach that."
