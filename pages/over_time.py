"""Cost per unit, spend, hits, failures and turnarounds over time: a section of the trends, and its ways down.

A click on a line or a row narrows to it, one on a day lists its jobs, one on a job opens it.
"""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import polars as pl
import streamlit as st

from core.charts import MARK
from core.charts.series import by_week
from core.trends.date_range import DateRange
from core.trends.totals import in_one_unit, totals, unit_of
from pages import data, day_jobs, downloads, filters, formats, frame, movements_data, periods, pictures
from pages.filters import Filters
from pages.words import plain, say, term

OPENED = "trends-job"
"""Where a click leaves the id of a job: pages can be left only from outside a callback."""
_CLICKS = "trends-clicks"
_BY = ("class", "tier", "model")


def show(period: DateRange, chosen: Filters) -> None:
    """Draw the section."""
    by, days = _days(period, chosen)
    if days.is_empty():
        st.info(say("trends.none_match"), icon=":material/filter_alt_off:")
        st.button(say("trends.clear"), on_click=filters.clear, key="clear-filters")
        return
    _figures(days)
    day_jobs.show(chosen)
    _charts(period, chosen, days, by)
    _breakdown(days, by)
    _table(days)


def _days(period: DateRange, chosen: Filters) -> tuple[str, pl.DataFrame]:
    """What lines are drawn by, and the days with the name of the line of each row as its class."""
    tags = filters.tag_names()
    by = st.selectbox(
        say("trends.by"),
        (*_BY, *tags),
        format_func=lambda name: term("by", name) if name in _BY else plain("trends.by_tag", name=name),
        key="by",
        bind="query-params",
        width=260,
    )
    tag = by if by in tags and by not in _BY else None
    days = data.read("trend_days", first=period.first, last=period.last, by_tag=tag, **chosen.params())
    if tag:
        return by, days.with_columns(line=pl.col("tag").fill_null(plain("trends.untagged")))
    if by == "tier":
        tiers = filters.tiers_of(days["model"].unique().to_list())
        return by, days.with_columns(line=pl.col("model").replace_strict(tiers, return_dtype=pl.String))
    return by, days.with_columns(line="model" if by == "model" else "class_name")


def _figures(days: pl.DataFrame) -> None:
    total = totals(days).row(0, named=True)
    unit = unit_of(days)
    with st.grid(4, min_column_width=180, gap="small"):
        frame.metric(
            "trends.unit_cost",
            formats.money(formats.per_thousand(total["unit_cost_usd"])),
            note=say("trends.units_note", units=formats.count(total["units"]), unit=unit),
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
                share=formats.percent(total["rerun_share"]),
                attempts=formats.count(total["attempts"]),
            ),
        )


def _charts(period: DateRange, chosen: Filters, days: pl.DataFrame, by: str) -> None:
    lines = days.with_columns(class_name="line")
    each = in_one_unit(lines).with_columns(cost_usd="counted_usd")
    range_ = {"first": period.first, "last": period.last, **chosen.params()}
    ended = data.read("jobs_ended", **range_)
    weekly = by_week(days)
    st.caption(say("trends.how") if weekly else f"{say('trends.how')} {say('trends.dots')}")
    whole = by == "class" and not chosen.models and chosen.tag is None
    steps = movements_data.steps(days) if whole else ()
    _section("unit_cost", _to_line("unit_cost", by), frame=each, unit=unit_of(days), steps=steps)
    with st.grid(2, min_column_width=340, gap="medium") as grid:
        for name, picked, rows in (
            ("spend", _to_day("spend", weekly=weekly), lines),
            ("hit_rate", _to_line("hit_rate", by), lines),
            ("failures", _to_day("failures", weekly=False), data.read("failure_days", **range_)),
            ("turnaround", _to_job, ended),
        ):
            with grid.cell():
                _section(name, picked, frame=rows)
    _section("predicted_actual", None, frame=ended)


def _section(chart: str, picked: Callable[[], None] | None, **inputs: Any) -> None:
    """A chart under its heading; once a click has led somewhere, it begins anew with nothing chosen."""
    st.header(say(f"trends.{chart}"), anchor=False)
    pictures.draw(chart, key=_key(chart), picked=picked, by=MARK, **inputs)


def _key(chart: str) -> str:
    return f"trends-{chart}-{st.session_state.get(_CLICKS, 0)}"


def _mark(chart: str, field: str) -> str | None:
    """What was clicked in a chart; None where the click let go of it."""
    found = st.session_state[_key(chart)].selection.get(MARK)
    if not found:
        return None
    st.session_state[_CLICKS] = st.session_state.get(_CLICKS, 0) + 1
    return str(found[0][field])


def _to_line(chart: str, by: str) -> Callable[[], None]:
    """Narrow to the class, tier, model or tag of a line."""

    def clicked() -> None:
        if line := _mark(chart, "class_name"):
            _narrow(by, line)

    return clicked


def _narrow(by: str, line: str) -> None:
    if by in _BY:
        filters.narrow(by, line)
    else:
        filters.narrow("tag", f"{by}={line}")


def _to_day(chart: str, *, weekly: bool) -> Callable[[], None]:
    """List the jobs of a day; where a bar is a week, look at that week."""

    def clicked() -> None:
        if found := _mark(chart, "date"):
            day = date.fromisoformat(found)
            if weekly:
                periods.zoom(DateRange(first=day, last=day + timedelta(days=6)))
            else:
                day_jobs.choose(day)

    return clicked


def _to_job() -> None:
    if job := _mark("turnaround", "job_id"):
        st.session_state[OPENED] = job


def _breakdown(days: pl.DataFrame, by: str) -> None:
    """One row a line; a click on one narrows to it."""
    rows = totals(days, "line")
    key = f"trend-lines-{st.session_state.get(_CLICKS, 0)}"

    def clicked() -> None:
        if chosen := st.session_state[key].selection.rows:
            st.session_state[_CLICKS] = st.session_state.get(_CLICKS, 0) + 1
            _narrow(by, rows["line"][chosen[0]])

    st.header(say("trends.lines"), anchor=False)
    frame.table(
        rows.with_columns(pl.col("unit_cost_usd") * 1000),
        {
            "line": frame.text("trends.columns.line", width="medium"),
            "cost_usd": frame.dollars("trends.columns.cost"),
            "units": frame.number("trends.columns.units"),
            "unit_cost_usd": frame.dollars("trends.columns.unit_cost"),
            "hit_rate": frame.share("trends.columns.hit_rate"),
            "failed_share": frame.share("trends.columns.failed_share"),
            "rerun_share": frame.share("trends.columns.rerun_share"),
            "wasted_usd": frame.dollars("trends.columns.wasted"),
            "attempts": frame.number("trends.columns.attempts"),
        },
        alt=plain("trends.lines_alt"),
        key=key,
        on_select=clicked,
        selection_mode="single-row",
    )
    downloads.of_table("trend_lines", rows, key="trend-lines")


def _table(days: pl.DataFrame) -> None:
    st.header(say("trends.table"), anchor=False)
    frame.table(
        days.reverse().with_columns(pl.col("unit_cost_usd") * 1000),
        {
            "day": st.column_config.DateColumn(plain("trends.columns.day"), format="YYYY-MM-DD"),
            "class_name": frame.text("trends.columns.class", width="medium"),
            "model": frame.text("trends.columns.model"),
            "cost_usd": frame.dollars("trends.columns.cost"),
            "units": frame.number("trends.columns.units"),
            "unit": frame.text("trends.columns.unit"),
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
    downloads.of_table("trend_days", days.drop("line"), key="trend-table")
