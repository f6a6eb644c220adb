"""What was brought in: imports under way and finished, and the lines that were rejected."""

from datetime import datetime, timedelta

import polars as pl
import streamlit as st

from core import actions
from pages import data, formats, frame
from pages.session import workspace
from pages.words import plain, say

SHOWN = 500
_EXPECTED = "import-expected"
_PATIENCE = timedelta(minutes=1)


def expect() -> None:
    """Remember that the worker was given a file: the page follows it until its import appears."""
    st.session_state[_EXPECTED] = formats.now()


def show() -> None:
    """Draw the imports; follow them while one is under way or expected."""
    done = data.read("imports")
    running = done.filter(pl.col("finished_at").is_null())
    for row in running.iter_rows(named=True):
        st.info(
            say(
                "backlog.importing",
                source=row["source"],
                bytes=formats.volume(row["bytes"]),
                lines=formats.count(row["lines"]),
            ),
            icon="spinner",
        )
    if done.height:
        with st.expander(say("backlog.imports_count", imports=done.height), key="imports"):
            _table(done)
        _rejects(done)
    frame.follow(bool(running.height) or _expected(done), every="1s")


def _expected(done: pl.DataFrame) -> bool:
    """Whether a file was handed over that no import shows yet; a silent worker is not waited for."""
    since: datetime | None = st.session_state.get(_EXPECTED)
    if since is None:
        return False
    arrived = done.height > 0 and done["started_at"][0] >= since  # the newest comes first
    if arrived or formats.now() - since > _PATIENCE:
        del st.session_state[_EXPECTED]
        return False
    return True


def _table(done: pl.DataFrame) -> None:
    frame.table(
        done.head(SHOWN),
        {
            "source": frame.text("backlog.columns.source"),
            "started_at": frame.instant("backlog.columns.started_at"),
            "bytes": frame.number("backlog.columns.bytes", shape="bytes"),
            "lines": frame.number("backlog.columns.lines"),
            "added": frame.number("backlog.columns.added"),
            "known": frame.number("backlog.columns.known", hint=say("backlog.columns.known_help")),
            "rejected": frame.number("backlog.columns.rejected"),
        },
        alt=plain("backlog.imports_alt"),
        key="imports-table",
    )


def _rejects(done: pl.DataFrame) -> None:
    bad = done.filter(pl.col("rejected") > 0)
    if not bad.height:
        return
    lines = int(bad["rejected"].sum())
    st.warning(
        say("backlog.rejects_body"),
        title=say("backlog.rejects", lines=formats.count(lines)),
        icon=":material/report:",
    )
    sources = dict(zip(bad["import_id"], bad["source"], strict=True))
    chosen = st.selectbox(
        say("backlog.rejects_which"), list(sources), format_func=lambda id_: sources[id_], key="rejects-of"
    )
    shown = data.read("rejected_lines", import_id=chosen, limit=SHOWN)
    frame.table(
        shown,
        {
            "line": frame.number("backlog.columns.line"),
            "reason": frame.text("backlog.columns.reason", width="large"),
            "custom_id": frame.text("backlog.columns.custom_id"),
            "source": frame.text("backlog.columns.source"),
        },
        alt=plain("backlog.rejects_alt"),
        key="rejects-table",
    )
    of_chosen = int(bad.filter(pl.col("import_id") == chosen)["rejected"].sum())
    if of_chosen > shown.height:
        st.caption(say("backlog.rejects_first", shown=formats.count(shown.height), lines=formats.count(of_chosen)))
    with st.container(horizontal=True), frame.refusals():
        st.download_button(
            say("backlog.rejects_raw"),
            data=lambda: actions.rejects_file(workspace(), chosen).read_bytes(),
            file_name=plain("backlog.rejects_raw_name", source=sources[chosen]),
            mime="application/x-ndjson",
            on_click="ignore",
            icon=":material/download:",
            key="rejects-raw",
        )
        st.download_button(
            say("backlog.rejects_csv"),
            data=lambda: workspace().store.query("rejected_lines", import_id=chosen, limit=None).write_csv(),
            file_name=plain("backlog.rejects_csv_name", source=sources[chosen]),
            mime="text/csv",
            on_click="ignore",
            icon=":material/download:",
            key="rejects-csv",
        )
