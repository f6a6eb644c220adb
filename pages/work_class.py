"""One class in full: what it shares, how it meets the cache, how that went, and some of its requests."""

import math
from typing import Any

import polars as pl
import streamlit as st

from core.caching.class_caching import ClassCaching
from pages import cache_plan, data, findings, formats, frame, pictures, prompt, unit_form
from pages.words import literal, plain, say, term

ITEMS = 50
JOBS = 100


def verdict(row: dict[str, Any]) -> str:
    """What the plan does with a class, in few words; what its prefix allows where nothing of it waits."""
    return term("verdict", row["reason"]) if row["reason"] else term("prefix", row["state"])


def show(class_id: str) -> None:
    """Draw the class; a sentence where there is no such class."""
    classes = data.classes(class_id=class_id)
    found = classes.row(0, named=True) if classes.height else None
    st.page_link("classes.py", label=say("class.back"), icon=":material/arrow_back:")
    if found is None:
        st.warning(say("class.unknown", id=class_id), icon=":material/search_off:")
        return
    planned = data.caching().get(class_id)
    _heading(found)
    if found["inferred"]:
        st.info(say("class.inferred"), icon=":material/history:")
    _figures(found, planned)
    items = data.read("class_items", class_id=class_id, limit=ITEMS)
    if items.height:
        st.header(say("class.prompt"), anchor=False)
        prompt.show(found, list(items.iter_rows(named=True)), marked=planned.lifetime if planned else None)
    if planned is not None:
        st.header(say("class.plan"), anchor=False)
        cache_plan.show(found, planned)
    findings.of_class(class_id)
    _history(class_id)
    unit_form.show(found["name"])
    if items.height:
        _items(found, items)


def _heading(found: dict[str, Any]) -> None:
    st.header(literal(found["name"]), anchor=False)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.badge(term("prefix", found["state"]), color=_COLOURS[found["state"]])
        st.caption(f"{literal(found['model'])} · {found['class_id']}")
        for page, words in (("trends.py", "class.trend"), ("jobs.py", "class.jobs")):
            if found["attempts"]:
                st.page_link(page, label=say(words), query_params={"class": found["name"]})


_COLOURS: dict[str, Any] = {
    "cacheable": "blue",
    "split": "orange",
    "short": "gray",
    "unshared": "violet",
    "inferred": "gray",
}


def _figures(found: dict[str, Any], planned: ClassCaching | None) -> None:
    was = data.hit_rates().get(found["class_id"])
    waiting, tokens = found["waiting_items"], found["waiting_tokens"]
    share = found["prefix_tokens"] * waiting / tokens if tokens else None
    with st.grid(5, min_column_width=150, gap="small"):
        frame.metric("class.waiting", formats.count(waiting), note=say("class.waiting_note"))
        frame.metric(
            "class.shared",
            formats.count(found["prefix_tokens"]),
            note=say("class.shared_note", share=formats.percent(share)) if share else say("class.shared_alone"),
        )
        frame.metric(
            "class.saved",
            formats.money(cache_plan.saved(planned)),
            note=say("class.saved_note", dollars=formats.money(planned.plain_usd))
            if planned
            else say("class.saved_none"),
        )
        frame.metric(
            "class.hit_rate",
            formats.percent(was.actual if was else found["hit_rate"]),
            note=say("class.hit_rate_note", rate=formats.percent(was.predicted)) if was else say("class.hit_rate_none"),
        )
        frame.metric(
            "class.unit_cost",
            formats.money(formats.per_thousand(found["unit_cost_usd"])),
            note=say("class.unit_cost_note", dollars=formats.money(found["cost_usd"])),
        )


def _history(class_id: str) -> None:
    """Job by job, what was predicted to be read and what was."""
    jobs = data.read("class_jobs", class_id=class_id, limit=JOBS)
    if not jobs.height:
        return
    st.header(say("class.history"), anchor=False)
    was = data.hit_rates().get(class_id)
    if was is not None and class_id not in data.caching():
        low, high = formats.percent(was.low), formats.percent(was.high)
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            cache_plan.basis(was.basis)
            st.markdown(say("class.expected", rate=formats.percent(was.expected), low=low, high=high))
    if was is not None:
        if was.strayed:
            st.warning(say("class.strayed"), icon=":material/explore_off:")
        if was.width is not None and math.isfinite(was.width):
            st.caption(say("class.width", width=formats.count(round(was.width))))
    pictures.draw("class_hits", frame=jobs, key="class-hits")
    frame.table(
        jobs.with_columns(
            pl.Series("role", [term("role", role) for role in jobs["role"]], dtype=pl.String),
            pl.Series("basis", [term("basis", word) for word in jobs["prediction_basis"]], dtype=pl.String),
        ),
        {
            "job_id": frame.text("class.columns.job"),
            "role": frame.text("class.columns.role"),
            "submitted_at": frame.instant("class.columns.submitted"),
            "items": frame.number("class.columns.items"),
            "predicted_hit_rate": frame.share("class.columns.predicted"),
            "basis": frame.text("class.columns.basis"),
            "hit_rate": frame.share("class.columns.actual"),
            "read_tokens": frame.number("class.columns.read"),
            "write_tokens": frame.number("class.columns.write"),
            "cost_usd": frame.dollars("class.columns.cost"),
        },
        alt=plain("class.history_alt"),
        key="class-jobs",
    )


def _items(found: dict[str, Any], items: pl.DataFrame) -> None:
    st.header(say("class.items"), anchor=False)
    frame.table(
        items.with_columns(pl.Series("status", [term("item_status", word) for word in items["status"]])),
        {
            "item_id": frame.text("class.columns.item"),
            "status": frame.text("class.columns.status"),
            "chars": frame.number("class.columns.chars"),
            "attempts": frame.number("class.columns.attempts"),
            "cost_usd": frame.dollars("class.columns.cost", digits=6),
            "source": frame.text("class.columns.source"),
            "line": frame.number("class.columns.line"),
        },
        alt=plain("class.items_alt"),
        key="class-items",
    )
    if items.height < items["items"][0]:
        st.caption(
            say("class.items_limited", shown=formats.count(items.height), items=formats.count(items["items"][0]))
        )
