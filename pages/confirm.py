"""How something to be sent meets the budgets, and the amount that has to be typed where it does not fit."""

import streamlit as st

from core.jobs.spending import Budget, Check, fits
from pages import formats
from pages.words import plain, say

_OVER = {"job": "budget.over_job", "day": "budget.over_day", "month": "budget.over_month"}


def bars(check: Check) -> None:
    """What of the day's and the month's budget is gone, and how far this would take it."""
    with st.grid(2, min_column_width=300, gap="small"):
        for budget in check.budgets:
            if budget.period != "job":
                _bar(budget)


def verdict(check: Check) -> None:
    """Say before the click whether it fits; where not, why, and that the amount will be asked for."""
    if check.confirm is None:
        st.caption(say("budget.fits"))
        return
    st.warning(" ".join([*_reasons(check), say("budget.asks")]), icon=":material/payments:")


def typed(check: Check, *, key: str) -> str | None:
    """Ask for the amount where it does not fit; what was typed, once it is right or nothing has to be typed."""
    if check.confirm is None:
        return ""
    for reason in _reasons(check):
        st.markdown(reason)
    words = st.text_input(say("budget.type", words=check.confirm), key=key, live=True, autocomplete="off")
    if words and not fits(check, words):
        st.caption(say("budget.not_this", words=check.confirm))
    return words if words and fits(check, words) else None


def _bar(budget: Budget) -> None:
    name = plain("budget.day") if budget.period == "day" else plain("budget.month")
    values = {
        "name": name,
        "spent": formats.money(budget.spent_usd),
        "committed": formats.money(budget.committed_usd),
        "adds": formats.money(budget.adds_usd),
        "limit": formats.money(budget.limit_usd),
    }
    share = float(budget.total_usd / budget.limit_usd) if budget.limit_usd else 1.0
    st.progress(min(1.0, share), text=say("budget.bar", **values))


def _reasons(check: Check) -> list[str]:
    """Each budget that does not suffice, with its figures, and what has no price."""
    said = [
        say(
            _OVER[budget.period],
            spent=formats.money(budget.spent_usd),
            committed=formats.money(budget.committed_usd),
            adds=formats.money(budget.adds_usd),
            limit=formats.money(budget.limit_usd),
        )
        for budget in check.over
    ]
    if check.unpriced:
        said.append(say("budget.unpriced", items=formats.count(check.unpriced)))
    return said
