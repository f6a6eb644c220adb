"""Calling off: one job, or everything at once until a person lets sending go on."""

from typing import Any

import streamlit as st

from core import actions
from core.errors import LotwiseError
from core.jobs.canceling import CANCELABLE, UNSENT, CallOff
from pages import data, formats, frame
from pages.session import workspace
from pages.words import literal, say

_CANCEL = "cancel-asked"
_STOP = "stop-asked"
_REFUSED = "stop-refused"


def banner() -> None:
    """On every page, while nothing is sent: since when, by whom, and the button that lifts it."""
    if refused := st.session_state.pop(_REFUSED, None):
        st.error(literal(refused), icon=":material/error:")
    halt = data.row("halt")
    if halt is None:
        return
    since = formats.moment(halt["halted_at"])
    with st.container(border=True, key="halt"):
        st.error(
            say("stop.halted", since=since, by=halt["halted_by"]),
            title=say("stop.halted_title"),
            icon=":material/front_hand:",
        )
        frame.action_button(say("stop.resume"), icon=":material/play_arrow:", key="resume", on_click=_resume)


def stop_button() -> None:
    """The kill switch; it asks before it acts. Nothing is left of it to press while everything is stopped."""
    if data.row("halt") is None:
        frame.action_button(
            say("stop.button"), icon=":material/emergency_home:", key="stop", on_click=_ask, args=(_STOP, True)
        )
    if st.session_state.get(_STOP):
        _confirm_stop()


def cancel_button(job: dict[str, Any]) -> None:
    """Offer to call a job off, and ask before it is done; once it was, say that it is being carried out."""
    if job["state"] not in CANCELABLE:
        return
    if job["cancel_requested_at"] is not None:
        st.caption(say("stop.canceling", since=formats.moment(job["cancel_requested_at"])))
        return
    frame.action_button(
        say("job.cancel"), icon=":material/cancel:", key="cancel-job", on_click=_ask, args=(_CANCEL, job["job_id"])
    )
    if st.session_state.get(_CANCEL) == job["job_id"]:
        _confirm_cancel(job)


def twins(job_id: str) -> None:
    """Say which running batches may be a second one of a job, and offer to cancel each on a person's word."""
    for suspect in workspace().worker.suspects:
        if suspect.job_id == job_id:
            items = formats.count(suspect.items)
            st.warning(say("job.twin", batch=suspect.batch_id, items=items), icon=":material/content_copy:")
            frame.action_button(
                say("job.twin_cancel"),
                icon=":material/cancel:",
                key=f"twin-{suspect.batch_id}",
                on_click=_cancel_twin,
                args=(suspect.batch_id,),
            )


def _cancel_twin(batch_id: str) -> None:
    try:
        actions.cancel_twin(workspace(), batch_id)
    except LotwiseError as error:
        st.session_state[_REFUSED] = str(error)


def _ask(what: str, about: object) -> None:
    st.session_state[what] = about


def _keep() -> None:
    for what in (_CANCEL, _STOP):
        st.session_state.pop(what, None)


def _resume() -> None:
    try:
        actions.resume(workspace(), now=formats.now())
    except LotwiseError as error:
        st.session_state[_REFUSED] = str(error)


@st.dialog(say("job.cancel_title"), on_dismiss=_keep)
def _confirm_cancel(job: dict[str, Any]) -> None:
    st.markdown(say("job.cancel_unsent" if job["state"] in UNSENT else "job.cancel_body"))
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button(say("job.cancel_keep"), key="cancel-keep"):
            _keep()
            st.rerun()
        if frame.action_button(say("job.cancel_confirm"), type="primary", key="cancel-confirm"):
            with frame.refusals():
                actions.cancel(workspace(), job["job_id"], now=formats.now())
                _keep()
                st.rerun()


@st.dialog(say("stop.title"), on_dismiss=_keep)
def _confirm_stop() -> None:
    found = actions.stop_preview(workspace())
    for line in _lines(found):
        st.markdown(f"- {line}")
    st.markdown(say("stop.body"))
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button(say("stop.keep"), key="stop-keep"):
            _keep()
            st.rerun()
        if frame.action_button(say("stop.confirm"), type="primary", icon=":material/front_hand:", key="stop-confirm"):
            with frame.refusals():
                actions.stop(workspace(), now=formats.now())
                _keep()
                st.rerun()


def _lines(found: CallOff) -> list[str]:
    """How many jobs of each kind, how many items have no result yet, and what they may still cost."""
    if not found.jobs:
        return [say("stop.none")]
    lines = []
    if found.unsent_jobs:
        lines.append(say("stop.unsent", jobs=formats.count(found.unsent_jobs)))
    if found.sent_jobs:
        lines.append(say("stop.sent", jobs=formats.count(found.sent_jobs)))
        cost = found.may_cost_usd
        lines.append(say("stop.unpriced") if cost is None else say("stop.may_cost", dollars=formats.money(cost)))
    return [*lines, say("stop.items", items=formats.count(found.items))]
