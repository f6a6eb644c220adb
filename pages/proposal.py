"""The classes of the backlog and the jobs that would send them, up to the one button that commits."""

import polars as pl
import streamlit as st

from core.planning.plan import Plan
from pages import data, formats, frame, pictures, submission
from pages.session import workspace
from pages.words import plain, say, term

_OPENED = "class-opened"


def show() -> None:
    """Draw classes and plan; submit on the button and its confirmation."""
    with frame.refusals():
        submission.done()
        plan = data.plan()
        if plan is None:
            frame.empty("backlog")
            return
        _classes(plan)
        _jobs(plan)
        submission.asked(plan)


def _classes(plan: Plan) -> None:
    st.header(say("backlog.classes"), anchor=False)
    tokens = data.read("chart_backlog_classes")
    pictures.draw("backlog_classes", frame=tokens, key="backlog-classes")
    shares = tokens.select("class_id", share=pl.col("prompt_tokens") / pl.col("prompt_tokens").sum())
    classes = plan.classes.join(shares, on="class_id", how="left", maintain_order="left")
    classes = classes.sort("share", "items", descending=True, nulls_last=True)
    classes = classes.join(data.caching_frame(), on="class_id", how="left", maintain_order="left")
    ids = classes["class_id"].to_list()

    def open_class() -> None:
        rows = st.session_state["classes-table"].selection.rows
        if rows:
            st.session_state[_OPENED] = ids[rows[0]]

    if opened := st.session_state.pop(_OPENED, None):
        st.switch_page("classes.py", query_params={"id": opened})
    st.caption(say("backlog.classes_how"))
    if workspace().settings.metadata_only:
        st.caption(say("backlog.metadata_only"))
    frame.table(
        classes.with_columns(pl.Series("why", [term("verdict", word) for word in classes["reason"]], dtype=pl.String)),
        {
            "class_name": frame.text("backlog.columns.class"),
            "model": frame.text("backlog.columns.model"),
            "items": frame.number("backlog.columns.items"),
            "prefix_tokens": frame.number("backlog.columns.prefix_tokens"),
            "why": frame.text("backlog.columns.cacheable", width="medium"),
            "saved_usd": frame.dollars("backlog.columns.saved"),
            "share": frame.share("backlog.columns.share"),
            "preview": frame.text("backlog.columns.preview", width="large"),
        },
        alt=plain("backlog.classes_alt"),
        key="classes-table",
        on_select=open_class,
        selection_mode="single-row",
    )


def _jobs(plan: Plan) -> None:
    st.header(say("backlog.plan"), anchor=False)
    submission.unpriced(plan)
    jobs, dollars, plainly = len(plan.jobs), plan.predicted_usd, plan.predicted_plain_usd
    saved = plainly - dollars if dollars is not None and plainly is not None else None
    primers = sum(job.role == "primer" for job in plan.jobs)
    size = sum(job.body_bytes for job in plan.jobs)
    with st.grid(4, min_column_width=150, gap="small"):
        frame.metric(
            "backlog.plan_jobs",
            formats.count(jobs),
            note=say("backlog.plan_primers", primers=primers) if primers else say("backlog.plan_no_primer"),
        )
        frame.metric("backlog.plan_items", formats.count(plan.items), note=formats.volume(size))
        frame.metric(
            "backlog.plan_cost",
            formats.money(dollars),
            note=say("backlog.plan_caching") if primers else say("backlog.plan_no_caching"),
        )
        frame.metric(
            "backlog.plan_plain",
            formats.money(plainly),
            note=say("backlog.plan_saved", dollars=formats.money(saved))
            if saved is None or saved > 0
            else say("backlog.plan_plain_only"),
        )
    assumed = formats.percent(workspace().settings.output_share)
    st.caption(say("backlog.plan_note", day=f"{formats.now():%-d %b %Y}", share=assumed))
    submission.offer(plan)
    st.page_link("sizing.py", label=say("backlog.sizing_link"), icon=":material/arrow_forward:")
    frame.table(
        pl.DataFrame(
            [
                {
                    "role": term("role", job.role),
                    "class_name": job.class_name,
                    "model": job.model,
                    "items": job.items,
                    "body_bytes": job.body_bytes,
                    "predicted_usd": job.predicted_usd,
                    "predicted_plain_usd": job.predicted_plain_usd,
                    "send_at": job.send_at,
                    "ready_by": job.ready_by,
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
            "predicted_usd": frame.dollars("backlog.columns.predicted"),
            "predicted_plain_usd": frame.dollars("backlog.columns.plain"),
            "send_at": frame.instant("backlog.columns.send_at"),
            "ready_by": frame.instant("backlog.columns.ready_by"),
        },
        alt=plain("backlog.plan_alt"),
        key="plan-table",
    )
