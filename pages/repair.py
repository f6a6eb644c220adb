"""What a person can do about a job: repair its failed slice, release it, cancel it."""

from typing import Any

import streamlit as st

from core import actions
from core.errors import LotwiseError
from core.jobs.causes import RESUBMIT
from core.jobs.repair import Repair
from core.jobs.states import JobState
from pages import data, formats, frame
from pages.session import workspace
from pages.words import literal, say, term

_DONE = "repair-done"
_REFUSED = "repair-refused"
_CANCEL = "cancel-asked"
_CANCELABLE = (JobState.PLANNED, JobState.WAITING, JobState.RUNNING)


def show(job: dict[str, Any]) -> None:
    """Say what a repair would do and cost, and do it on the button; say why where it cannot help."""
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
        preview = data.failed_slice(job_id)
        for cause in preview.causes:
            items, name = formats.count(cause.items), term("cause", cause.cause)
            st.markdown(f"- {say('job.repair_cause', items=items, cause=name, says=cause.says)}")
        if preview.repaired_by:
            link(preview.repaired_by, say("job.repaired_by", job=preview.repaired_by))
        if not preview.repairable:
            st.button(say("job.repair_button_off"), disabled=True, key="repair", icon=":material/healing:")
            lost = any(cause.action == RESUBMIT for cause in preview.causes)  # the bullets do not say why
            st.caption(literal(preview.blocked_reason) if lost and preview.blocked_reason else say("job.repair_off"))
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


def release_button(job: dict[str, Any]) -> None:
    """Offer to send a held job after all."""
    if job["state"] == JobState.HELD:
        st.button(
            say("job.release"),
            icon=":material/play_arrow:",
            key="release",
            on_click=_release,
            args=(job["job_id"],),
        )


def cancel_button(job: dict[str, Any]) -> None:
    """Offer to call a job off, and ask before it is done."""
    if job["state"] in _CANCELABLE:
        st.button(say("job.cancel"), icon=":material/cancel:", key="cancel-job", on_click=_ask_cancel)
    if st.session_state.get(_CANCEL):
        _confirm_cancel(job["job_id"])


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
