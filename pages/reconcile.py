"""Reconcile: what the account itself reports beside the ledger, what explains the difference, the discount learned."""

from datetime import timedelta
from decimal import Decimal

import streamlit as st

from core.actions.reconciliation import READ_DAYS, Reconciled, read_reports, take_over_discount
from core.gateway.reports import DAYS_BACK
from core.reconciliation import Part
from pages import data, downloads, formats, frame, periods, pictures, reconcile_data
from pages.session import workspace
from pages.words import literal, plain, say

_SHOWN = 5
"""Flags that stand on the page, the most dollars first."""


def read() -> None:
    """Ask how many days, and read the account's reports of them."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        days = st.number_input(
            say("reconcile.read_days"), min_value=1, max_value=DAYS_BACK, value=READ_DAYS, key="read-days", width=200
        )
        asked = frame.action_button(
            say("reconcile.read"), type="primary", icon=":material/cloud_download:", key="read-reports"
        )
    st.caption(say("reconcile.read_note"))
    if asked:
        with frame.refusals():
            now = formats.now()
            read_reports(workspace(), now=now, first=now.date() - timedelta(days=days - 1))
            st.rerun()


def figures(of: Reconciled) -> None:
    """Report, ledger, and the difference in two parts."""
    flags = len(of.found.flags)
    with st.grid(4, min_column_width=170, gap="small"):
        frame.metric("reconcile.reported", formats.money(of.found.reported_usd), note=say("reconcile.reported_note"))
        frame.metric("reconcile.ours", formats.money(of.found.our_usd), note=say("reconcile.ours_note"))
        frame.metric("reconcile.explained", formats.money(_sum(of.found.explained)))
        frame.metric(
            "reconcile.rest",
            formats.money(_sum(of.found.unexplained)),
            note=say("reconcile.flags", flags=formats.count(flags)) if flags else say("reconcile.no_flags"),
        )


def flagged(of: Reconciled) -> None:
    """What has to be looked at, in sentences."""
    if not of.found.flags:
        return
    st.header(say("reconcile.flagged"), anchor=False)
    for flag in of.found.flags[:_SHOWN]:
        st.warning(literal(flag.said), icon=":material/report:")
    if more := len(of.found.flags[_SHOWN:]):
        st.caption(say("reconcile.more_flags", flags=formats.count(more)))


def causes(of: Reconciled) -> None:
    """Every cause of the difference with its tokens and dollars."""
    st.header(say("reconcile.causes"), anchor=False)
    rows = reconcile_data.causes((*of.found.explained, *of.found.unexplained))
    if rows.is_empty():
        st.info(say("reconcile.agrees"), icon=":material/check:")
        return
    frame.table(
        rows,
        {
            "usd": frame.dollars("reconcile.columns.usd"),
            "said": frame.text("reconcile.columns.said", width="large"),
            "tokens": frame.number("reconcile.columns.tokens"),
        },
        alt=plain("reconcile.causes_alt"),
        key="reconcile-causes",
    )
    st.caption(say("reconcile.dating"))


def by_row(of: Reconciled) -> None:
    """Day, model and kind of token, one by one."""
    st.header(say("reconcile.rows"), anchor=False)
    rows = of.found.rows.sort("day", descending=True, maintain_order=True)
    frame.table(
        rows,
        {
            "day": st.column_config.DateColumn(plain("reconcile.columns.day"), format="D MMM YYYY"),
            "model": frame.text("reconcile.columns.model"),
            "service_tier": frame.text("reconcile.columns.tier"),
            "kind": frame.text("reconcile.columns.kind"),
            "reported_tokens": frame.number("reconcile.columns.reported_tokens"),
            "our_tokens": frame.number("reconcile.columns.our_tokens"),
            "reported_usd": frame.dollars("reconcile.columns.reported_usd"),
            "our_usd": frame.dollars("reconcile.columns.our_usd"),
        },
        alt=plain("reconcile.rows_alt"),
        key="reconcile-rows",
        height=420 if rows.height > 12 else "content",
    )
    downloads.of_table("reconciled_rows", rows, key="reconcile-rows-data")


def discount(of: Reconciled) -> None:
    """The discount as learned, beside the price book, and how to take it over."""
    if not of.discounts:
        return
    st.header(say("reconcile.discount"), anchor=False)
    st.caption(say("reconcile.discount_how"))
    frame.table(
        reconcile_data.discounts(of),
        {
            "model": frame.text("reconcile.columns.model"),
            "kind": frame.text("reconcile.columns.kind"),
            "share": frame.share("reconcile.columns.share"),
            "agreed": frame.share("reconcile.columns.agreed"),
            "list_usd": frame.dollars("reconcile.columns.list_usd"),
            "days": frame.number("reconcile.columns.days"),
        },
        alt=plain("reconcile.discount_alt"),
        key="reconcile-discounts",
    )
    differing = {each.model for each in of.discounts if each.agreed is not None and not each.agrees}
    if not differing:
        return
    st.warning(say("reconcile.disagrees", models=formats.count(len(differing))), icon=":material/sell:")
    if frame.action_button(say("reconcile.take"), icon=":material/add:", key="take-discount"):
        with frame.refusals():
            take_over_discount(workspace(), now=formats.now(), first=of.first, last=of.last)
            st.rerun()


def _sum(parts: tuple[Part, ...]) -> Decimal:
    return sum((part.usd for part in parts), Decimal(0))


frame.title("reconcile")
span = data.row("report_span")
if span is None or span["read_at"] is None:
    frame.empty("reconcile")
    read()
    st.stop()

read()
period = periods.choose(span["first"], max(span["last"], formats.now().date()))
known = data.read("reported_workspaces")["workspace_id"].to_list()
chosen = ()
if len(known) > 1:
    chosen = tuple(
        st.multiselect(
            say("reconcile.workspaces"),
            known,
            key="workspace",
            bind="query-params",
            placeholder=plain("app.all"),
        )
    )
found = reconcile_data.found(max(period.first, span["first"]), min(period.last, span["last"]), chosen)
st.caption(
    say(
        "reconcile.freshness",
        read=formats.moment(found.read_at),
        refreshed=formats.moment(found.refreshed_at or found.read_at),
    )
)
if found.unread:
    st.caption(say("reconcile.unread", days=formats.count(len(found.unread))))
figures(found)
flagged(found)
pictures.draw("reconciliation", frame=reconcile_data.by_day(found), key="reconciliation-picture")
causes(found)
discount(found)
by_row(found)
st.caption(say("app.utc_days", zone=formats.zone().key))
