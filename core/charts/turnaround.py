"""How long jobs take, by their size."""

from datetime import timedelta

import altair as alt
import polars as pl

from core.charts.figure import DIGITS, Figure, clicked, dimmed, figure, layers, legend, log_ticks, nothing, pick
from core.wording import count

JOBS = 400
"""Newest jobs drawn."""

_WINDOW_HOURS = 24
_LOG = alt.Scale(type="log", nice=False, padding=8)


def turnaround(frame: pl.DataFrame, *, window: timedelta | None = None) -> Figure:
    """One dot a job: items against hours from accepted to ended, from rows of `job_status`.

    `window` draws the time that a downstream step leaves. A click gives a `job_id`.
    """
    jobs = (
        frame.filter(pl.col("ended_at").is_not_null(), pl.col("ended_at") > pl.col("submitted_at"))
        .sort("submitted_at", "job_id", descending=True)
        .head(JOBS)
        .select(
            "job_id",
            pl.col("class_name").fill_null("Several classes"),
            "model",
            "role",
            "item_count",
            "submitted_at",
            ((pl.col("ended_at") - pl.col("submitted_at")).dt.total_microseconds() / 3_600_000_000)
            .round_sig_figs(DIGITS)
            .alias("hours"),
        )
    )
    if jobs.is_empty():
        return nothing("No job has ended yet, so there is no turnaround to show. Send a job, or load the demo.")
    chosen = pick("turnaround_role", "role")
    items = alt.X("item_count:Q", scale=_LOG, axis=_axis("items in the job", jobs["item_count"]))
    hours = alt.Y("hours:Q", scale=_LOG, axis=_axis("turnaround, hours", jobs["hours"]))
    dots = (
        alt.Chart(jobs, name="turnaround")
        .mark_circle(size=36)
        .encode(
            x=items,
            y=hours,
            color=alt.Color("role:N", legend=legend("role")),
            opacity=dimmed(chosen, 0.6),
            tooltip=[
                alt.Tooltip("job_id:N", title="job"),
                alt.Tooltip("class_name:N", title="class"),
                alt.Tooltip("model:N", title="model"),
                alt.Tooltip("role:N", title="role"),
                alt.Tooltip("item_count:Q", title="items", format=","),
                alt.Tooltip("hours:Q", title="hours", format=",.2f"),
                alt.Tooltip("submitted_at:T", title="sent (your time)", format="%-d %b %Y %H:%M"),
            ],
        )
        .add_params(chosen, clicked("job_id"))
    )
    if window is None:
        return figure(dots, _words(jobs, None))
    limit = window.total_seconds() / 3600
    line = pl.DataFrame({"item_count": jobs.select(pl.col("item_count").min(), top=pl.col("item_count").max()).row(0)})
    edge = (
        alt.Chart(line.with_columns(pl.lit(limit).alias("hours"))).mark_line(strokeDash=[4, 4]).encode(x=items, y=hours)
    )
    return figure(layers(dots, edge), _words(jobs, limit))


def _axis(title: str, values: pl.Series) -> alt.Axis:
    low, high = (float(values.quantile(share) or 1) for share in (0, 1))
    return alt.Axis(title=f"{title} (log)", format=",~r", values=log_ticks(low, high))


def _words(jobs: pl.DataFrame, limit: float | None) -> str:
    hours = jobs["hours"]
    middle, slow, slowest = (float(hours.quantile(share) or 0) for share in (0.5, 0.95, 1))
    least, most = jobs.select(pl.col("item_count").min(), top=pl.col("item_count").max()).row(0)
    full = int((hours >= _WINDOW_HOURS).sum())
    text = (
        f"Turnaround of the newest {count(jobs.height, 'job')} of {least:,} to {most:,} items: half ended "
        f"within {_time(middle)}, 95 % within {_time(slow)}, the slowest took {_time(slowest)}. "
        f"{count(full, 'job')} ran into the 24-hour limit."
    )
    if limit is None:
        return text
    late = int((hours > limit).sum())
    return f"{text} {count(late, 'job')} took longer than the window of {_time(limit)}."


def _time(hours: float) -> str:
    return f"{hours * 60:.0f} min" if hours < 1 else f"{hours:.1f} h"
