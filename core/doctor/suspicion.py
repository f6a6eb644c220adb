"""What a check hands on: a defect, its place, what it is worth, and the change that would heal it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from core.doctor.rewrite import Rewrite
from core.doctor.scope import Item, Scope
from core.doctor.texts import Params, find_text
from core.requests.rendering import Path, Place

# Characters shown on either side of a span.
_AROUND = 60
_SPAN = 400


class Excerpt(NamedTuple):
    """A piece of a text and the span in it that matters, in characters of the piece."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, kw_only=True)
class Suspicion:
    """One defect in one scope. `gain`: bytes of plain input that healing it saves in all requests of one run."""

    kind: str
    scope: Scope
    affected: Sequence[int]
    gain: float
    place: Place
    before: Excerpt
    after: Excerpt
    rewrites: tuple[Rewrite, ...] = ()
    """Empty where only a person can make the change."""
    texts: tuple[tuple[str, str], ...] = ()
    """Texts before and after, for a written diff."""
    words: Mapping[str, str] = field(default_factory=dict)
    """What the sentence of the kind names."""


def excerpt(text: str, start: int, end: int) -> Excerpt:
    """The span of a text with a little of what is around it."""
    end = min(end, start + _SPAN)
    low = max(0, start - _AROUND)
    return Excerpt(text[low : end + _AROUND], start - low, end - low)


def place_of(item: Item, path: Path, character: int) -> Place:
    """A character's place, by the path of its block in any form."""
    bare = path[:-1] if path[-1] == "text" else path
    for number, block in enumerate(item.prompt.blocks, 1):
        if block.path in (bare, (*bare, 0)):
            return Place(number, block.path, character)
    return Place(1, bare, character)


def text_of(params: Params, path: Path) -> str:
    """The text at a path, or nothing."""
    found = find_text(params, path)
    return found[1] if found else ""
