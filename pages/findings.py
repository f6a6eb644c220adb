"""The doctor's findings in what waits: what breaks sharing, where, for how much, and what healing it changes."""

import html

import streamlit as st

from core import actions
from core.checkup import rewritten
from core.doctor.diff import proposal
from core.doctor.finding import Finding
from core.doctor.suspicion import Excerpt
from core.errors import LotwiseError
from pages import data, formats, frame
from pages.session import workspace
from pages.words import literal, plain, say

RUNS_A_MONTH = 30
MOST_RUNS = 100_000
_EXAMINED, _HEALED = "examined", "healed"
_TEXT = (
    "white-space:pre-wrap;overflow-wrap:anywhere;margin:0;padding:0.5rem 0.7rem;font-size:0.8rem;line-height:1.5;"
    "border-left:4px solid #8a94a0;background:#8a94a01f;font-family:'Source Code Pro',monospace"
)
_SPAN = "background:#f0934a66;color:inherit;font-weight:700"


def show() -> None:
    """Examine on the button; the findings stay until the store moves on."""
    st.header(say("doctor.title"), anchor=False)
    st.caption(say("doctor.how"))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        runs = st.number_input(
            say("doctor.runs"),
            1,
            MOST_RUNS,
            RUNS_A_MONTH,
            key="runs",
            help=say("doctor.runs_help"),
            width=200,
            persist_state="session",
        )
        st.button(say("doctor.examine"), icon=":material/stethoscope:", key="examine", on_click=_ask)
    _healed()
    if not examined():
        return
    with st.spinner(say("doctor.examining")):
        examination = data.examination()
    looked_at = say(
        "doctor.sampled" if examination.sampled else "doctor.all",
        examined=formats.count(examination.examined),
        requests=formats.count(examination.requests),
    )
    if not examination.findings:
        st.success(f"{say('doctor.healthy')} {looked_at}", icon=":material/verified:")
        return
    st.caption(f"{looked_at} {say('doctor.alone')}")
    for number, finding in enumerate(examination.findings):
        _finding(finding, number, runs)


def of_class(class_id: str) -> None:
    """The findings that name requests of this class, where what waits was examined."""
    if not examined():
        return
    findings = [one for one in data.examination().findings if class_id in _classes(one)]
    if findings:
        st.header(say("doctor.of_class"), anchor=False)
        for number, finding in enumerate(findings):
            _finding(finding, number, st.session_state.get("runs", RUNS_A_MONTH))


def examined() -> bool:
    """Whether what waits now was examined in this session."""
    return bool(st.session_state.get(_EXAMINED) == data.waiting())


def _ask() -> None:
    st.session_state[_EXAMINED] = data.waiting()
    st.session_state.pop(_HEALED, None)


def _heal(finding: Finding) -> None:
    """Put the rewritten requests in place, and examine what waits then."""
    try:
        report = actions.heal(workspace(), finding)
    except LotwiseError as error:
        st.session_state[_HEALED] = (False, literal(str(error)))
        return
    _ask()
    st.session_state[_HEALED] = (True, say("doctor.healed", items=formats.count(report.replaced)))


def _healed() -> None:
    """What became of the last change, until the next look."""
    well, said = st.session_state.get(_HEALED, (True, None))
    if said:
        (st.success if well else st.error)(said, icon=":material/healing:" if well else ":material/error:")


def _finding(finding: Finding, number: int, runs: int) -> None:
    with st.container(border=True, key=f"finding-{number}"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            worth = formats.money(finding.saving_usd * runs)
            st.markdown(f"**{literal(finding.title)}**")
            st.badge(say("doctor.worth", dollars=worth), color="green", help=literal(finding.basis))
        st.markdown(literal(finding.sentence))
        st.caption(
            say(
                "doctor.where",
                items=formats.count(finding.items),
                model=finding.model,
                block=finding.block,
                path=finding.path,
                character=formats.count(finding.character),
            )
        )
        for column, key, excerpt in zip(
            st.columns(2, gap="small"), ("doctor.before", "doctor.after"), (finding.before, finding.after), strict=True
        ):
            with column:
                st.caption(say(key))
                st.html(_marked(excerpt))
        st.markdown(say("doctor.meaning", meaning=finding.meaning))
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            _download(finding, number)
            for class_id, name in _classes(finding).items():
                st.page_link("classes.py", label=literal(name), query_params={"id": class_id})


def _classes(finding: Finding) -> dict[str, str]:
    """The classes, by id with name, of the requests that the finding names."""
    return dict(data.read("classes_of_items", item_ids=finding.custom_ids).iter_rows())


def _marked(excerpt: Excerpt) -> str:
    """The piece of text with the span that matters marked."""
    text, start, end = excerpt
    span = f'<mark style="{_SPAN}">{html.escape(text[start:end])}</mark>' if end > start else "<strong>‸</strong>"
    return f'<div style="{_TEXT}">{html.escape(text[:start])}{span}{html.escape(text[end:])}</div>'


def _download(finding: Finding, number: int) -> None:
    """The changed requests, as a file or in place, where that is safe; else the proposal for the prompt's owner."""
    opened = workspace()
    if finding.automatic:
        st.download_button(
            say("doctor.rewritten"),
            data=lambda: b"".join(rewritten(opened.store, opened.folder, finding)),
            file_name=plain("doctor.rewritten_name", kind=finding.kind, number=number + 1),
            mime="application/jsonl",
            on_click="ignore",
            icon=":material/download:",
            key=f"rewritten-{number}",
        )
        frame.action_button(
            say("doctor.heal"),
            icon=":material/healing:",
            key=f"heal-{number}",
            help=say("doctor.heal_help"),
            on_click=_heal,
            args=(finding,),
        )
    else:
        st.download_button(
            say("doctor.proposal"),
            data=lambda: proposal(finding),
            file_name=plain("doctor.proposal_name", kind=finding.kind, number=number + 1),
            mime="text/markdown",
            on_click="ignore",
            icon=":material/description:",
            key=f"proposal-{number}",
        )
