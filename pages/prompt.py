"""The prompt of a class: what its requests share in one colour, what differs in another, long texts folded."""

import html
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from core.requests.passages import Passage
from pages import data, formats
from pages.words import plain, say, term

SAMPLES = 3
_HEAD = 900
_BORDER = 420
_TAIL = 700

# Tints under the text of either theme, and the edges that say the same to who sees no tint.
_SHARED = "background:#2d78bb2e;border-left:4px solid #2d78bb"
_DIFFERS = "background:#f0934a26;border-left:4px dashed #c8590a"
_TEXT = (
    "white-space:pre-wrap;overflow-wrap:anywhere;margin:0 0 2px 0;padding:0.6rem 0.8rem;font-size:0.82rem;"
    "line-height:1.5;border-radius:0 6px 6px 0;font-family:'Source Code Pro',monospace"
)


def show(found: dict[str, Any], items: Sequence[dict[str, Any]], *, marked: str | None) -> None:
    """Draw the shared part once, and what follows it for a few requests side by side; `marked`: the mark's lifetime."""
    samples = [(item, data.prompt(item)) for item in items[:SAMPLES]]
    shared, _ = divide(samples[0][1], found["prefix_blocks"], found["cut_chars"])
    chars = sum(len(passage.text) for passage in shared)
    if chars:
        st.markdown(
            say("class.shared_by_all", chars=formats.count(chars), tokens=formats.count(found["prefix_tokens"]))
        )
        st.html("".join(_folded(shared)))
        if marked:
            st.badge(say("class.mark", lifetime=term("lifetime", marked)), icon=":material/bookmark:", color="blue")
        elif found["state"] == "split":
            st.caption(say("class.border_inside"), width="stretch")
    else:
        st.markdown(say("class.nothing_shared"))
    st.markdown(say("class.differs"))
    for column, (item, passages) in zip(st.columns(len(samples), gap="small"), samples, strict=True):
        _, rest = divide(passages, found["prefix_blocks"], found["cut_chars"])
        with column:
            st.caption(f"**{say('class.item', item=item['item_id'])}**")
            st.html("".join(_opened(rest)))


def divide(passages: Sequence[Passage], blocks: int, cut: int) -> tuple[list[Passage], list[Passage]]:
    """The passages up to `cut` characters into the one after `blocks`, and what is behind."""
    shared, rest = list(passages[:blocks]), list(passages[blocks:])
    if cut and rest:
        broken = rest.pop(0)
        shared.append(replace(broken, text=broken.text[:cut]))
        rest.insert(0, replace(broken, text=broken.text[cut:]))
    return shared, rest


def _folded(shared: Sequence[Passage]) -> Iterator[str]:
    """How the shared part begins and how it ends; what is between is only counted."""
    room = _HEAD
    for number, passage in enumerate(shared):
        last = number == len(shared) - 1
        head, tail = passage.text[:room], passage.text[room:]
        if last and tail:
            folded = tail[:-_BORDER]
            yield _piece(passage.part, head, _SHARED, "class.more" if folded else None, len(folded))
            yield _piece(None, tail[-_BORDER:], _SHARED)
        elif head:
            yield _piece(passage.part, head, _SHARED, "class.more" if tail else None, len(tail))
        elif not last:
            yield _piece(passage.part, "", _SHARED, "class.more", len(tail))
        room = max(0, room - len(head))


def _opened(rest: Sequence[Passage]) -> Iterator[str]:
    """How a request goes on behind what it shares."""
    room = _TAIL
    for passage in rest:
        text, more = passage.text[:room], len(passage.text) - room
        yield _piece(passage.part, text, _DIFFERS, "class.more" if more > 0 else None, more)
        room -= len(text)
        if room <= 0:
            break


def _piece(part: str | None, text: str, style: str, more: str | None = None, chars: int = 0) -> str:
    """One stretch of text with its part of the prompt above and what was left out below."""
    above = f"<small><strong>{html.escape(term('part', part))}</strong></small><br>" if part else ""
    below = f"<br><small><em>{html.escape(plain(more, chars=formats.count(chars)))}</em></small>" if more else ""
    # A no-break space where there is no text: an empty block must still be seen.
    return f'<div style="{_TEXT};{style}">{above}{html.escape(text) or "&nbsp;"}{below}</div>'
