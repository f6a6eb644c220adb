"""What was brought in: imports under way and finished, and the lines that were rejected."""

from datetime import datetime, timedelta
from typing import Any

import polars as pl
import streamlit as st

from core import actions
from core.confinement import fit_name
from core.spreadsheets import csv_of
from pages import data, formats, frame
from pages.session import workspace
from pages.words import literal, plain, say

SHOWN = 500
_EXPECTED = "import-expected"
_PATIENCE = timedelta(minutes=1)
_RECENT = timedelta(minutes=10)
_LINES = 3


def expect() -> None:
    """Remember that the worker was given a file: the page follows it until its import appears."""
    st.session_state[_EXPECTED] = formats.now()


def show() -> None:
    """Draw the imports, and notice those of the inbox: at once while one is under way or expected."""
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
    ended = done.filter(pl.col("finished_at").is_not_null())
    recent = _recent(ended)
    for row in recent.iter_rows(named=True):
        _feedback(row)
    newest = (recent if recent.height else ended.head(1)).filter(pl.col("rejected") > 0).head(1)
    for row in newest.iter_rows(named=True):
        _rejects(row, "newest")
    if done.height:
        with st.expander(say("backlog.imports_count", imports=done.height), key="imports"):
            _table(done)
            _older(ended.filter(pl.col("rejected") > 0).join(newest, on="import_id", how="anti", maintain_order="left"))
    frame.follow(True, every="1s" if running.height or _expected(done) else "4s")


def _recent(done: pl.DataFrame) -> pl.DataFrame:
    """The last imports that ended just now, newest first: what became of them stays in sight for a while."""
    return done.filter(pl.col("finished_at") > formats.now() - _RECENT).head(_LINES)


def _feedback(row: dict[str, Any]) -> None:
    """One import in one line, and what a person should know about it."""
    counts = {name: formats.count(row[name]) for name in ("added", "known", "replaced", "rejected")}
    said = say("backlog.imported", source=row["source"], **counts)
    if row["note"]:
        st.warning(f"{said}  \n{literal(row['note'])}", icon=":material/warning:")
    elif row["rejected"]:
        st.info(said, icon=":material/info:")
    else:
        st.success(said, icon=":material/check_circle:")


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
            "replaced": frame.number("backlog.columns.replaced"),
            "rejected": frame.number("backlog.columns.rejected"),
            "note": frame.text("backlog.columns.note", width="large"),
        },
        alt=plain("backlog.imports_alt"),
        key="imports-table",
    )


def _older(bad: pl.DataFrame) -> None:
    """The rejected lines of one earlier import, chosen by its file and time."""
    if not bad.height:
        return
    rows = {row["import_id"]: row for row in bad.iter_rows(named=True)}
    chosen = st.selectbox(
        say("backlog.rejects_which"),
        list(rows),
        index=None,
        format_func=lambda id_: f"{rows[id_]['source']}, {formats.moment(rows[id_]['started_at'])}",
        placeholder=say("backlog.rejects_choose"),
        key="rejects-of",
    )
    if chosen:
        _rejects(rows[chosen], "older")


def _rejects(of: dict[str, Any], key: str) -> None:
    """The rejected lines of one import, with what to do about them."""
    st.warning(
        say("backlog.rejects_body"),
        title=say("backlog.rejects", lines=formats.count(of["rejected"]), source=of["source"]),
        icon=":material/report:",
    )
    shown = data.read("rejected_lines", import_id=of["import_id"], limit=SHOWN)
    frame.table(
        shown,
        {
            "line": frame.number("backlog.columns.line"),
            "reason": frame.text("backlog.columns.reason", width="large"),
            "custom_id": frame.text("backlog.columns.custom_id"),
        },
        alt=plain("backlog.rejects_alt"),
        key=f"rejects-table-{key}",
    )
    if of["rejected"] > shown.height:
        st.caption(say("backlog.rejects_first", shown=formats.count(shown.height), lines=formats.count(of["rejected"])))
    opened = workspace()
    with st.container(horizontal=True), frame.refusals():
        st.download_button(
            say("backlog.rejects_raw"),
            data=lambda: actions.rejects_file(opened, of["import_id"]).read_bytes(),
            file_name=plain("backlog.rejects_raw_name", source=fit_name(of["source"])),
            mime="application/x-ndjson",
            on_click="ignore",
            icon=":material/download:",
            key=f"rejects-raw-{key}",
        )
        st.download_button(
            say("backlog.rejects_csv"),
            data=lambda: csv_of(opened.store.query("rejected_lines", import_id=of["import_id"], limit=None)),
            file_name=plain("backlog.rejects_csv_name", source=fit_name(of["source"])),
            mime="text/csv",
            on_click="ignore",
            icon=":material/download:",
            key=f"rejects-csv-{key}",
        )
