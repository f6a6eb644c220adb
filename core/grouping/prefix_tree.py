"""The prefix tree of many requests: every prompt head that at least two of them share, as flat arrays.

A chain (see `core/requests/blocks.py`) is one request's path from its scope down. Paths that run together are one
node, known by the running hash at its end.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

UInts = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]
Ints32 = npt.NDArray[np.int32]
Ints8 = npt.NDArray[np.int8]
Bools = npt.NDArray[np.bool_]

AT_ONCE = 1 << 18
"""Entries looked up at once: bounds what a tree of a million requests takes besides its chains."""
# Bits that hold the number of borders in any text: a request has at most 32 MB, and they stand some bytes apart.
_LEVEL_BITS = 24


@dataclass(frozen=True, kw_only=True)
class Borders:
    """Prefixes that end inside texts, as a tree of their own: a border stands behind its parent.

    Per text that has any, in order of its name: `texts` (running hash at its end) and `last` (its last border). Per
    border: `keys` (its own running hash), `cuts` (characters of the text before it), `parents` (the border before it
    in the same text, -1: none), `levels` (how many those are) and `before` (running hash where the text begins).
    """

    texts: UInts
    last: Ints32
    keys: UInts
    cuts: Ints32
    parents: Ints32
    levels: Ints32
    before: UInts


@dataclass(frozen=True, kw_only=True)
class Chains:
    """The chains of many items, flat: the entries of item i stand at `ends[i-1]:ends[i]`, its scope first.

    `hashes`: running hash at the end of each entry; `depths`: characters of prompt up to there; `cuts`: 0 where an
    entry ends with a block, else the characters of a block that it takes in (its whole blocks are then those of
    the entries before it with a cut of 0), None: all end with a block; `borders`: those inside the entries' texts,
    if they were looked for.
    """

    hashes: UInts
    depths: Ints | Ints32
    ends: Ints
    cuts: Ints | None = None
    borders: Borders | None = None

    @property
    def starts(self) -> Ints:
        """Where each item's entries begin."""
        return np.concatenate((np.zeros(min(1, len(self.ends)), dtype=np.int64), self.ends[:-1]))

    def entries(self, items: Ints) -> Bools:
        """Which entries are those of the given items."""
        wanted = np.zeros(len(self.ends), dtype=np.bool_)
        wanted[items] = True
        return np.repeat(wanted, np.diff(self.ends, prepend=0))

    def of(self, items: Ints) -> "Chains":
        """The chains of some items, given in ascending order."""
        if len(items) == len(self.ends):
            return self
        entries = self.entries(items)
        return Chains(
            hashes=self.hashes[entries],
            depths=self.depths[entries],
            ends=np.cumsum(np.diff(self.ends, prepend=0)[items]),
            cuts=None if self.cuts is None else self.cuts[entries],
            borders=self.borders,
        )


@dataclass(frozen=True, kw_only=True)
class PrefixTree:
    """Scopes, and all prefixes that at least two items share; a parent stands before its children.

    Per node: `keys` (running hash at its end), `parent` (a scope is its own), `level` (nodes above it), `blocks`
    (whole blocks), `cuts` (characters of the next block, 0 = ends with a block), `depths` (characters of prompt),
    `items` (that pass through it), `first` (the position of one of them). Per item: `node_of`, its deepest node.
    The same nodes in the same order come out whatever the order of the items, `first` aside.
    """

    keys: UInts
    parent: Ints
    level: Ints
    blocks: Ints
    cuts: Ints
    depths: Ints
    items: Ints
    first: Ints
    node_of: Ints32

    def by_level(self) -> list[slice]:
        """The nodes of each level, scopes first: a pass from leaf to root, or back, is a loop over these."""
        borders = np.searchsorted(self.level, np.arange(int(self.level.max(initial=-1)) + 2))
        return [slice(start, stop) for start, stop in pairwise(borders.tolist())]

    @property
    def shared_chars(self) -> int:
        """Characters of prompt that somebody before also sent: what an endless cache would read."""
        edges = self.depths - self.depths[self.parent]
        return int(((self.items - 1) * edges).sum())


def grow(chains: Chains) -> PrefixTree:
    """The prefix tree of the chains; linear but for one sort of all hashes."""
    starts = chains.starts
    keys = _shared(chains.hashes, starts)
    node_at, shared = look_up(chains.hashes, keys)
    # A prefix of a shared prefix is shared: the shared entries of an item are its first ones.
    deepest = np.add.reduceat(shared, starts, dtype=np.int32) - 1 if len(starts) else np.empty(0, dtype=np.int32)
    node_of = node_at[starts + deepest]
    where = _first_entries(node_at, shared, len(keys))
    first = starts[np.searchsorted(chains.ends, where, side="right")] if len(starts) else where
    level = where - first
    nodes = _Nodes(
        keys=keys,
        parent=np.where(level > 0, node_at[where - 1], np.arange(len(keys))) if len(starts) else where,
        blocks=level if chains.cuts is None else _whole_blocks(chains.cuts, where, first),
        cuts=np.zeros(len(keys), dtype=np.int64) if chains.cuts is None else chains.cuts[where],
        depths=chains.depths[where].astype(np.int64),
        # A border stands before the end of its entry.
        places=level << _LEVEL_BITS,
    )
    if chains.borders is not None and len(chains.borders.texts):
        _move_inside(node_of, chains, chains.borders, starts + deepest + 1, len(keys))
        nodes = _with_borders(nodes, chains.borders)
    return nodes.counted(node_of)


def _first_entries(node_at: Ints32, shared: Bools, count: int) -> Ints:
    """Per node, the first entry that is it."""
    where = np.empty(count, dtype=np.int64)
    for end in range(len(node_at), 0, -AT_ONCE):
        begin = max(end - AT_ONCE, 0)
        # Backwards, so that the first entry of a node is the one that stays.
        entries = begin + np.flatnonzero(shared[begin:end])[::-1]
        where[node_at[entries]] = entries
    return where


@dataclass(frozen=True)
class _Nodes:
    """Nodes in any order, not yet counted; in order of `places` parents stand before their children."""

    keys: UInts
    parent: Ints
    blocks: Ints
    cuts: Ints
    depths: Ints
    places: Ints

    def counted(self, node_of: Ints32) -> PrefixTree:
        """The tree of the nodes that at least two items pass, and of the scopes."""
        count = len(self.keys)
        by_place = np.argsort(self.places, kind="stable")
        steps = np.split(by_place, np.flatnonzero(np.diff(self.places[by_place])) + 1)
        items, first = np.bincount(node_of, minlength=count), np.full(count, len(node_of), dtype=np.int64)
        first[node_of[::-1]] = np.arange(len(node_of) - 1, -1, -1, dtype=np.int32)
        for nodes in reversed(steps[1:]):
            np.add.at(items, self.parent[nodes], items[nodes])
            np.minimum.at(first, self.parent[nodes], first[nodes])
        # Who stands for a node: itself, or the nearest above it that is kept.
        stands, level = np.arange(count, dtype=np.int32), np.zeros(count, dtype=np.int32)
        for nodes in steps[1:]:
            above = stands[self.parent[nodes]]
            stands[nodes] = np.where(items[nodes] >= 2, nodes, above)
            level[nodes] = level[above] + 1
        kept = np.flatnonzero(stands == np.arange(count))
        order = kept[np.lexsort((self.keys[kept], level[kept]))]
        rank = np.empty(count, dtype=np.int32)
        rank[order] = np.arange(len(order), dtype=np.int32)
        return PrefixTree(
            keys=self.keys[order],
            parent=rank[stands[self.parent[order]]].astype(np.int64),
            level=level[order].astype(np.int64),
            blocks=self.blocks[order],
            cuts=self.cuts[order],
            depths=self.depths[order],
            items=items[order],
            first=first[order],
            node_of=rank[stands[node_of]],
        )


def _move_inside(node_of: Ints32, chains: Chains, borders: Borders, behind: Ints, count: int) -> None:
    """Move items whose first unshared entry (`behind`) is a text with borders down to its last one.

    Borders are numbered after the `count` nodes that end with an entry.
    """
    for begin in range(0, len(behind), AT_ONCE):
        items = begin + np.flatnonzero(behind[begin : begin + AT_ONCE] < chains.ends[begin : begin + AT_ONCE])
        at, has = look_up(chains.hashes[behind[items]], borders.texts)
        node_of[items[has]] = borders.last[at[has]] + np.int32(count)


def _with_borders(nodes: _Nodes, borders: Borders) -> _Nodes:
    """The nodes with one more for every border; a text that is shared as a whole stands below its last one."""
    count = len(nodes.keys)
    # Where none of these items has what stands before a border, none passes it: it is not kept.
    under, _ = look_up(borders.before, nodes.keys)
    at, has = look_up(nodes.keys, borders.texts)
    above = np.where(has, borders.last[at] + np.int64(count), nodes.parent)
    parent = np.where(borders.parents < 0, under, borders.parents + np.int64(count))
    return _Nodes(
        keys=np.concatenate((nodes.keys, borders.keys)),
        parent=np.concatenate((above, parent)),
        blocks=np.concatenate((nodes.blocks, nodes.blocks[under])),
        cuts=np.concatenate((nodes.cuts, borders.cuts)),
        depths=np.concatenate((nodes.depths, nodes.depths[under] + borders.cuts)),
        places=np.concatenate((nodes.places, nodes.places[under] + 1 + borders.levels)),
    )


def _shared(hashes: UInts, starts: Ints) -> UInts:
    """The hashes that come at least twice, and those of the scopes, sorted."""
    return np.union1d(again(hashes), np.unique(hashes[starts]))


def again(hashes: UInts) -> UInts:
    """The hashes that come at least twice, sorted, once each."""
    ordered = np.sort(hashes)
    return np.unique(ordered[1:][ordered[1:] == ordered[:-1]])


def look_up(hashes: UInts, keys: UInts) -> tuple[Ints32, Bools]:
    """Per entry the position of its hash among the keys, and whether it is there at all."""
    node_at = np.empty(len(hashes), dtype=np.int32)
    shared = np.empty(len(hashes), dtype=np.bool_)
    for begin in range(0, len(hashes), AT_ONCE):
        part = slice(begin, begin + AT_ONCE)
        at = np.minimum(np.searchsorted(keys, hashes[part]), len(keys) - 1)
        node_at[part], shared[part] = at, keys[at] == hashes[part]
    return node_at, shared


def _whole_blocks(cuts: Ints, where: Ints, starts: Ints) -> Ints:
    """Per entry, how many whole blocks of its item end at or before it (the scope is none)."""
    ended: Ints = np.cumsum(cuts == 0)
    blocks: Ints = ended[where] - ended[starts]
    return blocks
