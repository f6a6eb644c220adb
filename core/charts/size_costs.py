"""What an item costs by the size of its job: the price, the share of what a job costs once, and reruns."""

from collections.abc import Mapping
from math import log
from typing import Any

import altair as alt
import polars as pl

from core.charts.figure import DIGITS, HEIGHT, Figure, layers, legend, log_ticks, nothing
from core.wording import count, listing, percent, usd

SIZES = 120
"""Sizes of a curve, at most: three terms at each of them are 360 marks."""
SIZE_HUES = (
    "price of the item",
    "fixed cost, shared",
    "within 2 %",
    "reruns after faults",
    "ink",
    " ",
)
"""Names in the order of the palette: blue, orange, green, crimson, and slate, which is legible on all of them."""
INK = alt.ColorDatum("ink")
_PRICE, _ONCE, _FLAT, _RERUN = SIZE_HUES[:4]
_PARTS = {"price_usd": _PRICE, "fixed_usd": _ONCE, "rerun_usd": _RERUN}
# The lowest point of the curve stands at so much of the height: labels have the rest.
_LOWEST_AT = 0.55
_LABEL_STEP = 0.06
_LABELS = 6
# Words stand left of their pole unless that is in the first part of the picture.
_LEFTWARDS = 0.45
_THOUSAND = 1_000


def size_costs(curve: pl.DataFrame, *, items: int, low: int, high: int, best: int, bounds: Mapping[str, int]) -> Figure:
    """The three terms on top of each other, in USD per 1,000 items, over the size of the job (logarithmic).

    `curve`: items, price_usd, fixed_usd and rerun_usd (of one item), from small to large; `items`: the size that is
    recommended, `best`: the cheapest one without constraints, `low` to `high`: what costs at most 2 % more than it.
    `bounds`: the largest size that each constraint allows, by its name; those beyond the curve are not drawn.
    """
    if curve.is_empty():
        return nothing("This class has no price, so there is no cost to draw. Add its model to the price book.")
    total = curve.select(pl.sum_horizontal(*_PARTS)).to_series() * _THOUSAND
    first, last = int(curve["items"][0]), int(curve["items"][-1])
    top = float(total.min() or 0.0) / _LOWEST_AT  # type: ignore[arg-type]
    marks = _marks(items=items, best=best, bounds=bounds, ends=(first, last), top=top)
    x = size_axis((first, last))
    y = alt.Y(
        "usd:Q",
        stack="zero",
        scale=alt.Scale(domain=[0, top], nice=False),
        axis=alt.Axis(title="USD per 1,000 items", format="$,~r", tickCount=5),
    )
    text = _words(curve, items=items, low=low, high=high, best=best, bounds=bounds)
    chart = layers(_flat(max(low, first), min(high, last), x), _terms(curve, x, y), *_poles(marks, x))
    return Figure(chart=chart.properties(width="container", height=HEIGHT + 160, description=text), alt=text)


def size_axis(ends: tuple[int, int], *, title: str | None = "items in one job (log)") -> alt.X:
    """The axis of sizes, the same on every chart that has one."""
    return alt.X(
        "items:Q",
        scale=alt.Scale(type="log", domain=list(ends), nice=False),
        axis=alt.Axis(title=title, format="~s", values=log_ticks(*ends), grid=False, labelOverlap=True),
    )


def size_colour(*only: str) -> alt.Color:
    """The colours of sizing by what they stand for; `only` is what the legend lists, nothing where there is none."""
    return alt.Color("part:N", scale=alt.Scale(domain=list(SIZE_HUES)), legend=legend(only=list(only)))


def _terms(curve: pl.DataFrame, x: alt.X, y: alt.Y) -> alt.Chart:
    long = (
        curve.select("items", *(pl.col(name) * _THOUSAND for name in _PARTS))
        .unpivot(list(_PARTS), index="items", variable_name="part", value_name="usd")
        .with_columns(
            pl.col("part").replace_strict(_PARTS),
            pl.col("usd").round_sig_figs(DIGITS),
            place=pl.col("part").replace_strict({name: place for place, name in enumerate(_PARTS)}),
        )
    )
    areas: alt.Chart = (
        alt.Chart(long, name="terms")
        .mark_area(opacity=0.55, clip=True)
        .encode(
            x=x,
            y=y,
            color=size_colour(*SIZE_HUES[:4]),
            order=alt.Order("place:O"),
            tooltip=[
                alt.Tooltip("part:N", title="term"),
                alt.Tooltip("items:Q", title="items in the job", format=","),
                alt.Tooltip("usd:Q", title="USD per 1,000 items", format="$,.4~r"),
            ],
        )
    )
    return areas


def _flat(low: int, high: int, x: alt.X) -> alt.Chart:
    rows = pl.DataFrame({"items": [low], "until": [high], "part": [_FLAT]})
    band: alt.Chart = alt.Chart(rows, name="flat").mark_rect(opacity=0.25)
    return band.encode(x=x, x2="until:Q", color=size_colour(*SIZE_HUES[:4]))


def _marks(*, items: int, best: int, bounds: Mapping[str, int], ends: tuple[int, int], top: float) -> pl.DataFrame:
    """Sizes worth a pole, each with its words at its tip: the larger the size, the higher, so that none is crossed."""
    first, last = ends
    lines = {items: ["recommended"]}
    if first <= best <= last:
        lines.setdefault(best, []).append("cheapest")
    for name, most in bounds.items():
        if first <= most <= last:
            lines.setdefault(most, []).append(name)
    near = sorted(lines, key=lambda at: (at != items, abs(log(at / items))))[:_LABELS]
    rows: list[dict[str, Any]] = [
        {
            "items": at,
            "label": _label(lines[at], at),
            "tip": top * (1 - _LABEL_STEP * (place + 0.6)),
            "kind": _kind(at, items=items, best=best),
            "left": log(at / first) > _LEFTWARDS * log(last / first),
        }
        for place, at in enumerate(sorted(near, reverse=True))
    ]
    return pl.DataFrame(rows)


def _label(names: list[str], at: int) -> str:
    others = f" ({', '.join(names[1:])})" if len(names) > 1 else ""
    return f"{names[0]}{others}: {at:,}"


def _kind(at: int, *, items: int, best: int) -> str:
    return "recommended" if at == items else "best" if at == best else "bound"


def _poles(marks: pl.DataFrame, x: alt.X) -> list[alt.Chart]:
    """A line a size, dashed for what a constraint allows, and its words at its tip."""
    y, drawn = alt.Y("tip:Q"), []
    for kind, dash in (("bound", [4, 3]), ("best", [1, 3]), ("recommended", [1, 0])):
        rows = marks.filter(kind=kind).with_columns(foot=pl.lit(0.0))
        if rows.height:
            drawn.append(
                alt.Chart(rows, name=f"{kind}_poles")
                .mark_rule(strokeDash=dash, strokeWidth=2.5 if kind == "recommended" else 1.5)
                .encode(x=x, y=y, y2="foot:Q", color=INK, tooltip=alt.Tooltip("label:N", title="size"))
            )
    for left in (False, True):
        rows = marks.filter(left=left)
        if rows.height:
            drawn.append(
                alt.Chart(rows, name=f"words_{'left' if left else 'right'}")
                .mark_text(align="right" if left else "left", dx=-5 if left else 5, dy=5, fontSize=12, fontWeight=600)
                .encode(x=x, y=y, text="label:N", color=INK)
            )
    return drawn


def _words(curve: pl.DataFrame, *, items: int, low: int, high: int, best: int, bounds: Mapping[str, int]) -> str:
    near = curve.row((curve["items"] - items).abs().arg_min() or 0, named=True)
    price, once, rerun = (near[name] * _THOUSAND for name in _PARTS)
    cost = price + once + rerun
    limits = [f"{name} {most:,}" for name, most in sorted(bounds.items(), key=lambda pair: pair[1])]
    return (
        f"Cost by size of the job: at the recommended {count(items, 'item')}, 1,000 items cost {usd(cost)}: "
        f"{usd(price)} for the items, {usd(once)} as their share of what a job costs once, {usd(rerun)} for reruns "
        f"({percent((once + rerun) / cost)} on top). The cheapest size without constraints is {best:,}; from {low:,} "
        f"to {high:,} costs at most 2 % more. "
        + (f"Largest size by constraint: {listing(limits)}." if limits else "No constraint applies.")
    )
