"""What needs a person, the most pressing first: each with the page where it is dealt with."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import streamlit as st

from core.opportunities.opportunity import Kind
from pages import data, formats, movements, next_steps, opportunities_data, routes_data
from pages.words import literal, plain, say, term

REPAIRS, DECISIONS = 2, 1
"""Of the jobs with open failures: what is repaired by a click does not hide what needs a thought."""
_ALARMS = {
    "failing": "next.route_failing",
    "drift": "next.route_drift",
    "retires": "next.route_retires",
    "not_applied": "next.route_not_applied",
}
_LATER = ("retires", "not_applied")
"""Alarms about routes that come after answers that went bad."""
_ANSWERED = {"hit_rate": "cache"}
"""The parts of a movement that have a cause of savings as their answer."""
ALARMS = 3
MOVES = 3


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One thing that needs a person."""

    what: str
    more: str
    page: str
    link: str
    query: dict[str, str] = field(default_factory=dict)


def show() -> None:
    """Draw the list, or that there is nothing on it."""
    found = list(notices())
    if not found:
        st.success(say("attention.none"), icon=":material/check_circle:")
    for number, notice in enumerate(found):
        with st.container(border=True, gap="xxsmall", key=f"notice-{number}"):
            st.markdown(notice.what)
            st.caption(notice.more)
            st.page_link(notice.page, label=notice.link, icon=":material/arrow_forward:", query_params=notice.query)


def notices() -> Iterator[Notice]:
    """All of them: answers that went bad, then missing results, jobs that stopped, what moved, and what waits."""
    waits = data.standing()
    yield from _alarms()
    yield from _failures()
    yield from _stopped(waits)
    yield from _moved()
    yield from _unpriced(waits)
    yield from _backlog(waits)


def _alarms() -> Iterator[Notice]:
    listed = {each.class_id for each in opportunities_data.next_savings() if each.kind is Kind.LIGHTER}
    alarms = [each for each in routes_data.alarms() if each.kind != "not_applied" or each.class_id not in listed]
    for alarm in sorted(alarms, key=lambda alarm: alarm.kind in _LATER)[:ALARMS]:
        dollars = formats.money(alarm.usd_month)
        yield Notice(
            what=say(_ALARMS[alarm.kind], name=alarm.class_name, model=alarm.model),
            more=literal(alarm.said)
            if alarm.usd_month is None
            else say(
                "next.route_saves" if alarm.kind == "not_applied" else "next.route_stake",
                dollars=dollars,
                said=alarm.said,
            ),
            page="routing.py",
            link=say("next.route_link"),
            query={"class": alarm.class_id},
        )


def _failures() -> Iterator[Notice]:
    """The largest jobs with open failures, and how many more there are."""
    jobs = data.read("repairs_waiting", repairs=REPAIRS, decisions=DECISIONS)
    for job in jobs.iter_rows(named=True):
        can = job["repairable"] > 0
        yield Notice(
            what=say(
                "next.repair" if can else "next.decide",
                items=formats.count(job["repairable"] if can else job["items"]),
                name=job["class_name"] or plain("next.several"),
            ),
            more=_repair_money(data.failed_slice(job["job_id"]).predicted_usd) if can else say("next.decide_money"),
            page="jobs.py",
            link=say("next.repair_link"),
            query={"job": job["job_id"]},
        )
    more = jobs["jobs"][0] - jobs.height if jobs.height else 0
    if more:
        yield Notice(
            what=say("next.more", jobs=formats.count(more)),
            more=say("next.more_money"),
            page="jobs.py",
            link=say("next.more_link"),
            query={"open": "true"},
        )


def _repair_money(price: Decimal | None) -> str:
    return say("next.unpriced") if price is None else say("next.repair_money", dollars=formats.money(price))


def _stopped(waits: dict[str, Any]) -> Iterator[Notice]:
    if waits["stopped_jobs"]:
        reason = waits["stopped_reason"]
        yield Notice(
            what=say("attention.stopped", jobs=formats.count(waits["stopped_jobs"])),
            more=literal(reason) if reason else say("attention.stopped_no_reason"),
            page="jobs.py",
            link=say("attention.stopped_link"),
        )


def _moved() -> Iterator[Notice]:
    """What moved by itself in the last weeks, most dollars first, where what mends it is not listed beside it."""
    offered = {(each.class_name, each.cause) for each in opportunities_data.next_savings()[: next_steps.SHOWN]}
    moves = [move for move in movements.short() if move.usd_month < 0 or not offered & _answers(move)]
    for move in moves[:MOVES]:
        amount = formats.money(abs(move.usd_month))
        yield Notice(
            what=move.said,
            more=say("attention.dearer" if move.usd_month > 0 else "attention.cheaper", dollars=amount),
            page="trends.py",
            link=say("attention.moved_link"),
            query={"view": term("view", "movements")} | ({"class": move.class_name} if move.class_name else {}),
        )


def _answers(move: movements.Short) -> set[tuple[str | None, str]]:
    """The savings that would be the same dollars once more: class and cause."""
    return {(move.class_name, cause) for cause in (Kind.RISE, _ANSWERED.get(move.part or "")) if cause}


def _unpriced(waits: dict[str, Any]) -> Iterator[Notice]:
    if waits["unpriced_attempts"]:
        yield Notice(
            what=say("attention.unpriced", attempts=formats.count(waits["unpriced_attempts"])),
            more=say("attention.unpriced_more"),
            page="prices.py",
            link=say("attention.unpriced_link"),
        )


def _backlog(waits: dict[str, Any]) -> Iterator[Notice]:
    """What waits to be sent, at what the plan says of it."""
    if not waits["backlog_items"]:
        return
    plan = data.plan()
    dollars = None if plan is None else plan.predicted_usd
    plain_usd = None if plan is None else plan.predicted_plain_usd
    saved = plain_usd - dollars if dollars is not None and plain_usd is not None else Decimal(0)
    yield Notice(
        what=say("next.submit", items=formats.count(waits["backlog_items"])),
        more=say("next.submit_money", dollars=formats.money(dollars), saved=formats.money(saved))
        if saved > 0
        else say("next.submit_money_plain", dollars=formats.money(dollars)),
        page="backlog.py",
        link=say("next.submit_link"),
    )
