"""Pictures of charts: real PNG and SVG with legible text, the same wherever they are made, from nobody else's host."""

import struct
from datetime import UTC, date, datetime
from typing import Any
from xml.etree import ElementTree

import altair as alt
import polars as pl
import pytest

from core.charts.rendering import WIDTH, Palette, PictureFormat, rendered
from tests.pure.test_charts import DRAWN

PALETTE = Palette(
    text="#0e1620",
    muted="#4d5966",
    grid="#d3dae1",
    background="#ffffff",
    categorical=["#1f6fb2", "#c8590a", "#0f8a6c", "#9f132e", "#474974", "#9073f3"],
    sequential=["#e3eef8", "#0b2f52"],
    diverging=["#8a3a03", "#0d3f6e"],
)
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def picture(spec: dict[str, Any], frame: pl.DataFrame, kind: PictureFormat, *, title: str = "Spend") -> bytes:
    """The picture of a specification whose data is the frame `rows`."""
    return rendered(spec, {"rows": frame}, title=title, notes=["Lotwise"], palette=PALETTE, picture=kind)


def dots(x: str) -> dict[str, Any]:
    """A dot for each row, its place on the x axis written below it."""
    axis = {"format": "%-d %b %H:%M", "title": "day"}
    return {
        "mark": "circle",
        "data": {"name": "rows"},
        "encoding": {
            "x": {"field": x, "type": "temporal", "axis": axis},
            "y": {"field": "usd", "type": "quantitative"},
            "color": {"field": "name", "type": "nominal"},
        },
    }


def texts(svg: bytes) -> list[str]:
    """What stands in an SVG."""
    tree = ElementTree.fromstring(svg)
    return ["".join(node.itertext()) for node in tree.iter("{http://www.w3.org/2000/svg}text")]


def rows(**columns: Any) -> pl.DataFrame:
    """Two rows."""
    return pl.DataFrame({"usd": [1.5, 2.5], "name": ["Triage", "Calls"]} | columns)


def test_a_png_is_one_and_holds_its_text() -> None:
    """The signature and the size are right; another title is another picture, so letters are really drawn."""
    frame = rows(day=[date(2026, 11, 1), date(2026, 11, 2)])
    png = picture(dots("day"), frame, "png")
    width, height = struct.unpack(">II", png[16:24])

    assert png.startswith(SIGNATURE)
    assert width > 2 * WIDTH
    assert height > 400
    assert png == picture(dots("day"), frame, "png")
    assert png != picture(dots("day"), frame, "png", title="Spent")


def test_an_svg_says_what_it_shows() -> None:
    """Title, small print, axis and legend are text, in the colours of the palette."""
    svg = picture(dots("day"), rows(day=[date(2026, 11, 1), date(2026, 11, 2)]), "svg", title="Cost & spend <1>")

    assert {"Cost & spend <1>", "Lotwise", "day", "Triage", "Calls"} <= set(texts(svg))
    assert PALETTE.categorical[1].encode() in svg
    assert b"http://www.w3.org" in svg
    assert svg.count(b"http") == svg.count(b"http://www.w3.org")


def test_a_day_stays_that_day() -> None:
    """Wherever the machine stands, the midnight of a day is drawn at that day; instants name their time zone."""
    day = picture(dots("day"), rows(day=[date(2026, 11, 1), date(2026, 11, 2)]), "svg")
    instant = rows(at=[datetime(2026, 11, 1, 9, tzinfo=UTC), datetime(2026, 11, 2, 9, tzinfo=UTC)])

    assert "1 Nov 00:00" in texts(day)
    assert "Lotwise" in texts(day)
    assert any(text.startswith("Lotwise, times in ") for text in texts(picture(dots("at"), instant, "svg")))


def test_no_address_is_opened() -> None:
    """A specification that names another host is refused, not fetched."""
    spec = dots("day") | {"data": {"url": "http://127.0.0.1:9/rows.json"}}

    with pytest.raises(ValueError, match="127"):
        picture(spec, rows(day=[date(2026, 11, 1), date(2026, 11, 2)]), "svg")


@pytest.mark.parametrize("name", DRAWN)
def test_every_chart_has_a_picture(name: str) -> None:
    """What the browser draws, the renderer draws: each with the titles of its axes."""
    figure = DRAWN[name]()
    assert figure.chart is not None
    frames: dict[str, pl.DataFrame] = {}

    def by_name(frame: Any) -> dict[str, str]:
        frames[f"frame{len(frames)}"] = frame
        return {"name": f"frame{len(frames) - 1}"}

    alt.data_transformers.register("by_name", by_name)
    with alt.data_transformers.enable("by_name"), alt.theme.enable("none"):
        spec = figure.chart.to_dict(validate=False)
    svg = rendered(spec, frames, title=name, notes=[], palette=PALETTE, picture="svg")
    layers = spec.get("layer", [spec])
    titles = [layer["encoding"]["x"]["axis"]["title"] for layer in layers if layer["encoding"]["x"].get("axis")]

    assert name in texts(svg)
    assert titles[0] in texts(svg)
