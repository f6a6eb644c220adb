"""Classes of similar work: which items share a heavy prefix, found exactly at block level on their chains.

A chain (see `core/requests/blocks.py`) is a path in one prefix tree a scope. The shared prefix of a class is the
node where caching would save most: saving a node means writing its prefix once and reading it for every further
item. Splitting a class must gain at least 5 % to be worth it, so that a handful of equal questions does not tear a
class apart. Items under no such node fall to the deepest prefix that they share with anybody; an item that shares
nothing is known by its own head (all blocks but the last), and one without a head by its scope.
"""

from array import array
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# The cheapest write and the dearest read, in units of plain input: the least that sharing can be worth.
_WRITE, _READ = 1.25, 0.1
# A class stays whole unless splitting it saves at least this share more.
_SPLIT_GAIN = 0.05
_PACK = 8192

UInts = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]


class Chains:
    """The chains of many items, flat: blocks of item i stand at `ends[i-1]:ends[i]`."""

    def __init__(self) -> None:
        self._hashes = array("Q")
        self._depths = array("q")
        self._ends = array("q")
        # Appending to an array costs several times what extending a list does: pack by the thousand.
        self._packing: tuple[list[int], list[int], list[int]] = [], [], []

    def add(self, hashes: list[int], depths: list[int]) -> None:
        """Append one item's chain (scope first)."""
        new_hashes, new_depths, new_ends = self._packing
        new_hashes += hashes
        new_depths += depths
        new_ends.append(len(new_hashes))
        if len(new_hashes) > _PACK:
            self._pack()

    def flat(self) -> tuple[UInts, Ints, Ints]:
        """Hashes, depths and ends of all items so far."""
        self._pack()
        return (
            np.frombuffer(self._hashes, dtype=np.uint64),
            np.frombuffer(self._depths, dtype=np.int64),
            np.frombuffer(self._ends, dtype=np.int64),
        )

    def _pack(self) -> None:
        hashes, depths, ends = self._packing
        before = len(self._hashes)
        self._hashes.extend(array("Q", hashes))
        self._depths.extend(array("q", depths))
        self._ends.extend(array("q", [before + end for end in ends]))
        self._packing = [], [], []


@dataclass(frozen=True, kw_only=True)
class Classes:
    """The classes of a set of items.

    `keys`: one running hash a class, at the end of its prefix; `class_of`: per item, its class's position in `keys`;
    per class `items`, `prefix_blocks` (0: nothing shared), `prefix_chars` and `first` (position of its first item).
    """

    keys: UInts
    class_of: Ints
    items: Ints
    prefix_blocks: Ints
    prefix_chars: Ints
    first: Ints


def class_id(key: int) -> str:
    """The stable name of a class: the running hash at the end of its prefix."""
    return f"{key:016x}"


def find_classes(hashes: UInts, depths: Ints, ends: Ints) -> Classes:
    """Group items, given as flat chains, by the prefix that is worth sharing.

    The same classes come out whatever the order of the items.
    """
    if not len(ends):
        none = np.empty(0, dtype=np.int64)
        return Classes(keys=hashes, class_of=none, items=none, prefix_blocks=none, prefix_chars=none, first=none)
    starts = np.concatenate(([0], ends[:-1]))
    at = _class_position(hashes, depths, starts, ends)
    keys, first, class_of, items = np.unique(hashes[at], return_index=True, return_inverse=True, return_counts=True)
    return Classes(
        keys=keys,
        class_of=class_of,
        items=items,
        prefix_blocks=(at - starts)[first],
        prefix_chars=depths[at[first]],
        first=first,
    )


def _class_position(hashes: UInts, depths: Ints, starts: Ints, ends: Ints) -> Ints:
    """Per item, the flat position of the block that ends its class's prefix."""
    _, where, node_of, count = np.unique(hashes, return_index=True, return_inverse=True, return_counts=True)
    level = np.arange(len(hashes)) - np.repeat(starts, ends - starts)
    cut = _best_cuts(level[where], depths[where], count, _parents(node_of, where, level))
    position = np.arange(len(hashes))
    length = ends - starts
    # Nothing shared: all blocks but the last, or the scope alone.
    own_head = starts + np.maximum(length - 2, 0)
    shared = (count[node_of] >= 2) & (level > 0)
    deepest = np.maximum.reduceat(np.where(shared, position, -1), starts)
    topmost = np.minimum.reduceat(np.where(cut[node_of], position, len(hashes)), starts)
    return np.where(topmost < len(hashes), topmost, np.where(deepest >= 0, deepest, own_head))


def _parents(node_of: Ints, where: Ints, level: Ints) -> Ints:
    """Per node, the node one block up; a scope is its own parent."""
    return np.where(level[where] > 0, node_of[where - 1], node_of[where])


def _best_cuts(level: Ints, depth: Ints, count: Ints, parent: Ints) -> npt.NDArray[np.bool_]:
    """Per node, whether it is the best place to end a shared prefix below its parent (leaf to root, one pass)."""
    gain = depth * (count - _WRITE - _READ * (count - 1))
    possible = (level > 0) & (count >= 2)
    below = np.zeros(len(level))
    cut = np.zeros(len(level), dtype=np.bool_)
    inner = np.flatnonzero(possible)
    for step in range(int(level[inner].max(initial=0)), 0, -1):
        nodes = inner[level[inner] == step]
        chosen = gain[nodes] >= (1 - _SPLIT_GAIN) * below[nodes]
        cut[nodes] = chosen
        np.add.at(below, parent[nodes], np.where(chosen, gain[nodes], below[nodes]))
    return cut
