"""The size of one class's jobs: the sentence, the figures, the curves, what each constraint costs, and the sources."""

from collections.abc import Sequence
from typing import Any

import polars as pl
import streamlit as st

from core.planning.class_size import ClassSize
from core.planning.groups import SEVERAL, Group, Kind
from core.planning.needs import Needs
from core.planning.plan import Plan
from core.planning.size_study import SizeStudy
from core.sizing.job_costs import JobCosts
from core.sizing.recommendation import Recommendation
from pages import data, formats, frame, pictures
from pages.words import literal, plain, say, term


def choose(plan: Plan) -> int:
    """What to look at, the dearest first, and behind it the classes that share jobs: a place among `data.sizes`."""
    sizes = data.sizes(plan)
    names = [_name(size.group, sizes, shares=place >= len(plan.sizes)) for place, size in enumerate(sizes)]
    chosen = st.selectbox(say("sizing.class"), names, key="sized", bind="query-params", help=say("sizing.class_help"))
    return names.index(chosen)


def show(plan: Plan, place: int, needs: Needs) -> None:
    """Draw it as it is under these needs."""
    study = data.study(plan, place, needs)
    costs, found = study.size.costs, study.size.recommendation
    if costs is None or found is None:
        st.warning(say("sizing.unpriced", model=study.size.group.model), icon=":material/sell:")
        return
    st.info(literal(found.reason()), icon=":material/straighten:")
    if place >= len(plan.sizes):
        st.caption(say("sizing.shares_how"))
    _figures(study, found, needs)
    _curves(study, found, needs)
    left, right = st.columns(2, gap="medium")
    with left:
        _constraints(found)
    with right:
        _sources(plan, study.size, costs, needs)


def _name(group: Group, sizes: Sequence[ClassSize], *, shares: bool) -> str:
    """Its class and model; with its place where that alone does not tell it from another one."""
    model = plain("sizing.several") if group.model == SEVERAL else group.model
    name = plain("sizing.shares" if shares else "sizing.name", name=group.class_name, model=model)
    alike = sum((size.group.class_name, size.group.model) == (group.class_name, group.model) for size in sizes)
    return name if alike == 1 else f"{name} · {group.place}"


def _figures(study: SizeStudy, found: Recommendation, needs: Needs) -> None:
    most = found.limits.requests
    with st.grid(4, min_column_width=200, gap="small"):
        frame.metric(
            "sizing.items", formats.count(study.size.items), note=say("sizing.jobs", jobs=formats.count(found.jobs))
        )
        frame.metric(
            "sizing.range",
            plain("sizing.from_to", low=formats.count(min(found.low, most)), high=formats.count(min(found.high, most))),
            note=say("sizing.range_note"),
        )
        frame.metric(
            "sizing.cost",
            formats.money(formats.per_thousand(found.item_usd)),
            note=say("sizing.cost_note", dollars=formats.money(formats.per_thousand(found.unconstrained_usd))),
        )
        frame.metric(
            "sizing.on_time",
            formats.chance(study.on_time),
            note=say("sizing.on_time_note", share=f"{needs.confidence * 100:.0f}%")
            if study.on_time is not None
            else say("sizing.no_deadline"),
        )


def _curves(study: SizeStudy, found: Recommendation, needs: Needs) -> None:
    items = study.size.items
    left, right = st.columns([3, 2], gap="medium")
    with left:
        st.header(say("sizing.curve"), anchor=False)
        pictures.draw(
            "size_costs",
            key="size-costs",
            curve=study.curve.select("items", "price_usd", "fixed_usd", "rerun_usd"),
            items=items,
            low=found.low,
            high=found.high,
            best=found.unconstrained_items,
            bounds={term("constraint", bound.name): bound.items for bound in found.constraints if bound.items > 0},
        )
    with right:
        st.header(say("sizing.risk"), anchor=False)
        for measure, limit in (("at_risk_usd", found.limits.blast_usd), ("at_risk_hours", found.limits.blast_hours)):
            pictures.draw(
                "blast",
                key=f"blast-{measure}",
                curve=study.curve.select("items", measure),
                measure=measure,
                items=items,
                limit=limit,
            )
        curve = study.curve.select("items", "on_time")
        pictures.draw("deadline", key="deadline", curve=curve, items=items, confidence=needs.confidence)


def _constraints(found: Recommendation) -> None:
    st.header(say("sizing.constraints"), anchor=False)
    frame.table(
        pl.DataFrame(
            {
                "name": [term("constraint", bound.name) for bound in found.constraints],
                "asks": [_asks(bound.name, bound.items) for bound in found.constraints],
                "extra_usd": [bound.extra_usd for bound in found.constraints],
                "binds": [plain("sizing.binds") if bound.name == found.binding else "" for bound in found.constraints],
            },
            schema={"name": pl.String, "asks": pl.String, "extra_usd": pl.Float64, "binds": pl.String},
        ),
        {
            "name": frame.text("sizing.columns.constraint"),
            "asks": frame.text("sizing.columns.asks"),
            "extra_usd": frame.dollars("sizing.columns.extra", digits=2),
            "binds": frame.text("sizing.columns.binds", width="small"),
        },
        alt=plain("sizing.constraints_alt"),
        key="constraints-table",
    )


def _asks(name: str, items: int) -> str:
    if items < 1:
        return plain("sizing.no_size")
    return plain("sizing.at_least" if name == "amortise" else "sizing.at_most", items=formats.count(items))


def _sources(plan: Plan, size: ClassSize, costs: JobCosts, needs: Needs) -> None:
    """Where every figure comes from, and what it is."""
    st.header(say("sizing.sources"), anchor=False)
    group = size.group
    primed = group.kind == Kind.PRIMED
    faults = plan.evidence.faults(group.class_id, group.model)
    takes = plan.evidence.turnaround(group.model, size.items, formats.now(), group.class_id)
    low, high = takes.interval()
    output = plan.evidence.output(group.class_id, group.model) if group.class_id else None
    jobs = _evidence(faults.jobs, faults.basis)
    caching = data.caching().get(group.class_id or "")
    rows: list[tuple[str, str, str, str]] = [
        (
            "hot_usd",
            formats.money(costs.hot_usd),
            "estimated" if output else "assumed",
            plain("sizing.of_outputs", items=formats.count(output.items)) if output else plain("sizing.no_outputs"),
        ),
        (
            "once_usd",
            formats.money(costs.once_usd),
            caching.basis if caching and primed else "estimated",
            plain("sizing.of_prices") if primed else plain("sizing.not_primed"),
        ),
        ("job_usd", formats.money(costs.job_usd), _told(needs.job_usd, "set"), plain("sizing.of_settings")),
        (
            "void_rate",
            plain("needs.per_million", items=f"{costs.void_rate * 1e6:,.1f}"),
            _told(needs.void_rate, faults.basis),
            jobs,
        ),
        ("fault_rate", formats.percent(costs.fault_rate), _told(needs.fault_rate, faults.basis), jobs),
        ("unbilled", formats.percent(costs.unbilled_fault_rate), faults.basis, jobs),
        (
            "turnaround",
            plain("sizing.between", low=formats.span(low), high=formats.span(high)),
            takes.basis,
            _evidence(takes.jobs, takes.basis),
        ),
    ]
    frame.table(
        pl.DataFrame(
            [(term("source", name), value, term("basis", basis), why) for name, value, basis, why in rows],
            schema=["name", "value", "basis", "why"],
            orient="row",
        ),
        {
            "name": frame.text("sizing.columns.figure"),
            "value": frame.text("sizing.columns.value"),
            "basis": frame.text("sizing.columns.basis", width="small"),
            "why": frame.text("sizing.columns.why"),
        },
        alt=plain("sizing.sources_alt"),
        key="sources-table",
    )
    st.caption(say("sizing.basis_how"))


def _evidence(jobs: int, basis: str) -> str:
    if basis == "measured":
        return plain("sizing.from_jobs", jobs=formats.count(jobs))
    return plain("sizing.from_others" if basis == "estimated" else "sizing.from_nothing")


def _told(given: Any, otherwise: str) -> str:
    return otherwise if given is None else "what_if"
