"""The naming rules of account history: edited, tried on what is in, and put into force."""

import polars as pl
import streamlit as st

from core import actions
from core.errors import LotwiseError
from core.history.naming_anew import Naming
from pages import data, formats, frame
from pages.session import workspace
from pages.words import literal, plain, say

_TEXT = "naming-text"
_LOADED = "naming-loaded"
_SAID = "naming-said"
_HEIGHT = 420


def show(*, busy: bool) -> None:
    """Draw the editor, and what its rules make of the imported items while nothing is coming in."""
    st.header(say("naming.title"), anchor=False)
    st.markdown(say("naming.how"))
    with frame.refusals():
        if _TEXT not in st.session_state:
            _load()
        with st.expander(say("naming.rules"), icon=":material/edit:", key="naming-editor"):
            text = st.text_area(say("naming.text"), key=_TEXT, height=_HEIGHT)
            with st.container(horizontal=True):
                st.button(say("naming.try"), icon=":material/preview:", key="naming-try")
                frame.action_button(
                    say("naming.save"), type="primary", icon=":material/save:", key="naming-save", on_click=_save
                )
                st.button(say("naming.reload"), icon=":material/undo:", key="naming-reload", on_click=_reload)
        refused, said = st.session_state.pop(_SAID, (False, None))
        if said:
            (st.error if refused else st.success)(literal(said))
        if not busy:
            _preview(data.naming(text))


def _preview(naming: Naming) -> None:
    if not naming.items:
        st.caption(say("naming.none"))
        return
    changed, share = formats.count(naming.changed), formats.percent(naming.unmatched_share)
    st.markdown(say("naming.outcome", items=formats.count(naming.items), share=share, changed=changed))
    frame.table(
        pl.DataFrame(
            [
                {
                    "rule": plain("naming.rule", number=use.number) if use.number else plain("naming.no_rule"),
                    "items": use.items,
                    "classes": use.classes,
                    "examples": "\n".join(use.examples),
                    "pattern": use.pattern,
                }
                for use in naming.rules
            ],
            schema_overrides={"pattern": pl.String},
            infer_schema_length=None,
        ),
        {
            "rule": frame.text("naming.columns.rule"),
            "items": frame.number("naming.columns.items"),
            "classes": frame.number("naming.columns.classes"),
            "examples": frame.text("naming.columns.examples", width="large"),
            "pattern": frame.text("naming.columns.pattern", width="medium"),
        },
        alt=plain("naming.alt"),
        key="naming-table",
    )


def _load() -> None:
    st.session_state[_TEXT] = st.session_state[_LOADED] = actions.naming_rules(workspace())


def _reload() -> None:
    """Take back what was typed, and what others saved meanwhile in."""
    try:
        _load()
    except LotwiseError as error:
        st.session_state[_SAID] = (True, str(error))


def _save() -> None:
    text: str = st.session_state[_TEXT]
    try:
        actions.save_naming(workspace(), text, instead_of=st.session_state[_LOADED])
        st.session_state[_LOADED] = text
        actions.request_naming(workspace())
        st.session_state[_SAID] = (False, plain("naming.saved"))
    except LotwiseError as error:
        st.session_state[_SAID] = (True, str(error))
