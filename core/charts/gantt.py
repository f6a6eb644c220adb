"""When each job goes and when its results are there: one row a class, time from left to right."""

from datetime import UTC, datetime, timedelta

import altair as alt
import polars as pl

from core.charts.figure import FITTING_LABEL, MARKS, Figure, layers, legend, nothing
from core.wording import count

LANES = 24
"""Rows drawn on their own; what is beyond them is one row."""
SPANS = ("primer", "body", "repair", "allowance for one repair")
_HUES = [SPANS[0], SPANS[1], SPANS[3], SPANS[2], "ink", " "]
_INK = alt.ColorDatum("ink")
_ROW = 26
_ROOM = 0.02
# A deadline further off than so many times the plan is told, not drawn.
_FAR = 4
_FRAME = 130
_TOGETHER = ("lane", "part")
# Where there are too many bars, those closer than such a part of the whole time become one.
_RUNS = 12


def gantt(spans: pl.DataFrame, *, deadline: datetime | None) -> Figure:
    """Bars from send time to when results are there, the deadline as a line.

    `spans`: lane (the name of its row), part (one of `SPANS`), begins, ends, jobs, items; bars of one part that
    overlap in a row are one. `deadline`: of the whole plan, None where none is given.
    """
    if spans.is_empty():
        return nothing("No job is planned, so there is no schedule. Import request files first.")
    rows = _together(_lanes(spans))
    if rows.height > MARKS // 2:
        first, last = _ends(rows)
        rows = _together(rows, gap=(last - first) / _RUNS)
    order = rows.group_by("lane").agg(pl.col("begins").min(), later=(pl.col("part") != SPANS[0]).all())
    lanes = order.sort("begins", "later", "lane")["lane"].to_list()
    y = alt.Y("lane:N", sort=lanes, axis=alt.Axis(title=None, labelLimit=FITTING_LABEL))
    first, last = _ends(rows)
    near = deadline is not None and deadline - first <= _FAR * (last - first)
    end = max(last, deadline) if near and deadline is not None else last
    x = alt.X(
        "begins:T",
        scale=alt.Scale(domain=[_utc(first), _utc(end + (end - first) * _ROOM)], nice=False),
        axis=alt.Axis(title="your time", format=_ticks(end - first), tickCount=6, labelOverlap=True),
    )
    colour = alt.Color(
        "part:N",
        scale=alt.Scale(domain=_HUES),
        legend=legend(only=[part for part in SPANS if part in set(rows["part"])]),
    )
    bars = (
        alt.Chart(rows, name="spans")
        .mark_bar(height=14, cornerRadius=2)
        .encode(
            x=x,
            x2="ends:T",
            y=y,
            color=colour,
            opacity=alt.when(alt.datum.part == SPANS[3]).then(alt.value(0.45)).otherwise(alt.value(1.0)),
            tooltip=[
                alt.Tooltip("lane:N", title="class"),
                alt.Tooltip("part:N", title="part"),
                alt.Tooltip("jobs:Q", title="jobs", format=","),
                alt.Tooltip("items:Q", title="items", format=","),
                alt.Tooltip("begins:T", title="from (your time)", format="%-d %b %H:%M"),
                alt.Tooltip("ends:T", title="to (your time)", format="%-d %b %H:%M"),
            ],
        )
    )
    parts = [bars]
    if deadline is not None:
        parts += _deadline(deadline, x, drawn=near, early=deadline - first < (end - first) / 2)
    text = _words(rows, deadline)
    chart = layers(*parts).properties(width="container", height=_FRAME + _ROW * len(lanes), description=text)
    return Figure(chart=chart, alt=text)


def _deadline(deadline: datetime, x: alt.X, *, drawn: bool, early: bool) -> list[alt.Chart]:
    """The deadline as a line; where it is far off, only its words at the edge, so that the bars stay readable."""
    at = pl.DataFrame({"begins": [deadline], "deadline": [deadline]})
    words = alt.Chart(at, name="deadline_name").mark_text(
        align="left" if drawn and early else "right", baseline="bottom", dx=0, dy=-4, fontSize=12, fontWeight=600
    )
    place = x if drawn else alt.value("width")
    named = words.encode(
        x=place,
        y=alt.value(0),
        text=alt.Text("deadline:T", format="deadline %a %-d %b %H:%M" if drawn else "deadline %a %-d %b %H:%M →"),
        color=_INK,
    )
    line = alt.Chart(at, name="deadline").mark_rule(strokeDash=[4, 3], strokeWidth=2).encode(x=x, color=_INK)
    return [named, line] if drawn else [named]


def _ticks(time: timedelta) -> str:
    """How times are written on an axis of such a length."""
    if time < timedelta(minutes=10):
        return "%H:%M:%S"
    return "%a %H:%M" if time < timedelta(days=4) else "%a %-d %b"


def _utc(moment: datetime) -> alt.DateTime:
    """A moment as the domain of an axis takes it."""
    at = moment.astimezone(UTC)
    clock = {"hours": at.hour, "minutes": at.minute, "seconds": at.second, "milliseconds": at.microsecond // 1_000}
    return alt.DateTime(year=at.year, month=at.month, date=at.day, utc=True, **clock)


def _lanes(spans: pl.DataFrame) -> pl.DataFrame:
    """The lanes with the most items on their own, all others as one."""
    sizes = spans.group_by("lane").agg(pl.col("items").max())
    order = sizes.sort(["items", "lane"], descending=[True, False])["lane"]
    if len(order) <= LANES + 1:
        return spans
    kept = pl.col("lane").is_in(order.head(LANES).to_list())
    return spans.with_columns(lane=pl.when(kept).then("lane").otherwise(pl.lit(f"{len(order) - LANES} other classes")))


def _together(spans: pl.DataFrame, *, gap: timedelta = timedelta(0)) -> pl.DataFrame:
    """Bars of one part that overlap or touch in a row, or are no further apart than `gap`, as one bar."""
    ordered = spans.sort(*_TOGETHER, "begins", "ends")
    until = pl.col("ends").cum_max().shift(1).over(_TOGETHER)
    run = (pl.col("begins") > until + gap).fill_null(value=True).cum_sum()
    return (
        ordered.with_columns(run=run)
        .group_by(*_TOGETHER, "run", maintain_order=True)
        .agg(pl.col("begins").min(), pl.col("ends").max(), pl.col("jobs", "items").sum())
        .drop("run")
    )


def _ends(rows: pl.DataFrame) -> tuple[datetime, datetime]:
    first, last = rows.select(pl.col("begins").min(), pl.col("ends").max()).row(0)
    return first, last


def _words(rows: pl.DataFrame, deadline: datetime | None) -> str:
    real = rows.filter(pl.col("part") != SPANS[3])
    first, last = _ends(rows)
    jobs, lanes = count(int(real["jobs"].sum()), "job"), count(rows["lane"].n_unique(), "row")
    text = (
        f"Schedule of {jobs} in {lanes}: the first goes at {first:%-d %b %Y %H:%M} UTC, the last results are there by "
        f"{last:%-d %b %Y %H:%M} UTC, one repair included."
    )
    if deadline is None:
        return f"{text} No deadline is given."
    return f"{text} The deadline is {deadline:%-d %b %Y %H:%M} UTC."
