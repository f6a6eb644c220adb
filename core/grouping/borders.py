"""Borders inside texts: how far texts agree that begin alike but are not the same.

Chains know a text by its hash and by that of its head. Where several texts have one head, a few of them are read in
full as landmarks, and every other is compared with the landmark nearest to it. Where texts leave a landmark is a
border: a prefix that ends inside a block. Texts that leave at one place but go on alike are looked at again, as a
group of its own, until none is left.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from core.grouping.exact_tree import common_prefix
from core.grouping.landmarks import STEP, Agreement, Landmarks, TextSource
from core.grouping.prefix_tree import AT_ONCE, Borders, Chains, Ints, Ints32, UInts, again, look_up
from core.requests.blocks import HEAD_BYTES, inner_hash

# Landmarks of a group: one for every so many texts, at most so many. Which ones is told by their hashes.
_TEXTS_A_LANDMARK, _LANDMARK_BITS = 8, 3
_MOST_LANDMARKS = 1 << _LANDMARK_BITS
# A landmark is read up to here at first, then up to so many times what is known to be shared.
_FIRST_LOOK, _LOOK_AHEAD = 1 << 16, 4
# Bits that hold the length of any text: no request is longer than 32 MB.
_BYTE_BITS = 26
# Landmarks held in memory at once, and what one takes besides its text.
_LANDMARK_BYTES, _LANDMARK_COST = 16 << 20, 400


@dataclass(frozen=True, kw_only=True)
class Texts:
    """Distinct texts to be compared, in order of their group.

    Per text: `numbers` (its place in `names`), `items` (position of an item that has it), `blocks` (which of the
    item's blocks it is, counted from 1), `chars`, and `groups`, the number of the group it is in.
    Per group: `heads` (hash of the head that its texts share), `known` (bytes that they share at least), `before`
    (running hash where they begin) and `above` (number of the last border found in them, -1: none).
    `names`: the running hash at the end of every text that was opened.
    """

    names: UInts
    numbers: Ints32
    items: Ints32
    blocks: Ints32
    chars: Ints32
    groups: Ints32
    heads: UInts
    known: Ints
    before: UInts
    above: Ints32


class _Tree:
    """Borders as they are found, each behind its parent; and the last one of every text."""

    def __init__(self, texts: int) -> None:
        self.keys, self.before = array("Q"), array("Q")
        self.cuts, self.parents, self.levels = array("i"), array("i"), array("i")
        self.last = np.full(texts, -1, dtype=np.int32)

    def add(self, key: int, cut: int, parent: int, before: int) -> int:
        """Add a border and return its number."""
        self.keys.append(key)
        self.cuts.append(cut)
        self.parents.append(parent)
        self.levels.append(self.levels[parent] + 1 if parent >= 0 else 0)
        self.before.append(before)
        return len(self.keys) - 1

    def borders(self, names: UInts) -> Borders:
        """All of them, and where the texts of these names have their last."""
        cut_up = np.flatnonzero(self.last >= 0)
        cut_up = cut_up[np.argsort(names[cut_up])]
        return Borders(
            texts=names[cut_up],
            last=self.last[cut_up],
            keys=np.frombuffer(self.keys, dtype=np.uint64),
            cuts=np.frombuffer(self.cuts, dtype=np.int32),
            parents=np.frombuffer(self.parents, dtype=np.int32),
            levels=np.frombuffer(self.levels, dtype=np.int32),
            before=np.frombuffer(self.before, dtype=np.uint64),
        )


def open_texts(chains: Chains, heads: UInts) -> Texts | None:
    """The distinct texts of all items that have their head in common with another text; None where there is none.

    `heads`: per entry of the chains, the hash of its head, 0 where it has none.
    """
    where = _alike(heads)
    where = where[np.lexsort((chains.hashes[where], heads[where]))]
    names, found = chains.hashes[where], heads[where]
    fresh = np.ones(len(where), dtype=np.bool_)
    fresh[1:] = names[1:] != names[:-1]
    where, names, found = where[fresh], names[fresh], found[fresh]
    like_before = np.zeros(len(where), dtype=np.bool_)
    like_before[1:] = found[1:] == found[:-1]
    several = like_before | np.append(like_before[1:], False)
    if not several.any():
        return None
    where, names, found = where[several], names[several], found[several]
    firsts = np.flatnonzero(~like_before[several])
    groups = np.repeat(np.arange(len(firsts), dtype=np.int32), np.diff(firsts, append=len(where)))
    items = np.searchsorted(chains.ends, where, side="right").astype(np.int32)
    return Texts(
        names=names,
        numbers=np.arange(len(where), dtype=np.int32),
        items=items,
        blocks=(where - chains.starts[items]).astype(np.int32),
        chars=(chains.depths[where] - chains.depths[where - 1]).astype(np.int32),
        groups=groups,
        heads=found[firsts],
        known=np.full(len(firsts), HEAD_BYTES, dtype=np.int64),
        before=chains.hashes[where[firsts] - 1],
        above=np.full(len(firsts), -1, dtype=np.int32),
    )


def _alike(heads: UInts) -> Ints:
    """The entries whose head comes again."""
    twice = again(heads[heads != 0])
    parts = [np.empty(0, dtype=np.int64)]
    for begin in range(0, len(heads) if len(twice) else 0, AT_ONCE):
        _, alike = look_up(heads[begin : begin + AT_ONCE], twice)
        parts.append(begin + np.flatnonzero(alike))
    return np.concatenate(parts)


def find_borders(texts: Texts | None, source: TextSource) -> Borders:
    """All borders inside the texts. They are the same in whatever order items and files came."""
    if texts is None:
        return _Tree(0).borders(np.empty(0, dtype=np.uint64))
    names, tree = texts.names, _Tree(len(texts.names))
    while texts is not None:
        texts = _together([left for batch in _batches(texts) if (left := _look(batch, source, tree)) is not None])
    return tree.borders(names)


def with_borders(chains: Chains, borders: Borders) -> Chains:
    """The chains with these borders inside their texts."""
    return replace(chains, borders=borders)


def _batches(texts: Texts) -> Iterator[Texts]:
    """Whole groups, as many at a time as their landmarks fit into memory."""
    starts = np.flatnonzero(np.diff(texts.groups, prepend=-1))
    counts = np.diff(starts, append=len(texts.groups))
    size = np.minimum(np.maximum.reduceat(texts.chars, starts), _limits(texts.known))
    size = (size + _LANDMARK_COST) * _landmark_counts(counts)
    batch = np.cumsum(size) // _LANDMARK_BYTES
    for groups in np.split(np.arange(len(counts)), np.flatnonzero(np.diff(batch)) + 1):
        part = slice(int(starts[groups[0]]), int(starts[groups[-1]] + counts[groups[-1]]))
        yield _part(texts, part, groups)


def _part(texts: Texts, part: slice, groups: Ints) -> Texts:
    return replace(
        texts,
        numbers=texts.numbers[part],
        items=texts.items[part],
        blocks=texts.blocks[part],
        chars=texts.chars[part],
        groups=texts.groups[part] - np.int32(groups[0]),
        heads=texts.heads[groups],
        known=texts.known[groups],
        before=texts.before[groups],
        above=texts.above[groups],
    )


def _landmark_counts(texts: Ints) -> Ints:
    return np.clip(texts // _TEXTS_A_LANDMARK, 1, _MOST_LANDMARKS)


def _limits(known: Ints) -> Ints:
    return np.maximum(known * _LOOK_AHEAD, _FIRST_LOOK)


def _look(texts: Texts, source: TextSource, tree: _Tree) -> Texts | None:
    """One look at some groups: add their borders, and return the texts that go on alike."""
    landmarks = _landmarks(texts, source)
    found = source.compare(texts.items, texts.blocks, texts.groups, landmarks)
    # One number a row (group, landmark, bytes): sorting rows as such takes many times as long.
    rows = texts.groups.astype(np.uint64)
    for bits, column in ((_LANDMARK_BITS, found.nearest), (_BYTE_BITS, found.agreed)):
        rows <<= np.uint64(bits)
        rows |= column.astype(np.uint64)
    kinds = np.unique(rows)
    last_of = np.fromiter(_last_borders(kinds, landmarks, texts, tree), dtype=np.int32, count=len(kinds))
    at, _ = look_up(rows, kinds)
    last = last_of[at]
    # A landmark agrees with itself to its end; that is where its block ends anyway.
    cuts, parents = (np.array(column, dtype=np.int32) for column in (tree.cuts, tree.parents))
    at_end = np.flatnonzero(last >= 0)
    at_end = at_end[cuts[last[at_end]] >= texts.chars[at_end]]
    last[at_end] = parents[last[at_end]]
    tree.last[texts.numbers] = last
    return _further(texts, found, last)


def _landmarks(texts: Texts, source: TextSource) -> list[Landmarks]:
    """The texts of smallest hash of each group, read."""
    starts = np.flatnonzero(np.diff(texts.groups, prepend=-1))
    wanted = _landmark_counts(np.diff(starts, append=len(texts.groups)))
    # Within a group texts stand in order of their hashes.
    chosen = np.repeat(starts - np.cumsum(wanted) + wanted, wanted) + np.arange(int(wanted.sum()))
    chosen = chosen[np.lexsort((texts.blocks[chosen], texts.items[chosen]))]
    limits = _limits(texts.known).tolist()
    grouped: list[list[bytes]] = [[] for _ in starts]
    read = source.read(texts.items[chosen], texts.blocks[chosen])
    for group, text in zip(texts.groups[chosen].tolist(), read, strict=True):
        grouped[group].append(text[: limits[group] + STEP])
    return [
        Landmarks(head=int(head), limit=limit, texts=tuple(sorted(set(marks))))
        for head, limit, marks in zip(texts.heads, limits, grouped, strict=True)
    ]


def _last_borders(rows: UInts, landmarks: list[Landmarks], texts: Texts, tree: _Tree) -> Iterator[int]:
    """Per row (group, nearest landmark, bytes agreed; sorted), the last border that such a text has, -1 for none."""
    numbers = rows.astype(np.int64)
    leads, depths = numbers >> _BYTE_BITS, numbers & ((1 << _BYTE_BITS) - 1)
    starts = np.flatnonzero(np.diff(leads >> _LANDMARK_BITS, prepend=-1))
    for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(rows)], strict=True):
        nearest = (leads[start:stop] & (_MOST_LANDMARKS - 1)).tolist()
        agreed = depths[start:stop].tolist()
        group = int(leads[start]) >> _LANDMARK_BITS
        paths = _paths(landmarks[group], list(zip(nearest, agreed, strict=True)), texts, group, tree)
        above = int(texts.above[group])
        for landmark, depth in zip(nearest, agreed, strict=True):
            at = bisect_right(paths[landmark], depth, key=_depth)
            yield paths[landmark][at - 1][1] if at else above


def _depth(border: tuple[int, int]) -> int:
    return border[0]


def _paths(
    marks: Landmarks, pairs: list[tuple[int, int]], texts: Texts, group: int, tree: _Tree
) -> list[list[tuple[int, int]]]:
    """Per landmark of a group, the borders on its path: the bytes before each, and its number in the tree.

    `pairs`: landmark and bytes of all texts.
    """
    near = [common_prefix(one, other) for one, other in zip(marks.texts, marks.texts[1:], strict=False)]
    known, before, above = int(texts.known[group]), int(texts.before[group]), int(texts.above[group])
    numbers: dict[int, int] = {}
    paths = []
    for landmark, text in enumerate(marks.texts):
        path, parent = [], above
        for depth, cut in _cuts(landmark, marks, near, pairs, known):
            key = inner_hash(marks.head, text[:cut])
            if key not in numbers:
                numbers[key] = tree.add(key, len(text[:cut].decode(errors="ignore")), parent, before)
            parent = numbers[key]
            path.append((depth, parent))
        paths.append(path)
    return paths


def _cuts(
    landmark: int, marks: Landmarks, near: list[int], pairs: list[tuple[int, int]], known: int
) -> Iterator[tuple[int, int]]:
    """Where texts leave a landmark, and where they are cut before that, both in bytes and from front to back.

    `near`: bytes on which each landmark agrees with the next. A text that follows another landmark leaves this one
    where the two part, or before.
    """
    places = {min(agreed, *_between(near, landmark, other), marks.limit) for other, agreed in pairs}
    last = 0
    for depth in sorted(places):
        if depth >= known and depth >= last + STEP:
            yield depth, _cut_back(marks.texts[landmark], depth, max(known, last))
            last = depth


def _between(near: list[int], one: int, other: int) -> list[int]:
    """What neighbours between two landmarks agree on; twice an endless figure for a landmark and itself."""
    low, high = min(one, other), max(one, other)
    return near[low:high] or [2**62]


def _cut_back(text: bytes, depth: int, known: int) -> int:
    """The last end of a line, else of a word, shortly before `depth`; else the last whole character."""
    if depth == len(text):
        return depth
    least = max(depth - STEP, known)
    for border in (b"\n", b" "):
        if (at := text.rfind(border, least, depth)) >= 0:
            return at + 1
    while depth and text[depth] & 0xC0 == 0x80:
        depth -= 1
    return depth


def _further(texts: Texts, found: Agreement, last: Ints32) -> Texts | None:
    """The texts that go on alike behind a border, as groups to look at again."""
    where = _alike(found.onward)
    if not len(where):
        return None
    where = where[np.lexsort((texts.numbers[where], found.onward[where]))]
    fresh = np.diff(found.onward[where], prepend=0) != 0
    first = where[fresh]
    of = texts.groups[first]
    return Texts(
        names=texts.names,
        numbers=texts.numbers[where],
        items=texts.items[where],
        blocks=texts.blocks[where],
        chars=texts.chars[where],
        groups=np.cumsum(fresh, dtype=np.int32) - np.int32(1),
        heads=texts.heads[of],
        known=found.agreed[first].astype(np.int64) + STEP,
        before=texts.before[of],
        above=last[first],
    )


def _together(parts: list[Texts]) -> Texts | None:
    """Groups of several looks as one list."""
    if not parts:
        return None
    shift = np.cumsum([0, *(len(part.heads) for part in parts)]).astype(np.int32)
    columns = ("numbers", "items", "blocks", "chars", "heads", "known", "before", "above")
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in columns}
    groups = np.concatenate([part.groups + by for part, by in zip(parts, shift, strict=False)])
    return Texts(names=parts[0].names, groups=groups, **joined)
