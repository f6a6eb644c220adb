"""Landmarks: a few texts of a group, and how far every other text agrees with the nearest one."""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from core.grouping.exact_tree import common_prefix
from core.grouping.prefix_tree import Ints8, Ints32, UInts
from core.requests.blocks import inner_hash

# Bytes that a border must lie behind the one before it, that texts must agree on to be looked at again, and that
# one may be cut back to end at a line or a word: so much may be shared and not be found.
STEP = 16
_AGREEMENT = np.dtype([("nearest", np.int8), ("agreed", np.int32), ("onward", np.uint64)])


@dataclass(frozen=True, kw_only=True, slots=True)
class Landmarks:
    """What a group of texts is compared with: sorted texts, cut off at `limit` bytes and a step."""

    head: int
    limit: int
    texts: tuple[bytes, ...]


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Per text: which landmark it follows furthest (`nearest`), for how many bytes, and the hash a step after that.

    `onward` is 0 where the text ends before that.
    """

    nearest: Ints8
    agreed: Ints32
    onward: UInts

    @classmethod
    def of(cls, found: Iterable[tuple[int, int, int]]) -> Self:
        """From what `agreement` said of each text."""
        rows = np.fromiter(found, dtype=_AGREEMENT)
        return cls(nearest=rows["nearest"], agreed=rows["agreed"], onward=rows["onward"])


class TextSource(Protocol):
    """Where the texts of items can be read again."""

    def read(self, items: Ints32, blocks: Ints32) -> Iterable[bytes]:
        """The texts of these blocks, in this order, which is that of the items."""
        ...

    def compare(self, items: Ints32, blocks: Ints32, groups: Ints32, landmarks: list[Landmarks]) -> Agreement:
        """`agreement` of each text with the landmarks of its group, in this order."""
        ...


def agreement(text: bytes, landmarks: Landmarks) -> tuple[int, int, int]:
    """The nearest landmark, the bytes on which the text agrees with it, and the hash a step further (or 0)."""
    marks = landmarks.texts
    at = bisect_left(marks, text)
    nearest, agreed = -1, -1
    for candidate in (at - 1, at):
        if 0 <= candidate < len(marks):
            common = common_prefix(text, marks[candidate])
            if common > agreed:
                nearest, agreed = candidate, common
    agreed = min(agreed, landmarks.limit)
    further = agreed + STEP
    return nearest, agreed, inner_hash(landmarks.head, text[:further]) if len(text) >= further else 0
