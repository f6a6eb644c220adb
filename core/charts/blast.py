"""What is at stake in one job, by its size: dollars that a fault would void, and the hours to do them again."""

from typing import Literal

import altair as alt
import polars as pl

from core.charts.figure import DIGITS, Figure, layers, log_ticks, nothing
from core.charts.size_costs import INK, SIZE_HUES, size_axis, size_colour
from core.wording import count, usd

SMALL = 200
"""Height of the charts beside the costs."""
Y_EXTENT = 44
"""Their labels have the same room, so that a size is at the same place in all of them."""
_MEASURES = {"at_risk_usd": "USD at risk (log)", "at_risk_hours": "hours to redo (log)"}
# Within such a factor of what is drawn, a limit belongs into the picture; beyond it would squeeze the curve.
_NEAR = 10


def blast(
    curve: pl.DataFrame, *, measure: Literal["at_risk_usd", "at_risk_hours"], items: int, limit: float | None
) -> Figure:
    """A line over the size of the job, the recommended size, and what one job may put at risk.

    `curve`: items and the measure, in USD or hours, from small to large; `limit` in the same unit, None where there is
    none.
    """
    known = curve.drop_nulls(measure).filter(pl.col(measure) > 0)
    if known.is_empty():
        return nothing("What one job puts at risk is not known: its model has no price.")
    usd_wise = measure == "at_risk_usd"
    first, last = int(known["items"][0]), int(known["items"][-1])
    lowest, highest = float(known[measure][0]), float(known[measure][-1])
    shown = limit is not None and limit < highest * _NEAR
    ends = (min(lowest, highest), max(lowest, highest, limit if shown and limit is not None else 0.0))
    x = size_axis((first, last), title=None)
    y = alt.Y(
        f"{measure}:Q",
        scale=alt.Scale(type="log", domain=[ends[0], ends[1] * 1.3], nice=False),
        axis=alt.Axis(
            title=_MEASURES[measure],
            format="$,~r" if usd_wise else "~r",
            values=log_ticks(*ends),
            labelOverlap=True,
            minExtent=Y_EXTENT,
        ),
    )
    rows = known.select("items", pl.col(measure).round_sig_figs(DIGITS), part=pl.lit(SIZE_HUES[0]))
    line = (
        alt.Chart(rows, name=measure)
        .mark_line(strokeWidth=2.5)
        .encode(
            x=x,
            y=y,
            color=size_colour(),
            tooltip=[
                alt.Tooltip("items:Q", title="items in the job", format=","),
                alt.Tooltip(f"{measure}:Q", title=_MEASURES[measure], format="$,.4~r" if usd_wise else ",.2~r"),
            ],
        )
    )
    parts = [line, size_line(items, x)]
    if shown:
        parts += level_line(measure, limit or 0.0, "affordable", y, left=first, above=True)
    text = _words(known, measure=measure, items=items, limit=limit)
    chart = layers(*parts).properties(width="container", height=SMALL, description=text)
    return Figure(chart=chart, alt=text)


def size_line(items: int, x: alt.X) -> alt.Chart:
    """The recommended size, upright."""
    rows = pl.DataFrame({"items": [items]})
    line: alt.Chart = alt.Chart(rows, name="recommended").mark_rule(strokeWidth=2).encode(x=x, color=INK)
    return line


def level_line(field: str, value: float, name: str, y: alt.Y, *, left: int, above: bool) -> list[alt.Chart]:
    """A level that is not to be crossed, lying, with its name above or below its beginning."""
    base = alt.Chart(pl.DataFrame({field: [value], "items": [left], "name": [name]}), name=f"{field}_level")
    words = alt.Chart(pl.DataFrame({field: [value], "items": [left], "name": [name]}), name=f"{field}_name")
    return [
        base.mark_rule(strokeDash=[4, 3], strokeWidth=1.5).encode(y=y, color=INK),
        words.mark_text(
            align="left", baseline="bottom" if above else "top", dx=4, dy=-3 if above else 3, fontSize=12
        ).encode(x=alt.X("items:Q"), y=y, text="name:N", color=INK),
    ]


def _words(curve: pl.DataFrame, *, measure: str, items: int, limit: float | None) -> str:
    value = float(curve[measure][(curve["items"] - items).abs().arg_min() or 0])
    least, most = float(curve[measure][0]), float(curve[measure][-1])
    if measure == "at_risk_usd":
        text = (
            f"A fault that voids a job of {count(items, 'item')} costs up to {usd(value)}; from {usd(least)} to "
            f"{usd(most)} over the sizes drawn."
        )
        return text if limit is None else f"{text} Affordable is {usd(limit)}."
    text = (
        f"Doing a job of {count(items, 'item')} again takes up to {value:.1f} hours; from {least:.1f} to {most:.1f} "
        "over the sizes drawn."
    )
    return text if limit is None else f"{text} Affordable are {limit:.1f} hours."
