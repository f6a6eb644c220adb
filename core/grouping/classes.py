"""Classes of similar work: which items share a heavy prefix, found exactly on their prefix tree.

The shared prefix of a class is the node where caching would save most: saving a node means writing its prefix once
and reading it for every further item. Splitting a class must gain at least a tenth to be worth it, so that a handful
of equal questions does not tear a class apart. Only prefixes over the model's cache floor can save; items under no such
node are grouped by the same rule without the floor, and what shares nothing at all is one class a scope.
"""

from dataclasses import dataclass

import numpy as np

from core.grouping.prefix_tree import Bools, Chains, Ints, Ints32, PrefixTree, UInts, grow
from core.prices import PriceBook, UnknownModel

# The cheapest write and the dearest read, in units of plain input: the least that sharing can be worth.
_WRITE, _READ = 1.25, 0.1
# A class stays whole unless splitting it saves at least this share more.
_SPLIT_GAIN = 0.1


@dataclass(frozen=True, kw_only=True)
class Classes:
    """The classes of a set of items.

    `keys`: one running hash a class, at the end of its prefix; `class_of`: per item, its class's position in `keys`;
    per class `items`, `prefix_blocks` (whole ones; 0: nothing shared), `cuts` (characters of the next block that
    belong to the prefix too), `prefix_chars` and `first` (position of its first item).
    """

    keys: UInts
    class_of: Ints32
    items: Ints
    prefix_blocks: Ints
    cuts: Ints
    prefix_chars: Ints
    first: Ints


def class_id(key: int) -> str:
    """The stable name of a class: the running hash at the end of its prefix."""
    return f"{key:016x}"


def floor_chars(book: PriceBook, model: str) -> int:
    """The characters that a model's cache floor comes to (estimated); 0 where it is not listed."""
    try:
        listed = book.model(model)
    except UnknownModel:
        return 0
    return round(listed.cache_floor_tokens * listed.chars_per_token)


def find_classes(chains: Chains, tree: PrefixTree, floors: Ints | None = None) -> Classes:
    """Group items by the prefix that is worth sharing; the same classes whatever the order of the items.

    `tree`: that of the chains; `floors`: per item, the characters that its model's cache floor comes to.
    """
    worth = _topmost(tree, _best_cuts(tree, 0 if floors is None else floors[tree.first]))
    # Whoever's deepest node is the scope shares nothing.
    worth[tree.level == 0] = np.flatnonzero(tree.level == 0)
    node = worth[tree.node_of]
    parts = [_Part.of(tree, node, np.flatnonzero(node >= 0))]
    left = np.flatnonzero(node < 0)
    if len(left):
        rest = grow(chains.of(left))
        any_depth = _topmost(rest, _best_cuts(rest, 0))
        node = np.where(any_depth < 0, _scopes(rest), any_depth)[rest.node_of]
        parts.append(_Part.of(rest, node, left))
    return _joined(parts, len(tree.node_of))


@dataclass(frozen=True)
class _Part:
    """Some items, and their classes: nodes of a tree, and the position of each item's among them."""

    tree: PrefixTree
    nodes: Ints
    items: Ints
    class_of: Ints32

    @classmethod
    def of(cls, tree: PrefixTree, node: Ints32, items: Ints) -> "_Part":
        """`node`: per item of the tree, its class's node, or -1; `items`: those that have one, as they are known."""
        node = node[node >= 0]
        nodes = np.flatnonzero(np.bincount(node, minlength=len(tree.keys)))
        rank = np.empty(len(tree.keys), dtype=np.int32)
        rank[nodes] = np.arange(len(nodes), dtype=np.int32)
        return cls(tree, nodes, items, rank[node])


def _joined(parts: list[_Part], count: int) -> Classes:
    """The classes of all parts, in order of their keys; items that share nothing may be in several parts."""

    def column(name: str) -> Ints:
        return np.concatenate([getattr(part.tree, name)[part.nodes] for part in parts])[where]

    every = np.concatenate([part.tree.keys[part.nodes] for part in parts])
    keys, where, rank = np.unique(every, return_index=True, return_inverse=True)
    class_of = np.empty(count, dtype=np.int32)
    before = 0
    for part in parts:
        class_of[part.items] = rank[part.class_of + before]
        before += len(part.nodes)
    first = np.empty(len(keys), dtype=np.int64)
    first[class_of[::-1]] = np.arange(count - 1, -1, -1, dtype=np.int32)
    return Classes(
        keys=keys,
        class_of=class_of,
        items=np.bincount(class_of, minlength=len(keys)),
        prefix_blocks=column("blocks"),
        cuts=column("cuts"),
        prefix_chars=column("depths"),
        first=first,
    )


def _topmost(tree: PrefixTree, chosen: Bools) -> Ints32:
    """Per node, the chosen node nearest to its scope on its path; -1 where there is none."""
    top = np.where(chosen, np.arange(len(chosen), dtype=np.int32), np.int32(-1))
    for level in tree.by_level()[1:]:
        above = top[tree.parent[level]]
        top[level] = np.where(above >= 0, above, top[level])
    return top


def _scopes(tree: PrefixTree) -> Ints32:
    """Per node, its scope."""
    scope = np.arange(len(tree.keys), dtype=np.int32)
    for level in tree.by_level()[1:]:
        scope[level] = scope[tree.parent[level]]
    return scope


def _best_cuts(tree: PrefixTree, floor: Ints | int) -> Bools:
    """Per node, whether ending a shared prefix there beats every way of ending it deeper (leaf to root, one pass)."""
    gain = tree.depths * (tree.items - _WRITE - _READ * (tree.items - 1))
    gain[(tree.depths < floor) | (tree.level == 0) | (tree.items < 2)] = 0
    below = np.zeros(len(gain))
    chosen = np.zeros(len(gain), dtype=np.bool_)
    for level in reversed(tree.by_level()[1:]):
        here = (gain[level] > 0) & (gain[level] >= (1 - _SPLIT_GAIN) * below[level])
        chosen[level] = here
        np.add.at(below, tree.parent[level], np.where(here, gain[level], below[level]))
    return chosen
