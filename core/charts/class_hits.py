"""What caching did for one class: the hit rate that each job was planned with, beside the one that it had."""

import altair as alt
import polars as pl

from core.charts.figure import Figure, layers, legend, nothing
from core.wording import count, percent

_ACTUAL = "actual"
_HEIGHT = 330
_SHOWN_JOBS = 200


def class_hits(frame: pl.DataFrame) -> Figure:
    """A dot a job for what was measured, a tick for what was predicted, in the colour of what that rested on.

    From `class_jobs`: `job_id`, `submitted_at`, `hit_rate`, `predicted_hit_rate`, `prediction_basis`, `items`; jobs
    that neither wrote nor read, and primers, which can only write, are not drawn.
    """
    jobs = (
        frame.filter(pl.col("role") != "primer", pl.col("hit_rate").is_not_null())
        .sort("submitted_at", "job_id", descending=[True, False])
        .head(_SHOWN_JOBS)
    )
    if jobs.is_empty():
        return nothing("No job of this class has read from the cache or written to it yet.")
    actual = jobs.select("job_id", "submitted_at", "items", rate="hit_rate", figure=pl.lit(_ACTUAL))
    predicted = jobs.filter(pl.col("predicted_hit_rate").is_not_null()).select(
        "job_id",
        "submitted_at",
        "items",
        rate="predicted_hit_rate",
        figure=pl.format("predicted: {}", pl.col("prediction_basis").fill_null("estimated")),
    )
    kinds = [_ACTUAL, *sorted(predicted["figure"].unique())]
    x = alt.X("submitted_at:T", axis=alt.Axis(title="submitted", format="%-d %b", labelOverlap=True, grid=False))
    y = alt.Y(
        "rate:Q",
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(title="hit rate, by tokens", format="%", tickCount=5),
    )
    colour = alt.Color("figure:N", scale=alt.Scale(domain=kinds), legend=legend())
    tooltip = [
        alt.Tooltip("figure:N", title="figure"),
        alt.Tooltip("rate:Q", title="hit rate", format=".1%"),
        alt.Tooltip("job_id:N", title="job"),
        alt.Tooltip("items:Q", title="items", format=","),
        alt.Tooltip("submitted_at:T", title="submitted", format="%-d %b %Y"),
    ]
    ticks = (
        alt.Chart(predicted.with_columns(pl.col("rate").round(4)))
        .mark_tick(orient="horizontal", thickness=3, size=16)
        .encode(x=x, y=y, color=colour, tooltip=tooltip)
    )
    dots = (
        alt.Chart(actual.with_columns(pl.col("rate").round(4)))
        .mark_circle(size=45, opacity=0.9)
        .encode(x=x, y=y, color=colour, tooltip=tooltip)
    )
    text = _words(jobs)
    chart = layers(ticks, dots).properties(width="container", height=_HEIGHT, description=text)
    return Figure(chart=chart, alt=text)


def _words(jobs: pl.DataFrame) -> str:
    latest = jobs.row(0, named=True)
    both = jobs.drop_nulls("predicted_hit_rate")
    sentence = f"Hit rate of {count(jobs.height, 'job')} by tokens: {percent(latest['hit_rate'])} in the latest"
    if both.is_empty():
        return f"{sentence}; none had a prediction."
    off = float((both["hit_rate"] - both["predicted_hit_rate"]).abs().mean())  # type: ignore[arg-type]
    said = latest["predicted_hit_rate"]
    predicted = f", predicted {percent(said)}" if said is not None else ""
    return f"{sentence}{predicted}. Predictions were {off * 100:.0f} points off in the mean."
