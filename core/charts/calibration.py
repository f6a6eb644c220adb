"""Calibration: whether what comes lies inside the predicted intervals as often as they promise."""

from typing import Any

import altair as alt
import polars as pl

from core.charts.figure import Figure, dimmed, figure, layers, legend, nothing, pick
from core.sizing.calibration import COVERAGE, MEASURES
from core.sizing.ledger import RECENT, coverage, summary
from core.wording import count, listing, percent

POINTS = 300
"""Points of one curve at most."""

_GOOD = (0.75, 0.85)
"""Between these shares an interval of four in five keeps its word, for so few predictions."""

_NAMES = dict(zip(MEASURES, ("cost", "turnaround", "hit rate"), strict=True))


def calibration(frame: pl.DataFrame) -> Figure:
    """One curve a measure: the share of the newest predictions that came out inside, from rows of the ledger."""
    curves = coverage(frame)
    if curves.is_empty():
        return nothing(
            "Too few predictions have come out to judge them. Submit a plan: each of its jobs is judged when its "
            "results are in."
        )
    drawn = pl.concat(
        rows.gather_every(-(-rows.height // POINTS), offset=(rows.height - 1) % -(-rows.height // POINTS))
        for _, rows in curves.group_by("measure", maintain_order=True)
    ).with_columns(pl.col("measure").replace(_NAMES).alias("series"), pl.col("inside", "bias").round(4))
    chosen = pick("calibration_measure", "series")
    scale = alt.Scale(domain=[0, 1])
    y: dict[str, Any] = {"axis": alt.Axis(title=f"came out inside, newest {RECENT}", format="%"), "scale": scale}
    band = (
        alt.Chart(pl.DataFrame({"low": [_GOOD[0]], "high": [_GOOD[1]]}))
        .mark_rect(opacity=0.12)
        .encode(y=alt.Y("low:Q", **y), y2="high:Q")
    )
    promised = (
        alt.Chart(pl.DataFrame({"promised": [COVERAGE]}))
        .mark_rule(strokeDash=[4, 4], opacity=0.6)
        .encode(y=alt.Y("promised:Q", **y))
    )
    lines = (
        alt.Chart(drawn)
        .mark_line(strokeWidth=2.5, interpolate="step-after", point=drawn["measure"].len() <= RECENT)
        .encode(
            x=alt.X(
                "known_at:T",
                axis=alt.Axis(title="when it was known (your time)", format="%-d %b", labelOverlap=True, grid=False),
            ),
            y=alt.Y("inside:Q", **y),
            color=alt.Color("series:N", legend=legend()),
            opacity=dimmed(chosen),
            tooltip=[
                alt.Tooltip("series:N", title="predicted"),
                alt.Tooltip("known_at:T", title="known (your time)", format="%-d %b %Y %H:%M"),
                alt.Tooltip("inside:Q", title="came out inside", format=".0%"),
                alt.Tooltip("bias:Q", title="typically off by", format="+.1%"),
                alt.Tooltip("jobs:Q", title="of so many jobs"),
            ],
        )
        .add_params(chosen)
    )
    return figure(layers(band, promised, lines), _words(frame))


def _words(frame: pl.DataFrame) -> str:
    found = summary(frame).with_columns(pl.col("measure").replace(_NAMES))
    parts = [
        f"{row['measure']} {percent(row['inside'])} of {count(row['jobs'], 'job')} (bias {row['bias']:+.1%})"
        for row in found.iter_rows(named=True)
    ]
    off = found.filter(~pl.col("inside").is_between(*_GOOD))["measure"].to_list()
    verdict = f"Outside {percent(_GOOD[0])} to {percent(_GOOD[1])}: {listing(off)}." if off else "All keep their word."
    return (
        f"Share of jobs that came out inside their predicted interval, which promises {percent(COVERAGE)}: "
        f"{listing(parts)}. {verdict}"
    )
