"""Trends: how cost per unit, spend, hits and reruns move, why, and what moved them; every view has its address."""

from typing import Any

import streamlit as st

from pages import (
    compare,
    data,
    filters,
    formats,
    frame,
    learned,
    movements,
    over_time,
    periods,
    predictions,
    unit_costs,
)
from pages.words import say, term

VIEWS = ("over_time", "movements", "compare", "unit_costs", "predicted")

frame.title("trends")
known = data.row("trend_span")
if known is None or known["last"] is None:
    frame.empty("trends", page="backlog.py")
    st.stop()
if job := st.session_state.pop(over_time.OPENED, None):
    st.switch_page("jobs.py", query_params={"job": job})

today = max(known["last"], formats.now().date())
period = periods.choose(known["first"], today)
chosen = filters.choose()
tabs = st.tabs([term("view", view) for view in VIEWS], key="view", bind="query-params", on_change="rerun")
within: dict[str, Any] = {
    "first": period.first,
    "last": period.last,
    "class_name": chosen.class_name,
    "models": chosen.models,
}
tab = dict(zip(VIEWS, tabs, strict=True))
# Only the open tab runs: the others would cost the visitor who does not look at them a second.
if tab["over_time"].open:
    with tab["over_time"]:
        over_time.show(period, chosen)
if tab["movements"].open:
    with tab["movements"], frame.refusals():
        movements.show(**within, tag=chosen.tag)
if tab["compare"].open:
    with tab["compare"]:
        compare.show(period, chosen, known["first"], today)
if tab["unit_costs"].open:
    with tab["unit_costs"], frame.refusals():
        unit_costs.show(**within, tag=chosen.tag)
if tab["predicted"].open:
    with tab["predicted"]:
        if chosen.tag:
            st.info(say("trends.no_tag"), icon=":material/filter_alt_off:")
        predictions.show(**within)
        learned.show()
st.caption(say("app.utc_days", zone=formats.zone().key))
