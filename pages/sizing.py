"""Sizing: how large the jobs of a class should be, what they then risk, and when everything is there."""

import streamlit as st

from pages import data, frame, needs, size, submission, timetable

frame.title("sizing")
with frame.refusals():
    submission.done()
    plan = data.plan()
    if plan is None:
        frame.empty("sizing", page="backlog.py")
        st.stop()
    place = size.choose(plan)
    asked = needs.ask()
    size.show(plan, place, asked)
    wanted = timetable.wanted(plan, asked)
    whole = data.plan(wanted)
    if whole is not None:
        timetable.show(whole, wanted)
        submission.asked(whole, wanted)
