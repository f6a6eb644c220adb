"""How a class that waits meets the cache: the way taken and those not taken, in dollars, and why."""

from decimal import Decimal
from typing import Any, Literal

import polars as pl
import streamlit as st

from core import actions
from core.caching.class_caching import ClassCaching
from core.errors import LotwiseError
from pages import data, formats, frame
from pages.session import workspace
from pages.words import literal, plain, say, term

_REFUSED = "split-refused"
_COLOURS: dict[str, Any] = {"measured": "green", "estimated": "blue", "assumed": "orange"}


def basis(word: str) -> None:
    """Whether a figure was measured, estimated or assumed; the help says what that means."""
    st.badge(term("basis", word), color=_COLOURS[word], help=say(f"basis_help.{word}"))


def saved(planned: ClassCaching | None) -> Decimal | None:
    """What the plan saves of what the class would cost without caching."""
    if planned is None or planned.plain_usd is None or planned.planned_usd is None:
        return None
    return planned.plain_usd - planned.planned_usd


def show(found: dict[str, Any], planned: ClassCaching) -> None:
    """The three plans, the rule that decides, what is expected to be read, and the consent to split."""
    _plans(planned)
    floor = data.floor(planned.model)
    told = [
        reason for reason in planned.reasons if reason != "ends_inside_text" or "needs_split" not in planned.reasons
    ]
    for reason in told:
        words = say(
            f"reason.{reason}",
            items=formats.count(planned.items),
            primers=formats.count(planned.primers),
            tokens=formats.count(planned.prefix_tokens),
            floor=formats.count(floor),
            chars=formats.count(planned.split_chars or found["cut_chars"]),
            marks=formats.count(len(planned.marks)),
        )
        st.markdown(f"- {words}")
    if planned.lifetime:
        low, high = (formats.percent(share) for share in planned.interval)
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            basis(planned.basis)
            st.markdown(say("class.expected", rate=formats.percent(planned.hit_rate), low=low, high=high))
    _split(found, planned)
    _refused(planned)


def _plans(planned: ClassCaching) -> None:
    taken = planned.lifetime
    ways = (
        ("class.way_none", None, planned.plain_usd),
        ("class.way_5m", "5m", planned.five_minutes_usd),
        ("class.way_1h", "1h", planned.one_hour_usd),
    )
    with st.grid(3, min_column_width=150, gap="small"):
        for key, way, dollars in ways:
            note = say("class.taken") if way == taken else _difference(dollars, planned.planned_usd)
            if way and way != taken and dollars is not None and dollars == planned.plain_usd:
                note = say("class.not_possible")
            frame.metric(key, formats.money(dollars), note=note)


def _difference(dollars: Decimal | None, planned: Decimal | None) -> str:
    if dollars is None or planned is None:
        return say("class.unpriced")
    return say("class.dearer", dollars=formats.money(max(Decimal(0), dollars - planned)))


def _split(found: dict[str, Any], planned: ClassCaching) -> None:
    """Ask for the consent to send a text as two, or take it back."""
    if refused := st.session_state.pop(_REFUSED, None):
        st.error(literal(refused), icon=":material/error:")
    if found["split_agreed"]:
        with st.container(border=True, key="split-box"):
            st.markdown(say("class.split_agreed", chars=formats.count(found["cut_chars"])))
            _button(found["class_id"], agreed=False, words=say("class.split_undo"), icon=":material/undo:")
    elif planned.split_usd is not None:
        with st.container(border=True, key="split-box"):
            dollars = formats.money(planned.split_usd)
            st.markdown(say("class.split", chars=formats.count(found["cut_chars"]), dollars=dollars))
            words = say("class.split_button", dollars=dollars)
            _button(found["class_id"], agreed=True, words=words, icon=":material/splitscreen:")


def _button(class_id: str, *, agreed: bool, words: str, icon: str) -> None:
    kind: Literal["primary", "secondary"] = "primary" if agreed else "secondary"
    frame.action_button(words, key="split", icon=icon, type=kind, on_click=_agree, args=(class_id, agreed))


def _agree(class_id: str, agreed: bool) -> None:
    try:
        actions.agree_split(workspace(), class_id, agreed=agreed)
    except LotwiseError as error:
        st.session_state[_REFUSED] = str(error)


def _refused(planned: ClassCaching) -> None:
    if not planned.refused:
        return
    with st.expander(say("class.refused"), key="refused-ways"):
        ways = sorted(planned.refused, key=lambda way: way.extra_usd)
        frame.table(
            pl.DataFrame(
                {
                    "way": [term("way", refused.way) for refused in ways],
                    "extra_usd": [refused.extra_usd for refused in ways],
                }
            ),
            {
                "way": frame.text("class.columns.way", width="large"),
                "extra_usd": frame.dollars("class.columns.extra"),
            },
            alt=plain("class.refused_alt"),
            key="refused-table",
        )
