"""Results: where complete items are handed over to, how far each sink is, and a form to choose another one."""

from pathlib import PurePath

import polars as pl
import streamlit as st

from core import actions
from core.handover.handover import Standing
from core.handover.sink import SinkKind
from pages import data, formats, frame
from pages.session import workspace
from pages.words import literal, plain, say, term

_ENDINGS = {SinkKind.PARQUET: "", SinkKind.JSON_LINES: ".jsonl", SinkKind.DUCKDB: ".duckdb"}
_ADDED = "sink-added"


def figures(standing: Standing) -> None:
    """What is complete, what every sink has of it, and what came twice."""
    behind = max((sink["waiting"] for sink in standing.sinks), default=0)
    everywhere = formats.count(standing.complete - behind) if standing.sinks else formats.UNKNOWN
    with st.grid(3, min_column_width=180, gap="small"):
        frame.metric("results.complete", formats.count(standing.complete))
        waits = say("results.behind", items=formats.count(behind)) if behind else say("results.level")
        frame.metric("results.delivered", everywhere, note=waits if standing.sinks else say("results.no_sink"))
        frame.metric("results.late_twins", formats.count(standing.late_twins))
    if standing.without_message:
        st.info(say("results.without_message", items=formats.count(standing.without_message)), icon=":material/info:")


def sinks(standing: Standing) -> None:
    """Every sink with what lies there and what waits; trouble in full sentences."""
    for sink in standing.sinks:
        if sink["trouble"]:
            title = say("results.trouble", sink=PurePath(sink["target"]).name)
            st.warning(literal(sink["trouble"]), title=title, icon=":material/sync_problem:")
    listed = pl.DataFrame(standing.sinks)
    frame.table(
        listed.with_columns(pl.Series("kind", [term("sink_kind", kind) for kind in listed["kind"]])),
        {
            "kind": frame.text("results.columns.kind"),
            "waiting": frame.number("results.columns.waiting"),
            "delivered": frame.number("results.columns.delivered"),
            "delivered_at": frame.instant("results.columns.delivered_at"),
            "target": frame.text("results.columns.target", width="large"),
        },
        alt=plain("results.alt"),
        key="sinks-table",
    )


def form() -> None:
    """Choose a kind and a name: the sink lies in the workspace's `delivered` folder."""
    if added := st.session_state.pop(_ADDED, None):
        st.success(say("results.added", sink=added), icon=":material/check_circle:")
    with st.form("add-sink"), frame.refusals():
        st.markdown(f"**{say('results.add')}**")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            kind = st.selectbox(
                say("results.kind"),
                list(_ENDINGS),
                format_func=lambda one: term("sink_kind", one),
                key="sink-kind",
                width=240,
            )
            name = st.text_input(say("results.name"), value="results", key="sink-name", width=240).strip()
            asked = frame.action_submit(say("results.add_button"), icon=":material/add:", key="sink-add")
        st.caption(say("results.add_note", folder=workspace().folder / "delivered"))
        if asked and not name:
            st.warning(say("results.no_name"), icon=":material/edit:")
        elif asked:
            sink = name.removesuffix(_ENDINGS[kind]) + _ENDINGS[kind]
            actions.add_delivered_sink(workspace(), sink, now=formats.now())
            st.session_state[_ADDED] = sink
            st.rerun()


def removal(standing: Standing) -> None:
    """Stop handing over to one sink; what lies there stays."""
    with st.expander(say("results.remove")), frame.refusals():
        st.caption(say("results.remove_note"))
        chosen = st.selectbox(
            say("results.remove_which"),
            [sink["target"] for sink in standing.sinks],
            index=None,
            placeholder=say("results.remove_choose"),
            key="sink-remove",
        )
        if frame.action_button(say("results.remove_button"), disabled=chosen is None, key="sink-remove-button"):
            actions.remove_sink(workspace(), str(chosen))
            st.rerun()


frame.title("results")
now = data.handover()
if now.complete or now.sinks:
    figures(now)
else:
    frame.empty("results", page="backlog.py")
if now.sinks:
    st.header(say("results.sinks"), anchor=False)
    sinks(now)
form()
if now.sinks:
    removal(now)
st.caption(say("results.recipe"))
frame.follow(any(sink["waiting"] for sink in now.sinks))
