"""Certainty: how the interval of what is tested narrows with every label, until it leaves the bar on one side."""

import altair as alt
import polars as pl

from core.charts.figure import DIGITS, Figure, layers, nothing
from core.wording import count

POINTS = 300
"""Numbers of labels drawn at most."""
_SMALL = 240
# The first labels say next to nothing: drawn is what lies so far around where the interval ends and the bar.
_AROUND = 0.25
_BAND, _BAR = "interval", "bar"
# Blue for the interval, slate for the bar: the fifth hue.
_HUES = [_BAND, " ", "  ", "   ", _BAR]
_INK = alt.ColorDatum(_BAR)


def certainty(path: pl.DataFrame, *, bar: float, name: str, difference: bool = False) -> Figure:
    """The running interval against the number of labels, and the bar.

    `path`: labels (increasing), lower and upper; shares of right answers of the model `name`, or with `difference` its
    mean difference to the reference, then `bar` is minus the margin.
    """
    if path.is_empty():
        return nothing(
            "No label has been given yet, so nothing is certain. Label some answers, or let the trial go on."
        )
    rows = _thinned(path).with_columns(pl.col("lower", "upper").round_sig_figs(DIGITS), part=pl.lit(_BAND))
    last = rows.row(-1, named=True)
    least = -1.0 if difference else 0.0
    low, high = max(min(bar, last["lower"]) - _AROUND, least), min(max(bar, last["upper"]) + _AROUND, 1.0)
    x = alt.X(
        "labels:Q",
        scale=alt.Scale(domain=[min(rows["labels"][0], 1), last["labels"]], nice=False),
        axis=alt.Axis(title="labels", format=",d", tickMinStep=1, grid=False, labelOverlap=True),
    )
    title = "difference to the reference" if difference else "right answers"
    y = alt.Y(
        "lower:Q",
        scale=alt.Scale(domain=[low, high], nice=False),
        axis=alt.Axis(title=title, format="+%" if difference else "%", tickCount=5),
    )
    band = (
        alt.Chart(rows, name="interval")
        .mark_area(interpolate="step-after", opacity=0.4, clip=True)
        .encode(
            x=x,
            y=y,
            y2="upper:Q",
            color=_colour(),
            tooltip=[
                alt.Tooltip("labels:Q", title="labels", format=","),
                alt.Tooltip("lower:Q", title="at least", format=".1%"),
                alt.Tooltip("upper:Q", title="at most", format=".1%"),
            ],
        )
    )
    text = _words(last, bar=bar, name=name, difference=difference)
    chart = layers(band, *_bar(bar, last["labels"], x, difference=difference))
    return Figure(chart=chart.properties(width="container", height=_SMALL, description=text), alt=text)


def _thinned(path: pl.DataFrame) -> pl.DataFrame:
    """Evenly fewer rows, the last one always among them."""
    step = -(-path.height // POINTS)
    return path.gather_every(step, offset=(path.height - 1) % step)


def _colour() -> alt.Color:
    return alt.Color("part:N", scale=alt.Scale(domain=_HUES), legend=None)


def _bar(bar: float, labels: int, x: alt.X, *, difference: bool) -> list[alt.Chart]:
    """The level to clear, with its name where the interval has become narrow."""
    rows = pl.DataFrame({"bar": [bar], "labels": [labels], "name": [f"bar {_share(bar, difference)}"]})
    level = alt.Y("bar:Q")
    words = alt.Chart(rows, name="bar_name").mark_text(
        align="right", baseline="bottom", dx=-4, dy=-3, fontSize=12, fontWeight=600
    )
    return [
        alt.Chart(rows, name="bar").mark_rule(strokeDash=[6, 3], strokeWidth=2).encode(y=level, color=_INK),
        words.encode(x=x, y=level, text="name:N", color=_INK),
    ]


def _words(last: dict[str, float], *, bar: float, name: str, difference: bool) -> str:
    lower, upper = last["lower"], last["upper"]
    what = "the difference to the reference" if difference else "the share of right answers"
    where = "above" if lower >= bar else "below" if upper <= bar else "on both sides of"
    ends = f"{_share(lower, difference)} and {_share(upper, difference)}"
    return (
        f"Certainty about {name}: after {count(int(last['labels']), 'label')} {what} lies between {ends}, "
        f"{where} the bar of {_share(bar, difference)}."
    )


def _share(share: float, difference: bool) -> str:
    points = f"{100 * share:+.1f}" if difference else f"{100 * share:.1f}"
    return f"{points.removesuffix('.0')} {'points' if difference else '%'}"
