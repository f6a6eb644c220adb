"""Overview: what a usable item costs, what to do next, and what needs a person, in five seconds."""

from datetime import timedelta

import streamlit as st

from core.charts import MARK
from core.trends.totals import in_one_unit, unit_of
from pages import attention, data, formats, frame, headline, movements_data, next_steps, pictures
from pages.words import say

TREND_DAYS = 90
_CHART = "overview-unit-cost"

frame.title("overview")
today = formats.now().date()
standing = data.standing()

if not standing["jobs"] and not standing["backlog_items"]:
    frame.empty("overview", page="backlog.py")
    st.stop()


def open_class() -> None:
    """Note the class of the line that was clicked: pages can be left only from outside a callback."""
    if marks := st.session_state[_CHART].selection.get(MARK):
        st.session_state["overview-class"] = marks[0]["class_name"]


if name := st.session_state.pop("overview-class", None):
    st.switch_page("trends.py", query_params={"class": name})

headline.show(today)
savings, notices = st.columns(2, gap="medium")
with savings:
    st.header(say("overview.next"), anchor=False)
    next_steps.show()
with notices:
    st.header(say("overview.attention"), anchor=False)
    with frame.refusals():
        attention.show()
st.header(say("overview.trend"), anchor=False)
days = data.read(
    "trend_days",
    first=today - timedelta(days=TREND_DAYS),
    last=today,
    by_tag=None,
    class_name=None,
    models=(),
    tag_name=None,
    tag_value=None,
)
shown = in_one_unit(days).with_columns(cost_usd="counted_usd")
st.caption(say("trends.dots"))
pictures.draw(
    "unit_cost",
    frame=shown,
    unit=unit_of(days),
    steps=movements_data.steps(days),
    key=_CHART,
    picked=open_class,
    by=MARK,
)
st.caption(say("app.utc_days", zone=formats.zone().key))
frame.follow(standing["running_jobs"] > 0, every="5s")
