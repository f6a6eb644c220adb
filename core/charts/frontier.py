"""The frontier: how often each model is right against what a usable item costs on it, with the bar to clear."""

import math
from typing import Any

import altair as alt
import polars as pl

from core.charts.figure import DIGITS, FITTING_LABEL, HEIGHT, Figure, layers, log_ticks, nothing
from core.wording import listing, percent, usd

STANDINGS = {
    "today": "runs today",
    "not_yet": "not yet certain",
    "clears": "clears the bar",
    "fails": "fails the bar",
    "untried": "not tried",
    "before": "in use before",
}
"""Where a model stands, in the order of the palette: blue, orange, green, crimson, and violet behind slate."""
_INK_HUE = 4
_HUES = [*STANDINGS.values()]
_HUES.insert(_INK_HUE, "ink")
_INK = alt.ColorDatum("ink")
_THOUSAND = 1_000
# What lies this many times above the dearest point is not drawn: an interval may be open.
_WIDEST = 2.5
# What a label takes of the picture, between a desk's and a phone's: all of it, and each of its lines.
_LABEL_WIDTH, _LINE_HEIGHT = 0.28, 0.055
_LINE = 14
# Labels a little over each other's ends may still be read: most are shorter.
_TOUCHING = 0.9
# Between the models of a cascade: the second one has a line of its own.
_THEN = " → "
# Corners of a point where its label may stand (left of it, below it), the first ones preferred.
_CORNERS = ((False, False), (True, False), (False, True), (True, True))
_LEAST_SPAN = 0.1
_Label = tuple[float, float, float]
"""The middle of a label and its height, as shares of the picture."""


def frontier(tiers: pl.DataFrame, *, bar: float | None) -> Figure:
    """A point a model with the intervals of both measures, the line of those that none beats on both, and the bar.

    `tiers`: name, usd (per usable item), usd_low, usd_high (null: open), share (of right answers), share_low,
    share_high, standing (a key of `STANDINGS`) and kind ("tier" or "cascade"); rows without usd or share are told, not
    drawn. `bar`: the share to clear, None where there is none.
    """
    known = tiers.drop_nulls(["usd", "share"]).sort("usd", "name")
    if known.is_empty():
        return nothing("No model has both a price and labels yet, so there is nothing to compare. Start a trial.")
    points, x_ends, y_ends = _points(known, bar)
    x = alt.X(
        "usd:Q",
        scale=alt.Scale(type="log", domain=x_ends, nice=False),
        axis=alt.Axis(
            title="USD per 1,000 usable items (log)",
            format="$,~r",
            values=_ticks(*x_ends),
            grid=False,
            labelOverlap=True,
        ),
    )
    y = alt.Y(
        "share:Q",
        scale=alt.Scale(domain=y_ends, nice=False),
        axis=alt.Axis(title="right answers", format="%", tickCount=6),
    )
    drawn = [_best_line(points, x, y), *_bar(bar, x_ends[0], y), *_intervals(points, x, y), *_marks(points, x, y)]
    text = _words(tiers, known, bar)
    return Figure(chart=layers(*drawn).properties(width="container", height=HEIGHT, description=text), alt=text)


def _points(known: pl.DataFrame, bar: float | None) -> tuple[pl.DataFrame, list[float], list[float]]:
    """The rows as drawn, per 1,000 items, with where their labels go; and the ends of both axes."""
    priced = known.with_columns(pl.col("usd", "usd_low", "usd_high") * _THOUSAND)
    dearest = max(priced["usd"].to_list()) * _WIDEST
    priced = priced.with_columns(
        usd_low=pl.col("usd_low").fill_null(pl.col("usd")),
        usd_high=pl.min_horizontal(pl.col("usd_high").fill_null(dearest), pl.lit(dearest)),
    )
    x_ends = [min(priced["usd_low"].to_list()) / 1.3, max(priced["usd_high"].to_list()) * 1.3]
    shares = [*priced["share_low"], *priced["share_high"], *([bar] if bar is not None else [])]
    low, high = min(shares), max(shares)
    spare = max(_LEAST_SPAN, high - low) * 0.12
    y_ends = [max(0.0, low - spare), high + spare]
    labelled = priced.with_columns(
        label=pl.format(
            "{}\n{}",
            pl.col("name").str.replace(_THEN, f"{_THEN.rstrip()}\n", literal=True),
            pl.col("standing").replace_strict(STANDINGS),
        )
    ).with_columns(lines=pl.col("label").str.count_matches("\n", literal=True) + 1)
    placed = _label_places(labelled.select("usd", "share", "lines").rows(), x_ends, y_ends)
    return (
        labelled.with_columns(
            pl.col("usd", "usd_low", "usd_high", "share", "share_low", "share_high").round_sig_figs(DIGITS),
            pl.col("standing").replace_strict(STANDINGS),
            left=pl.Series([left for left, _ in placed], dtype=pl.Boolean),
            below=pl.Series([below for _, below in placed], dtype=pl.Boolean),
        ),
        x_ends,
        y_ends,
    )


def _label_places(points: list[Any], x_ends: list[float], y_ends: list[float]) -> list[tuple[bool, bool]]:
    """For each point, with the lines of its label, the corner where that covers least of other points and labels."""
    width, height = math.log(x_ends[1] / x_ends[0]), y_ends[1] - y_ends[0]
    places = [(math.log(dollars / x_ends[0]) / width, (share - y_ends[0]) / height) for dollars, share, _ in points]
    taken: list[_Label] = []
    found: list[tuple[bool, bool]] = []
    for (x, y), (_, _, lines) in zip(places, points, strict=True):
        tall = lines * _LINE_HEIGHT
        labels = {
            (left, below): (x + (-0.5 if left else 0.5) * _LABEL_WIDTH, y + (-0.6 if below else 0.6) * tall, tall)
            for left, below in _CORNERS
        }
        best = min(_CORNERS, key=lambda corner: _covered(labels[corner], taken, places))
        taken.append(labels[best])
        found.append(best)
    return found


def _covered(label: _Label, labels: list[_Label], points: list[tuple[float, float]]) -> tuple[bool, int]:
    """Whether a label leaves the picture at a side, and how many other labels and points it covers, or ends."""
    x, y, tall = label
    over = sum(
        abs(x - other_x) < _TOUCHING * _LABEL_WIDTH and abs(y - other_y) < (tall + other_tall) / 2
        for other_x, other_y, other_tall in labels
    )
    over += sum(abs(x - at) < _LABEL_WIDTH / 2 and abs(y - up) < tall / 2 for at, up in points)
    over += not tall / 2 <= y <= 1 - tall / 2
    return not _LABEL_WIDTH / 2 <= x <= 1 - _LABEL_WIDTH / 2, over


def _ticks(low: float, high: float) -> list[float]:
    return [tick for tick in log_ticks(low, high) if low <= tick <= high]


def _colour() -> alt.Color:
    return alt.Color("standing:N", scale=alt.Scale(domain=_HUES), legend=None)


def _best_line(points: pl.DataFrame, x: alt.X, y: alt.Y) -> alt.Chart:
    """Through the points that no other one beats on both cost and quality."""
    best = points.filter(pl.col("share") > pl.col("share").cum_max().shift(1).fill_null(-1.0))
    line: alt.Chart = (
        alt.Chart(best.select("usd", "share"), name="frontier")
        .mark_line(strokeWidth=1.5, strokeDash=[2, 3], interpolate="step-after", opacity=0.7)
        .encode(x=x, y=y, color=_INK)
    )
    return line


def _bar(bar: float | None, left: float, y: alt.Y) -> list[alt.Chart]:
    if bar is None:
        return []
    rows = pl.DataFrame({"share": [bar], "usd": [left], "name": [f"bar {percent(bar)}"]})
    words = alt.Chart(rows, name="bar_name").mark_text(align="left", baseline="bottom", dx=4, dy=-3, fontSize=12)
    return [
        alt.Chart(rows, name="bar").mark_rule(strokeDash=[6, 3], strokeWidth=1.5).encode(y=y, color=_INK),
        words.encode(x=alt.X("usd:Q"), y=y, text="name:N", color=_INK),
    ]


def _intervals(points: pl.DataFrame, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """Both measures as far as they may lie off."""
    return [
        alt.Chart(points, name="costs")
        .mark_rule(strokeWidth=2, opacity=0.45, clip=True)
        .encode(x=alt.X("usd_low:Q"), x2="usd_high:Q", y=y, color=_colour()),
        alt.Chart(points, name="shares")
        .mark_rule(strokeWidth=2, opacity=0.45)
        .encode(x=x, y=alt.Y("share_low:Q"), y2="share_high:Q", color=_colour()),
    ]


def _marks(points: pl.DataFrame, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """The points, a cascade as a diamond, and their names."""
    drawn = [
        alt.Chart(points, name="points")
        .mark_point(filled=True, size=130, opacity=1)
        .encode(
            x=x,
            y=y,
            color=_colour(),
            shape=alt.Shape(
                "kind:N", scale=alt.Scale(domain=["tier", "cascade"], range=["circle", "diamond"]), legend=None
            ),
            tooltip=[
                alt.Tooltip("name:N", title="model"),
                alt.Tooltip("standing:N", title="stands"),
                alt.Tooltip("share:Q", title="right answers", format=".1%"),
                alt.Tooltip("share_low:Q", title="at least", format=".1%"),
                alt.Tooltip("share_high:Q", title="at most", format=".1%"),
                alt.Tooltip("usd:Q", title="USD per 1,000 usable items", format="$,.4~r"),
                alt.Tooltip("usd_low:Q", title="from", format="$,.4~r"),
                alt.Tooltip("usd_high:Q", title="to", format="$,.4~r"),
            ],
        )
    ]
    for rows in points.partition_by("left", "below", "lines", maintain_order=True):
        left, below, lines = rows.select("left", "below", "lines").row(0)
        drawn.append(
            alt.Chart(rows, name=f"names_{'left' if left else 'right'}_{'below' if below else 'above'}_{lines}")
            .mark_text(
                align="right" if left else "left",
                baseline="top" if below else "bottom",
                dx=-8 if left else 8,
                dy=6 if below else -6 - (lines - 1) * _LINE,
                fontSize=12,
                fontWeight=600,
                lineHeight=_LINE,
                lineBreak="\n",
                limit=FITTING_LABEL,
            )
            .encode(x=x, y=y, text="label:N", color=_INK)
        )
    return drawn


def _words(tiers: pl.DataFrame, known: pl.DataFrame, bar: float | None) -> str:
    parts = [
        f"{row['name']} {percent(row['share'])} (from {percent(row['share_low'])} to {percent(row['share_high'])}) at "
        f"{usd(row['usd'] * _THOUSAND)}, {STANDINGS[row['standing']]}"
        for row in known.iter_rows(named=True)
    ]
    missing = tiers.filter(pl.col("usd").is_null() | pl.col("share").is_null())["name"].to_list()
    return " ".join(
        [
            f"Right answers against the cost of 1,000 usable items, the cheapest first: {'; '.join(parts)}.",
            *([f"The bar is {percent(bar)}."] if bar is not None else []),
            *([f"Not drawn for want of a price or of labels: {listing(missing)}."] if missing else []),
        ]
    )
