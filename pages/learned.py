"""What finished jobs taught: turnarounds by model and size, faults and output by class. A section of the trends."""

from datetime import datetime

import polars as pl
import streamlit as st

from core.sizing.evidence import Evidence
from pages import data, formats, frame
from pages.words import plain, say, term

SIZES = (1, 100, 1_000, 10_000, 100_000)
MOST = 0.95


def show() -> None:
    """Draw what the next plan rests on, as of now."""
    st.header(say("learned.title"), anchor=False)
    evidence = data.evidence()
    st.caption(say("learned.how", expiry=formats.percent(evidence.turnarounds.expiry)))
    frame.table(
        _turnarounds(evidence, formats.now()),
        {
            "model": frame.text("learned.columns.model"),
            "items": frame.number("learned.columns.items"),
            "half": frame.text("learned.columns.half"),
            "most": frame.text("learned.columns.most"),
            "between": frame.text("learned.columns.between"),
            "jobs": frame.number("learned.columns.jobs"),
            "basis": frame.text("learned.columns.basis"),
        },
        alt=plain("learned.turnaround_alt"),
        key="learned-turnaround",
        height=320,
    )
    frame.table(
        _faults(evidence),
        {
            "name": frame.text("learned.columns.class", width="medium"),
            "model": frame.text("learned.columns.model"),
            "fault": frame.text("learned.columns.fault"),
            "unbilled": frame.text("learned.columns.unbilled"),
            "void": frame.text("learned.columns.void"),
            "output": frame.text("learned.columns.output"),
            "jobs": frame.number("learned.columns.jobs"),
        },
        alt=plain("learned.faults_alt"),
        key="learned-faults",
    )


def _turnarounds(evidence: Evidence, now: datetime) -> pl.DataFrame:
    rows = []
    for model in data.models():
        for items in SIZES:
            known = evidence.turnaround(model, items, now)
            half, most = (formats.span(float(known.quantile(share))) for share in (0.5, MOST))
            low, high = (formats.span(end) for end in known.band(MOST))
            between = plain("learned.between", low=low, high=high)
            basis = term("basis", known.basis)
            rows.append((model, items, half, most, between, known.jobs, basis))
    return pl.DataFrame(rows, schema=["model", "items", "half", "most", "between", "jobs", "basis"], orient="row")


def _faults(evidence: Evidence) -> pl.DataFrame:
    """Classes that had jobs; each rate with what it stays under four times of five."""
    rows = []
    for row in data.read("classes_that_ran").iter_rows(named=True):
        faults, output = evidence.faults(row["class_id"], row["model"]), evidence.output(row["class_id"], row["model"])
        fault, unbilled = (
            plain("learned.rate", mean=formats.percent(rate.mean), upper=formats.percent(rate.upper()))
            for rate in (faults.fault_rate, faults.unbilled_rate)
        )
        void = plain("learned.void", items=formats.count(round(1 / faults.void_rate.mean)))
        tokens = plain("learned.output", mean=f"{output.mean:,.0f}", sd=f"{output.sd:,.0f}") if output else None
        rows.append((row["name"], row["model"], fault, unbilled, void, tokens, faults.jobs))
    names = ["name", "model", "fault", "unbilled", "void", "output", "jobs"]
    return pl.DataFrame(rows, schema=names, orient="row")
