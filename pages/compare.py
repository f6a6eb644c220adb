"""Two periods side by side, and what the difference comes from: a section of the trends."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl
import streamlit as st

from core.trends.date_range import DateRange
from core.trends.sentences import PART_WORDS, spend_sentences
from core.trends.totals import USABLE, in_one_unit, totals, unit_of
from pages import data, downloads, formats, frame, movements_data, periods, pictures
from pages.filters import Filters
from pages.words import literal, plain, say, term

_AGAINST = ("previous", "weeks_earlier", periods.OWN)

Show = Callable[[Any], str]


@dataclass(frozen=True, kw_only=True)
class _Figure:
    """One row of the comparison: its name in the words and in the totals, and how it is shown."""

    name: str
    column: str
    show: Show
    change: Callable[[Any, Any], str | int | None] = formats.moved


def _tokens(each: float | None) -> str:
    return formats.UNKNOWN if each is None else f"{each:,.0f}"


_FIGURES = (
    _Figure(name="spend", column="cost_usd", show=formats.money),
    _Figure(name="unit_cost", column="unit_cost_usd", show=lambda cost: formats.money(formats.per_thousand(cost))),
    _Figure(name="units", column="units", show=formats.count),
    _Figure(name="attempts", column="attempts", show=formats.count),
    _Figure(name="hit_rate", column="hit_rate", show=formats.percent, change=formats.points),
    _Figure(name="failed", column="failed_share", show=formats.percent, change=formats.points),
    _Figure(name="reruns", column="rerun_share", show=formats.percent, change=formats.points),
    _Figure(name="wasted", column="wasted_usd", show=formats.money),
    _Figure(name="input_each", column="input_each", show=_tokens),
    _Figure(name="output_each", column="output_each", show=_tokens),
)


def show(period: DateRange, chosen: Filters, first: date, today: date) -> None:
    """Draw the section; `first` is the first day of which anything is known."""
    sides = _sides(period, first, today)
    if sides is None:
        st.info(say("compare.nothing_earlier"), icon=":material/info:")
        return
    whole = period
    period, before = sides
    st.caption(say("compare.how", now=_said(period), before=_said(before)))
    if period != whole:
        st.caption(say("compare.short", first=f"{first:%-d %b %Y}", days=formats.count(period.days)))
    now_days, then_days = (
        data.read("trend_days", first=days.first, last=days.last, by_tag=None, **chosen.params())
        for days in (period, before)
    )
    if now_days.is_empty() or then_days.is_empty():
        st.info(say("compare.none"), icon=":material/filter_alt_off:")
        return
    # Both sides in the unit that all of their rows share, or neither figure would mean what the other does.
    both = pl.concat([now_days, then_days])
    unit = unit_of(both)
    shared = in_one_unit(both)
    sums = pl.concat([totals(shared[: now_days.height]), totals(shared[now_days.height :])])
    _table(sums.row(0, named=True), sums.row(1, named=True), unit)
    dated = sums.select(
        pl.Series("first", [period.first, before.first]), pl.Series("last", [period.last, before.last]), pl.all()
    )
    downloads.of_table("comparison", dated, key="compare")
    _why(period, before, chosen)


def _sides(period: DateRange, first: date, today: date) -> tuple[DateRange, DateRange] | None:
    """The days and what they are compared with, both cut to what is known; None where nothing is known before."""
    against = st.segmented_control(
        say("compare.against"),
        _AGAINST,
        default=_AGAINST[0],
        required=True,
        format_func=lambda name: term("against", name),
        key="against",
        bind="query-params",
    )
    if against == periods.OWN:
        return period, periods.own("compare.days", "before", period.previous(), first, today)
    by_week = against == "weeks_earlier"
    now = period.comparable(first, by_week=by_week)
    if now is None:
        return None
    return now, now.weeks_earlier() if by_week else now.previous()


def _table(now: dict[str, Any], then: dict[str, Any], unit: str) -> None:
    rows = [
        {
            "figure": plain(f"compared.{one.name}", unit=unit if unit != USABLE else plain("compare.usable")),
            "now": one.show(now[one.column]),
            "before": one.show(then[one.column]),
            "change": _change(one.change(now[one.column], then[one.column])),
        }
        for one in _FIGURES
    ]
    frame.table(
        pl.DataFrame(rows),
        {
            # In this order and so narrow that a phone shows the change without scrolling.
            "figure": frame.text("compare.columns.figure", width=150),
            "now": frame.text("compare.columns.now", width=80),
            "change": frame.text("compare.columns.change", width=110),
            "before": frame.text("compare.columns.before", width=80),
        },
        alt=plain("compare.alt"),
        key="compare-table",
        height="content",
    )


def _change(moved: str | int | None) -> str:
    """The change in words: a cell that begins with a sign is taken for a formula."""
    if moved is None:
        return formats.UNKNOWN
    if not isinstance(moved, str):
        return plain("compare.flat")
    return plain("compare.less" if moved.startswith("-") else "compare.more", change=moved[1:])


def _why(period: DateRange, before: DateRange, chosen: Filters) -> None:
    """The difference of spend by what it comes from."""
    st.header(say("compare.why"), anchor=False)
    spend = movements_data.attributed(before, period, chosen.class_name, chosen.models, chosen.tag)
    for sentence in spend_sentences(spend, by_day=before.days != period.days):
        st.markdown(literal(sentence))
    parts = pl.DataFrame(
        [(PART_WORDS[part.name], part.amount) for part in spend.parts],
        schema={"part": pl.String, "usd": pl.Decimal(38, 12)},
        orient="row",
    )
    pictures.draw("attribution", frame=parts, key="compare-attribution")


def _said(days: DateRange) -> str:
    return f"{days.first:%-d %b %Y} – {days.last:%-d %b %Y}"
