"""What a chart or a table shows, to take away: its rows as CSV or XLSX, a chart also as PNG or SVG.

Nothing is made before it is asked for: a closed control is a name, an open one four buttons, a click the file.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import polars as pl
import streamlit as st

from core.charts.rendering import Palette, PictureFormat, rendered
from core.spreadsheets import SHEET_ROWS, csv_of, xlsx_of
from pages import formats
from pages.session import workspace
from pages.words import plain, say, term

Tables = Mapping[str, pl.DataFrame]

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_PICTURES: dict[PictureFormat, str] = {"png": "image/png", "svg": "image/svg+xml"}


def of_chart(name: str, *, spec: Mapping[str, Any], drawn: Tables, tables: Tables, key: str) -> None:
    """The control of the chart `name`: its data are `tables`, its picture is `spec` on the frames `drawn`."""
    _control(name, tables, key, spec, drawn)


def of_table(name: str, frame: pl.DataFrame, *, key: str) -> None:
    """The control of a table of these rows."""
    _control(name, {name: frame}, key, None, {})


@st.fragment
def _control(name: str, tables: Tables, key: str, spec: Mapping[str, Any] | None, drawn: Tables) -> None:
    with st.container(horizontal=True, horizontal_alignment="right"):
        popover = st.popover(
            say("downloads.label"), icon=":material/download:", type="tertiary", key=f"{key}-save", on_change="rerun"
        )
    if not popover.open:
        return
    title = term("chart", name)
    # One file of CSV holds one frame: of several the one with most rows. A workbook holds them all.
    rows = max(tables.values(), key=lambda frame: frame.height)
    with popover:
        st.caption(say("downloads.of", title=title))
        _button(name, key, "csv", "text/csv", lambda: csv_of(rows))
        if rows.height <= SHEET_ROWS:
            _button(name, key, "xlsx", _XLSX, lambda: xlsx_of(tables, made_at=formats.now()))
        if spec is None:
            return
        # Asked here: what a click makes is made on another thread, which knows no visitor.
        drawing = partial(rendered, spec, drawn, title=title, notes=_notes(), palette=_light())
        for kind, mime in _PICTURES.items():
            _button(name, key, kind, mime, partial(drawing, picture=kind))


def _button(name: str, key: str, kind: str, mime: str, made: Callable[[], str | bytes]) -> None:
    """One file, made when it is clicked, without a rerun."""
    st.download_button(
        term("file_kind", kind),
        data=made,
        file_name=f"lotwise-{name.replace('_', '-')}-{formats.now():%Y-%m-%d}.{kind}",
        mime=mime,
        on_click="ignore",
        type="tertiary",
        key=f"{key}-{kind}",
    )


def _notes() -> list[str]:
    """The small print of a picture: the day, and whether its figures are real."""
    made = plain("downloads.made", day=f"{formats.now():%-d %b %Y}")
    return [made, plain("downloads.simulated")] if workspace().gateway.simulated else [made]


def _light() -> Palette:
    """The light theme of the pages: paper is white."""

    def colour(option: str) -> Any:
        return st.get_option(f"theme.light.{option}")

    return Palette(
        text=colour("textColor"),
        muted=colour("grayTextColor"),
        grid=colour("borderColor"),
        background=colour("backgroundColor"),
        categorical=colour("chartCategoricalColors"),
        sequential=colour("chartSequentialColors"),
        diverging=colour("chartDivergingColors"),
    )
