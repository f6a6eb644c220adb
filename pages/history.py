"""Account history: batches that were not sent from here, what they cost, and how their classes are named."""

from datetime import timedelta
from typing import Any

import polars as pl
import streamlit as st

from core import actions
from core.history.standing import Standing
from pages import data, formats, frame, naming
from pages.session import workspace
from pages.words import plain, say, term

Standings = dict[str, dict[str, Any]]
SHOWN = 1_000
RETENTION_DAYS = 29
"""So long does the API keep results ("Batch processing", checked 2026-09-26)."""
_TABLE = "history-table"
_OPENED = "history-opened"


def look() -> None:
    """Ask how far to look back, and have the worker look."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        days = st.number_input(
            say("history.days"), min_value=1, max_value=3_650, value=RETENTION_DAYS, key="history-days", width=200
        )
        if frame.action_button(
            say("history.look"), type="primary", icon=":material/manage_search:", key="history-look"
        ):
            with frame.refusals():
                actions.request_history(workspace(), since=formats.now() - timedelta(days=days))
    st.caption(say("history.look_note"))


def progress(standings: Standings) -> None:
    """While the worker is at it, say how far it is, and look again when it is through."""
    waiting = standings.get(Standing.WAITING, {}).get("batches")
    said = say("history.fetching", batches=formats.count(waiting)) if waiting else say("history.looking")
    st.info(said, icon="spinner")

    @st.fragment(run_every="1s")
    def watch() -> None:
        if not workspace().worker.history.busy():
            st.rerun()

    watch()


def figures(standings: Standings) -> None:
    """What came in, what it cost, what is still to come, and what can no longer be had."""

    def of(standing: Standing, name: str) -> int:
        return int(standings.get(standing, {}).get(name, 0))

    missed = standings.get(Standing.BROKEN)
    with st.grid(4, min_column_width=160, gap="small"):
        items = say("history.items", items=formats.count(of(Standing.IMPORTED, "items")))
        frame.metric("history.imported", formats.count(of(Standing.IMPORTED, "batches")), note=items)
        cost = data.row("history_cost") or {}
        frame.metric(
            "history.cost",
            formats.money(cost["cost_usd"]),
            note=say("history.unpriced", items=formats.count(cost["unpriced"]))
            if cost["unpriced"]
            else say("history.cost_note"),
        )
        frame.metric(
            "history.running", formats.count(of(Standing.RUNNING, "batches")), note=say("history.running_note")
        )
        frame.metric("history.gone", formats.count(of(Standing.GONE, "batches")), note=say("history.gone_note"))
    if missed:
        st.warning(say("history.broken", batches=formats.count(missed["batches"])), icon=":material/report:")


def table() -> None:
    """Every batch; a row that came in opens its job."""
    batches = data.read("history_batches", limit=SHOWN)
    ids, standing = batches["batch_id"].to_list(), batches["standing"].to_list()

    def open_job() -> None:
        rows = st.session_state[_TABLE].selection.rows
        if rows and standing[rows[0]] == Standing.IMPORTED:
            st.session_state[_OPENED] = ids[rows[0]]

    if opened := st.session_state.pop(_OPENED, None):
        st.switch_page("jobs.py", query_params={"job": opened})
    st.header(say("history.batches"), anchor=False)
    st.caption(say("history.how"))
    reasons = {"reason": frame.text("history.columns.reason", width="large")} if batches["reason"].count() else {}
    several = pl.when(pl.col("standing") == Standing.IMPORTED).then(pl.lit(plain("backlog.several_classes")))
    frame.table(
        batches.with_columns(
            pl.Series("stands", [term("history_standing", word) for word in standing], dtype=pl.String),
            pl.coalesce("class_name", several).alias("class_name"),
        ),
        {
            "created_at": frame.instant("history.columns.created"),
            "stands": frame.text("history.columns.standing"),
            "items": frame.number("history.columns.items"),
            "class_name": frame.text("history.columns.class", width="medium"),
            "model": frame.text("history.columns.model", width="small"),
            "usable_items": frame.number("history.columns.usable"),
            "cost_usd": frame.dollars("history.columns.cost"),
            **reasons,
            "batch_id": frame.text("history.columns.batch", width="small"),
        },
        alt=plain("history.alt"),
        key=_TABLE,
        height=560 if batches.height > 15 else "content",
        on_select=open_job,
        selection_mode="single-row",
    )
    if batches.height and batches["batches"][0] > batches.height:
        st.caption(say("history.limited", shown=formats.count(SHOWN)))


frame.title("history")
found = {row["standing"]: row for row in data.read("history_standings").iter_rows(named=True)}
look()
busy = workspace().worker.history.busy()
if busy:
    progress(found)
if found:
    figures(found)
    table()
elif not busy:
    frame.empty("history")
naming.show(busy=busy)
frame.follow(busy or Standing.RUNNING in found)
