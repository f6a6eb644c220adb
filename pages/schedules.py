"""The schedules that are kept: where each stands, what its last run did, and what can be done with it."""

from typing import Any

import streamlit as st

from core import actions
from core.errors import LotwiseError
from core.recurring.schedules import Run, Schedule, schedule_state
from pages import confirm, formats, frame, rhythms
from pages.session import workspace
from pages.words import literal, plain, say, term

_SEND, _REMOVE, _REFUSED = "schedule-send", "schedule-remove", "schedule-refused"
_COLOURS: dict[str, Any] = {
    "active": "green",
    "running": "blue",
    "waits": "orange",
    "needs a person": "red",
    "paused": "gray",
}


def show(kept: tuple[Schedule, ...]) -> None:
    """Every schedule in a frame of its own."""
    if refused := st.session_state.pop(_REFUSED, None):
        st.error(literal(refused), icon=":material/error:")
    for schedule in kept:
        _one(schedule)


def _one(schedule: Schedule) -> None:
    state = schedule_state(schedule)
    with st.container(border=True, key=f"schedule-{schedule.schedule_id}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.subheader(literal(schedule.name), anchor=False, width="content")
            st.badge(term("schedule_state", state), color=_COLOURS[state])
        st.markdown(literal(_sentence(schedule)))
        if schedule.waits_for is not None:
            st.warning(say("schedule.waits_for", reason=schedule.waits_for), icon=":material/hourglass:")
        if schedule.last is not None:
            said = _last(schedule.last)
            if schedule.last.needs_person:
                st.warning(said, icon=":material/event_busy:")
            else:
                st.caption(said)
        _buttons(schedule)


def _sentence(schedule: Schedule) -> str:
    """When it sends what, and when next; plain text."""
    parts = [rhythms.rhythm(schedule.rhythm)]
    parts[0] = parts[0][0].upper() + parts[0][1:]
    if schedule.class_ids is not None:
        parts.append(plain("schedule.of_classes", classes=formats.count(len(schedule.class_ids))))
    if schedule.paused_at is not None:
        parts.append(plain("schedule.next_paused"))
    elif schedule.next_due is None:
        parts.append(plain("schedule.next_queue"))
    else:
        parts.append(plain("schedule.next", moment=formats.moment(schedule.next_due)))
    return ". ".join(parts) + "."


def _last(run: Run) -> str:
    moment = formats.moment(run.started_at)
    if run.state == "empty":
        return say("schedule.last_empty", moment=moment)
    if run.needs_person:
        return say("schedule.last_not", moment=moment, reason=run.reason)
    return say(
        "schedule.last_sent",
        moment=moment,
        items=formats.count(run.items),
        jobs=formats.count(run.jobs),
        dollars=formats.money(run.predicted_usd),
        ready=_ready(run),
    )


def _ready(run: Run) -> str:
    """Whether the results of a run are there, and whether in time; plain text."""
    if run.ready_at is None:
        return plain("schedule.ready_not_yet", items=f"{run.succeeded:,} / {run.items:,}")
    key = "schedule.ready_in_time" if run.ready_at <= run.needed_by else "schedule.ready_late"
    return plain(key, moment=formats.moment(run.ready_at))


def _buttons(schedule: Schedule) -> None:
    key, paused = schedule.schedule_id, schedule.paused_at is not None
    with st.container(horizontal=True):
        frame.action_button(
            say("schedule.resume" if paused else "schedule.pause"),
            icon=":material/play_arrow:" if paused else ":material/pause:",
            key=f"pause-{key}",
            on_click=_pause,
            args=(schedule.name, not paused),
        )
        frame.action_button(
            say("schedule.send_now"),
            icon=":material/send:",
            key=f"send-{key}",
            on_click=_ask,
            args=(_SEND, schedule.name),
        )
        frame.action_button(
            say("schedule.remove"),
            icon=":material/delete:",
            key=f"remove-{key}",
            on_click=_ask,
            args=(_REMOVE, schedule.name),
        )
    if st.session_state.get(_SEND) == schedule.name:
        _confirm_send(schedule.name)
    if st.session_state.get(_REMOVE) == schedule.name:
        _confirm_remove(schedule.name)


def _pause(name: str, paused: bool) -> None:
    try:
        actions.pause_recurring(workspace(), name, paused=paused, now=formats.now())
    except LotwiseError as error:
        st.session_state[_REFUSED] = str(error)


def _ask(what: str, name: str) -> None:
    st.session_state[what] = name


def _keep() -> None:
    for what in (_SEND, _REMOVE):
        st.session_state.pop(what, None)


@st.dialog(say("schedule.confirm_title"), on_dismiss=_keep)
def _confirm_send(name: str) -> None:
    with frame.refusals():
        made = actions.run_recurring(workspace(), name, now=formats.now(), dry_run=True)
        st.markdown(say("schedule.confirm_items", name=name, jobs=formats.count(len(made.jobs))))
        confirm.bars(made.check)
        typed = confirm.typed(made.check, key="schedule-typed")
        with st.container(horizontal=True, horizontal_alignment="right"):
            if st.button(say("schedule.confirm_keep"), key="schedule-not-now"):
                _keep()
                st.rerun()
            sure = typed is not None
            if frame.action_button(
                say("schedule.confirm_send"), type="primary", disabled=not sure, key="schedule-send-confirm"
            ):
                actions.run_recurring(workspace(), name, now=formats.now(), confirmed=typed or None)
                _keep()
                st.rerun()


@st.dialog(say("schedule.remove_title"), on_dismiss=_keep)
def _confirm_remove(name: str) -> None:
    st.markdown(say("schedule.remove_body", name=name))
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button(say("schedule.remove_keep"), key="schedule-keep"):
            _keep()
            st.rerun()
        if frame.action_button(say("schedule.remove"), type="primary", key="schedule-remove-confirm"):
            with frame.refusals():
                actions.remove_recurring(workspace(), name, now=formats.now())
                _keep()
                st.rerun()
