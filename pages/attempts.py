"""One item's attempts, first to last: which job, what was sent, what came of it, what it cost."""

from typing import Any

import polars as pl
import streamlit as st

from pages import data, formats, frame
from pages.words import plain, say, term


def show(item_id: str) -> None:
    """Draw the chain of an item."""
    chain = data.read("item_chain", item_id=item_id)
    st.subheader(say("job.attempts", item=item_id), anchor=False)
    rows = list(chain.iter_rows(named=True))
    frame.table(
        chain.with_columns(
            pl.Series("outcome", [_outcome(row) for row in rows], dtype=pl.String),
            pl.Series("cause", [_cause(row) for row in rows], dtype=pl.String),
            pl.Series("content", [_content(row) for row in rows], dtype=pl.String),
        ),
        {
            "number": frame.number("job.columns.attempt"),
            "job_id": frame.text("job.columns.job"),
            "submitted_at": frame.instant("job.columns.submitted"),
            "outcome": frame.text("job.columns.outcome"),
            "cause": frame.text("job.columns.cause"),
            "cost_usd": frame.dollars("job.columns.cost", digits=6),
            "content": frame.text("job.columns.content", width="medium"),
            "message": frame.text("job.columns.message", width="medium"),
        },
        alt=plain("job.attempts_alt"),
        key="job-attempts",
    )


def _outcome(row: dict[str, Any]) -> str:
    return term("outcome", row["outcome"] or "waiting")


def _cause(row: dict[str, Any]) -> str:
    """Why it is not usable, and who gave it up, where somebody did."""
    if row["usable"]:
        return term("outcome", "usable")
    if row["set_aside_at"] is None:
        return term("cause", row["cause"])
    at = formats.moment(row["set_aside_at"])
    return plain("job.attempt_aside", cause=term("cause", row["cause"]), by=row["set_aside_by"], at=at)


def _content(row: dict[str, Any]) -> str:
    key = "job.content_former" if row["corrected_since"] else "job.content"
    return plain(key, source=row["source"] or formats.UNKNOWN, line=row["line"])
