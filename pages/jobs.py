"""Jobs: every job with what it cost and what is left to repair; one of them opens in full."""

import polars as pl
import streamlit as st

from core.jobs.states import JobState
from pages import data, formats, frame, job, standing, stop
from pages.words import plain, say, term

SHOWN = 1_000
ROLES = ("primer", "body", "repair", "trial", "history")


def close_job() -> None:
    """Go back to the list."""
    st.session_state["job"] = ""


def clear_filters() -> None:
    """Show every job again."""
    st.session_state.update({"state": [], "role": [], "class": None, "open": False})


frame.title("jobs")
waits = data.standing()
if not waits["jobs"]:
    frame.empty("jobs", page="backlog.py")
    st.stop()

stop.stop_button()
with st.container(horizontal=True, vertical_alignment="bottom"):
    opened = st.text_input(
        say("jobs.id"), key="job", bind="query-params", placeholder=say("jobs.id_placeholder"), width=260
    ).strip()
    if opened:
        st.button(say("jobs.back"), icon=":material/arrow_back:", on_click=close_job, key="close-job")
if opened:
    with frame.refusals():
        job.show(opened)
    frame.follow(waits["running_jobs"] > 0)
    st.stop()

with st.grid(4, min_column_width=200, gap="small", vertical_alignment="bottom"):
    states = st.multiselect(
        say("jobs.state"),
        [state.value for state in JobState],
        format_func=lambda state: term("standing", state),
        key="state",
        bind="query-params",
        placeholder=say("app.all"),
    )
    roles = st.multiselect(
        say("jobs.role"),
        ROLES,
        format_func=lambda role: term("role", role),
        key="role",
        bind="query-params",
        placeholder=say("app.all"),
    )
    class_name = st.selectbox(
        say("jobs.class"),
        data.class_names(),
        index=None,
        key="class",
        bind="query-params",
        placeholder=say("app.all"),
    )
    open_only = st.toggle(say("jobs.open_only"), key="open", bind="query-params")

listed = data.read(
    "jobs_listed",
    states=tuple(states),
    roles=tuple(roles),
    class_name=class_name,
    open_only=open_only,
    limit=SHOWN,
)
if not listed.height:
    st.info(say("jobs.none_match"), icon=":material/filter_alt_off:")
    st.button(say("jobs.clear"), on_click=clear_filters, key="clear-filters")
    st.stop()

ids = listed["job_id"].to_list()


def open_job() -> None:
    """Open the job of the chosen row."""
    rows = st.session_state["jobs-table"].selection.rows
    if rows:
        st.session_state["job"] = ids[rows[0]]


standings = [standing.of(row) for row in listed.iter_rows(named=True)]
st.caption(say("jobs.how"))
frame.table(
    listed.with_columns(
        pl.Series("standing", [[term("standing", word)] for word in standings]),
        pl.Series("role", [term("role", role) for role in listed["role"]]),
        pl.Series("turnaround", [formats.span(seconds) for seconds in listed["turnaround_s"]]),
        pl.col("unit_cost_usd") * 1000,
        pl.col("class_name").fill_null(plain("backlog.several_classes")),
    ),
    {
        "standing": standing.column(standings),
        "job_id": frame.text("jobs.columns.job_id"),
        "role": frame.text("jobs.columns.role"),
        "class_name": frame.text("jobs.columns.class", width="medium"),
        "item_count": frame.number("jobs.columns.items"),
        "usable_items": frame.number("jobs.columns.usable"),
        "open_failures": frame.number("jobs.columns.open"),
        "cost_usd": frame.dollars("jobs.columns.cost"),
        "unit_cost_usd": frame.dollars("jobs.columns.unit_cost"),
        "hit_rate": frame.share("jobs.columns.hit_rate"),
        "turnaround": frame.text("jobs.columns.turnaround"),
        "created_at": frame.instant("jobs.columns.created_at"),
        "parent_job_id": frame.text("jobs.columns.parent"),
    },
    alt=plain("jobs.alt"),
    key="jobs-table",
    height=560 if listed.height > 15 else "content",
    on_select=open_job,
    selection_mode="single-row",
)
if listed.height == SHOWN:
    st.caption(say("jobs.limited", shown=formats.count(SHOWN)))
frame.follow(waits["running_jobs"] > 0)
