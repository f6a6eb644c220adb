"""One job in full: how it stands, what became of its items, its chain of repairs."""

from typing import Any

import polars as pl
import streamlit as st

from pages import attempts, data, formats, frame, repair, standing, stop
from pages.words import literal, plain, say, term

ITEMS_A_PAGE = 50


def show(job_id: str) -> None:
    """Draw the job; a sentence where there is no such job."""
    job = data.row("job_facts", job_id=job_id)
    if job is None:
        st.warning(say("jobs.unknown", job=job_id), icon=":material/search_off:")
        return
    word = standing.of(job)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header(say("job.title", role=term("role", job["role"]), job=job_id), anchor=False, width="content")
        standing.badge(word)
        st.caption(f"{literal(job['class_name'] or plain('backlog.several_classes'))} · {literal(job['model'])}")
    if job["reason"]:
        st.warning(literal(job["reason"]), icon=":material/pause_circle:")
    with st.container(horizontal=True):
        repair.release_button(job)
        stop.cancel_button(job)
    stop.twins(job_id)
    if job["role"] == "history":
        st.info(say("job.past"), icon=":material/history:")
    _figures(job)
    if job["state"] in standing.RUNNING:
        _progress(job)
    repair.show(job)
    _slices(job_id)
    _chain(job_id)
    _items(job)
    with st.expander(say("job.facts"), key="job-facts"):
        _facts(job)


def _figures(job: dict[str, Any]) -> None:
    with st.grid(5, min_column_width=150, gap="small"):
        frame.metric(
            "job.usable",
            formats.count(job["usable_items"]),
            note=say("job.usable_of", items=formats.count(job["item_count"])),
        )
        frame.metric(
            "job.open",
            formats.count(job["open_failures"]),
            note=say("job.open_repairable", items=formats.count(job["repairable_items"]))
            if job["open_failures"]
            else say("job.open_none"),
        )
        frame.metric(
            "job.cost",
            formats.money(job["cost_usd"]),
            note=say("job.cost_predicted", dollars=formats.money(job["predicted_usd"])),
        )
        frame.metric(
            "job.unit_cost",
            formats.money(formats.per_thousand(job["unit_cost_usd"])),
            note=say("job.unit_cost_note"),
        )
        frame.metric("job.hit_rate", formats.percent(job["hit_rate"]), note=_predicted_hits(job))


def _predicted_hits(job: dict[str, Any]) -> str:
    if job["predicted_hit_rate"] is None:
        return say("job.hit_rate_note")
    basis = term("basis", job["prediction_basis"])
    return say("job.hit_rate_predicted", rate=formats.percent(job["predicted_hit_rate"]), basis=basis)


def _progress(job: dict[str, Any]) -> None:
    done = job["succeeded"] + job["errored"] + job["canceled"] + job["expired"]
    words = say("job.progress", done=formats.count(done), items=formats.count(job["item_count"]))
    st.progress(min(1.0, done / max(1, job["item_count"])), text=f"{words} {say('job.progress_hint')}")


def _slices(job_id: str) -> None:
    st.subheader(say("job.slices"), anchor=False)
    slices = data.read("job_slices", job_id=job_id)
    frame.table(
        slices.with_columns(
            pl.Series("outcome", [term("outcome", word) for word in slices["outcome"]], dtype=pl.String),
            pl.Series("cause", [_cause(row) for row in slices.iter_rows(named=True)], dtype=pl.String),
            pl.Series("action", [term("action", word) for word in slices["action"]], dtype=pl.String),
        ),
        {
            "outcome": frame.text("job.columns.outcome"),
            "cause": frame.text("job.columns.cause"),
            "items": frame.number("job.columns.items"),
            "open_items": frame.number("job.columns.open"),
            "cost_usd": frame.dollars("job.columns.cost", digits=6),
            "action": frame.text("job.columns.action"),
            "example": frame.text("job.columns.example", width="large"),
        },
        alt=plain("job.slices_alt"),
        key="job-slices",
    )


def _cause(row: dict[str, Any]) -> str:
    return term("outcome", "usable") if row["usable"] else term("cause", row["cause"])


def _chain(job_id: str) -> None:
    chain = data.read("job_chain", job_id=job_id)
    if chain.height < 2:
        return
    st.subheader(say("job.chain"), anchor=False)
    for row in chain.iter_rows(named=True):
        words = say(
            "job.chain_line",
            role=term("role", row["role"]),
            job=row["job_id"],
            usable=formats.count(row["usable_items"]),
            items=formats.count(row["item_count"]),
            open=formats.count(row["open_failures"]),
        )
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            standing.badge(standing.of(row))
            if row["job_id"] == job_id:
                st.markdown(f"{words} ({say('job.chain_here')})")
            else:
                repair.link(row["job_id"], words)


def _items(job: dict[str, Any]) -> None:
    st.subheader(say("job.items"), anchor=False)
    slices = data.read("job_slices", job_id=job["job_id"])
    sizes = {_slice(row): 0 for row in slices.iter_rows(named=True)}
    for row in slices.iter_rows(named=True):
        sizes[_slice(row)] += row["items"]
    chosen = st.selectbox(
        say("job.items_slice"),
        list(sizes),
        index=None,
        format_func=lambda word: term("outcome" if word in {"usable", "waiting"} else "cause", word),
        placeholder=say("app.all"),
        key="job-slice",
        width=320,
    )
    items = sizes[chosen] if chosen else sum(sizes.values())
    pages = max(1, -(-items // ITEMS_A_PAGE))
    number = st.pagination(pages, key=f"job-page-{job['job_id']}-{chosen}") if pages > 1 else 1
    first = (number - 1) * ITEMS_A_PAGE
    shown = data.read("job_items", job_id=job["job_id"], slice=chosen, limit=ITEMS_A_PAGE, offset=first)
    st.caption(
        say("job.items_pages", first=first + 1, last=first + shown.height, items=formats.count(items))
        if shown.height
        else say("job.slices_empty")
    )
    st.caption(say("job.attempts_how"))
    table = frame.table(
        shown.with_columns(
            pl.Series("outcome", [term("outcome", word or "waiting") for word in shown["outcome"]], dtype=pl.String),
            pl.Series("cause", [_cause(row) for row in shown.iter_rows(named=True)], dtype=pl.String),
        ),
        {
            "item_id": frame.text("job.columns.item_id"),
            "number": frame.number("job.columns.attempt"),
            "outcome": frame.text("job.columns.outcome"),
            "cause": frame.text("job.columns.cause"),
            "message": frame.text("job.columns.message", width="medium"),
            "input_tokens": frame.number("job.columns.input"),
            "cache_write_tokens": frame.number("job.columns.write"),
            "cache_read_tokens": frame.number("job.columns.read"),
            "output_tokens": frame.number("job.columns.output"),
            "cost_usd": frame.dollars("job.columns.cost", digits=6),
        },
        alt=plain("job.items_alt"),
        key="job-items",
        on_select="rerun",
        selection_mode="single-row",
    )
    for row in table.selection.rows:
        if row < shown.height:  # a choice may outlive its page
            attempts.show(shown["item_id"][row])


def _slice(row: dict[str, Any]) -> str:
    """The value that `job_items` takes for this slice."""
    return "usable" if row["usable"] else row["cause"] or "waiting"


def _confirmed(job_id: str) -> str | None:
    """Who agreed to spend more than a budget allows, and how much; None where it fitted."""
    found = data.row("confirmation_of", job_id=job_id)
    if found is None:
        return None
    at = formats.moment(found["confirmed_at"])
    return plain("job.confirmed_by", amount=found["amount"], by=found["confirmed_by"], at=at)


def _facts(job: dict[str, Any]) -> None:
    facts = {
        "job.class": job["class_name"],
        "job.model": job["model"],
        "job.state": term("standing", job["state"]),
        "job.batch": job["batch_id"],
        "job.created": formats.moment(job["created_at"]),
        "job.submitted": formats.moment(job["submitted_at"]),
        "job.ended": formats.moment(job["ended_at"]),
        "job.turnaround": formats.span(job["turnaround_s"]),
        "job.size": formats.volume(job["body_bytes"]),
        "job.primer": job["primer_job_id"],
        "job.request": job["request_id"],
        "job.confirmed": _confirmed(job["job_id"]),
    }
    st.table(
        {say(key): literal(str(value)) if value else formats.UNKNOWN for key, value in facts.items()},
        border="horizontal",
        width="content",
        alt=plain("job.facts"),
    )
