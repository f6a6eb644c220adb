"""The days that the Trends look at: a range up to today, or any days of one's own. Both stand in the address."""

from datetime import date

import streamlit as st

from core.trends.date_range import DateRange, last_days, quarter_to_date
from pages.words import say, term

OWN = "own"
_LENGTHS = {"days_7": 7, "days_30": 30, "days_90": 90}
_RANGES = (*_LENGTHS, "quarter", "all", OWN)
_DEFAULT = "days_90"


def choose(first: date, today: date) -> DateRange:
    """The range control; `first` is the first day of which anything is known."""
    if "days" in st.query_params and "range" not in st.query_params:
        # A link may name days alone.
        st.session_state["range"] = OWN
    chosen = st.segmented_control(
        say("periods.range"),
        _RANGES,
        default=_DEFAULT,
        required=True,
        format_func=lambda name: term("range", name),
        key="range",
        bind="query-params",
    )
    if chosen == OWN:
        return own("periods.days", "days", last_days(_LENGTHS[_DEFAULT], today), first, today)
    if chosen == "all":
        return DateRange(first=first, last=today)
    return quarter_to_date(today) if chosen == "quarter" else last_days(_LENGTHS[str(chosen)], today)


def own(label: str, key: str, usual: DateRange, first: date, today: date) -> DateRange:
    """Days of one's own, between these two; while only one end is chosen, that day alone."""
    days = st.date_input(
        say(label),
        value=(max(first, usual.first), max(first, usual.last)),
        min_value=first,
        max_value=today,
        key=key,
        bind="query-params",
        format="YYYY-MM-DD",
    )
    return DateRange(first=days[0], last=days[-1]) if days else usual


def zoom(period: DateRange) -> None:
    """Look at these days instead; for callbacks."""
    st.session_state.update({"range": OWN, "days": (period.first, period.last)})
