"""The audit log: who changed, sent or exported what, and when; newest first."""

from datetime import UTC, datetime, time
from typing import Any

import polars as pl
import streamlit as st

from core.audit import Outcome
from pages import data, entries, formats, frame
from pages.session import workspace
from pages.words import plain, say

SHOWN = 500


frame.title("audit")
names = data.row("audit_names")
if not names or not names["actors"]:
    frame.empty("audit", page="backlog.py")
    st.stop()

with st.grid(4, min_column_width=180, gap="small", vertical_alignment="bottom"):
    options: dict[str, Any] = {"bind": "query-params", "placeholder": say("app.all")}
    actor = st.selectbox(say("audit.actor"), names["actors"], index=None, key="actor", **options)
    chosen = st.multiselect(say("audit.actions"), names["actions"], key="action", **options)
    outcomes = st.multiselect(
        say("audit.outcomes"), [one.value for one in Outcome], format_func=str.capitalize, key="outcome", **options
    )
    since = st.date_input(say("audit.since"), None, key="since", bind="query-params", format="YYYY-MM-DD")

listed = data.read(
    "audit_listed",
    actor=actor,
    actions=tuple(chosen),
    outcomes=tuple(outcomes),
    since=datetime.combine(since, time(), formats.zone()).astimezone(UTC) if since else None,
    limit=SHOWN,
)
if listed.height:
    frame.table(
        listed.with_columns(
            pl.col("outcome").str.to_titlecase(),
            pl.Series("subject", [entries.subject(text) for text in listed["subject"]], dtype=pl.String),
        ),
        {
            "acted_at": frame.instant("audit.columns.acted_at"),
            "actor": frame.text("audit.columns.actor"),
            "role": frame.text("audit.columns.role"),
            "how": frame.text("audit.columns.how"),
            "action": frame.text("audit.columns.action"),
            "outcome": st.column_config.TextColumn(
                plain("audit.columns.outcome"), help=say("audit.columns.outcome_help")
            ),
            "subject": frame.text("audit.columns.subject", width="large"),
            "sentence": frame.text("audit.columns.sentence", width="large"),
        },
        alt=plain("audit.alt"),
        key="audit-table",
        height=560 if listed.height > 15 else "content",
    )
    if listed["entries"][0] > listed.height:
        st.caption(say("audit.limited", shown=formats.count(SHOWN), entries=formats.count(listed["entries"][0])))
else:
    st.info(say("audit.none_match"), icon=":material/filter_alt_off:")
opened = workspace()
st.download_button(
    say("audit.download"),
    data=lambda: entries.whole_log(opened),
    file_name="lotwise-audit.csv",
    mime="text/csv",
    on_click="ignore",
    icon=":material/download:",
    key="audit-csv",
)
