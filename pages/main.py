"""The frame of every page: navigation, the badge of simulated data, and what needs a person."""

import streamlit as st

from core.errors import LotwiseError
from pages import data, formats, frame, sign_in, stop
from pages.session import open_to_others, workspace
from pages.words import literal, say

st.set_page_config(page_title=say("app.title"), page_icon="📦", layout="wide")

refusal = sign_in.refusal()
page = st.navigation(
    [
        st.Page("overview.py", title=say("nav.overview"), help=say("nav.overview_help"), default=True),
        st.Page("backlog.py", title=say("nav.backlog"), help=say("nav.backlog_help")),
        st.Page("sizing.py", title=say("nav.sizing"), help=say("nav.sizing_help")),
        st.Page("routing.py", title=say("nav.routing"), help=say("nav.routing_help")),
        st.Page("classes.py", title=say("nav.classes"), help=say("nav.classes_help")),
        st.Page("jobs.py", title=say("nav.jobs"), help=say("nav.jobs_help")),
        st.Page("schedule.py", title=say("nav.schedule"), help=say("nav.schedule_help")),
        st.Page("results.py", title=say("nav.results"), help=say("nav.results_help")),
        st.Page("trends.py", title=say("nav.trends"), help=say("nav.trends_help")),
        st.Page("savings.py", title=say("nav.savings"), help=say("nav.savings_help")),
        st.Page("what_if.py", title=say("nav.what_if"), help=say("nav.what_if_help")),
        st.Page("history.py", title=say("nav.history"), help=say("nav.history_help")),
        st.Page("prices.py", title=say("nav.prices"), help=say("nav.prices_help")),
        st.Page("reconcile.py", title=say("nav.reconcile"), help=say("nav.reconcile_help")),
        st.Page("audit.py", title=say("nav.audit"), help=say("nav.audit_help")),
    ],
    position="top" if refusal is None else "hidden",
)
if refusal is not None:
    sign_in.show(refusal)
    st.stop()

try:
    frame.begin()
    waits = data.standing()
except LotwiseError as error:
    st.title(say("app.title"), anchor=False)
    st.error(literal(str(error)), title=say("app.not_open"), icon=":material/lock:")
    st.button(say("app.try_again"), icon=":material/refresh:", key="try-again")
    st.stop()

frame.legible_controls()
stop.banner()
if trouble := workspace().worker.trouble:
    st.warning(literal(trouble), title=say("app.trouble_title"), icon=":material/sync_problem:")
if troubled := data.read("sinks")["trouble"].drop_nulls().len():
    st.warning(say("app.sinks", sinks=formats.count(troubled)), icon=":material/sync_problem:")
if (refused := data.read("schedules_refused").row(0, named=True))["schedules"]:
    st.warning(
        say("app.schedules", schedules=formats.count(refused["schedules"]), name=refused["name"]),
        icon=":material/event_busy:",
    )
if waits["stopped_jobs"]:
    st.warning(
        say("app.health", reason=waits["stopped_reason"]) if waits["stopped_reason"] else say("app.health_no_reason"),
        title=say("app.health_title", jobs=formats.count(waits["stopped_jobs"])),
        icon=":material/front_hand:",
    )
if waits["unpriced_attempts"]:
    st.warning(say("app.unpriced", attempts=formats.count(waits["unpriced_attempts"])), icon=":material/sell:")

if open_to_others():
    st.warning(say("app.open"), title=say("app.open_title"), icon=":material/lan:")

page.run()
