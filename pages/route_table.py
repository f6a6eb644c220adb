"""Where every class stands: the model it runs on, what a lighter one would save, and whether that is proven."""

from typing import Any

import polars as pl
import streamlit as st

from core.routing.discovery import clear_together
from core.routing.verdict import Ruling
from core.trials.class_routes import ClassRoute, RouteState
from core.trials.standing import TrialStanding
from pages import formats, frame
from pages.words import plain, say, term

COLOURS: dict[RouteState, Any] = {
    RouteState.NEVER: "gray",
    RouteState.TRIAL: "blue",
    RouteState.CERTIFIED: "orange",
    RouteState.APPLIED: "green",
    RouteState.ALARM: "red",
    RouteState.NOTHING_LIGHTER: "gray",
}
# The same as tints for badges in the table: the text of either theme is read on them.
_TINTS: dict[str, str] = {
    "green": "#2fae8844",
    "blue": "#2d78bb44",
    "orange": "#f0934a66",
    "red": "#d5416055",
    "gray": "#8a94a044",
}
_TABLE = "routes-table"
# Of all models that clear, the share that may do so wrongly.
_WRONG = 0.05


def headline(lines: tuple[ClassRoute, ...]) -> None:
    """The largest saving that is proven and waits for a click, and the largest that nobody has proven."""
    proven = [line for line in lines if line.state is RouteState.CERTIFIED]
    unproven = [line for line in lines if line.best_model and line.state in {RouteState.NEVER, RouteState.TRIAL}]
    with st.grid(2, min_column_width=320, gap="small"):
        for words, nothing, found in (
            ("routing.proven", "routing.proven_none", proven),
            ("routing.unproven", "routing.unproven_none", unproven),
        ):
            with st.container(border=True, key=words.replace(".", "-"), gap="xxsmall", height="stretch"):
                st.caption(say(words))
                if not found:
                    st.markdown(say(nothing))
                    continue
                best = max(found, key=lambda line: line.saving_month_usd or 0)
                dollars = formats.money(best.saving_month_usd)
                key = "routing.saves" if best.saving_month_usd else "routing.saves_unknown"
                st.markdown(say(key, name=best.class_name, model=best.best_model, dollars=dollars))
                link(best, say("routing.open"))


def together(trials: tuple[TrialStanding, ...]) -> str | None:
    """How many of all verdicts hold together, as Markdown; None where there is but one, or none clears.

    Of very many that clear, each by itself, some do so wrongly. A judge's labels are evidence only as far as people
    bear them out, so its trials are left out.
    """
    told = [one for one in trials if one.grader["kind"] != "rubric"]
    tried = {(one.trial_id, each.model): (each.tally, one.bar) for one in told for each in one.candidates}
    alone = sum(each.verdict.ruling is Ruling.CLEARS for one in told for each in one.candidates)
    if not alone or len(tried) < 2:
        return None
    both = clear_together({"/".join(name): of for name, of in tried.items()}, error=_WRONG)
    words = {"tried": len(tried), "alone": alone, "together": len(both)}
    return say("routing.together", **{name: formats.count(value) for name, value in words.items()})


def link(line: ClassRoute, label: str) -> None:
    """A link that opens a class."""
    st.page_link("routing.py", label=label, icon=":material/arrow_forward:", query_params={"class": line.class_id})


def badge(state: RouteState) -> None:
    """How a class stands, as a word on its colour."""
    st.badge(term("route_state", state), color=COLOURS[state])


def show(lines: tuple[ClassRoute, ...]) -> None:
    """Every class as a row; a row opens its class."""

    def open_row() -> None:
        rows = st.session_state[_TABLE].selection.rows
        if rows:
            st.query_params["class"] = lines[rows[0]].class_id

    st.header(say("routing.classes"), anchor=False)
    st.caption(say("routing.how"))
    states = [state for state in RouteState if any(line.state is state for line in lines)]
    frame.table(
        pl.DataFrame(
            [
                {
                    "state": [term("route_state", line.state)],
                    "name": line.class_name,
                    "model": line.model,
                    "usd_month": line.usd_month,
                    "best": line.best_model,
                    "saving": line.saving_month_usd,
                    "items": line.items_month,
                    "waiting": line.waiting,
                    "why": line.why,
                }
                for line in lines
            ],
            schema_overrides={"usd_month": pl.Float64, "saving": pl.Float64, "best": pl.String},
            infer_schema_length=None,
        ),
        {
            "state": st.column_config.MultiselectColumn(
                plain("routing.columns.state"),
                options=[term("route_state", state) for state in states],
                color=[_TINTS[COLOURS[state]] for state in states],
                width=170,
            ),
            "name": frame.text("routing.columns.name", width="medium"),
            "model": frame.text("routing.columns.model"),
            "usd_month": frame.dollars("routing.columns.month", digits=2),
            "best": frame.text("routing.columns.best"),
            "saving": frame.dollars("routing.columns.saving", digits=2),
            "items": frame.number("routing.columns.items"),
            "waiting": frame.number("routing.columns.waiting"),
            "why": frame.text("routing.columns.why", width="large"),
        },
        alt=plain("routing.alt"),
        key=_TABLE,
        height=560 if len(lines) > 15 else "content",
        on_select=open_row,
        selection_mode="single-row",
    )
