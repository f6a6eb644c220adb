"""What the cost of a class is divided by: as it is, and a form to choose it, tried on the latest results first."""

import streamlit as st

from core.actions import units as of_units
from core.unit_costs.unit import Kind, Unit
from pages import formats, frame, units_data
from pages.session import workspace
from pages.words import plain, say, term

_KINDS: tuple[Kind, ...] = ("items", "output_tokens", "json", "matches")


def show(class_name: str) -> None:
    """Draw the section for the classes of this name."""
    chosen = units_data.class_unit(class_name)
    st.header(say("unit.title"), anchor=False)
    st.markdown(say("unit.now", unit=chosen.unit.noun))
    if chosen.recounting:
        st.info(say("unit.recounting", jobs=formats.count(chosen.recounting)), icon=":material/hourglass:")
    elif chosen.uncounted:
        uncounted, items = formats.count(chosen.uncounted), formats.count(chosen.usable_items)
        st.warning(say("unit.uncounted", uncounted=uncounted, items=items), icon=":material/help:")
    with st.expander(say("unit.change")), frame.refusals():
        _form(class_name, chosen.unit)


def _form(class_name: str, now: Unit) -> None:
    kind = st.radio(
        say("unit.kind"),
        _KINDS,
        index=_KINDS.index(now.kind),
        format_func=lambda kind: term("unit_kind", kind),
        key="unit-kind",
        horizontal=True,
    )
    place, noun = None, None
    if kind in ("json", "matches"):
        same = now.kind == kind
        if kind == "json":
            place = _text("unit.json", "unit.json_placeholder", now.place if same else None)
        else:
            place = _text("unit.matches", "unit.matches_placeholder", now.place if same else None)
        noun = _text("unit.noun", "unit.noun_placeholder", now.noun if same else None)
        if not place:
            return
    wanted = Unit.of(kind, place, noun)
    if wanted.is_count:
        _preview(units_data.preview(class_name, wanted), wanted)
    if frame.action_button(say("unit.save"), key="unit-save", disabled=wanted == now):
        of_units.request_unit(workspace(), class_name, wanted)
        st.rerun()


def _text(key: str, placeholder: str, value: str | None) -> str:
    typed = st.text_input(
        say(key), value=value or "", placeholder=plain(placeholder), key=key.replace(".", "-"), help=say(f"{key}_help")
    )
    return str(typed).strip()


def _preview(found: of_units.Preview, wanted: Unit) -> None:
    """What it would count in the latest results."""
    if not found.jobs:
        st.warning(say("unit.no_results"), icon=":material/help:")
        return
    values = {"found": formats.count(found.found), "answers": formats.count(found.answers), "jobs": found.jobs}
    if not found.found:
        st.warning(say("unit.not_found", **values), icon=":material/search_off:")
        return
    counted = {"units": formats.count(found.units), "least": formats.count(found.least)}
    st.markdown(say("unit.preview", **values, **counted, most=formats.count(found.most), unit=wanted.noun))
