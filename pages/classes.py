"""Classes: what requests share, as a picture and as a table; one of them opens in full."""

import streamlit as st

from core.charts import PICKED
from pages import class_table, data, findings, formats, frame, pictures, work_class
from pages.words import say

DRAWN = ("class_id", "name", "model", "state", "prefix_tokens", "waiting_items", "waiting_tokens")
PICTURE = "prefix-icicle"


def open_bar() -> None:
    """Open the class of the bar that was clicked; a bar of several classes opens none."""
    chosen = st.session_state[PICTURE].selection.get(PICKED) or [{}]
    class_table.open_class(chosen[0].get("class_id"))


def draw_figures() -> None:
    """What waits in four figures: what it is, what it would cost, what caching saves and what it could save."""
    sums, plan = data.caching_totals(), data.plan()
    with st.grid(4, min_column_width=150, gap="small"):
        frame.metric(
            "classes.classes",
            formats.count(sums["classes"]),
            note=say("classes.cached", classes=formats.count(sums["cached"])),
        )
        frame.metric(
            "classes.plain",
            formats.money(plan.predicted_plain_usd if plan else None),
            note=say("classes.requests", items=formats.count(plan.items if plan else None)),
        )
        frame.metric("classes.saved", formats.money(sums["saved_usd"]), note=say("classes.saved_note"))
        frame.metric(
            "classes.split",
            formats.money(sums["split_usd"]),
            note=say("classes.split_note", classes=formats.count(sums["splits"]))
            if sums["splits"]
            else say("classes.split_none"),
        )
    if plan and plan.second_round_usd > 0:
        st.caption(say("classes.second_round", dollars=formats.money(plan.second_round_usd)))


frame.title("classes")
running = data.standing()["running_jobs"] > 0
opened = st.query_params.get("id")
if opened:
    with frame.refusals():
        work_class.show(opened)
    frame.follow(running)
    st.stop()
if not data.class_models():
    frame.empty("classes", page="backlog.py")
    st.stop()

figures = st.container()
waiting = data.classes(waiting=True)
if waiting.height:
    st.header(say("classes.picture"), anchor=False)
    st.caption(say("classes.picture_how"))
    pictures.draw(
        "prefix_icicle",
        nodes=data.read("prefix_nodes"),
        classes=waiting.select(DRAWN),
        rates=data.input_rates(),
        key=PICTURE,
        picked=open_bar,
    )
st.header(say("classes.table"), anchor=False)
listed = class_table.filtered()
with frame.refusals():
    # All above is drawn before the plan is there: for many thousand classes that takes a while, once.
    with st.spinner(say("classes.planning")):
        data.caching_frame()
    if waiting.height:
        with figures:
            draw_figures()
    class_table.show(listed)
    if waiting.height:
        findings.show()
frame.follow(running)
