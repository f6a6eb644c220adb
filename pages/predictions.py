"""What plans predicted beside what came, and what is no longer as it was learned: a section of the trends."""

from typing import Any

import polars as pl
import streamlit as st

from core.sizing.calibration import COST, HIT_RATE, SECONDS
from core.sizing.drift import Drift
from core.sizing.ledger import LEAST, summary
from pages import data, formats, frame, pictures
from pages.words import plain, say, term

SHOWN = 300
_CARDS = {COST: "predictions.cost", SECONDS: "predictions.seconds", HIT_RATE: "predictions.hit_rate"}


def show(**chosen: Any) -> None:
    """Draw what drifted, and the ledger of the jobs within the filters of the trends."""
    st.header(say("predictions.title"), anchor=False)
    for drift in data.drifts():
        _warn(drift)
    rows = data.read("predictions_listed", **chosen)
    if rows.is_empty():
        st.info(say("predictions.empty"), icon=":material/info:")
        return
    st.caption(say("predictions.how"))
    _cards(rows)
    pictures.draw("calibration", frame=rows, key="calibration")
    _table(rows)


def _warn(drift: Drift) -> None:
    values = {"name": drift.name, "since": formats.moment(drift.since), "values": formats.count(drift.values)}
    with st.container(border=True):
        st.markdown(f":material/trending_down: {say(f'drift.{drift.measure}', **values, **_change(drift))}")
        st.caption(say(f"drift_help.{drift.measure}"))
        if drift.measure == "faults":
            st.page_link("jobs.py", label=say("predictions.to_jobs"), icon=":material/arrow_forward:")
        elif drift.measure != SECONDS:
            st.page_link(
                "classes.py",
                label=say("predictions.to_class"),
                icon=":material/arrow_forward:",
                query_params={"id": drift.subject},
            )


def _change(drift: Drift) -> dict[str, str]:
    """Before and since then, in the words of the measure."""
    if drift.measure == SECONDS:
        return {"times": f"{drift.after / drift.before:.2g}"}
    shown = (
        f"{value:,.0f}" if drift.measure == "output" else formats.percent(value)
        for value in (drift.before, drift.after)
    )
    return dict(zip(("before", "after"), shown, strict=True))


def _cards(rows: pl.DataFrame) -> None:
    found = {row["measure"]: row for row in summary(rows).iter_rows(named=True)}
    with st.grid(len(_CARDS), min_column_width=200, gap="small"):
        for measure, card in _CARDS.items():
            of = found.get(measure)
            enough = of is not None and of["jobs"] >= LEAST
            frame.metric(card, formats.percent(of["inside"] if of and enough else None), note=_note(of) if of else None)


def _note(of: dict[str, Any]) -> str:
    if of["jobs"] < LEAST:
        return say("predictions.few", jobs=formats.count(of["jobs"]))
    bias, typical = formats.percent(of["bias"], signed=True), formats.percent(of["typical"])
    return say("predictions.note", bias=bias, typical=typical, jobs=formats.count(of["jobs"]))


def _table(rows: pl.DataFrame) -> None:
    newest = rows.reverse().head(SHOWN)
    figures = [
        {name: _shown(row["measure"], row[name]) for name in ("point", "low", "high", "actual")}
        | {"measure": term("measure", row["measure"]), "basis": term("basis", row["basis"])}
        for row in newest.iter_rows(named=True)
    ]
    frame.table(
        newest.select(
            "known_at", "job_id", "class_name", "items", inside=pl.col("actual").is_between("low", "high")
        ).hstack(pl.DataFrame(figures)),
        {
            "known_at": frame.instant("predictions.columns.known_at"),
            "job_id": frame.text("predictions.columns.job"),
            "class_name": frame.text("predictions.columns.class", width="medium"),
            "items": frame.number("predictions.columns.items"),
            "measure": frame.text("predictions.columns.measure"),
            "point": frame.text("predictions.columns.point"),
            "low": frame.text("predictions.columns.low"),
            "high": frame.text("predictions.columns.high"),
            "actual": frame.text("predictions.columns.actual"),
            "inside": st.column_config.CheckboxColumn(plain("predictions.columns.inside")),
            "basis": frame.text("predictions.columns.basis"),
        },
        alt=plain("predictions.alt"),
        key="predictions-table",
        height=400,
    )
    if rows.height > SHOWN:
        st.caption(say("predictions.limited", shown=SHOWN, predictions=formats.count(rows.height)))


def _shown(measure: str, value: float) -> str:
    if measure == COST:
        return formats.money(value)
    return formats.span(value) if measure == SECONDS else formats.percent(value)
