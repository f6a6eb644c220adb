"""A chart as a picture for a slide or a report: PNG or SVG, made here, with nothing asked of another host."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson
import polars as pl

PictureFormat = Literal["png", "svg"]

WIDTH = 960
"""Pixels of the drawing itself; axes and title come on top."""
_SCALE = 2.0
"""Pixels of a PNG for each of the drawing: sharp on a slide."""
_VEGA_LITE = "6.4"
"""The version that Altair writes (`altair.SCHEMA_VERSION`)."""
_FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
"""The first is bundled with the renderer, and measures like the two behind it, which whoever opens an SVG has."""


@dataclass(frozen=True, kw_only=True)
class Palette:
    """The colours of a theme, as CSS colours: charts themselves name none."""

    text: str
    muted: str
    """Of axes and legends."""
    grid: str
    background: str
    categorical: Sequence[str]
    sequential: Sequence[str]
    diverging: Sequence[str]


def rendered(
    spec: Mapping[str, Any],
    datasets: Mapping[str, pl.DataFrame],
    *,
    title: str,
    notes: Sequence[str],
    palette: Palette,
    picture: PictureFormat,
) -> bytes:
    """The picture of a Vega-Lite specification that names its frames, with a title and lines of small print above it.

    Days are days wherever it is looked at; instants are drawn in the time zone of this machine, which the small print
    then names. The first picture of a process takes about a second and 80 MB: a JavaScript engine is started for it.
    """
    # Imported here, where it is used: see above.
    import vl_convert  # noqa: PLC0415

    if any(isinstance(kind, pl.Datetime) for frame in datasets.values() for kind in frame.dtypes):
        notes = [*notes, f"times in {vl_convert.get_local_tz()}"]
    drawn = dict(spec) | {
        "width": WIDTH,
        "title": {"text": title, "subtitle": ", ".join(notes)},
        "config": _config(palette) | spec.get("config", {}),
        "datasets": {name: _rows(frame) for name, frame in datasets.items()},
    }
    # No address is allowed: a specification that named one would be refused, not fetched.
    if picture == "svg":
        return vl_convert.vegalite_to_svg(drawn, vl_version=_VEGA_LITE, allowed_base_urls=[]).encode()
    return vl_convert.vegalite_to_png(drawn, vl_version=_VEGA_LITE, scale=_SCALE, allowed_base_urls=[])


def _config(palette: Palette) -> dict[str, Any]:
    """What Streamlit's own theme gives a chart in the browser, for a picture outside it."""
    small = {"labelColor": palette.muted, "titleColor": palette.muted, "labelFontSize": 12, "titleFontSize": 12}
    title = {"color": palette.text, "subtitleColor": palette.muted, "fontSize": 18, "subtitleFontSize": 12}
    return {
        "background": palette.background,
        "font": _FONT,
        "padding": 20,
        "title": title | {"anchor": "start", "offset": 16},
        "view": {"stroke": None},
        "axis": small | {"gridColor": palette.grid, "domainColor": palette.grid, "tickColor": palette.grid},
        "legend": small,
        "text": {"color": palette.text},
        "mark": {"color": palette.categorical[0], "tooltip": False},
        "range": {
            "category": list(palette.categorical),
            "ordinal": list(palette.sequential),
            "heatmap": list(palette.sequential),
            "ramp": list(palette.sequential),
            "diverging": list(palette.diverging),
        },
    }


def _rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """The frame as JSON takes it: a day as its midnight without a zone, so that it stays that day everywhere."""
    plain = frame.with_columns(
        pl.selectors.decimal().cast(pl.Float64),
        pl.selectors.date().dt.strftime("%Y-%m-%dT00:00:00"),
        pl.selectors.datetime(time_zone="*").dt.convert_time_zone("UTC").dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ"),
    )
    rows: list[dict[str, Any]] = orjson.loads(plain.write_json())
    return rows
