"""From list price to what was paid: one bar a lever, each beginning where the one before ended."""

import math
from decimal import Decimal
from typing import Any

import altair as alt
import polars as pl

from core.charts.figure import HEIGHT, Figure, layers, legend, nothing
from core.charts.size_costs import INK
from core.wording import listing, percent

STEPS = {
    "list": "list price",
    "routing": "routing",
    "batch": "batch",
    "caching": "caching",
    "sizing": "sizing",
    "contract": "contract",
    "paid": "paid",
}
"""The steps as the picture names them."""
_ENDS = ("list", "paid")
_AMOUNT, _LOSS, _SAVED = _KINDS = ("total", "cost more than it saved", "saved")
# Names in the order of the palette: blue, orange, green, crimson, and slate, which is legible on any ground.
_HUES = (*_KINDS, " ", "ink")
# Beyond the longest bar there is room for its label, which on a phone takes a third of the width.
_ROOM = 1.4
_CENTS, _FIGURES = 2, 3


def waterfall(frame: pl.DataFrame) -> Figure:
    """Dollars from list price to paid. `frame`: `step` (a name of `STEPS`) and `usd`, from `list` down to `paid`.

    Of a lever, `usd` is what it took off, below zero where it cost more than it saved; those of exactly zero are left
    out.
    """
    digits = _digits(frame)
    rows = _bars(frame, digits)
    if not any(row["start"] or row["end"] for row in rows):
        return nothing("No work with a known price in this period. Choose other days, or send a job.")
    order = [row["name"] for row in rows]
    top = max(max(row["start"], row["end"]) for row in rows)
    bottom = min(0.0, *(min(row["start"], row["end"]) for row in rows))
    drawn = pl.DataFrame(rows)
    y = alt.Y("name:N", sort=order, axis=alt.Axis(title=None, labelLimit=100, ticks=False, grid=False))
    x = alt.X(
        "start:Q",
        scale=alt.Scale(domain=[bottom, top * _ROOM], nice=False),
        axis=alt.Axis(title="USD in the period", format="$,~r", tickCount=5, labelOverlap=True),
    )
    kinds = [kind for kind in _KINDS if kind in set(drawn["kind"])]
    bars = (
        alt.Chart(drawn, name="waterfall")
        .mark_bar(height=alt.RelativeBandSize(0.62))
        .encode(
            x=x,
            x2="end:Q",
            y=y,
            color=alt.Color("kind:N", scale=alt.Scale(domain=list(_HUES)), legend=legend(only=kinds)),
            tooltip=[
                alt.Tooltip("name:N", title="step"),
                alt.Tooltip("kind:N", title="it is"),
                alt.Tooltip("usd:Q", title="USD", format=f"$,.{digits}f"),
                alt.Tooltip("end:Q", title="cost after it, USD", format=f"$,.{digits}f"),
            ],
        )
    )
    labels = (
        alt.Chart(drawn, name="waterfall_labels")
        .mark_text(align="left", dx=5, fontWeight=600)
        .encode(x=alt.X("right:Q"), y=y, text="label:N", color=INK)
    )
    text = _words(frame, digits)
    chart = layers(bars, labels).properties(width="container", height=HEIGHT, description=text)
    return Figure(chart=chart, alt=text)


def _bars(frame: pl.DataFrame, digits: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    level = Decimal(0)
    for step, amount in frame.select("step", "usd").iter_rows():
        if step not in _ENDS and not amount:
            continue
        start, end = (Decimal(0), amount) if step in _ENDS else (level, level - amount)
        level = end
        kind = _AMOUNT if step in _ENDS else _SAVED if amount > 0 else _LOSS
        rows.append(
            {
                "name": STEPS[step],
                "kind": kind,
                "usd": float(amount),
                "start": float(start),
                "end": float(end),
                "right": float(max(start, end)),
                "label": _usd(amount, digits) if step in _ENDS else _signed(-amount, digits),
            }
        )
    return rows


def _digits(frame: pl.DataFrame) -> int:
    """Decimals of every amount, the same for all, so that they add up by eye: cents, or what a small sum needs."""
    most = max((abs(amount) for amount in frame["usd"]), default=Decimal(0))
    return max(_CENTS, _FIGURES - 1 - math.floor(math.log10(most))) if most else _CENTS


def _usd(amount: Decimal, digits: int) -> str:
    return f"{'-' if amount < 0 else ''}${abs(amount):,.{digits}f}"


def _signed(change: Decimal, digits: int) -> str:
    return f"{'+' if change > 0 else ''}{_usd(change, digits)}"


def _words(frame: pl.DataFrame, digits: int) -> str:
    amounts = dict(frame.select("step", "usd").iter_rows())
    full, paid = amounts["list"], amounts["paid"]
    levers = [(STEPS[step], amount) for step, amount in amounts.items() if step not in _ENDS and amount]
    saved = f"{percent(float((full - paid) / full))} less" if full else "nothing to compare with"
    parts = [f"{name} {_usd(amount, digits)}" for name, amount in levers]
    return (
        f"From {_usd(full, digits)} at list price, answered at once, uncached, to {_usd(paid, digits)} paid, {saved}. "
        + (f"What each lever took off: {listing(parts)}." if parts else "No lever took anything off.")
    )
