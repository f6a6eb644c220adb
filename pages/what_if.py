"""What if: the past weeks, or what waits, simulated otherwise and set beside what happened."""

from typing import Any

import polars as pl
import streamlit as st

from core.actions.simulation import REPLICATES, WITHIN_HOURS, Comparison, NothingToSimulate
from core.errors import LotwiseError
from core.simulation.outcome import Distribution
from core.simulation.scenario import Scenario
from pages import data, formats, frame, pictures
from pages.words import literal, plain, say

DAYS = (7, 14, 28, 56, 90)
GROUPINGS: dict[Any, str] = {
    "packed": "what_if.packed",
    "class": "what_if.one_class",
    "arrival": "what_if.arrival",
}
EVERY = (1, 2, 4, 6, 8, 12, 24, 48, 168)
FIGURES = {
    "cost_usd": "what_if.cost",
    "items_usd": "what_if.items_usd",
    "fixed_usd": "what_if.fixed_usd",
    "rerun_usd": "what_if.reruns",
    "on_time": "what_if.on_time",
    "hours": "what_if.hours",
    "read_share": "what_if.read_share",
    "jobs": "what_if.jobs",
}
WHAT = {
    "scenario": "what_if.this_scenario",
    "baseline": "what_if.as_it_is",
    "actual": "what_if.happened",
}
_SHARES = ("on_time", "read_share")
_RANGE = ("p10", "p50", "p90")


def controls() -> tuple[int, Scenario]:
    """How far back, and what to try."""
    with st.container(border=True, key="what-if-controls"):
        with st.grid(3, min_column_width=220, gap="small"):
            days = st.selectbox(
                say("what_if.days"),
                DAYS,
                index=2,
                format_func=lambda days: plain("what_if.last_days", days=days),
                key="replayed",
                bind="query-params",
                help=say("what_if.days_help"),
            )
            grouping = st.selectbox(
                say("what_if.grouping"),
                tuple(GROUPINGS),
                format_func=lambda name: plain(GROUPINGS[name]),
                key="grouping",
                bind="query-params",
                help=say("what_if.grouping_help"),
            )
            every = st.selectbox(
                say("what_if.every"),
                EVERY,
                index=None,
                placeholder=plain("what_if.as_sent"),
                format_func=lambda hours: plain("what_if.every_hours", hours=hours),
                key="every",
                bind="query-params",
                help=say("what_if.every_help"),
            )
        with st.grid(4, min_column_width=180, gap="small"):
            size = _number("what_if.size", least=1, most=100_000, step=100, placeholder="what_if.advised")
            model = st.selectbox(
                say("what_if.model"),
                data.priced_models(),
                index=None,
                placeholder=plain("what_if.own_models"),
                key="on-model",
                bind="query-params",
                help=say("what_if.model_help"),
            )
            faults = _number("what_if.faults", least=0, most=90, step=1, placeholder="what_if.as_seen")
            width = _number("what_if.width", least=1, most=1_000_000, step=50, placeholder="what_if.as_known")
    return days, Scenario(
        grouping=grouping,
        size=size,
        every_hours=every,
        model=model,
        fault_rate=None if faults is None else faults / 100,
        width=width,
    )


def _number(name: str, *, least: int, most: int, step: int, placeholder: str) -> Any:
    return st.number_input(
        say(name),
        value=None,
        min_value=least,
        max_value=most,
        step=step,
        placeholder=plain(placeholder),
        key=name.replace(".", "-"),
        bind="query-params",
        help=say(f"{name}_help"),
    )


def cards(found: Comparison) -> None:
    """The figures that decide, with how they move and the range of eight in ten draws."""
    with st.grid(4, min_column_width=200, gap="small"):
        for name, good in (("cost_usd", "down"), ("on_time", "up"), ("rerun_usd", "down"), ("hours", "down")):
            if name in found.scenario:
                ours, before = found.scenario[name], found.baseline[name]
                by = formats.points if name in _SHARES else formats.moved
                frame.metric(
                    FIGURES[name],
                    shown(name, ours.mean),
                    delta=by(ours.mean, before.mean),
                    note=say("what_if.range", low=shown(name, ours.p10), high=shown(name, ours.p90)),
                    good="up" if good == "up" else "down",
                )


def shown(name: str, value: float) -> str:
    """A figure as its name wants it."""
    if name.endswith("_usd"):
        return formats.money(value)
    return formats.percent(value) if name in _SHARES else plain("what_if.number", number=f"{value:,.1f}")


def rows(found: Comparison) -> pl.DataFrame:
    """Every figure, one row each: what, figure, mean, p10, p50, p90."""
    fact = {} if found.actual is None else {name: _certain(value) for name, value in found.actual.items()}
    return pl.DataFrame(
        [
            {"what": what, "figure": name, "mean": one.mean, "p10": one.p10, "p50": one.p50, "p90": one.p90}
            for what, figures in (("scenario", found.scenario), ("baseline", found.baseline), ("actual", fact))
            for name, one in figures.items()
        ]
    )


def _certain(value: float) -> Distribution:
    return Distribution(mean=value, p10=value, p50=value, p90=value)


def table(figures: pl.DataFrame) -> None:
    """The same as a table, figures as people write them."""
    texts = [
        {
            "figure": plain(FIGURES[row["figure"]]),
            "what": plain(WHAT[row["what"]]),
            "mean": shown(row["figure"], row["mean"]),
            # What happened, happened once.
            **{name: shown(row["figure"], row[name]) if row["what"] != "actual" else None for name in _RANGE},
        }
        for name in FIGURES
        for row in figures.filter(figure=name).iter_rows(named=True)
    ]
    columns = {
        "figure": frame.text("what_if.columns.figure"),
        "what": frame.text("what_if.columns.what"),
        "mean": frame.text("what_if.columns.mean"),
        "p10": frame.text("what_if.columns.p10"),
        "p50": frame.text("what_if.columns.p50"),
        "p90": frame.text("what_if.columns.p90"),
    }
    frame.table(pl.DataFrame(texts), columns, alt=plain("what_if.alt"), key="what-if-table")


frame.title("what_if")
try:
    days, scenario = controls()
    stage, found = data.what_if(days, scenario)
except NothingToSimulate:
    frame.empty("what_if", page="backlog.py")
    st.stop()
except LotwiseError as error:
    st.error(literal(str(error)), icon=":material/error:")
    st.stop()
cards(found)
st.header(say("what_if.costs"), anchor=False)
figures = rows(found)
pictures.draw("what_if", frame=figures, key="what-if-costs")
about = say("what_if.replayed", days=stage.days) if stage.days else say("what_if.waits")
st.caption(
    say(
        "what_if.assumptions",
        about=about,
        items=formats.count(stage.items),
        replicates=formats.count(REPLICATES),
        width=formats.count(round(scenario.width or stage.setting.world.width)),
        hours=formats.count(round(WITHIN_HOURS)),
    )
)
st.header(say("what_if.table"), anchor=False)
table(figures)
