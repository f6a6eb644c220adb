"""The week of recurring work: what comes in hour by hour, and when it is sent."""

import altair as alt
import polars as pl

from core.charts.figure import Figure, figure, layers, legend, nothing
from core.wording import count, listing

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_FULL_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_CAME, _SENT = "coming in, an hour", "sent"
_HOURS = 24
# More sends than that are a carpet: they get marks, and no lines.
_LINES = 30
_LISTED = 7


def week_cadence(frame: pl.DataFrame, zone: str) -> Figure:
    """Items coming in and items sent, hour by hour from Monday 00:00 on clocks of `zone`.

    `frame`: 168 rows of `came` and `sent`, items of a mean week in that hour.
    """
    if frame.is_empty() or not frame["came"].sum():
        return nothing("Nothing came in lately. Import request files, or state how many items come in a day.")
    week = frame.select(
        pl.int_range(pl.len()).alias("hour"),
        pl.col("came", "sent").cast(pl.Float64),
    ).with_columns(
        day=(pl.col("hour") // _HOURS).replace_strict(dict(enumerate(_FULL_DAYS)), return_dtype=pl.String),
        clock=pl.format("{}:00", (pl.col("hour") % _HOURS).cast(pl.String).str.zfill(2)),
    )
    sends = week.filter(pl.col("sent") > 0).with_columns(end=pl.col("hour") + 0.5, series=pl.lit(_SENT))
    return figure(layers(_came(week, zone), *_sent(sends, week["came"].to_numpy().max())), _words(week, sends, zone))


def _axis(zone: str) -> alt.Axis:
    names = ", ".join(f"'{day}'" for day in _DAYS)
    return alt.Axis(
        title=f"hour of the week ({zone})",
        values=[day * _HOURS for day in range(len(_DAYS))],
        labelExpr=f"[{names}][datum.value / {_HOURS}]",
        labelAlign="left",
        grid=True,
    )


def _came(week: pl.DataFrame, zone: str) -> alt.Chart:
    chart: alt.Chart = (
        alt.Chart(week.with_columns(end=pl.col("hour") + 1, series=pl.lit(_CAME)), name="week-came")
        .mark_rect(opacity=0.75)
        .encode(
            x=alt.X("hour:Q", axis=_axis(zone), scale=alt.Scale(domain=[0, len(_DAYS) * _HOURS], nice=False)),
            x2="end:Q",
            y=alt.Y("came:Q", axis=alt.Axis(title="items coming in, an hour", format="~s", tickCount=5)),
            y2=alt.datum(0),
            color=alt.Color("series:N", sort=[_CAME, _SENT], legend=legend()),
            tooltip=[
                alt.Tooltip("day:N"),
                alt.Tooltip("clock:N", title="from"),
                alt.Tooltip("came:Q", title="items coming in", format=",.1f"),
            ],
        )
    )
    return chart


def _sent(sends: pl.DataFrame, top: float) -> list[alt.Chart]:
    """A triangle over every hour with a send, as large as what it sends; with a line down where there are few."""
    marks = alt.Chart(sends.with_columns(top=pl.lit(top * 1.08)))
    shared = {
        "x": alt.X("end:Q"),
        "color": alt.Color("series:N"),
        "tooltip": [
            alt.Tooltip("day:N"),
            alt.Tooltip("clock:N", title="from"),
            alt.Tooltip("sent:Q", title="items sent", format=",.0f"),
        ],
    }
    triangles = (
        marks.mark_point(shape="triangle-down", filled=True, opacity=1)
        .encode(y=alt.Y("top:Q"), size=alt.Size("sent:Q", scale=alt.Scale(range=[30, 220]), legend=None), **shared)
        .properties(name="week-sends")
    )
    if sends.height > _LINES:
        return [triangles]
    lines = marks.mark_rule(strokeWidth=2).encode(y=alt.Y("top:Q"), y2=alt.datum(0), **shared)
    return [lines.properties(name="week-lines"), triangles]


def _words(week: pl.DataFrame, sends: pl.DataFrame, zone: str) -> str:
    total = round(float(week["came"].sum()))
    busiest = week.group_by("day", maintain_order=True).agg(pl.col("came").sum()).sort("came", descending=True)
    moments = [
        f"{row['day']} {row['clock']} ({round(row['sent']):,})" for row in sends.head(_LISTED).iter_rows(named=True)
    ]
    more = f" and {sends.height - _LISTED} more" if sends.height > _LISTED else ""
    told = f"{listing(moments)}{more}" if moments and not more else f"{', '.join(moments)}{more}"
    return (
        f"About {count(total, 'item')} come in a week, most on {busiest['day'][0]}. They are sent in "
        f"{count(sends.height, 'hour')} of the week: {told} (items sent; times of {zone})."
    )
