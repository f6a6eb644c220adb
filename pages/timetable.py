"""The schedule of the whole plan: when each job goes, how surely all is in time, and what would help else."""

from datetime import datetime

import streamlit as st

from core.planning.needs import Needs
from core.planning.plan import Plan
from core.planning.timetable import timetable
from pages import formats, frame, pictures, submission
from pages.words import literal, say

LIVE = 50_000
"""A plan of more items takes seconds to work out: it follows the sliders on a click, so that they stay quick."""
_PLANNED = "needs-planned"


def wanted(plan: Plan, asked: Needs) -> Needs:
    """What the whole plan is to meet: what the sliders say, where it is large not before a click."""
    st.header(say("timetable.title"), anchor=False)
    if plan.items <= LIVE:
        return asked
    planned: Needs = st.session_state.get(_PLANNED, Needs())
    if asked != planned:
        st.caption(say("timetable.large"))
        st.button(
            say("timetable.follow"), key="follow-sliders", icon=":material/refresh:", on_click=_follow, args=(asked,)
        )
    return planned


def _follow(asked: Needs) -> None:
    st.session_state[_PLANNED] = asked


def show(plan: Plan, needs: Needs) -> None:
    """Draw it, with the button that submits the plan."""
    submission.unpriced(plan)
    _figures(plan, needs)
    for reason in plan.timing.reasons:
        st.warning(literal(reason), icon=":material/schedule:")
    pictures.draw("gantt", key="gantt", spans=timetable(plan), deadline=needs.deadline)
    st.caption(say("timetable.how", share=f"{needs.confidence * 100:.0f}%"))
    submission.offer(plan, needs)


def _figures(plan: Plan, needs: Needs) -> None:
    timing = plan.timing
    ready = [job.ready_by for job in plan.jobs]
    last = None if None in ready else max(moment for moment in ready if moment is not None)
    surely = f"{needs.confidence * 100:.0f}%"
    with st.grid(4, min_column_width=170, gap="small"):
        frame.metric(
            "timetable.jobs",
            formats.count(len(plan.jobs)),
            note=say("timetable.items", items=formats.count(plan.items)),
        )
        frame.metric(
            "timetable.ready",
            formats.clock(last),
            note=say("timetable.surely", day=formats.day(last), share=surely),
        )
        frame.metric(
            "timetable.on_time",
            formats.chance(timing.on_time_probability),
            note=say("sizing.on_time_note", share=surely) if needs.deadline else say("sizing.no_deadline"),
        )
        latest = _latest(plan, needs)
        frame.metric("timetable.latest", formats.clock(latest), note=_slack(latest, needs))


def _latest(plan: Plan, needs: Needs) -> datetime | None:
    """The last moment at which the plan is still in time; None where it is late already, or nothing is due."""
    chance = plan.timing.on_time_probability
    return None if chance is None or chance < needs.confidence else plan.timing.latest_send_at


def _slack(latest: datetime | None, needs: Needs) -> str:
    """How much time there is until then."""
    if needs.deadline is None:
        return say("sizing.no_deadline")
    if latest is None:
        return say("timetable.too_late")
    seconds = max(0.0, (latest - formats.now()).total_seconds())
    return say("timetable.slack", day=formats.day(latest), span=formats.span(seconds))
