"""What a scenario would have cost beside what the jobs did cost: ranges of a simulation, and the truth as a point."""

import altair as alt
import polars as pl

from core.charts.figure import DIGITS, Figure, figure, layers, legend, nothing
from core.wording import listing, usd

_PARTS = {"cost_usd": "cost in all", "items_usd": "billed", "fixed_usd": "fixed, of jobs", "rerun_usd": "of it, reruns"}
_WHAT = {"scenario": "this scenario", "baseline": "as it is, simulated", "actual": "what happened"}


def what_if(frame: pl.DataFrame) -> Figure:
    """Dollars by part of the cost, as bars from the 10th to the 90th percentile with the median.

    `frame`: what (scenario, baseline or actual), figure (a part of the cost), p10, p50, p90; of what happened there is
    no range, so all three are the same.
    """
    known = frame.filter(pl.col("figure").is_in(list(_PARTS)))
    if known.is_empty():
        return nothing("Nothing was simulated yet. Send a plan, or import request files, to have something to replay.")
    rows = known.select(
        pl.col("what").replace_strict(_WHAT),
        part=pl.col("figure").replace_strict(_PARTS),
        low=pl.col("p10").round_sig_figs(DIGITS),
        middle=pl.col("p50").round_sig_figs(DIGITS),
        high=pl.col("p90").round_sig_figs(DIGITS),
    )
    shown = [word for word in _WHAT.values() if word in rows["what"]]
    y = alt.Y("part:N", sort=list(_PARTS.values()), axis=alt.Axis(title=None, grid=False))
    offset = alt.YOffset("what:N", sort=shown)
    colour = alt.Color("what:N", sort=shown, legend=legend(), scale=alt.Scale(domain=shown))
    tooltip = [
        alt.Tooltip("part:N", title="part"),
        alt.Tooltip("what:N", title="what"),
        alt.Tooltip("low:Q", title="10th percentile, USD", format="$,.4~r"),
        alt.Tooltip("middle:Q", title="median, USD", format="$,.4~r"),
        alt.Tooltip("high:Q", title="90th percentile, USD", format="$,.4~r"),
    ]
    axis = alt.Axis(title="USD", format="$,~r", labelOverlap=True)
    bars = (
        alt.Chart(rows, name="ranges")
        .mark_bar(opacity=0.45, height=10, cornerRadius=3, minBandSize=4)
        .encode(
            x=alt.X("low:Q", axis=axis, scale=alt.Scale(zero=True)),
            x2="high:Q",
            y=y,
            yOffset=offset,
            color=colour,
            tooltip=tooltip,
        )
    )
    dots = (
        alt.Chart(rows, name="medians")
        .mark_point(filled=True, size=80, opacity=1)
        .encode(
            x=alt.X("middle:Q", axis=axis),
            y=y,
            yOffset=offset,
            color=colour,
            shape=alt.Shape("what:N", sort=shown, legend=None, scale=alt.Scale(domain=shown)),
            tooltip=tooltip,
        )
    )
    return figure(layers(bars, dots), _words(rows))


def _words(rows: pl.DataFrame) -> str:
    whole = rows.filter(part=_PARTS["cost_usd"])
    parts = [
        f"{what} {usd(middle)}" if low == high else f"{what} {usd(middle)} ({usd(low)} to {usd(high)})"
        for what, low, middle, high in whole.select("what", "low", "middle", "high").iter_rows()
    ]
    reruns = rows.filter(part=_PARTS["rerun_usd"]).select("what", "middle").iter_rows()
    spent = listing([f"{usd(middle)} ({what})" for what, middle in reruns])
    return f"Cost in all: {listing(parts)}; medians with the range of eight in ten draws. Of it for reruns: {spent}."
