"""The next savings: what would save how much a month and why, the page that does it, and a way to take it or not."""

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import streamlit as st

from core.actions import opportunities
from core.opportunities.opportunity import Opportunity
from pages import formats, frame, opportunities_data
from pages.session import workspace
from pages.words import literal, plain, say, term

SHOWN = 5
"""Savings that stand open: the list is for this week, the rest is behind a click."""

_DONE = "saving-done"
_LEAST_NOTE = 3
_SHARES = ("hit_rate", "fault_rate", "sent_again")
_SHAPES: tuple[tuple[type, Callable[[Any], str]], ...] = (
    (bool, lambda value: plain("next.yes") if value else plain("next.no")),
    (int, formats.count),
    (Decimal, formats.money),
    (date, lambda value: f"{value:%-d %b %Y}"),
    (list, lambda value: ", ".join(str(part) for part in value)),
)


def show() -> None:
    """The list, most expected dollars first."""
    with frame.refusals():
        if done := st.session_state.pop(_DONE, None):
            st.success(done, icon=":material/check_circle:")
        found = opportunities_data.next_savings()
        if not found:
            st.success(say("next.none"), icon=":material/check_circle:")
        else:
            st.caption(say("next.overlap"))
        for each in found[:SHOWN]:
            _entry(each)
        if found[SHOWN:]:
            with st.expander(say("next.further", savings=formats.count(len(found) - SHOWN)), key="next-further"):
                for each in found[SHOWN:]:
                    _entry(each)


def _entry(found: Opportunity) -> None:
    """What to do in two lines, and how to get there."""
    with st.container(border=True, gap="xxsmall", key=f"saving-{found.kind}-{found.class_id}"):
        st.markdown(say("next.what", name=found.class_name, said=found.said))
        st.caption(_money(found))
        with st.container(horizontal=True, vertical_alignment="center"):
            st.page_link(
                found.page,
                label=term("opens", found.page.removesuffix(".py")),
                icon=":material/arrow_forward:",
                query_params=found.query,
            )
            behind = st.popover(
                say("next.behind"), icon=":material/query_stats:", key=f"more-{found.key}", on_change="rerun"
            )
        if behind.open:
            with behind:
                _evidence(found.evidence)
                _take(found)
                _dismiss(found)


def _money(found: Opportunity) -> str:
    """What it is worth, how sure that is, and how much work."""
    dollars = formats.money(found.usd_month)
    known, effort = term("basis", found.confidence).lower(), term("effort", found.effort)
    if found.low is None or found.high is None:
        return say("next.money", dollars=dollars, known=known, effort=effort)
    low, high = formats.money(found.low), formats.money(found.high)
    return say("next.money_between", dollars=dollars, low=low, high=high, known=known, effort=effort)


def _evidence(evidence: Mapping[str, Any]) -> None:
    """The figures behind it."""
    lines = [f"- {term('evidence', name)}: {literal(_figure(name, value))}" for name, value in evidence.items()]
    st.markdown("\n".join(lines))


def _figure(name: str, value: Any) -> str:
    """A figure as its type, and of a share its name, want it shown."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key.replace('_', ' ')} {_figure(name, part)}" for key, part in value.items())
    if isinstance(value, float):
        return formats.percent(value) if name in _SHARES else f"{value:,.4g}"
    shown = next((shape(value) for kind, shape in _SHAPES if isinstance(value, kind)), None)
    return shown or (formats.UNKNOWN if value in (None, []) else str(value))


def _take(found: Opportunity) -> None:
    if frame.action_button(say("next.take"), icon=":material/handshake:", key=f"take-{found.key}"):
        with frame.refusals():
            opportunities.take_up(workspace(), found.key, now=formats.now())
            st.session_state[_DONE] = say("next.taken", name=found.class_name)
            st.rerun()


def _dismiss(found: Opportunity) -> None:
    note = st.text_input(say("next.note"), key=f"note-{found.key}", max_chars=200)
    if frame.action_button(say("next.dismiss"), icon=":material/visibility_off:", key=f"dismiss-{found.key}"):
        if len(note.strip()) < _LEAST_NOTE:
            st.caption(say("next.note_needed"))
            return
        with frame.refusals():
            opportunities.dismiss(workspace(), found.key, note=note.strip(), now=formats.now())
            st.session_state[_DONE] = say("next.dismissed", name=found.class_name)
            st.rerun()
