"""What moved and why: spend against what was expected, what the difference comes from, and each movement by itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl
import streamlit as st

from core.actions import explain
from core.trends.date_range import DateRange
from core.trends.sentences import PART_WORDS, movement_sentence, part_words, spend_sentences
from core.trends.standing import Standing
from pages import formats, frame, movements_data, pictures
from pages.session import workspace
from pages.words import literal, plain, say, term

_SAID = {"open": "movements.grown", "resolved": "movements.resolved", "known": "movements.known"}
"""What a note is introduced by: on an open movement it is that of one that was resolved, and has grown."""

SHOWN = 8
"""Movements drawn at once: the list is for this week, not for the archive."""


@dataclass(frozen=True, kw_only=True)
class Short:
    """A movement in one line, for the Overview: what moved, and its dollars a month (below zero it saved them)."""

    said: str
    usd_month: float
    class_name: str | None
    part: str | None
    """What most of it comes from."""


def short() -> list[Short]:
    """The open movements of the last four weeks, most dollars first."""
    today = formats.now().date()
    recent = [
        standing.movement
        for standing in movements_data.standings()
        if standing.state == "open" and (today - standing.movement.last).days <= 28
    ]
    return [
        Short(
            said=literal(movement_sentence(one)),
            usd_month=float(one.usd_month),
            class_name=one.class_name,
            part=max(one.parts, key=lambda part: abs(part.amount)).name if one.parts else None,
        )
        for one in recent
    ]


def show(
    *,
    first: date,
    last: date,
    class_name: str | None = None,
    models: tuple[str, ...] = (),
    tag: tuple[str, str] | None = None,
) -> None:
    """Draw the section for these days; movements are found in all days and shown where they fall into these."""
    period = DateRange(first=first, last=last)
    _difference(period, class_name, models, tag)
    _expected(period, class_name, models, tag)
    st.header(say("movements.title"), anchor=False)
    st.caption(say("movements.how"))
    judged = movements_data.judged_to()
    if judged is not None and judged < last:
        st.caption(say("movements.judged", day=f"{judged:%-d %b %Y}"))
    if models or tag:
        st.caption(say("movements.whole"))
    near = [
        standing
        for standing in movements_data.standings()
        if standing.movement.since <= last
        and standing.movement.last >= first
        and class_name in {None, standing.movement.class_name}
    ]
    # The list comes with most dollars first; what costs more comes before what costs less.
    _listed(sorted((one for one in near if one.state == "open"), key=lambda one: one.movement.usd_month < 0))
    settled = [standing for standing in near if standing.state != "open"]
    if settled:
        with st.expander(say("movements.settled", movements=formats.count(len(settled)))):
            for standing in settled:
                _card(standing)
    _known(class_name)


def _difference(
    period: DateRange, class_name: str | None, models: tuple[str, ...], tag: tuple[str, str] | None
) -> None:
    """What the spend of these days differs by from that of the same weekdays before."""
    st.header(say("movements.difference"), anchor=False)
    known = movements_data.expected()["day"]
    after = period.comparable(known[0], by_week=True) if len(known) else None
    if after is None:
        st.info(say("movements.short"), icon=":material/info:")
        return
    before = after.weeks_earlier()
    found = movements_data.attributed(before, after, class_name, models, tag)
    words = [
        plain("movements.days", first=f"{one.first:%-d %b}", last=f"{one.last:%-d %b %Y}") for one in (after, before)
    ]
    st.caption(say("movements.against", days=words[0], against=words[1]))
    if after != period:
        st.caption(say("compare.short", first=f"{known[0]:%-d %b %Y}", days=formats.count(after.days)))
    rows = pl.DataFrame(
        [(PART_WORDS[part.name], float(part.amount)) for part in found.parts],
        schema={"part": pl.String, "usd": pl.Float64},
        orient="row",
    )
    st.markdown(literal(next(spend_sentences(found, by_day=False))))
    pictures.draw("attribution", frame=rows, key="movements-attribution")


def _expected(period: DateRange, class_name: str | None, models: tuple[str, ...], tag: tuple[str, str] | None) -> None:
    st.header(say("movements.expected"), anchor=False)
    st.caption(say("movements.expected_how"))
    days = movements_data.expected(class_name, models, tag).filter(pl.col("day").is_between(period.first, period.last))
    pictures.draw("expected", frame=days, key="movements-expected")


def _listed(open_ones: Sequence[Standing]) -> None:
    if not open_ones:
        st.info(say("movements.none"), icon=":material/check_circle:")
    for standing in open_ones[:SHOWN]:
        _card(standing)
    if len(open_ones) > SHOWN:
        with st.expander(say("movements.more", movements=formats.count(len(open_ones) - SHOWN))):
            for standing in open_ones[SHOWN:]:
                _card(standing)


def _card(standing: Standing) -> None:
    """One movement: its sentence, its range, what happened beside it, and how it is settled."""
    movement = standing.movement
    with st.container(border=True, key=f"movement-{movement.key}"):
        mark = ":orange-badge" if movement.usd_month > 0 else ":green-badge"
        way = say("movements.dearer" if movement.usd_month > 0 else "movements.cheaper")
        st.markdown(f"{mark}[{way}] **{literal(movement_sentence(movement))}**")
        if movement.low is not None and movement.high is not None:
            low, high = sorted((movement.low, movement.high))
            st.caption(say("movements.range", low=formats.money(low), high=formats.money(high)))
        for link in movement.events:
            named = part_words(part for part in movement.parts if part.name in link.parts)
            st.markdown(
                say(
                    "movements.event",
                    day=f"{link.event.day:%-d %b}",
                    kind=term("event", link.event.kind),
                    said=link.event.said,
                    named=named,
                )
            )
        if not movement.events:
            st.caption(say("movements.no_event"))
        if standing.said:
            st.markdown(say(_SAID["open" if standing.reopened else standing.state], note=standing.said, by=standing.by))
        _settle(standing)


def _settle(standing: Standing) -> None:
    key = standing.movement.key
    if standing.state == "resolved":
        if frame.action_button(say("movements.reopen"), key=f"reopen-{key}"):
            with frame.refusals():
                explain.reopen_movement(workspace(), key, now=formats.now())
                st.rerun()
    elif standing.state == "open":
        with st.popover(say("movements.resolve"), disabled=not frame.may_change()):
            note = st.text_input(say("movements.note"), key=f"note-{key}", max_chars=500)
            if frame.action_button(say("movements.resolve_it"), key=f"resolve-{key}"):
                with frame.refusals():
                    explain.resolve_movement(workspace(), key, note=note, now=formats.now())
                    st.rerun()


def _known(class_name: str | None) -> None:
    """Known events, and one more."""
    events = movements_data.known()
    with st.expander(say("movements.known_title", events=formats.count(len(events)))):
        st.caption(say("movements.known_how"))
        for event in events:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(
                    say(
                        "movements.known_event",
                        first=f"{event.first_day:%-d %b %Y}",
                        last=f"{event.last_day:%-d %b %Y}",
                        said=event.said,
                        about=event.class_name or plain("movements.all_work"),
                    )
                )
                if frame.action_button(say("movements.forget"), key=f"forget-{event.event_id}"):
                    with frame.refusals():
                        explain.remove_known_event(workspace(), event.event_id, now=formats.now())
                        st.rerun()
        _add_known(class_name)


def _add_known(class_name: str | None) -> None:
    with st.form("known-event", border=False):
        today = formats.now().date()
        days = st.date_input(say("movements.known_days"), value=(today, today), format="YYYY-MM-DD", key="known-days")
        said = st.text_input(say("movements.known_said"), key="known-said", max_chars=500)
        about = class_name or plain("movements.all_work")
        if frame.action_submit(say("movements.known_add", about=about)) and days:
            with frame.refusals():
                explain.add_known_event(
                    workspace(), first=days[0], last=days[-1], said=said, class_name=class_name, now=formats.now()
                )
                st.rerun()
