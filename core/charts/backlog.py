"""What waits, by class: how much prompt, and how much of it need not be paid for at full price."""

import altair as alt
import polars as pl

from core.charts.figure import FITTING_LABEL, Figure, legend, nothing
from core.wording import count, listing, percent

KEEP = 8
"""Classes drawn on their own, largest first; the rest is one bar."""

_READABLE = "repeats a cacheable prefix"
_FULL = "paid in full"
_ROW_HEIGHT = 30
_FRAME_HEIGHT = 130


def backlog_classes(frame: pl.DataFrame) -> Figure:
    """Estimated prompt tokens of the backlog by class, split by what caching can reach.

    From `chart_backlog_classes`: `class_name`, `items`, `prompt_tokens`, `cacheable_tokens`.
    """
    known = frame.filter(pl.col("prompt_tokens") > 0)
    if known.is_empty():
        return nothing("Nothing waits to be planned. Import request files (.jsonl), or point a cron job at them.")
    classes = _largest(known)
    total = float(classes["prompt_tokens"].sum())
    parts = (
        classes.with_columns((pl.col("prompt_tokens") - pl.col("cacheable_tokens")).alias("full"))
        .unpivot(["cacheable_tokens", "full"], index=["class_name", "items", "prompt_tokens"], value_name="tokens")
        .with_columns(
            pl.col("variable").replace_strict({"cacheable_tokens": _READABLE, "full": _FULL}).alias("part"),
            (pl.col("tokens") / total).alias("share"),
        )
        .drop("variable")
    )
    chart = (
        alt.Chart(parts, name="backlog")
        .mark_bar()
        .encode(
            x=alt.X(
                "tokens:Q",
                stack="zero",
                axis=alt.Axis(title="prompt tokens (estimated)", format="~s", tickCount=6),
            ),
            y=alt.Y(
                "class_name:N",
                sort=classes["class_name"].to_list(),
                axis=alt.Axis(title=None, labelLimit=FITTING_LABEL),
            ),
            color=alt.Color("part:N", sort=[_READABLE, _FULL], legend=legend()),
            order=alt.Order("part:N", sort="descending"),
            tooltip=[
                alt.Tooltip("class_name:N", title="class"),
                alt.Tooltip("part:N", title="part"),
                alt.Tooltip("items:Q", title="items", format=","),
                alt.Tooltip("tokens:Q", title="tokens (estimated)", format=",.3~s"),
                alt.Tooltip("share:Q", title="share of the backlog", format=".1%"),
            ],
        )
    )
    text = _words(classes, total)
    sized = chart.properties(width="container", height=_FRAME_HEIGHT + _ROW_HEIGHT * classes.height, description=text)
    return Figure(chart=sized, alt=text)


def _largest(known: pl.DataFrame) -> pl.DataFrame:
    order = (
        known.with_columns(pl.col("prompt_tokens", "cacheable_tokens").cast(pl.Float64))
        .group_by(pl.col("class_name").fill_null("Not grouped yet"))
        .agg(pl.col("items", "prompt_tokens", "cacheable_tokens").sum())
        .sort(["prompt_tokens", "class_name"], descending=[True, False])
    )
    rest = order.slice(KEEP)
    if rest.height <= 1:
        return order
    other = rest.select(
        pl.lit(f"{rest.height} other classes").alias("class_name"),
        pl.col("items", "prompt_tokens", "cacheable_tokens").sum(),
    )
    return pl.concat([order.head(KEEP), other])


def _words(classes: pl.DataFrame, total: float) -> str:
    cacheable = float(classes["cacheable_tokens"].sum())
    parts = [
        f"{row['class_name']} {percent(row['prompt_tokens'] / total)} of the tokens, "
        f"{percent(row['cacheable_tokens'] / row['prompt_tokens'])} of them cacheable"
        for row in classes.iter_rows(named=True)
    ]
    return (
        f"Backlog of {count(int(classes['items'].sum()), 'item')} and about {total / 1e6:.1f} million prompt "
        f"tokens (estimated), {percent(cacheable / total)} of which repeat a prefix that can be cached: "
        f"{listing(parts)}."
    )
