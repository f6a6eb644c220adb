"""Routing: on which model each class should run, what is proven of it, and trials that prove it."""

import streamlit as st

from pages import frame, labels, route_table, routes_data, tiers, trial, trial_form
from pages.words import say

frame.title("routing")
with frame.refusals():
    if labelling := st.query_params.get("label"):
        labels.show(labelling)
        st.stop()
    labels.leave()
    lines = routes_data.classes()
    if not lines:
        frame.empty("routing", page="backlog.py")
        st.stop()
    opened = st.query_params.get("class")
    if opened is None:
        route_table.headline(lines)
        if held := route_table.together(routes_data.listed()):
            st.caption(held)
        route_table.show(lines)
    else:
        st.page_link("routing.py", label=say("routing.back"), icon=":material/arrow_back:")
        line = next((line for line in lines if opened in (line.class_id, line.class_name)), None)
        if line is None:
            st.warning(say("routing.unknown", id=opened), icon=":material/search_off:")
            st.stop()
        tiers.show(line)
        trial.show(line)
        trial_form.show(line)
    frame.follow(any(one.state == "running" for one in routes_data.listed()))
