"""One class on every model: quality against cost, what is proven, what to take, and what would change."""

from typing import Any

import polars as pl
import streamlit as st

from core.actions.tiers import ClassTiers
from core.routing.cascade import Cascade
from core.routing.quality import Quality
from core.routing.verdict import Ruling
from core.trials.class_routes import ClassRoute
from pages import formats, frame, pictures, route, route_table, routes_data
from pages.words import literal, plain, say, term


def show(line: ClassRoute) -> None:
    """Draw the class, and offer the model to move to."""
    st.header(literal(line.class_name), anchor=False)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        route_table.badge(line.state)
        st.caption(f"{literal(line.model)} · {line.class_id}")
        st.page_link("classes.py", label=say("routing.its_prompt"), query_params={"id": line.class_id})
    route.done()
    route.watched(line)
    found = routes_data.tiers(line)
    chosen = found is not None and found.choice is not None and line.routed_from is None
    said = found.choice.why if found and found.choice and chosen else line.why
    st.info(literal(said), icon=":material/alt_route:")
    _figures(line, found)
    if found is None:
        st.caption(say("routing.no_requests"))
        return
    if found.choice and found.choice.cascade and chosen:
        st.caption(say("routing.cascade_by_hand"))
    route.offer(line, found)
    points = found.points()
    bar = found.trial.bar.rate if found.trial else None
    if points["standing"].is_in([ruling.value for ruling in Ruling]).any():
        st.subheader(say("routing.frontier"), anchor=False)
        pictures.draw("frontier", key="frontier", tiers=points.drop("model"), bar=bar)
    st.subheader(say("routing.tiers"), anchor=False)
    _table(found)
    _changes(found)


def _figures(line: ClassRoute, found: ClassTiers | None) -> None:
    with st.grid(4, min_column_width=180, gap="small"):
        frame.metric("routing.month", formats.money(line.usd_month), note=say("routing.days"))
        frame.metric(
            "routing.items",
            formats.count(line.items_month),
            note=say("routing.wait", items=formats.count(line.waiting)),
        )
        frame.metric(
            "routing.saving",
            formats.money(line.saving_month_usd),
            note=say("routing.is_proven" if line.proven else "routing.is_unproven"),
        )
        trial = found.trial if found else None
        frame.metric(
            "routing.trials_usd",
            formats.money(trial.spent_usd if trial else None),
            note=say("routing.of_budget", dollars=formats.money(trial.budget_usd))
            if trial
            else say("routing.no_trial"),
        )


def _table(found: ClassTiers) -> None:
    """What is in use or was tried first, the cheapest on top; then what nobody tried."""
    rows = [
        {
            "name": one.name,
            "verdict": _verdict(found, one.model),
            "item": formats.per_thousand(one.item_usd),
            "usable": formats.per_thousand(one.usable_usd),
            "quality": _quality(one.usable),
            "cache": term("lifetime", one.lifetime) if one.cached else plain("routing.uncached"),
            "turnaround": formats.span(one.seconds),
            "why": one.why,
        }
        for one in found.costs
    ]
    known = sum(row["usable"] is not None for row in rows)
    rows.sort(key=lambda row: row["usable"] is None)
    frame.table(
        pl.DataFrame(
            [*rows[:known], *_cascade(found), *rows[known:]],
            schema_overrides={"item": pl.Float64, "usable": pl.Float64},
            infer_schema_length=None,
        ),
        {
            "name": frame.text("routing.columns.tier"),
            "verdict": frame.text("routing.columns.verdict", width="medium"),
            "item": frame.dollars("routing.columns.item"),
            "usable": frame.dollars("routing.columns.usable"),
            "quality": frame.text("routing.columns.quality", width="medium"),
            "cache": frame.text("routing.columns.cache"),
            "turnaround": frame.text("routing.columns.turnaround"),
            "why": frame.text("routing.columns.why", width="large"),
        },
        alt=plain("routing.tiers_alt"),
        key="tiers-table",
    )
    st.caption(say("routing.tiers_how"))


def _cascade(found: ClassTiers) -> list[dict[str, Any]]:
    """The cascade as a row, where there is one."""
    one = found.cascade
    if one is None:
        return []
    kept = formats.percent(one.accepted)
    ruling = one.verdict.ruling if one.verdict else Ruling.NOT_YET
    return [
        {
            "name": found.cascade_name,
            "verdict": term("ruling", ruling),
            "item": formats.per_thousand(one.item_usd),
            "usable": formats.per_thousand(one.usable_usd),
            "quality": _quality(one.quality)
            if one.quality.labels
            else plain("routing.presumed", share=formats.percent(one.quality.share)),
            "cache": plain("routing.each_its_own"),
            "turnaround": formats.span(one.seconds),
            "why": plain("routing.kept", share=kept, rule=term("cascade_rule", one.rule), least=_least(one)),
        }
    ]


def _least(one: Cascade) -> str:
    """From which score on an answer is kept; nothing where its rule has no score."""
    return "" if one.threshold is None else plain("routing.least", threshold=f"{one.threshold:.2f}")


def _verdict(found: ClassTiers, model: str) -> str:
    """What is certain of a model, and what it takes to know more."""
    standing = term("ruling", found.standing(model))
    one = found.tried.get(model)
    if one is None or one.verdict.more_labels is None:
        return standing
    more = formats.count(one.verdict.more_labels)
    return plain("routing.more", standing=standing, labels=more, dollars=formats.money(one.more_usd))


def _quality(one: Quality | None) -> str:
    if one is None:
        return formats.UNKNOWN
    if one.basis == "assumed":
        return plain("routing.assumed")
    return plain(
        "routing.between",
        share=formats.percent(one.share),
        low=formats.percent(one.lower),
        high=formats.percent(one.upper),
        labels=formats.count(one.labels),
    )


def _changes(found: ClassTiers) -> None:
    """What each model that was tried is sent otherwise."""
    names = {one.model: one.name for one in found.costs}
    changed = {model: one.changes for model, one in found.tried.items() if one.changes}
    if not changed:
        return
    with st.expander(say("routing.changes")):
        for model, changes in changed.items():
            st.markdown(f"**{literal(names.get(model, model))}**")
            for change in changes:
                st.markdown(say("routing.change", parameter=change.parameter, said=change.said))
