"""Charts on a page: described once for the same data, because that is most of what a rerun would cost."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import altair as alt
import polars as pl
import streamlit as st

from core import charts
from core.charts import Figure
from core.spreadsheets import inert
from pages import downloads
from pages.words import literal, plain

_ALTAIR = threading.Lock()
"""Altair's transformer and theme are global to the process; every chart is described under this lock."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure as the browser takes it; its text alternative is the description in the specification."""

    spec: dict[str, Any] | None
    empty: str
    frames: dict[str, pl.DataFrame]
    """What the specification names as its datasets."""


def draw(
    name: str,
    /,
    *,
    key: str,
    picked: Callable[[], None] | None = None,
    by: str = charts.PICKED,
    **inputs: Any,
) -> None:
    """The chart `name` of `core.charts` on these inputs, or its words where there is nothing to draw.

    `picked` is called when a mark is clicked; what was chosen stands in the session under `key`, under the name of
    the selection `by`. Beside the chart its data and its picture can be downloaded.
    """
    picture = _picture(name, **inputs)
    if picture.spec is None:
        st.info(literal(picture.empty), icon=":material/info:")
        return
    # The frames it was given hold every digit; a chart of anything else is downloaded as it was drawn.
    given = {name: frame for name, frame in inputs.items() if isinstance(frame, pl.DataFrame)}
    with st.container(gap=None):
        st.vega_lite_chart(
            picture.spec | {"datasets": picture.frames},
            key=key,
            on_select=picked or "ignore",
            selection_mode=by if picked else None,
        )
        downloads.of_chart(name, spec=picture.spec, drawn=picture.frames, tables=given or picture.frames, key=key)


@st.cache_resource(show_spinner=False, max_entries=200)
def _picture(drawn: str, /, **inputs: Any) -> Picture:
    # A chart too can be saved as CSV, from its toolbar.
    shown = {key: inert(given) if isinstance(given, pl.DataFrame) else given for key, given in inputs.items()}
    figure: Figure = getattr(charts, drawn)(**shown)
    if figure.chart is None:
        return Picture(spec=None, empty=figure.empty or plain("app.no_data"), frames={})
    frames: dict[str, pl.DataFrame] = {}

    def by_name(frame: Any, /) -> dict[str, str]:
        known = (name for name, other in frames.items() if other is frame)
        name = next(known, f"frame{len(frames)}")
        frames[name] = frame
        return {"name": name}

    with _ALTAIR:
        alt.data_transformers.register("by_name", by_name)
        with alt.data_transformers.enable("by_name"), alt.theme.enable("none"):
            # Tests hold every chart to the schema; doing it here would double what a moved slider costs.
            spec = figure.chart.to_dict(validate=False)
    return Picture(spec=spec, empty="", frames=frames)
