"""The classes of the backlog and the jobs that would send them, up to the one button that commits."""

import polars as pl
import streamlit as st

from core import actions
from core.plan import Plan
from pages import data, formats, frame, pictures
from pages.session import workspace
from pages.words import plain, say, term

_ASKED = "submit-asked"
_SUBMITTED = "submit-done"


def show() -> None:
    """Draw classes and plan; submit on the button and its confirmation."""
    with frame.refusals():
        made = st.session_state.pop(_SUBMITTED, None)
        if made is not None:
            st.success(say("backlog.submitted", jobs=made), icon=":material/send:")
            st.page_link("jobs.py", label=say("backlog.submitted_link"), icon=":material/arrow_forward:")
        plan = data.plan()
        if not plan.items:
            frame.empty("backlog")
            return
        _classes(plan)
        _jobs(plan)
        if st.session_state.get(_ASKED):
            _confirm(plan)


def _classes(plan: Plan) -> None:
    st.subheader(say("backlog.classes"), anchor=False)
    book = workspace().book
    why = [
        plain("backlog.cacheable_yes")
        if row["cacheable"]
        else plain("backlog.cacheable_none")
        if not row["prefix_tokens"]
        else plain(
            "backlog.cacheable_no", floor=formats.count(book.model(row["model"]).cache_floor_tokens), model=row["model"]
        )
        for row in plan.classes.iter_rows(named=True)
    ]
    pictures.draw("backlog_classes", frame=data.read("chart_backlog_classes"), key="backlog-classes")
    frame.table(
        plan.classes.with_columns(pl.Series("why", why, dtype=pl.String)),
        {
            "name": frame.text("backlog.columns.class", pinned=True),
            "model": frame.text("backlog.columns.model"),
            "items": frame.number("backlog.columns.items"),
            "prefix_tokens": frame.number("backlog.columns.prefix_tokens"),
            "why": frame.text("backlog.columns.cacheable", width="medium"),
            "share": frame.share("backlog.columns.share"),
            "preview": frame.text("backlog.columns.preview", width="large"),
        },
        alt=say("backlog.classes_alt"),
        key="classes-table",
    )


def _jobs(plan: Plan) -> None:
    st.subheader(say("backlog.plan"), anchor=False)
    jobs = len(plan.jobs)
    with st.grid(4, min_column_width=150, gap="small"):
        frame.metric("backlog.plan_jobs", formats.count(jobs))
        frame.metric("backlog.plan_items", formats.count(plan.items))
        frame.metric("backlog.plan_cost", formats.money(plan.predicted_usd))
        frame.metric("backlog.plan_plain", formats.money(plan.predicted_plain_usd))
    pictures.draw(
        "plan_cost", planned_usd=plan.predicted_usd, plain_usd=plan.predicted_plain_usd, key="plan-cost"
    )
    frame.table(
        pl.DataFrame(
            [
                {
                    "role": term("role", job.role),
                    "class_name": job.class_name or plain("backlog.several_classes"),
                    "model": job.model,
                    "items": job.items,
                    "body_bytes": job.body_bytes,
                    "predicted_usd": job.predicted_usd,
                    "predicted_plain_usd": job.predicted_plain_usd,
                }
                for job in plan.jobs
            ],
            infer_schema_length=None,
        ),
        {
            "role": frame.text("backlog.columns.role"),
            "class_name": frame.text("backlog.columns.class"),
            "model": frame.text("backlog.columns.model"),
            "items": frame.number("backlog.columns.items"),
            "body_bytes": frame.number("backlog.columns.size", shape="bytes"),
            "predicted_usd": frame.dollars("backlog.columns.predicted", digits=4),
            "predicted_plain_usd": frame.dollars("backlog.columns.plain", digits=4),
        },
        alt=say("backlog.plan_alt"),
        key="plan-table",
    )
    st.caption(say("backlog.plan_note", day=f"{formats.now():%d %b %Y}"))
    st.button(
        say("backlog.submit", jobs=formats.count(jobs), dollars=formats.money(plan.predicted_usd)),
        type="primary",
        icon=":material/send:",
        key="submit",
        on_click=_ask,
    )


def _ask() -> None:
    st.session_state[_ASKED] = True


def _forget() -> None:
    st.session_state.pop(_ASKED, None)


@st.dialog(say("backlog.submit_title"), on_dismiss=_forget)
def _confirm(plan: Plan) -> None:
    st.markdown(
        say(
            "backlog.submit_body",
            items=formats.count(plan.items),
            jobs=formats.count(len(plan.jobs)),
            dollars=formats.money(plan.predicted_usd),
        )
    )
    if workspace().gateway.simulated:
        st.markdown(say("backlog.submit_body_simulated"))
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button(say("backlog.submit_cancel"), key="submit-cancel"):
            _forget()
            st.rerun()
        if st.button(say("backlog.submit_confirm"), type="primary", key="submit-confirm"):
            with frame.refusals():
                made = actions.submit(workspace(), now=formats.now())
                st.session_state[_SUBMITTED] = made.jobs
                _forget()
                st.rerun()
