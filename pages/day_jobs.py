"""The jobs of one day, dearest first: what a click on a day of the trends leads to. The day stands in the address."""

from datetime import date

import polars as pl
import streamlit as st

from pages import data, formats, frame
from pages.filters import Filters
from pages.words import plain, say, term

SHOWN = 200
_DAY = "day"


def choose(day: date) -> None:
    """Show the jobs of this day; for callbacks."""
    st.query_params[_DAY] = day.isoformat()


def show(chosen: Filters) -> None:
    """Draw the list, where a day is chosen; a click on a job opens it."""
    try:
        day = date.fromisoformat(st.query_params[_DAY])
    except (KeyError, ValueError):
        return
    rows = data.read("day_jobs", first=day, last=day, limit=SHOWN, **chosen.params())
    with st.container(border=True, key="day-jobs"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.header(say("day_jobs.title", day=f"{day:%-d %b %Y}"), anchor=False, width="content")
            st.button(say("day_jobs.close"), on_click=_close, key="close-day", icon=":material/close:", type="tertiary")
        if rows.is_empty():
            st.info(say("day_jobs.none"), icon=":material/filter_alt_off:")
            return
        st.caption(say("day_jobs.how"))
        opened = frame.table(
            rows.with_columns(
                pl.Series("role", [term("role", role) for role in rows["role"]]),
                class_name=rows["class_name"].fill_null(plain("backlog.several_classes")),
                unit_cost_usd=rows["unit_cost_usd"] * 1000,
            ),
            {
                "job_id": frame.text("jobs.columns.job_id"),
                "role": frame.text("jobs.columns.role"),
                "class_name": frame.text("jobs.columns.class", width="medium"),
                "model": frame.text("trends.columns.model"),
                "attempts": frame.number("jobs.columns.items"),
                "usable": frame.number("jobs.columns.usable"),
                "failures": frame.number("trends.columns.failures"),
                "cost_usd": frame.dollars("jobs.columns.cost"),
                "unit_cost_usd": frame.dollars("jobs.columns.unit_cost"),
                "hit_rate": frame.share("jobs.columns.hit_rate"),
                "submitted_at": frame.instant("day_jobs.submitted_at"),
            },
            alt=plain("day_jobs.alt"),
            key="day-jobs-table",
            on_select="rerun",
            selection_mode="single-row",
        )
        if rows["jobs"][0] > SHOWN:
            st.caption(say("day_jobs.limited", shown=SHOWN, jobs=formats.count(rows["jobs"][0])))
    if opened.selection.rows:
        st.switch_page("jobs.py", query_params={"job": rows["job_id"][opened.selection.rows[0]]})


def _close() -> None:
    del st.query_params[_DAY]
