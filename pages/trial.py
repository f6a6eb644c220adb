"""The trials of a class: how far the latest is, what is certain by now, its labels, its certificate, and its end."""

from functools import partial
from typing import Any

import polars as pl
import streamlit as st

from core.actions import certificates, trials
from core.grading import described
from core.routing.verdict import Bar, Ruling
from core.trials.class_routes import ClassRoute
from core.trials.standing import CandidateStanding, TrialStanding
from core.trials.trial import TrialState
from core.workspace import Workspace
from pages import formats, frame, pictures, routes_data
from pages.session import workspace
from pages.words import literal, plain, say, term

_STOP = "trial-stop"
_CERTIFICATES = {
    "json": ("trial.certificate_json", "application/json"),
    "txt": ("trial.certificate_txt", "text/plain"),
}
_RULED = {Ruling.CLEARS: "trial.clears", Ruling.FAILS: "trial.fails", Ruling.NOT_YET: "trial.not_yet"}
_COLOURS: dict[TrialState, Any] = {
    TrialState.RUNNING: "blue",
    TrialState.LABELLING: "orange",
    TrialState.DECIDED: "green",
    TrialState.STOPPED: "gray",
    TrialState.SPENT: "gray",
    TrialState.EXHAUSTED: "gray",
}


def show(line: ClassRoute) -> None:
    """The latest trial of the class in full, and a row for each earlier one."""
    mine = routes_data.trials_of(line)
    if not mine:
        return
    st.subheader(say("trial.title"), anchor=False)
    _one(mine[0])
    tries = sum(len(one.candidates) for one in mine)
    if tries > 1:
        error = min(1.0, sum(one.bar.error * len(one.candidates) for one in mine))
        st.caption(say("trial.each", tries=formats.count(tries), error=formats.percent(error)))
    if mine[1:]:
        with st.expander(say("trial.earlier", trials=formats.count(len(mine) - 1))):
            _table(mine[1:])


def bar_said(bar: Bar) -> str:
    """A bar in words; plain text."""
    error = f"{bar.error * 100:g}%"
    if bar.rate is not None:
        return plain("trial.bar_rate", rate=formats.percent(bar.rate), error=error)
    return plain("trial.bar_margin", margin=f"{(bar.margin or 0) * 100:g}", error=error)


def _one(found: TrialStanding) -> None:
    with st.container(border=True, key=f"trial-{found.trial_id}"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.badge(term("trial_state", found.state), color=_COLOURS[TrialState(found.state)])
            st.caption(
                say(
                    "trial.began",
                    trial=found.trial_id,
                    moment=formats.moment(found.created_at),
                    rounds=formats.count(found.rounds),
                )
            )
        st.markdown(
            f"{literal(bar_said(found.bar))} {literal(described(found.grader))} "
            + say("trial.against", model=found.reference_model)
        )
        if found.reason and not found.to_label:
            st.caption(literal(found.reason))
        if found.noise and found.noise.labels:
            agreed, asked = formats.percent(found.noise.correct / found.noise.labels), formats.count(found.noise.labels)
            st.caption(say("trial.noise", share=agreed, items=asked))
        share = float(found.spent_usd / found.budget_usd) if found.budget_usd else 1.0
        spent, budget = formats.money(found.spent_usd), formats.money(found.budget_usd)
        st.progress(min(1.0, share), text=say("trial.spent", spent=spent, budget=budget))
        _labels(found)
        for one in found.candidates:
            _candidate(found, one)
        _buttons(found)


def _labels(found: TrialStanding) -> None:
    """The way to the pairs that wait for people."""
    if not found.to_label:
        return
    words = "trial.check_judge" if found.grader["kind"] == "rubric" else "trial.waits"
    st.info(say(words, pairs=formats.count(found.to_label)), icon=":material/rate_review:")
    st.page_link(
        "routing.py",
        label=say("trial.label"),
        icon=":material/arrow_forward:",
        query_params={"label": found.trial_id},
    )


def _candidate(found: TrialStanding, one: CandidateStanding) -> None:
    st.markdown(f"**{literal(one.model)}** · {literal(said(one))}")
    path = routes_data.path(found.trial_id, one.model)
    if path.height:
        bar = found.bar.rate if found.bar.rate is not None else -(found.bar.margin or 0.0)
        pictures.draw("certainty", key=f"certainty-{one.model}", path=path, bar=bar, name=one.model)


def said(one: CandidateStanding) -> str:
    """The verdict on a candidate in one sentence; plain text."""
    verdict = one.verdict
    values = {
        "labels": formats.count(verdict.labels),
        "low": formats.percent(verdict.lower),
        "high": formats.percent(verdict.upper),
    }
    text = plain(_RULED[verdict.ruling], **values) if verdict.labels else plain("trial.no_labels")
    if verdict.more_labels is not None:
        more = formats.count(verdict.more_labels)
        text += " " + plain("trial.more", labels=more, dollars=formats.money(one.more_usd))
    if one.ungraded:
        text += " " + plain("trial.ungraded", items=formats.count(one.ungraded))
    if one.disputed:
        text += " " + plain("trial.disputed", items=formats.count(one.disputed))
    return text


def _buttons(found: TrialStanding) -> None:
    with st.container(horizontal=True):
        if found.state in (TrialState.RUNNING, TrialState.LABELLING):
            frame.action_button(
                say("trial.stop"), icon=":material/stop_circle:", key="trial-stop-button", on_click=_ask_stop
            )
        opened = workspace()
        for ending, (words, mime) in _CERTIFICATES.items():
            st.download_button(
                say(words),
                # Made on the click: it is read from every label of the trial.
                partial(_certificate, opened, found.trial_id, ending),
                file_name=f"certificate-{found.trial_id}.{ending}",
                mime=mime,
                icon=":material/workspace_premium:",
                on_click="ignore",
                key=f"certificate-{ending}",
            )
    if st.session_state.get(_STOP):
        _confirm_stop(found.trial_id)


def _certificate(opened: Workspace, trial_id: str, ending: str) -> bytes:
    made = certificates.certificate(opened, trial_id, now=formats.now())
    return made.text().encode() if ending == "txt" else made.json()


def _ask_stop() -> None:
    st.session_state[_STOP] = True


def _go_on() -> None:
    st.session_state.pop(_STOP, None)


@st.dialog(say("trial.stop_title"), on_dismiss=_go_on)
def _confirm_stop(trial_id: str) -> None:
    st.markdown(say("trial.stop_body"))
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button(say("trial.go_on"), key="trial-go-on"):
            _go_on()
            st.rerun()
        if frame.action_button(say("trial.stop"), type="primary", key="trial-stop-confirm"):
            with frame.refusals():
                trials.stop_trial(workspace(), trial_id, now=formats.now())
                _go_on()
                st.rerun()


def _table(earlier: tuple[TrialStanding, ...]) -> None:
    frame.table(
        pl.DataFrame(
            [
                {
                    "created_at": one.created_at,
                    "state": term("trial_state", one.state),
                    "bar": bar_said(one.bar),
                    "found": " ".join(f"{each.model}: {said(each)}" for each in one.candidates),
                    "spent_usd": one.spent_usd,
                    "trial_id": one.trial_id,
                }
                for one in earlier
            ]
        ),
        {
            "created_at": frame.instant("trial.columns.began"),
            "state": frame.text("trial.columns.state"),
            "bar": frame.text("trial.columns.bar", width="medium"),
            "found": frame.text("trial.columns.found", width="large"),
            "spent_usd": frame.dollars("trial.columns.spent"),
            "trial_id": frame.text("trial.columns.trial"),
        },
        alt=plain("trial.earlier_alt"),
        key="trials-table",
    )
