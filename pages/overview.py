"""Overview: what a usable item costs, why it moved, and what to do next, in five seconds."""

from datetime import timedelta

import streamlit as st

from pages import data, formats, frame, next_steps, pictures
from pages.session import workspace
from pages.words import say

TREND_DAYS = 90

frame.title("overview")
today = formats.now().date()
standing = data.standing()

if not standing["jobs"] and not standing["backlog_items"]:
    frame.empty("overview", page="backlog.py")
    st.stop()

head = data.row("headline", today=today) or {}
days = data.read("trend_days", first=today - timedelta(days=TREND_DAYS), last=today, class_name=None, model=None)
recent = data.read("rolling_month", today=today)
versus = say("overview.versus")

with st.grid(5, min_column_width=180, gap="small"):
    frame.metric(
        "overview.spend",
        formats.money(head["cost_usd"]),
        delta=formats.moved(head["cost_usd"], head["cost_before_usd"]),
        note=versus,
        line=recent["cost_usd"],
    )
    frame.metric(
        "overview.unit_cost",
        formats.money(formats.per_thousand(head["unit_cost_usd"])),
        delta=formats.moved(head["unit_cost_usd"], head["unit_cost_before_usd"]),
        note=versus,
        good="down",
        line=recent["unit_cost_usd"],
    )
    frame.metric(
        "overview.hit_rate",
        formats.percent(head["hit_rate"]),
        delta=formats.points(head["hit_rate"], head["hit_rate_before"]),
        note=versus,
        good="up",
        line=recent["hit_rate"],
    )
    frame.metric(
        "overview.open_failures",
        formats.count(standing["open_items"]),
        note=say("overview.in_jobs", jobs=standing["open_jobs"])
        if standing["open_items"]
        else say("overview.none_open"),
    )
    frame.metric(
        "overview.backlog",
        formats.count(standing["backlog_items"]),
        note=say("overview.waiting") if standing["backlog_items"] else say("overview.none_waiting"),
    )

trend, todo = st.columns([3, 2], gap="medium")
with todo:
    st.header(say("overview.next"), anchor=False)
    with frame.refusals():
        steps = next_steps.steps(workspace().book, today)
        if not steps:
            st.success(say("overview.next_none"), icon=":material/check_circle:")
        for number, step in enumerate(steps):
            with st.container(border=True, gap="xxsmall", key=f"step-{number}"):
                st.markdown(step.what)
                st.caption(step.money)
                st.page_link(step.page, label=step.link, icon=":material/arrow_forward:", query_params=step.query)
with trend:
    st.header(say("overview.trend"), anchor=False)
    pictures.draw("unit_cost", frame=days, key="overview-unit-cost")
    st.caption(say("app.utc_days", zone=formats.zone().key))
frame.follow(standing["running_jobs"] > 0, every="5s")
