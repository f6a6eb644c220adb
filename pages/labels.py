"""Labelling: two answers to one request side by side, whose they are hidden, and one key for each judgement."""

import html
from dataclasses import dataclass, field

import streamlit as st

from core.actions import trials
from core.errors import LotwiseError
from core.trials.people import Pair
from pages import formats, frame, routes_data
from pages.session import workspace
from pages.words import literal, plain, say

AHEAD = 20
"""Pairs fetched at once: the next one is there before it is asked for."""
_TAIL = 700
"""Characters of a request that are shown at once: its end, where requests of one class differ."""
_CHOICES = {
    "left": ("labels.left", "Left"),
    "right": ("labels.right", "Right"),
    "both": ("labels.both", "Down"),
    "neither": ("labels.neither", "Up"),
}
"""What can be said of a pair: its words and its key."""
_REFUSED = "labels-refused"
_TEXT = (
    "white-space:pre-wrap;overflow-wrap:anywhere;font-size:0.9rem;line-height:1.5;max-height:34vh;min-height:2.5rem;"
    "overflow-y:auto"
)


@dataclass
class Desk:
    """What lies before one visitor: pairs still to be judged, those judged here, and how many there were before."""

    waiting: list[Pair]
    labelled: int
    total: int
    judged: list[Pair] = field(default_factory=list)


def show(trial_id: str) -> None:
    """Draw the next pair of this trial, and the one after it as soon as a key is pressed."""
    standing = routes_data.trial(trial_id)
    st.page_link(
        "routing.py",
        label=say("labels.back", name=standing.class_name),
        icon=":material/arrow_back:",
        query_params={"class": standing.class_id},
    )
    key = _key(trial_id)
    if key not in st.session_state:
        st.session_state[key] = Desk(
            waiting=list(trials.pairs_to_label(workspace(), trial_id, limit=AHEAD)),
            labelled=standing.labelled,
            total=standing.labelled + standing.to_label,
        )
    st.caption(say("labels.how"))
    _draw(trial_id)


def leave() -> None:
    """Clear every desk: whoever comes back finds what waits then."""
    for key in [key for key in st.session_state if str(key).startswith(_key(""))]:
        del st.session_state[key]


def _key(trial_id: str) -> str:
    return f"labels-desk-{trial_id}"


# A fragment: a judgement draws the next pair and nothing else of the page.
@st.fragment
def _draw(trial_id: str) -> None:
    desk: Desk = st.session_state[_key(trial_id)]
    done = desk.labelled + len(desk.judged)
    total = max(desk.total, done + len(desk.waiting))
    st.progress(
        done / total if total else 1.0,
        text=say("labels.progress", done=formats.count(done), total=formats.count(total)),
    )
    if refused := st.session_state.pop(_REFUSED, None):
        st.error(literal(refused), icon=":material/error:")
    if not desk.waiting:
        st.success(say("labels.all_done"), icon=":material/check_circle:")
        _undo(trial_id, desk)
        return
    pair = desk.waiting[0]
    _prompt(pair)
    left, right = st.columns(2, gap="small")
    with left:
        _answer(plain("labels.left_answer"), pair.left)
    with right:
        _answer(plain("labels.right_answer"), pair.right)
    _keys(trial_id, desk, pair)


def _prompt(pair: Pair) -> None:
    """The end of the request, and all of it for whoever asks."""
    with st.container(border=True, key="labels-prompt", gap="xsmall"):
        end = _end(pair.prompt)
        st.caption(say("labels.prompt"))
        _text(plain("labels.prompt"), end)
        if end != pair.prompt:
            whole = st.expander(
                say("labels.whole", chars=formats.count(len(pair.prompt))), key="labels-whole", on_change="rerun"
            )
            if whole.open:
                with whole:
                    _text(plain("labels.prompt"), pair.prompt)


def _end(prompt: str) -> str:
    """The last paragraphs of a request, as many as are short enough to be read at once."""
    if len(prompt) <= _TAIL:
        return prompt
    tail = prompt[-_TAIL:]
    _, found, paragraphs = tail.partition("\n\n")
    return f"… {paragraphs if found else tail}"


def _answer(name: str, text: str) -> None:
    with st.container(border=True, gap="xsmall"):
        st.caption(literal(name))
        _text(name, text)


def _text(name: str, text: str) -> None:
    """Foreign text as it is; what is long scrolls, by keyboard too."""
    shown = html.escape(text) or "&nbsp;"
    st.html(f'<div style="{_TEXT}" tabindex="0" role="region" aria-label="{html.escape(name)}">{shown}</div>')


def _keys(trial_id: str, desk: Desk, pair: Pair) -> None:
    with st.grid(4, min_column_width=150, gap="xsmall"):
        for choice, (words, shortcut) in _CHOICES.items():
            # The pair is part of the key: a second press on this pair never judges the next one unseen.
            frame.action_button(
                say(words),
                key=f"label-{choice}-{pair.position}-{pair.candidate}",
                shortcut=shortcut,
                width="stretch",
                on_click=_judge,
                args=(trial_id, pair, choice),
            )
    _undo(trial_id, desk)


def _undo(trial_id: str, desk: Desk) -> None:
    frame.action_button(
        say("labels.undo"),
        key=f"label-undo-{len(desk.judged)}",
        shortcut="U",
        type="tertiary",
        icon=":material/undo:",
        disabled=not desk.judged,
        on_click=_take_back,
        args=(trial_id,),
    )


def _judge(trial_id: str, pair: Pair, choice: str) -> None:
    desk: Desk = st.session_state[_key(trial_id)]
    if pair not in desk.waiting[:1]:
        return  # a second press on a button that was on its way out
    try:
        trials.put_label(
            workspace(), trial_id, pair.position, candidate=pair.candidate, choice=choice, now=formats.now()
        )
        desk.judged.append(desk.waiting.pop(0))
        if not desk.waiting:
            desk.waiting = list(trials.pairs_to_label(workspace(), trial_id, limit=AHEAD))
    except LotwiseError as error:
        st.session_state[_REFUSED] = str(error)


def _take_back(trial_id: str) -> None:
    desk: Desk = st.session_state[_key(trial_id)]
    pair = desk.judged[-1]
    try:
        trials.take_back_label(workspace(), trial_id, pair.position, candidate=pair.candidate, now=formats.now())
        desk.waiting.insert(0, desk.judged.pop())
    except LotwiseError as error:
        st.session_state[_REFUSED] = str(error)
