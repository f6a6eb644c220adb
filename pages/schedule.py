"""Schedule: the steady rhythm for recurring work, what its alternatives cost, and the schedules that are kept."""

from datetime import time

import polars as pl
import streamlit as st

from core import actions
from core.schedule.cadence import Advice, NothingRecurs
from core.schedule.deadlines import DAYS, Recurring
from core.schedule.rhythm import Need, Within
from pages import data, formats, frame, pictures, rhythms, schedules
from pages.session import workspace
from pages.words import plain, say, term

_RUNS = 50
_ADDED = "schedule-added"
_KINDS = ("time", "within")
_SURE = (0.8, 0.9, 0.95, 0.99)
_HOUR = 3600.0
_WEEK_DAYS = 7


def asked() -> tuple[Need, float, tuple[str, ...], float | None]:
    """What the visitor wants: when results are needed, how surely, of which classes, at which rate."""
    with st.grid(4, min_column_width=200, gap="small"):
        kind = st.selectbox(
            say("schedule.needed"),
            _KINDS,
            format_func=lambda one: term("need_kind", one),
            key="need",
            bind="query-params",
        )
        need = _at_a_time() if kind == "time" else _within()
        sure = st.select_slider(
            say("schedule.sure"), _SURE, value=0.95, format_func=lambda one: f"{one:.0%}", key="sure"
        )
        classes = st.multiselect(
            say("schedule.classes"), data.class_names(), placeholder=say("app.all"), key="schedule-classes"
        )
        rate = st.number_input(
            say("schedule.rate"),
            min_value=1.0,
            value=None,
            placeholder=say("schedule.rate_learned"),
            help=say("schedule.rate_help"),
            format="%.0f",
            key="schedule-rate",
        )
    return need, sure, tuple(classes), rate


def _at_a_time() -> Recurring:
    at = st.time_input(say("schedule.time"), value=time(7), step=900, key="need-time")
    days = st.multiselect(
        say("schedule.days"),
        range(_WEEK_DAYS),
        format_func=lambda day: DAYS[day],
        key="need-days",
        placeholder=say("app.all"),
    )
    zone = formats.zone().key
    return Recurring(at=at, zone=zone, days=frozenset(days or range(_WEEK_DAYS)))


def _within() -> Within:
    return Within(st.number_input(say("schedule.hours"), min_value=1.0, value=24.0, step=1.0, key="need-hours"))


def advice(found: actions.Recommended, need: Need) -> None:
    """The recommended rhythm in one sentence, its figures, and the week as a picture."""
    best, said = found.advice.best, rhythms.rhythm(found.advice.best.rhythm)
    st.subheader(say("schedule.send", rhythm=said), anchor=False)
    st.markdown(_why(found, need))
    with st.grid(5, min_column_width=150, gap="small"):
        frame.metric("schedule.cost", formats.money(best.week_usd), note=f"{formats.money(best.item_usd)} / item")
        frame.metric(
            "schedule.sends",
            _round(best.sends_a_week),
            note=say("schedule.jobs", jobs=_round(best.jobs_a_week)),
        )
        frame.metric("schedule.size", _round(best.items_a_send))
        longest = rhythms.lasting(best.longest_wait_seconds)
        frame.metric("schedule.wait", f"{best.wait_seconds / _HOUR:.1f} h", note=say("schedule.longest", wait=longest))
        frame.metric("schedule.on_time", formats.percent(best.on_time))
    st.markdown(f"**{say('schedule.week')}**")
    shown = pl.DataFrame({"came": found.advice.came, "sent": best.sent})
    pictures.draw("week_cadence", frame=shown, zone=found.advice.zone, key="schedule-week")


def _why(found: actions.Recommended, need: Need) -> str:
    """Why this one, and what it rests on."""
    best, shown = found.advice.best, found.advice
    sure, lead = f"{shown.confidence:.0%}", rhythms.lasting(shown.lead)
    parts = [
        say("schedule.why_within", wait=rhythms.lasting(best.longest_wait_seconds), lead=lead, sure=sure)
        if isinstance(need, Within)
        else say("schedule.why_need", lead=lead, sure=sure)
    ]
    if best.chained:
        parts.append(say("schedule.why_chain"))
    parts.append(say("schedule.why_price", dollars=formats.money(workspace().settings.job_cost_usd)))
    parts.append(say("schedule.learned", days=formats.count(round(found.days))))
    if found.days < _WEEK_DAYS - 1:
        parts.append(say("schedule.learned_short"))
    if found.unpriced:
        parts.append(say("schedule.unpriced", classes=", ".join(found.unpriced)))
    return " ".join(parts)


def alternatives(shown: Advice) -> None:
    """Price and wait of every rhythm that is in time, the recommended one first."""
    with st.expander(say("schedule.others")):
        frame.table(
            pl.DataFrame(
                [
                    {
                        "rhythm": rhythms.rhythm(one.rhythm),
                        "week_usd": one.week_usd,
                        "wait": one.wait_seconds / _HOUR,
                        "longest": one.longest_wait_seconds / _HOUR,
                        "sends": one.sends_a_week,
                        "size": one.items_a_send,
                    }
                    for one in shown.all
                ]
            ),
            {
                "rhythm": frame.text("schedule.columns.rhythm", width="large"),
                "week_usd": frame.dollars("schedule.columns.week", digits=2),
                "wait": frame.number("schedule.columns.wait", shape="%.1f"),
                "longest": frame.number("schedule.columns.longest", shape="%.1f"),
                "sends": frame.number("schedule.columns.sends", shape="%.1f"),
                "size": frame.number("schedule.columns.size", shape="%.0f"),
            },
            alt=plain("schedule.others_alt"),
            key="schedule-others",
        )


def keep(found: actions.Recommended) -> None:
    """One click: the worker keeps the recommended schedule from now on."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input(say("schedule.name"), value=say("schedule.name_default"), key="schedule-name", width=280)
        if frame.action_button(
            say("schedule.keep"), type="primary", icon=":material/event_repeat:", key="schedule-keep-button"
        ):
            with frame.refusals():
                actions.add_recurring(
                    workspace(),
                    name.strip(),
                    found.advice.best.rhythm,
                    now=formats.now(),
                    confidence=found.advice.confidence,
                    classes=found.class_ids,
                )
                st.session_state[_ADDED] = name.strip()
                st.rerun()
    st.caption(say("schedule.keep_note"))


def history() -> None:
    """What the schedules did, newest first."""
    listed = actions.schedule_runs(workspace(), limit=_RUNS)
    if not listed:
        return
    st.header(say("schedule.runs"), anchor=False)
    frame.table(
        pl.DataFrame(
            [
                {
                    "name": name,
                    "due_at": run.due_at,
                    "state": term("run_state", run.state),
                    "items": run.items,
                    "jobs": run.jobs,
                    "predicted_usd": run.predicted_usd,
                    "ready_at": run.ready_at,
                    "needed_by": run.needed_by,
                    "by": run.started_by,
                    "reason": run.reason
                    or (plain("schedule.missed", moment=formats.moment(run.missed_from)) if run.missed_from else None),
                }
                for name, run in listed
            ],
            schema_overrides={"ready_at": pl.Datetime("us", "UTC"), "reason": pl.String, "predicted_usd": pl.Float64},
            infer_schema_length=None,
        ),
        {
            "name": frame.text("schedule.columns.schedule"),
            "due_at": frame.instant("schedule.columns.due"),
            "state": frame.text("schedule.columns.state"),
            "items": frame.number("schedule.columns.items"),
            "jobs": frame.number("schedule.columns.jobs"),
            "predicted_usd": frame.dollars("schedule.columns.predicted"),
            "ready_at": frame.instant("schedule.columns.ready"),
            "needed_by": frame.instant("schedule.columns.needed"),
            "by": frame.text("schedule.columns.by"),
            "reason": frame.text("schedule.columns.reason", width="large"),
        },
        alt=plain("schedule.runs_alt"),
        key="schedule-runs",
    )


def _round(number: float) -> str:
    """A mean as a person would say it."""
    return f"{number:,.0f}" if number >= 10 or abs(number - round(number)) < 0.05 else f"{number:,.1f}"


frame.title("schedule")
if added := st.session_state.pop(_ADDED, None):
    st.success(say("schedule.added", name=added), icon=":material/check_circle:")
kept = actions.list_schedules(workspace())
if kept:
    st.header(say("schedule.kept"), anchor=False)
    schedules.show(kept)
if not data.class_names():
    frame.empty("schedule", page="backlog.py")
else:
    if not kept:
        st.caption(say("schedule.kept_none"))
    st.header(say("schedule.recommend"), anchor=False)
    wanted, certain, of, rate = asked()
    with frame.refusals():
        try:
            recommended = data.cadence(
                wanted, confidence=certain, classes=of, items_a_day=rate, zone=formats.zone().key
            )
        except NothingRecurs:
            frame.empty("schedule", page="backlog.py")
        else:
            advice(recommended, wanted)
            keep(recommended)
            alternatives(recommended.advice)
history()
frame.follow(any(one.last is not None and one.last.under_way for one in kept))
