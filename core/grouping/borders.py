"""Borders inside texts: how far texts agree that begin alike but are not the same.

Chains know a text by its hash and by that of its head. Where several texts have one head, a few of them are read in
full as landmarks, and every other is compared with the landmark nearest to it. Where texts leave a landmark is a
border: a prefix that ends inside a block. Texts that leave at one place but go on alike are looked at again, as a
group of its own, until none is left.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np

from core.grouping.prefix_tree import Chains, Ints, UInts, again
from core.requests.blocks import HEAD_BYTES, inner_hash

# Landmarks of a group: one for every so many texts, at most so many. Which ones is told by their hashes.
_TEXTS_A_LANDMARK, _MOST_LANDMARKS = 8, 8
# Bytes that a border must lie behind the one before it, that texts must agree on to be looked at again, and that
# one may be cut back to end at a line or a word.
_STEP = 64
# A landmark is read up to here at first, then up to so many times what is known to be shared.
_FIRST_LOOK, _LOOK_AHEAD = 1 << 16, 4
# Bits that hold the length of any text: no request is longer than 32 MB.
_BYTE_BITS = 26
# Landmarks held in memory at once.
_LANDMARK_BYTES = 32 << 20


@dataclass(frozen=True, kw_only=True)
class Texts:
    """Distinct texts to be compared, in order of their group.

    Per text: `ends` (running hash at its end, its name), `items` (position of an item that has it), `blocks` (which
    of the item's blocks it is, counted from 1), `chars`, and `groups`, the number of the group it is in.
    Per group: `heads` (hash of the head that its texts share) and `known` (bytes that they share at least).
    """

    ends: UInts
    items: Ints
    blocks: Ints
    chars: Ints
    groups: Ints
    heads: UInts
    known: Ints


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

    nearest: Ints
    agreed: Ints
    onward: UInts

    @classmethod
    def of(cls, found: Iterable[tuple[int, int, int]]) -> Self:
        """From what `agreement` said of each text."""
        nearest, agreed, onward = zip(*found, strict=True)
        return cls(
            nearest=np.array(nearest, dtype=np.int64),
            agreed=np.array(agreed, dtype=np.int64),
            onward=np.array(onward, dtype=np.uint64),
        )


class TextSource(Protocol):
    """Where the texts of items can be read again."""

    def read(self, items: Ints, blocks: Ints) -> list[bytes]:
        """The texts of these blocks, in this order."""
        ...

    def compare(self, items: Ints, blocks: Ints, groups: Ints, landmarks: list[Landmarks]) -> Agreement:
        """`agreement` of each text with the landmarks of its group, in this order."""
        ...


@dataclass(frozen=True, kw_only=True)
class Borders:
    """Where texts have borders, from the front to the back: per border the hash at the `ends` of its text, its own
    running hash (`keys`) and how many characters of the text lie before it (`cuts`)."""

    ends: UInts
    keys: UInts
    cuts: Ints


def agreement(text: bytes, landmarks: Landmarks) -> tuple[int, int, int]:
    """The nearest landmark, the bytes on which the text agrees with it, and the hash a step further (or 0)."""
    marks = landmarks.texts
    at = bisect_left(marks, text)
    nearest, agreed = -1, -1
    for candidate in (at - 1, at):
        if 0 <= candidate < len(marks):
            common = _common(text, marks[candidate])
            if common > agreed:
                nearest, agreed = candidate, common
    agreed = min(agreed, landmarks.limit)
    further = agreed + _STEP
    return nearest, agreed, inner_hash(landmarks.head, text[:further]) if len(text) >= further else 0


def _common(one: bytes, other: bytes) -> int:
    """Bytes on which two texts agree: gallop, then halve."""
    end = min(len(one), len(other))
    low, step = 0, _STEP
    while low < end:
        high = min(low + step, end)
        if one[low:high] != other[low:high]:
            break
        low, step = high, step * 4
    else:
        return end
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if one[low:middle] == other[low:middle] else (low, middle)
    return low


def open_texts(chains: Chains, heads: UInts) -> Texts | None:
    """The distinct texts of all items that have their head in common with another text; None where there is none.

    `heads`: per entry of the chains, the hash of its head, 0 where it has none.
    """
    where = _alike(heads)
    names, first = np.unique(chains.hashes[where], return_index=True)
    where = where[first]
    order = np.lexsort((names, heads[where]))
    names, where = names[order], where[order]
    found = heads[where]
    again = np.zeros(len(where), dtype=np.bool_)
    again[1:] = found[1:] == found[:-1]
    several = again | np.append(again[1:], False)
    names, where, found = names[several], where[several], found[several]
    if not len(where):
        return None
    group_heads, groups = np.unique(found, return_inverse=True)
    items = np.searchsorted(chains.ends, where, side="right")
    return Texts(
        ends=names,
        items=items,
        blocks=where - chains.starts[items],
        chars=chains.depths[where] - chains.depths[where - 1],
        groups=groups,
        heads=group_heads,
        known=np.full(len(group_heads), HEAD_BYTES, dtype=np.int64),
    )


def _alike(heads: UInts) -> Ints:
    """The entries whose head comes again."""
    where = np.flatnonzero(heads)
    twice = again(heads[where])
    if not len(twice):
        return where[:0]
    at = np.minimum(np.searchsorted(twice, heads[where]), len(twice) - 1)
    alike: Ints = where[twice[at] == heads[where]]
    return alike


def find_borders(texts: Texts | None, source: TextSource) -> Borders:
    """All borders inside the texts. They are the same in whatever order items and files came."""
    found: list[Borders] = []
    while texts is not None:
        further: list[Texts] = []
        for batch in _batches(texts):
            borders, left = _look(batch, source)
            found.append(borders)
            further += left
        texts = _together(further)
    ends, keys, cuts = (
        np.concatenate([getattr(part, name) for part in found] or [np.empty(0, dtype=kind)])
        for name, kind in (("ends", np.uint64), ("keys", np.uint64), ("cuts", np.int64))
    )
    order = np.lexsort((cuts, ends))
    return Borders(ends=ends[order], keys=keys[order], cuts=cuts[order])


def with_borders(chains: Chains, borders: Borders) -> Chains:
    """The chains with an entry for every border, before the one that ends its block."""
    named, first, count = np.unique(borders.ends, return_index=True, return_counts=True)
    at = np.minimum(np.searchsorted(named, chains.hashes), max(len(named) - 1, 0))
    cut_up = named[at] == chains.hashes if len(named) else np.zeros(len(chains.hashes), dtype=np.bool_)
    added = np.where(cut_up, count[at], 0) if len(named) else np.zeros(len(chains.hashes), dtype=np.int64)
    behind = np.cumsum(added)
    place = np.arange(len(added)) + behind
    total = len(added) + int(behind[-1]) if len(added) else 0
    hashes, depths, cuts = np.empty(total, np.uint64), np.empty(total, np.int64), np.zeros(total, np.int64)
    hashes[place], depths[place] = chains.hashes, chains.depths
    entries = np.repeat(np.flatnonzero(cut_up), added[cut_up])
    number = np.arange(len(entries)) - np.repeat((behind - added)[cut_up], added[cut_up])
    border = first[at[entries]] + number if len(entries) else entries
    new = place[entries] - added[entries] + number
    hashes[new], cuts[new] = borders.keys[border], borders.cuts[border]
    depths[new] = chains.depths[entries - 1] + borders.cuts[border]
    ends = chains.ends + behind[chains.ends - 1] if len(chains.ends) else chains.ends
    return Chains(hashes=hashes, depths=depths, ends=ends, cuts=cuts)


def _batches(texts: Texts) -> Iterator[Texts]:
    """Whole groups, as many at a time as their landmarks fit into memory."""
    starts = np.flatnonzero(np.diff(texts.groups, prepend=-1))
    counts = np.diff(starts, append=len(texts.groups))
    size = np.minimum(np.maximum.reduceat(texts.chars, starts), _limits(texts.known)) * _landmark_counts(counts)
    batch = np.cumsum(size) // _LANDMARK_BYTES
    for groups in np.split(np.arange(len(counts)), np.flatnonzero(np.diff(batch)) + 1):
        part = slice(int(starts[groups[0]]), int(starts[groups[-1]] + counts[groups[-1]]))
        yield _part(texts, part, groups)


def _part(texts: Texts, part: slice, groups: Ints) -> Texts:
    return replace(
        texts,
        ends=texts.ends[part],
        items=texts.items[part],
        blocks=texts.blocks[part],
        chars=texts.chars[part],
        groups=texts.groups[part] - groups[0],
        heads=texts.heads[groups],
        known=texts.known[groups],
    )


def _landmark_counts(texts: Ints) -> Ints:
    return np.clip(texts // _TEXTS_A_LANDMARK, 1, _MOST_LANDMARKS)


def _limits(known: Ints) -> Ints:
    return np.maximum(known * _LOOK_AHEAD, _FIRST_LOOK)


def _look(texts: Texts, source: TextSource) -> tuple[Borders, list[Texts]]:
    """One look at some groups: their borders, and the texts that go on alike."""
    landmarks = _landmarks(texts, source)
    found = source.compare(texts.items, texts.blocks, texts.groups, landmarks)
    # One number a row (group, landmark, bytes): sorting rows as such takes many times as long.
    numbers, row_of = np.unique(
        (texts.groups * _MOST_LANDMARKS + found.nearest) << _BYTE_BITS | found.agreed, return_inverse=True
    )
    leads, agreed = numbers >> _BYTE_BITS, numbers & ((1 << _BYTE_BITS) - 1)
    rows = np.stack((leads // _MOST_LANDMARKS, leads % _MOST_LANDMARKS, agreed), axis=1)
    paths = list(_paths(rows, landmarks, texts.known))
    length = np.array([len(path) for path in paths])[row_of]
    flat = [border for row in row_of.tolist() for border in paths[row]]
    keys = np.array([key for key, _ in flat], dtype=np.uint64)
    cuts = np.array([cut for _, cut in flat], dtype=np.int64)
    # A landmark agrees with itself to its end; that is where its block ends anyway.
    inside = cuts < np.repeat(texts.chars, length)
    borders = Borders(ends=np.repeat(texts.ends, length)[inside], keys=keys[inside], cuts=cuts[inside])
    return borders, _further(texts, found)


def _landmarks(texts: Texts, source: TextSource) -> list[Landmarks]:
    """The texts of smallest hash of each group, read."""
    starts = np.flatnonzero(np.diff(texts.groups, prepend=-1))
    wanted = _landmark_counts(np.diff(starts, append=len(texts.groups)))
    # Within a group texts stand in order of their hashes.
    rank = np.arange(len(texts.groups)) - starts[texts.groups]
    chosen = np.flatnonzero(rank < wanted[texts.groups])
    read = source.read(texts.items[chosen], texts.blocks[chosen])
    limits = _limits(texts.known)
    grouped: list[list[bytes]] = [[] for _ in starts]
    for group, text in zip(texts.groups[chosen].tolist(), read, strict=True):
        grouped[group].append(text[: int(limits[group]) + _STEP])
    return [
        Landmarks(head=int(head), limit=int(limit), texts=tuple(sorted(set(marks))))
        for head, limit, marks in zip(texts.heads, limits, grouped, strict=True)
    ]


def _paths(rows: Ints, landmarks: list[Landmarks], known: Ints) -> Iterator[tuple[tuple[int, int], ...]]:
    """Per row (group, nearest landmark, bytes agreed; sorted), the borders that such a text has: key and characters."""
    starts = np.flatnonzero(np.diff(rows[:, 0], prepend=-1))
    for start, stop in zip(starts, np.append(starts[1:], len(rows)), strict=True):
        group = int(rows[start, 0])
        marks = landmarks[group]
        pairs = [(int(nearest), int(agreed)) for _, nearest, agreed in rows[start:stop]]
        near = [_common(one, other) for one, other in zip(marks.texts, marks.texts[1:], strict=False)]
        found = [_borders_along(number, marks, near, pairs, int(known[group])) for number in range(len(marks.texts))]
        for nearest, agreed in pairs:
            yield tuple((key, cut) for depth, key, cut in found[nearest] if depth <= agreed)


def _borders_along(
    number: int, marks: Landmarks, near: list[int], pairs: list[tuple[int, int]], known: int
) -> list[tuple[int, int, int]]:
    """The borders on one landmark's path, as bytes agreed, key and characters.

    `near`: bytes on which each landmark agrees with the next; `pairs`: landmark and bytes of all texts. A text that
    follows another landmark leaves this one where the two part, or before.
    """
    places = {min(agreed, *_between(near, number, other), marks.limit) for other, agreed in pairs}
    text, last, found = marks.texts[number], 0, []
    for depth in sorted(places):
        if depth >= known and depth >= last + _STEP:
            cut = _cut_back(text, depth, known)
            found.append((depth, inner_hash(marks.head, text[:cut]), len(text[:cut].decode(errors="ignore"))))
            last = depth
    return found


def _between(near: list[int], one: int, other: int) -> list[int]:
    """What neighbours between two landmarks agree on; twice an endless figure for a landmark and itself."""
    low, high = min(one, other), max(one, other)
    return near[low:high] or [2**62]


def _cut_back(text: bytes, depth: int, known: int) -> int:
    """The last end of a line, else of a word, shortly before `depth`; else the last whole character."""
    if depth == len(text):
        return depth
    least = max(depth - _STEP, known)
    for border in (b"\n", b" "):
        if (at := text.rfind(border, least, depth)) >= 0:
            return at + 1
    while depth and text[depth] & 0xC0 == 0x80:
        depth -= 1
    return depth


def _further(texts: Texts, found: Agreement) -> list[Texts]:
    """The texts that go on alike behind a border: groups to look at again."""
    _, groups, count = np.unique(found.onward, return_inverse=True, return_counts=True)
    alike = (count[groups] >= 2) & (found.onward != 0)
    if not alike.any():
        return []
    where = np.flatnonzero(alike)
    where = where[np.lexsort((texts.ends[where], groups[where]))]
    _, first, groups = np.unique(groups[where], return_index=True, return_inverse=True)
    heads = texts.heads[texts.groups[where[first]]]
    known = found.agreed[where[first]] + _STEP
    return [
        Texts(
            ends=texts.ends[where],
            items=texts.items[where],
            blocks=texts.blocks[where],
            chars=texts.chars[where],
            groups=groups,
            heads=heads,
            known=known,
        )
    ]


def _together(parts: list[Texts]) -> Texts | None:
    """Groups of several looks as one list."""
    if not parts:
        return None
    shift = np.cumsum([0, *(len(part.heads) for part in parts)])
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("ends", "items", "blocks", "chars", "heads", "known")
    }
    groups = np.concatenate([part.groups + by for part, by in zip(parts, shift, strict=False)])
    return Texts(groups=groups, **joined)
