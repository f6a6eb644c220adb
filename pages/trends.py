"""Trends: cost per unit, spend, cache hits and reruns by day, for every class and model or for one."""

from datetime import timedelta

import polars as pl
import streamlit as st

from core.spreadsheets import csv_of
from pages import data, formats, frame, learned, pictures, predictions
from pages.words import plain, say, term

DEFAULT_DAYS = 90


def section(chart: str, rows: pl.DataFrame) -> None:
    """A chart of the days under its heading."""
    st.header(say(f"trends.{chart}"), anchor=False)
    pictures.draw(chart, frame=rows, key=f"trends-{chart}")


frame.title("trends")
known = data.row("trend_span")
if known is None or known["last"] is None:
    frame.empty("trends", page="backlog.py")
    st.stop()

today = max(known["last"], formats.now().date())
with st.grid(3, min_column_width=220, gap="small"):
    period = st.date_input(
        say("trends.period"),
        value=(max(known["first"], today - timedelta(days=DEFAULT_DAYS - 1)), today),
        min_value=known["first"],
        max_value=today,
        key="days",
        bind="query-params",
        format="YYYY-MM-DD",
    )
    class_name = st.selectbox(
        say("trends.class"),
        data.class_names(),
        index=None,
        placeholder=say("app.all"),
        key="class",
        bind="query-params",
    )
    model = st.selectbox(
        say("trends.model"),
        data.models(),
        index=None,
        placeholder=say("app.all"),
        key="model",
        bind="query-params",
    )
first, last = (period[0], period[-1]) if period else (known["first"], today)
chosen = {"first": first, "last": last, "class_name": class_name, "model": model}
days = data.read("trend_days", **chosen)
if not days.height:
    st.info(say("trends.none_match"), icon=":material/filter_alt_off:")
    st.stop()

total = data.totals(days)
with st.grid(4, min_column_width=180, gap="small"):
    frame.metric(
        "trends.unit_cost",
        formats.money(formats.per_thousand(total["unit_cost_usd"])),
        note=say("trends.units_note", units=formats.count(total["units"])),
    )
    frame.metric(
        "trends.spend",
        formats.money(total["cost_usd"]),
        note=say("trends.wasted_note", dollars=formats.money(total["wasted_usd"])),
    )
    frame.metric("trends.hit_rate", formats.percent(total["hit_rate"]), note=say("trends.tokens_note"))
    frame.metric(
        "trends.reruns",
        formats.count(total["reruns"]),
        note=say(
            "trends.reruns_share",
            share=formats.percent(total["reruns"] / total["attempts"]),
            attempts=formats.count(total["attempts"]),
        ),
    )

by = st.radio(
    say("trends.by"),
    ("class", "model"),
    format_func=lambda name: term("by", name),
    horizontal=True,
    key="by",
    bind="query-params",
)
lines = days.with_columns(pl.col("model").alias("class_name")) if by == "model" else days
section("unit_cost", lines)
ended = data.read("jobs_ended", **chosen)
with st.grid(2, min_column_width=340, gap="medium") as grid:
    for name, rows in (
        ("spend", lines),
        ("hit_rate", lines),
        ("failures", data.read("failure_days", **chosen)),
        ("turnaround", ended),
    ):
        with grid.cell():
            section(name, rows)
st.caption(say("app.utc_days", zone=formats.zone().key))
section("predicted_actual", ended)

st.header(say("trends.table"), anchor=False)
frame.table(
    days.reverse().with_columns(pl.col("unit_cost_usd") * 1000),
    {
        "day": st.column_config.DateColumn(plain("trends.columns.day"), format="YYYY-MM-DD"),
        "class_name": frame.text("trends.columns.class", width="medium"),
        "model": frame.text("trends.columns.model"),
        "cost_usd": frame.dollars("trends.columns.cost"),
        "units": frame.number("trends.columns.units"),
        "unit_cost_usd": frame.dollars("trends.columns.unit_cost"),
        "hit_rate": frame.share("trends.columns.hit_rate"),
        "attempts": frame.number("trends.columns.attempts"),
        "failures": frame.number("trends.columns.failures"),
        "reruns": frame.number("trends.columns.reruns"),
        "wasted_usd": frame.dollars("trends.columns.wasted"),
    },
    alt=plain("trends.alt"),
    key="trend-table",
)
st.download_button(
    say("trends.download"),
    data=lambda: csv_of(days),
    file_name=f"lotwise-trends-{first}-{last}.csv",
    mime="text/csv",
    on_click="ignore",
    icon=":material/download:",
    key="trend-download",
)
predictions.show(**chosen)
learned.show()
