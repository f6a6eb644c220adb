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
Bools = npt.NDArray[np.bool_]

# Entries looked up at once: bounds what a tree of a million requests takes besides its chains.
_AT_ONCE = 1 << 18


@dataclass(frozen=True, kw_only=True)
class Chains:
    """The chains of many items, flat: the entries of item i stand at `ends[i-1]:ends[i]`, its scope first.

    `hashes`: running hash at the end of each entry; `depths`: characters of prompt up to there; `cuts`: 0 where an
    entry ends with a block, else the characters of a block that it takes in (its whole blocks are then those of
    the entries before it with a cut of 0). None: all end with a block.
    """

    hashes: UInts
    depths: Ints | Ints32
    ends: Ints
    cuts: Ints | None = None

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
    node_at, shared = _look_up(chains.hashes, keys)
    # A prefix of a shared prefix is shared: the shared entries of an item are its first ones.
    deepest = np.add.reduceat(shared, starts, dtype=np.int32) - 1 if len(starts) else np.empty(0, dtype=np.int32)
    node_of = node_at[starts + deepest]
    entries = np.flatnonzero(shared)
    where = np.empty(len(keys), dtype=np.int64)
    # Backwards, so that the first entry of a node is the one that stays.
    where[node_at[entries[::-1]]] = entries[::-1]
    items = np.bincount(node_at[entries], minlength=len(keys))
    del entries
    first = np.searchsorted(chains.ends, where, side="right")
    level = where - starts[first] if len(starts) else where
    parent = np.where(level > 0, node_at[where - 1], np.arange(len(keys)))
    order = np.lexsort((keys, level))
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    cuts = np.zeros(len(keys), dtype=np.int64) if chains.cuts is None else chains.cuts[where]
    blocks = level if chains.cuts is None else _whole_blocks(chains.cuts, where, starts[first])
    return PrefixTree(
        keys=keys[order],
        parent=rank[parent[order]].astype(np.int64),
        level=level[order],
        blocks=blocks[order],
        cuts=cuts[order],
        depths=chains.depths[where][order].astype(np.int64),
        items=items[order],
        first=first[order],
        node_of=rank[node_of],
    )


def _shared(hashes: UInts, starts: Ints) -> UInts:
    """The hashes that come at least twice, and those of the scopes, sorted."""
    return np.union1d(again(hashes), np.unique(hashes[starts]))


def again(hashes: UInts) -> UInts:
    """The hashes that come at least twice, sorted, once each."""
    ordered = np.sort(hashes)
    return np.unique(ordered[1:][ordered[1:] == ordered[:-1]])


def _look_up(hashes: UInts, keys: UInts) -> tuple[Ints32, Bools]:
    """Per entry the position of its hash among the keys, and whether it is there at all."""
    node_at = np.empty(len(hashes), dtype=np.int32)
    shared = np.empty(len(hashes), dtype=np.bool_)
    for begin in range(0, len(hashes), _AT_ONCE):
        part = slice(begin, begin + _AT_ONCE)
        at = np.minimum(np.searchsorted(keys, hashes[part]), len(keys) - 1)
        node_at[part], shared[part] = at, keys[at] == hashes[part]
    return node_at, shared


def _whole_blocks(cuts: Ints, where: Ints, starts: Ints) -> Ints:
    """Per entry, how many whole blocks of its item end at or before it (the scope is none)."""
    ended: Ints = np.cumsum(cuts == 0)
    blocks: Ints = ended[where] - ended[starts]
    return blocks
