"""Predicted against actual cost: how far the plans can be trusted."""

import altair as alt
import polars as pl

from core.charts.figure import DIGITS, Figure, dimmed, figure, layers, legend, log_ticks, nothing, pick
from core.charts.series import folded
from core.wording import count, percent, usd

JOBS = 400
"""Newest jobs drawn; older ones say little about the plans of today."""

_CLOSE = 0.15


def predicted_actual(frame: pl.DataFrame) -> Figure:
    """One dot a job on equal axes, from rows of `job_status`; on the diagonal the prediction was right."""
    jobs = (
        frame.filter(pl.col("predicted_usd").is_not_null(), pl.col("cost_usd") > 0, pl.col("predicted_usd") > 0)
        .sort("submitted_at", "job_id", descending=True)
        .head(JOBS)
        .select(
            "job_id",
            pl.col("class_name").fill_null("Several classes"),
            "role",
            "submitted_at",
            "item_count",
            pl.col("predicted_usd", "cost_usd").cast(pl.Float64).round_sig_figs(DIGITS),
        )
        .with_columns((pl.col("cost_usd") / pl.col("predicted_usd") - 1).round(4).alias("off"))
    )
    if jobs.is_empty():
        return nothing(
            "No job with both a prediction and a cost yet. Send a plan: it is judged when its results are in."
        )
    drawn = jobs.with_columns(folded(jobs, "class_name", pl.len(), others="other classes").alias("series"))
    ends = [jobs.select(pl.min_horizontal("predicted_usd", "cost_usd").min()).item()]
    ends.append(jobs.select(pl.max_horizontal("predicted_usd", "cost_usd").max()).item())
    scale = alt.Scale(type="log", domain=ends, nice=False, padding=8)
    chosen = pick("prediction_class", "series")
    ticks = log_ticks(*ends)
    x = alt.X("predicted_usd:Q", scale=scale, axis=_axis("predicted", ticks))
    y = alt.Y("cost_usd:Q", scale=scale, axis=_axis("actual", ticks))
    dots = (
        alt.Chart(drawn, name="predictions")
        .mark_circle(size=36)
        .encode(
            x=x,
            y=y,
            color=alt.Color("series:N", legend=legend()),
            opacity=dimmed(chosen, 0.6),
            tooltip=[
                alt.Tooltip("job_id:N", title="job"),
                alt.Tooltip("class_name:N", title="class"),
                alt.Tooltip("role:N", title="role"),
                alt.Tooltip("item_count:Q", title="items", format=","),
                alt.Tooltip("predicted_usd:Q", title="predicted, USD", format="$,.4~r"),
                alt.Tooltip("cost_usd:Q", title="actual, USD", format="$,.4~r"),
                alt.Tooltip("off:Q", title="actual over predicted", format="+.0%"),
                alt.Tooltip("submitted_at:T", title="sent (your time)", format="%-d %b %Y %H:%M"),
            ],
        )
        .add_params(chosen)
    )
    diagonal = pl.DataFrame({"predicted_usd": ends, "cost_usd": ends})
    line = alt.Chart(diagonal).mark_line(strokeDash=[4, 4], opacity=0.6).encode(x=x, y=y)
    return figure(layers(line, dots), _words(jobs))


def _axis(name: str, ticks: list[float]) -> alt.Axis:
    return alt.Axis(title=f"{name}, USD (log)", format="$,~r", values=ticks)


def _words(jobs: pl.DataFrame) -> str:
    close = int((jobs["off"].abs() <= _CLOSE).sum())
    predicted, actual = float(jobs["predicted_usd"].sum()), float(jobs["cost_usd"].sum())
    classes = (
        jobs.group_by("class_name")
        .agg(pl.col("predicted_usd", "cost_usd").sum())
        .with_columns((pl.col("cost_usd") / pl.col("predicted_usd") - 1).alias("off"))
        .sort([pl.col("off").abs(), "class_name"], descending=[True, False])
    )
    worst = classes.row(0, named=True)
    return (
        f"Predicted against actual cost of the newest {count(jobs.height, 'job')}: "
        f"predicted {usd(predicted)}, actual {usd(actual)} ({actual / predicted - 1:+.0%}). "
        f"{percent(close / jobs.height)} of the jobs are within {percent(_CLOSE)} of their prediction. "
        f"Furthest off: {worst['class_name']} ({worst['off']:+.0%})."
    )
