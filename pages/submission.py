"""A plan on its way out: the button with its price, the dialog that asks, and what was just submitted."""

from datetime import timedelta

import streamlit as st

from core import actions
from core.planning.needs import Needs
from core.planning.plan import Plan
from pages import confirm, data, formats, frame
from pages.session import workspace
from pages.words import say

_ASKED = "submit-asked"
_SUBMITTED = "submit-done"
_IN_SIGHT = timedelta(minutes=10)


def done() -> None:
    """What was just submitted: it stays while the page follows the worker, until the next plan is asked for."""
    jobs, at = st.session_state.get(_SUBMITTED, (0, None))
    if at is not None and formats.now() - at < _IN_SIGHT:
        with st.container(border=True, key="submitted"):
            st.success(say("backlog.submitted", jobs=jobs), icon=":material/send:")
            st.page_link("jobs.py", label=say("backlog.submitted_link"), icon=":material/arrow_forward:")


def unpriced(plan: Plan) -> None:
    """Which items the figures leave out, because nobody knows their price."""
    for model, items in plan.unpriced.items():
        st.warning(say("backlog.unpriced", items=formats.count(items), model=model), icon=":material/sell:")


def offer(plan: Plan, needs: Needs | None = None) -> None:
    """How the plan meets the budgets, the button that asks, and the dialog that submits it under the same needs."""
    check = data.plan_check(needs)
    confirm.bars(check)
    confirm.verdict(check)
    frame.action_button(
        say("backlog.submit", jobs=formats.count(len(plan.jobs)), dollars=formats.money(plan.predicted_usd)),
        type="primary",
        icon=":material/send:",
        key="submit",
        on_click=_ask,
    )


def asked(plan: Plan, needs: Needs | None = None) -> None:
    """The dialog, once the button was pressed; at the end of a page, because nothing after it is drawn."""
    if st.session_state.get(_ASKED):
        _confirm(plan, needs)


def _ask() -> None:
    st.session_state.pop(_SUBMITTED, None)
    st.session_state[_ASKED] = True


def _forget() -> None:
    st.session_state.pop(_ASKED, None)


@st.dialog(say("backlog.submit_title"), on_dismiss=_forget)
def _confirm(plan: Plan, needs: Needs | None) -> None:
    st.markdown(
        say(
            "backlog.submit_body",
            items=formats.count(plan.items),
            jobs=formats.count(len(plan.jobs)),
            dollars=formats.money(plan.predicted_usd),
        )
    )
    unpriced(plan)
    if workspace().gateway.simulated:
        st.markdown(say("backlog.submit_body_simulated"))
    words = confirm.typed(data.plan_check(needs), key="submit-amount")
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button(say("backlog.submit_cancel"), key="submit-cancel"):
            _forget()
            st.rerun()
        if frame.action_button(
            say("backlog.submit_confirm"), type="primary", key="submit-confirm", disabled=words is None
        ):
            with frame.refusals():
                made = actions.submit(workspace(), now=formats.now(), confirmed=words, needs=needs)
                st.session_state[_SUBMITTED] = (len(made.jobs), formats.now())
                _forget()
                st.rerun()
