"""One job in full: how it stands, what became of its items, its chain of repairs, and the repair itself."""

from typing import Any

import polars as pl
import streamlit as st

from core import actions
from core.errors import LotwiseError
from core.jobs.repair import Repair
from core.jobs.states import JobState
from pages import data, formats, frame, standing
from pages.session import workspace
from pages.words import literal, plain, say, term

ITEMS_A_PAGE = 50
_CANCELABLE = (JobState.PLANNED, JobState.WAITING, JobState.RUNNING)
_DONE = "repair-done"
_REFUSED = "repair-refused"
_CANCEL = "cancel-asked"


def show(job_id: str) -> None:
    """Draw the job; a sentence where there is no such job."""
    job = data.row("job_facts", job_id=job_id)
    if job is None:
        st.warning(say("jobs.unknown", job=job_id), icon=":material/search_off:")
        return
    word = standing.of(job)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header(say("job.title", role=term("role", job["role"]), job=job_id), anchor=False, width="content")
        standing.badge(word)
        st.caption(f"{literal(job['class_name'] or plain('backlog.several_classes'))} · {literal(job['model'])}")
    if job["reason"]:
        st.warning(literal(job["reason"]), icon=":material/pause_circle:")
    if job["state"] == JobState.HELD:
        st.button(say("job.release"), icon=":material/play_arrow:", key="release", on_click=_release, args=(job_id,))
    _figures(job)
    if job["state"] in standing.RUNNING:
        _progress(job)
    _repair(job)
    _slices(job_id)
    _chain(job_id)
    _items(job)
    with st.expander(say("job.facts"), key="job-facts"):
        _facts(job)


def _figures(job: dict[str, Any]) -> None:
    with st.grid(5, min_column_width=150, gap="small"):
        frame.metric(
            "job.usable",
            formats.count(job["usable_items"]),
            note=say("job.usable_of", items=formats.count(job["item_count"])),
        )
        frame.metric(
            "job.open",
            formats.count(job["open_failures"]),
            note=say("job.open_repairable", items=formats.count(job["repairable_items"])),
        )
        frame.metric(
            "job.cost",
            formats.money(job["cost_usd"]),
            note=say("job.cost_predicted", dollars=formats.money(job["predicted_usd"])),
        )
        frame.metric(
            "job.unit_cost",
            formats.money(formats.per_thousand(job["unit_cost_usd"])),
            note=say("job.unit_cost_note"),
        )
        frame.metric("job.hit_rate", formats.percent(job["hit_rate"]), note=say("job.hit_rate_note"))


def _progress(job: dict[str, Any]) -> None:
    done = job["succeeded"] + job["errored"] + job["canceled"] + job["expired"]
    words = say("job.progress", done=formats.count(done), items=formats.count(job["item_count"]))
    st.progress(min(1.0, done / max(1, job["item_count"])), text=f"{words} {say('job.progress_hint')}")
    if job["state"] in _CANCELABLE:
        st.button(say("job.cancel"), icon=":material/cancel:", key="cancel-job", on_click=_ask_cancel)
    if st.session_state.get(_CANCEL):
        _confirm_cancel(job["job_id"])


def _repair(job: dict[str, Any]) -> None:
    job_id = job["job_id"]
    done: tuple[str, Repair] | None = st.session_state.get(_DONE)
    refused: tuple[str, str] | None = st.session_state.pop(_REFUSED, None)
    if refused and refused[0] == job_id:
        st.error(literal(refused[1]), icon=":material/error:")
    if done and done[0] == job_id:
        made = done[1]
        said = "job.repaired" if made.created else "job.already"
        st.success(say(said, items=formats.count(made.items), job=made.job_id), icon=":material/healing:")
        link(made.job_id, say("job.repair_link", job=made.job_id))
    if not job["open_failures"]:
        return
    with st.container(border=True, key="repair-box"), frame.refusals():
        st.markdown(f"**{say('job.repair')}**")
        preview = actions.repair_preview(workspace(), job_id, now=formats.now())
        for cause in preview.causes:
            items, name = formats.count(cause.items), term("cause", cause.cause)
            st.markdown(f"- {say('job.repair_cause', items=items, cause=name, says=cause.says)}")
        if preview.repaired_by:
            link(preview.repaired_by, say("job.repaired_by", job=preview.repaired_by))
        if not preview.repairable:
            st.button(say("job.repair_button_off"), disabled=True, key="repair", icon=":material/healing:")
            st.caption(literal(preview.blocked_reason or plain("job.repair_off")))
            return
        price, items = formats.money(preview.predicted_usd), formats.count(preview.repairable)
        done_items = formats.count(job["usable_items"])
        st.markdown(say("job.repair_body", items=items, dollars=price, done=done_items))
        st.button(
            say("job.repair_button", items=items, dollars=price),
            type="primary",
            icon=":material/healing:",
            key="repair",
            on_click=_send_repair,
            args=(job_id,),
        )


def _send_repair(job_id: str) -> None:
    try:
        st.session_state[_DONE] = (job_id, actions.repair(workspace(), job_id, now=formats.now()))
    except LotwiseError as error:
        st.session_state[_REFUSED] = (job_id, str(error))


def _release(job_id: str) -> None:
    try:
        actions.release(workspace(), job_id)
    except LotwiseError as error:
        st.session_state[_REFUSED] = (job_id, str(error))


def _slices(job_id: str) -> None:
    st.subheader(say("job.slices"), anchor=False)
    slices = data.read("job_slices", job_id=job_id)
    frame.table(
        slices.with_columns(
            pl.Series("outcome", [term("outcome", word) for word in slices["outcome"]], dtype=pl.String),
            pl.Series("cause", [_cause(row) for row in slices.iter_rows(named=True)], dtype=pl.String),
            pl.Series("action", [term("action", word) for word in slices["action"]], dtype=pl.String),
        ),
        {
            "outcome": frame.text("job.columns.outcome"),
            "cause": frame.text("job.columns.cause"),
            "items": frame.number("job.columns.items"),
            "open_items": frame.number("job.columns.open"),
            "cost_usd": frame.dollars("job.columns.cost", digits=4),
            "action": frame.text("job.columns.action"),
            "example": frame.text("job.columns.example", width="large"),
        },
        alt=plain("job.slices_alt"),
        key="job-slices",
    )


def _cause(row: dict[str, Any]) -> str:
    return term("outcome", "usable") if row["usable"] else term("cause", row["cause"])


def _chain(job_id: str) -> None:
    chain = data.read("job_chain", job_id=job_id)
    if chain.height < 2:
        return
    st.subheader(say("job.chain"), anchor=False)
    for row in chain.iter_rows(named=True):
        words = say(
            "job.chain_line",
            role=term("role", row["role"]),
            job=row["job_id"],
            usable=formats.count(row["usable_items"]),
            items=formats.count(row["item_count"]),
            open=formats.count(row["open_failures"]),
        )
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            standing.badge(standing.of(row))
            if row["job_id"] == job_id:
                st.markdown(f"{words} ({say('job.chain_here')})")
            else:
                link(row["job_id"], words)


def _items(job: dict[str, Any]) -> None:
    st.subheader(say("job.items"), anchor=False)
    slices = data.read("job_slices", job_id=job["job_id"])
    sizes = {_slice(row): 0 for row in slices.iter_rows(named=True)}
    for row in slices.iter_rows(named=True):
        sizes[_slice(row)] += row["items"]
    chosen = st.selectbox(
        say("job.items_slice"),
        list(sizes),
        index=None,
        format_func=lambda word: term("outcome" if word in {"usable", "waiting"} else "cause", word),
        placeholder=say("app.all"),
        key="job-slice",
        width=320,
    )
    items = sizes[chosen] if chosen else sum(sizes.values())
    pages = max(1, -(-items // ITEMS_A_PAGE))
    number = st.pagination(pages, key=f"job-page-{job['job_id']}-{chosen}") if pages > 1 else 1
    first = (number - 1) * ITEMS_A_PAGE
    shown = data.read("job_items", job_id=job["job_id"], slice=chosen, limit=ITEMS_A_PAGE, offset=first)
    st.caption(
        say("job.items_pages", first=first + 1, last=first + shown.height, items=formats.count(items))
        if shown.height
        else say("job.slices_empty")
    )
    frame.table(
        shown.with_columns(
            pl.Series("outcome", [term("outcome", word or "waiting") for word in shown["outcome"]], dtype=pl.String),
            pl.Series("cause", [_cause(row) for row in shown.iter_rows(named=True)], dtype=pl.String),
        ),
        {
            "item_id": frame.text("job.columns.item_id"),
            "number": frame.number("job.columns.attempt"),
            "outcome": frame.text("job.columns.outcome"),
            "cause": frame.text("job.columns.cause"),
            "message": frame.text("job.columns.message", width="medium"),
            "input_tokens": frame.number("job.columns.input"),
            "cache_write_tokens": frame.number("job.columns.write"),
            "cache_read_tokens": frame.number("job.columns.read"),
            "output_tokens": frame.number("job.columns.output"),
            "cost_usd": frame.dollars("job.columns.cost", digits=6),
        },
        alt=plain("job.items_alt"),
        key="job-items",
    )


def _slice(row: dict[str, Any]) -> str:
    """The value that `job_items` takes for this slice."""
    return "usable" if row["usable"] else row["cause"] or "waiting"


def _facts(job: dict[str, Any]) -> None:
    facts = {
        "job.class": job["class_name"],
        "job.model": job["model"],
        "job.state": term("standing", job["state"]),
        "job.batch": job["batch_id"],
        "job.created": formats.moment(job["created_at"]),
        "job.submitted": formats.moment(job["submitted_at"]),
        "job.ended": formats.moment(job["ended_at"]),
        "job.turnaround": formats.span(job["turnaround_s"]),
        "job.size": formats.volume(job["body_bytes"]),
        "job.primer": job["primer_job_id"],
        "job.request": job["request_id"],
    }
    st.table(
        {say(key): literal(str(value)) if value else formats.UNKNOWN for key, value in facts.items()},
        border="horizontal",
        width="content",
        alt=plain("job.facts"),
    )


def link(job_id: str, label: str) -> None:
    """A link to another job."""
    st.page_link("jobs.py", label=label, icon=":material/arrow_forward:", query_params={"job": job_id})


def _ask_cancel() -> None:
    st.session_state[_CANCEL] = True


def _keep() -> None:
    st.session_state.pop(_CANCEL, None)


@st.dialog(say("job.cancel_title"), on_dismiss=_keep)
def _confirm_cancel(job_id: str) -> None:
    st.markdown(say("job.cancel_body"))
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button(say("job.cancel_keep"), key="cancel-keep"):
            _keep()
            st.rerun()
        if st.button(say("job.cancel_confirm"), type="primary", key="cancel-confirm"):
            with frame.refusals():
                actions.cancel(workspace(), job_id, now=formats.now())
                _keep()
                st.rerun()
