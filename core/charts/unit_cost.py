"""Cost per unit over time: daily dots, a seven-day weighted mean, and the step that matters."""

from collections.abc import Iterable

import altair as alt
import polars as pl

from core.charts.figure import (
    DAY_AXIS,
    DIGITS,
    Figure,
    clicked,
    dimmed,
    figure,
    layers,
    legend,
    log_ticks,
    nothing,
    pick,
)
from core.charts.series import by_class, by_week, rolling_ratio
from core.charts.steps import Step, largest_step
from core.wording import day, listing, usd

_LOG_FROM = 20
"""Classes this many times apart cannot share a linear axis: the cheap ones would lie on the floor."""

_PER = 1_000


def unit_cost(frame: pl.DataFrame, *, unit: str = "usable item", steps: Iterable[Step] = ()) -> Figure:
    """Cost per 1,000 units by class, from rows of `unit_cost_day`.

    `steps`: those that were found in the lines, per the same unit; the largest is named in the chart. A click on a line
    gives its `class_name`.
    """
    if frame.is_empty():
        return nothing("No results yet, so nothing has a cost per unit. Send a job, or load the demo.")
    series = by_class(frame)
    step = largest_step(steps, by_class(frame, thin=False))
    daily = pl.when(pl.col("units") > 0).then(pl.col("cost_usd") / pl.col("units"))
    mean = rolling_ratio("cost_usd", "units")
    points = series.select(
        "day",
        "class_name",
        "units",
        *(_positive(cost * _PER).alias(name) for name, cost in (("usd", daily), ("mean_usd", mean))),
    )
    if points["usd"].is_null().all():
        return nothing("No usable result with a known cost yet. Wait for the first results, or check the prices.")
    return figure(_chart(points, step, unit=unit, weekly=by_week(frame)), _words(points, step, unit))


def _chart(points: pl.DataFrame, step: Step | None, *, unit: str, weekly: bool) -> alt.LayerChart:
    low, high = (float(points["mean_usd"].quantile(share) or 0) for share in (0, 1))
    log = high > _LOG_FROM * low
    scale = alt.Scale(type="log", nice=False) if log else alt.Scale(zero=True)
    title = f"USD per 1,000 {unit}s"
    chosen = pick("unit_cost_class", "class_name")
    base = alt.Chart(points).encode(
        x=alt.X("day:T", axis=DAY_AXIS),
        color=alt.Color("class_name:N", legend=legend()),
        tooltip=[
            alt.Tooltip("class_name:N", title="class"),
            alt.Tooltip("day:T", title="week from (UTC)" if weekly else "day (UTC)", format="%-d %b %Y"),
            alt.Tooltip("usd:Q", title=f"USD per 1,000 {unit}s", format=",.4~r"),
            alt.Tooltip("mean_usd:Q", title="7-day mean", format=",.4~r"),
            alt.Tooltip("units:Q", title=f"{unit}s", format=","),
        ],
    )
    axis = alt.Axis(format="$,~r", title=title, values=log_ticks(low, high) if log else alt.Undefined)
    dots = base.mark_circle(size=16).encode(y=alt.Y("usd:Q", scale=scale, axis=axis), opacity=dimmed(chosen, 0.45))
    lines = base.mark_line(strokeWidth=1.75).encode(
        y=alt.Y("mean_usd:Q", scale=scale, axis=axis), opacity=dimmed(chosen)
    )
    named = lines.add_params(chosen, clicked("class_name")).properties(name="unit_cost")
    if step is None:
        return layers(dots, named)
    # The class of the step is drawn heavier, so that the eye finds it first.
    heavy = lines.mark_line(strokeWidth=4).transform_filter(alt.datum.class_name == step.class_name)
    return layers(dots, named, heavy, *_mark(step, scale))


def _positive(cost: pl.Expr) -> pl.Expr:
    """Only what a logarithmic axis can hold, with as many digits as can be seen."""
    return pl.when(cost > 0).then(cost.round_sig_figs(DIGITS))


def _mark(step: Step, scale: alt.Scale) -> list[alt.Chart]:
    """A line at the day of the step and its size in words, in the colour of its class."""
    text = f"{step.factor} since {day(step.day)}"
    spot = pl.DataFrame(
        {"day": [step.day], "class_name": [step.class_name], "usd": [step.after_usd * _PER], "text": [text]}
    )
    base = alt.Chart(spot).encode(x=alt.X("day:T", axis=DAY_AXIS), color="class_name:N")
    return [
        base.mark_rule(strokeDash=[4, 4], strokeWidth=1.5),
        base.mark_text(align="right", dx=-8, dy=-6, fontWeight="bold", fontSize=14).encode(
            y=alt.Y("usd:Q", scale=scale), text="text:N"
        ),
    ]


def _words(points: pl.DataFrame, step: Step | None, unit: str) -> str:
    last = points.drop_nulls("mean_usd").group_by("class_name", maintain_order=True).last()
    first, final = points["day"].min(), points["day"].max()
    sentence = f"Cost per 1,000 {unit}s from {day(first)} to {day(final)} (UTC), seven-day mean. "  # type: ignore[arg-type]
    if step is not None:
        moved = "rose" if step.weekly_usd > 0 else "fell"
        more = "more" if step.weekly_usd > 0 else "less"
        sentence += (
            f"Largest step: {step.class_name} {moved} from {usd(step.before_usd * _PER)} to "
            f"{usd(step.after_usd * _PER)} ({step.factor}) on {day(step.day)}, "
            f"{usd(abs(step.weekly_usd))} {more} a week. "
        )
    now = [f"{row['class_name']} {usd(row['mean_usd'])}" for row in last.iter_rows(named=True)]
    return f"{sentence}Latest: {listing(now)}."
