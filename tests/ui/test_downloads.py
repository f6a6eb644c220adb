"""What charts and tables give away: the very numbers, typed and harmless, and a picture; nothing before a click."""

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import openpyxl
import polars as pl
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.spreadsheets import xlsx_of
from core.store import Transaction
from pages import data, formats, session
from tests.ui.conftest import Open
from tests.ui.test_pages import NOW, one_failure, one_job, sound

Made = dict[str, Callable[[], str | bytes]]

CHART = "trends-unit_cost-0"
TABLE = "trend-table"


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> Made:
    """What each download button would make, by its key: the page's own callables, as the server calls them."""
    made: Made = {}
    button = st.download_button

    def noting(label: str, *, data: Any, key: str, **options: Any) -> bool:
        made[key] = data
        return button(label, data=data, key=key, **options)

    monkeypatch.setattr(st, "download_button", noting)
    return made


def opened(app: AppTest, *keys: str) -> AppTest:
    """The page with these controls open."""
    for key in keys:
        app.session_state[f"{key}-save"] = True
    return app.run()


def cells(workbook: str | bytes) -> list[dict[str, Any]]:
    """The rows of the first sheet, by the names in its header."""
    assert isinstance(workbook, bytes)
    sheet = openpyxl.load_workbook(io.BytesIO(workbook)).worksheets[0]
    names, *rows = sheet.iter_rows(values_only=True)
    return [dict(zip(map(str, names), row, strict=True)) for row in rows]


def test_a_closed_control_makes_nothing(open_app: Open, demo_workspace: Path, offered: Made) -> None:
    """Every chart and every table of the page has a control, and none of them costs more than its name."""
    app = open_app(demo_workspace, "trends.py")

    sound(app)
    controls = [popover for popover in app.get("popover") if "Download" in str(popover.proto)]
    assert len(controls) == len(app.get("vega_lite_chart")) + 2
    assert offered == {}


def test_the_data_of_a_chart_are_its_numbers(open_app: Open, demo_workspace: Path, offered: Made) -> None:
    """CSV keeps every digit; XLSX has days as days and dollars as numbers, and both are what the store holds."""
    opened(open_app(demo_workspace, "trends.py", range="30 days"), CHART)
    today = formats.now().date()
    everything = {"class_name": None, "models": (), "tag_name": None, "tag_value": None, "by_tag": None}
    days = data.read("trend_days", first=today - timedelta(days=29), last=today, **everything)

    text = offered[f"{CHART}-csv"]()
    assert isinstance(text, str)
    read = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [Decimal(row["cost_usd"]) for row in read] == days["cost_usd"].to_list()
    assert [row["day"] for row in read] == [day.isoformat() for day in days["day"]]

    rows = cells(offered[f"{CHART}-xlsx"]())
    assert [row["day"].date() for row in rows] == days["day"].to_list()
    assert [row["cost_usd"] for row in rows] == pytest.approx([float(cost) for cost in days["cost_usd"]], rel=1e-14)
    assert [row["units"] for row in rows] == days["units"].to_list()


def test_the_picture_of_a_chart(open_app: Open, demo_workspace: Path, offered: Made) -> None:
    """PNG and SVG carry the title, and say that the figures are simulated."""
    opened(open_app(demo_workspace, "trends.py", range="30 days"), CHART)
    png, svg = (offered[f"{CHART}-{kind}"]() for kind in ("png", "svg"))

    assert isinstance(png, bytes)
    assert isinstance(svg, bytes)
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    words = " ".join(ElementTree.fromstring(svg).itertext())
    assert "Cost per 1,000 units" in words
    assert "simulated data" in words
    assert f"Lotwise, {formats.now():%-d %b %Y}" in words


def test_a_table_has_no_picture(open_app: Open, demo_workspace: Path, offered: Made) -> None:
    """Rows are rows: CSV and XLSX, the very ones on the screen."""
    app = opened(open_app(demo_workspace, "trends.py"), TABLE)

    assert set(offered) == {f"{TABLE}-csv", f"{TABLE}-xlsx"}
    shown = next(table.value for table in app.dataframe if "day" in table.value.columns)
    assert len(cells(offered[f"{TABLE}-xlsx"]())) == len(shown)


@pytest.mark.parametrize(
    ("page", "query", "key"),
    [
        ("overview.py", {}, "overview-unit-cost"),
        ("trends.py", {"view": "Compare", "range": "30 days"}, "compare-attribution"),
        ("trends.py", {"view": "Predicted and learned"}, "calibration"),
        ("classes.py", {}, "prefix-icicle"),
        ("what_if.py", {}, "what-if-costs"),
    ],
)
def test_charts_of_every_page_can_be_taken_away(
    *, open_app: Open, demo_workspace: Path, offered: Made, page: str, query: dict[str, str], key: str
) -> None:
    """Whatever a chart is made of, its data opens in a spreadsheet and its picture has its size."""
    sound(opened(open_app(demo_workspace, page, **query), key))

    assert cells(offered[f"{key}-xlsx"]())
    assert str(offered[f"{key}-csv"]()).count("\n") > 1
    assert ElementTree.fromstring(offered[f"{key}-svg"]()).get("width")


def test_a_formula_stays_text(open_app: Open, workspace_dir: Path, offered: Made) -> None:
    """A class named like a formula runs in no spreadsheet, neither from CSV nor from XLSX."""
    name = '=HYPERLINK("http://127.0.0.1/","x")'
    open_app(workspace_dir)

    def fill(tx: Transaction) -> None:
        words = {"class_id": "c", "name": name, "model": "claude-haiku-5-5", "preview": "", "created_at": NOW}
        counts = dict.fromkeys(("prefix_blocks", "prefix_chars", "prefix_tokens"), 0)
        tx.merge("demo_add_classes", pl.DataFrame([words | counts | {"cacheable": False}]))
        tx.merge("demo_add_jobs", one_job())
        tx.merge("demo_add_attempts", one_failure())

    session.workspace().store.write(fill)
    opened(open_app(workspace_dir, "trends.py"), TABLE)

    (row,) = cells(offered[f"{TABLE}-xlsx"]())
    assert row["class_name"] == f"'{name}"
    assert f"'{name}" in [line["class_name"] for line in csv.DictReader(io.StringIO(str(offered[f"{TABLE}-csv"]())))]


def test_the_same_rows_give_the_same_workbook() -> None:
    """A download can be compared with an earlier one, byte by byte."""
    rows = pl.DataFrame({"at": [NOW], "list": [[1, 2]], "cost_usd": [Decimal("0.000000000001")]})
    first, second = (xlsx_of({"rows": rows}, made_at=NOW) for _ in range(2))

    assert first == second
    (row,) = cells(first)
    assert row["at"] == NOW.replace(tzinfo=None, microsecond=row["at"].microsecond)
    assert row["list"] == "[1,2]"
    assert row["cost_usd"] == pytest.approx(1e-12)
