"""The prefix tree of what waits, as an icicle that lies on its side: the prompt runs from left to right."""

import math
from collections.abc import Mapping
from typing import Any

import altair as alt
import polars as pl

from core.charts.bands import Band, Bands, stack
from core.charts.figure import Figure, layers, legend, nothing
from core.wording import count, listing, percent, usd

PICKED = "prefix"
"""The name of the selection: a click gives the `class_id` of a bar."""

_STATES = {
    "cacheable": "caching can pay",
    "split": "pays once split",
    "short": "too short to cache",
    "unshared": "nothing shared",
}
# Their hues by the order of the palette (blue, orange, slate, violet); the blanks pass over green and crimson, which
# would say that all is well or that something failed.
_HUES = [_STATES["cacheable"], _STATES["split"], "", " ", _STATES["short"], _STATES["unshared"]]
# Slate is dark in the light theme and light in the dark one: what is written in it is legible on every bar.
_INK = alt.ColorDatum(_STATES["short"])
_STRONG = {"shared": 0.38, "differs": 0.12}
_HEIGHT = 620
_LABEL_SHARE = 0.03
_MODEL_SHARE = 0.08
_MODEL_STRIP = 0.055
_NAMED = 3
_TICKS = (100, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000)


def prefix_icicle(nodes: pl.DataFrame, classes: pl.DataFrame, rates: Mapping[str, float]) -> Figure:
    """What waits as bars: as high as its input costs, as long as its prompts; strong where requests share it.

    From `prefix_nodes`, `classes_listed` and the batch price of an input token by model, in USD; what has no price
    is not drawn. Lengths go by the square root of the tokens, so that short prompts are legible beside long ones.
    """
    waiting = classes.filter(pl.col("waiting_items") > 0)
    priced = waiting.filter(pl.col("model").is_in(list(rates)))
    if priced.is_empty():
        return nothing("Nothing waits that has a price. Import request files: what they share is drawn here.")
    price = pl.col("model").replace_strict(dict(rates), return_dtype=pl.Float64)
    priced = priced.with_columns(usd=pl.col("waiting_tokens") * price)
    bands = stack(nodes.filter(pl.col("model").is_in(list(rates))), priced)
    text = _words(priced, unpriced=waiting.height - priced.height)
    chart = _chart(bands).properties(width="container", height=_HEIGHT, description=text)
    return Figure(chart=chart, alt=text)


def _chart(bands: Bands) -> alt.LayerChart:
    longest = _place(max(band.end for band in bands.bands))
    x = alt.X(
        "left:Q",
        scale=alt.Scale(domain=[-_MODEL_STRIP * longest, longest], nice=False, zero=False),
        axis=alt.Axis(
            title="tokens of prompt (estimated), as it is read; square-root scale",
            values=[_place(tick) for tick in (0, *_TICKS) if _place(tick) <= longest],
            labelExpr="format(round(datum.value * datum.value), '~s')",
            labelOverlap=True,
            grid=False,
        ),
    )
    y = alt.Y(
        "top:Q",
        scale=alt.Scale(domain=[0, bands.usd], nice=False, reverse=True),
        axis=alt.Axis(title="input of what waits, uncached (USD, estimated)", format="$,~r", tickCount=5, grid=False),
    )
    return layers(_bars(bands, x, y), _labels(bands, x, y), *_models(bands, longest, x, y))


def _bars(bands: Bands, x: alt.X, y: alt.Y) -> alt.Chart:
    rows = pl.DataFrame([_bar(band, bands.usd) for band in bands.bands])
    found = [words for words in _STATES.values() if words in set(rows["state"])]
    clicked = alt.selection_point(name=PICKED, fields=["class_id"], toggle=False)
    under = alt.selection_point(name="under", on="pointerover", clear="pointerout")
    strength = alt.Scale(domain=list(_STRONG), range=list(_STRONG.values()))
    bars: alt.Chart = (
        alt.Chart(rows, name="icicle")
        .mark_rect(cornerRadius=2, xOffset=0.5, yOffset=0.5, y2Offset=-0.5, cursor="pointer")
        .encode(
            x=x,
            x2="right:Q",
            y=y,
            y2="bottom:Q",
            color=alt.Color("state:N", scale=alt.Scale(domain=_HUES), legend=legend(only=found)),
            opacity=alt.when(under, empty=False)
            .then(alt.value(0.6))
            .otherwise(alt.Opacity("part:O", scale=strength, legend=None)),
            tooltip=[
                alt.Tooltip("name:N", title="class"),
                alt.Tooltip("begins:N", title="goes on with"),
                alt.Tooltip("part:N", title="this part"),
                alt.Tooltip("model:N", title="model"),
                alt.Tooltip("items:Q", title="requests", format=","),
                alt.Tooltip("tokens:Q", title="tokens up to its end (estimated)", format=",.3~s"),
                alt.Tooltip("usd:Q", title="input uncached, USD (estimated)", format="$,.3~r"),
                alt.Tooltip("share:Q", title="share of what waits", format=".1%"),
            ],
        )
        .add_params(clicked, under)
    )
    return bars


def _bar(band: Band, total: float) -> dict[str, Any]:
    """A bar as the picture needs it."""
    cost = band.bottom - band.top
    return {
        "top": round(band.top, 9),
        "bottom": round(band.bottom, 9),
        "left": _place(band.start),
        "right": _place(band.end),
        "state": _STATES[band.state],
        "part": band.part,
        "class_id": band.class_id,
        "name": band.name,
        "begins": band.begins or "–",
        "model": band.model,
        "items": band.items,
        "tokens": round(band.end),
        "usd": round(cost, 9),
        "share": round(cost / total, 4) if total else 0.0,
    }


def _labels(bands: Bands, x: alt.X, y: alt.Y) -> alt.Chart:
    """The names of classes whose bar is high enough, cut off where it ends."""
    reach: dict[tuple[str, float], float] = {}
    for band in bands.bands:
        reach[band.name, band.bottom] = max(band.end, reach.get((band.name, band.bottom), 0.0))
    rows = [
        {
            "top": (band.top + band.bottom) / 2,
            "left": _place(band.start),
            "reach": _place(reach[band.name, band.bottom]),
            "name": band.name,
        }
        for band in _named(bands)
    ]
    schema = {"top": pl.Float64, "left": pl.Float64, "reach": pl.Float64, "name": pl.String}
    room = alt.ExprRef("scale('x', datum.reach) - scale('x', datum.left) - 10")
    names: alt.Chart = (
        alt.Chart(pl.DataFrame(rows, schema=schema))
        .mark_text(align="left", baseline="middle", dx=6, fontSize=12, limit=room)
        .encode(x=x, y=y, text="name:N", color=_INK)
    )
    return names


def _named(bands: Bands) -> list[Band]:
    """The first bar of each class or head that is high enough to be written on."""
    seen: set[tuple[str, float]] = set()
    named = []
    for band in bands.bands:
        key = (band.name, band.bottom)
        if band.bottom - band.top >= _LABEL_SHARE * bands.usd and key not in seen:
            seen.add(key)
            named.append(band)
    return named


def _models(bands: Bands, longest: float, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """A strip at the left edge that says whose prices these are."""
    rows = pl.DataFrame(
        [
            {
                "top": top,
                "bottom": bottom,
                "middle": (top + bottom) / 2,
                "left": -_MODEL_STRIP * longest,
                "centre": -_MODEL_STRIP * longest / 2,
                "right": -0.004 * longest,
                "model": model,
                "written": model if bottom - top >= _MODEL_SHARE * bands.usd else "",
            }
            for model, (top, bottom) in bands.models.items()
        ]
    )
    base = alt.Chart(rows)
    strip = base.mark_rect(opacity=0.1, cornerRadius=2, yOffset=0.5, y2Offset=-0.5).encode(
        x=x, x2="right:Q", y=y, y2="bottom:Q", tooltip=[alt.Tooltip("model:N", title="model")]
    )
    room = alt.ExprRef("scale('y', datum.bottom) - scale('y', datum.top) - 4")
    name = base.mark_text(angle=270, align="center", baseline="middle", fontSize=11, limit=room).encode(
        x="centre:Q", y="middle:Q", text="written:N", color=_INK
    )
    return [strip, name]


def _place(tokens: float) -> float:
    """Where on the picture a token stands."""
    return round(math.sqrt(tokens), 3)


def _words(priced: pl.DataFrame, *, unpriced: int) -> str:
    items, total = int(priced["waiting_items"].sum()), float(priced["usd"].sum())
    repeated = priced.filter(pl.col("prefix_tokens") > 0).select(
        tokens=pl.col("prefix_tokens") * (pl.col("waiting_items") - 1)
    )["tokens"]
    share = float(repeated.sum()) / max(1.0, float(priced["waiting_tokens"].sum()))
    top = priced.sort("usd", "class_id", descending=[True, False]).head(_NAMED)
    dearest = [f"{row['name']} {usd(row['usd'])} ({_STATES[row['state']]})" for row in top.iter_rows(named=True)]
    left_out = f" {count(unpriced, 'class', 'classes')} without a price left out." if unpriced else ""
    return (
        f"Prefix tree of {count(items, 'request')} in {count(priced.height, 'class', 'classes')}: "
        f"{usd(total)} of input without caching, {percent(min(share, 1.0))} of the tokens repeat a shared prefix. "
        f"Dearest: {listing(dearest)}.{left_out}"
    )
