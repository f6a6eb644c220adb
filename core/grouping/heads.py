"""Heads that classes share: where the prefixes of several classes run together before each goes its own way."""

from collections.abc import Iterator

import numpy as np

from core.grouping.classes import Classes
from core.grouping.prefix_tree import Ints, PrefixTree


def shared_heads(found: Classes, tree: PrefixTree, floors: Ints) -> Iterator[tuple[int, int]]:
    """Positions of a class and of a node of the tree, for every node that the class's prefix goes through or ends at
    and another one's too.

    `tree`: the one that the classes were found on; `floors`: per class, the characters from which on a prefix of its
    model is cached: nothing below is worth sharing.
    """
    place = {int(key): node for node, key in enumerate(tree.keys)}
    ends = np.array([place[int(key)] for key in found.keys], dtype=np.int64)
    classes = np.bincount(ends, minlength=len(tree.keys))
    for level in reversed(tree.by_level()[1:]):
        np.add.at(classes, tree.parent[level], classes[level])
    position = np.flatnonzero(tree.level[ends] > 0)
    node = ends[position]
    while len(node):
        worth = (classes[node] > 1) & (tree.depths[node] >= floors[position]) & (floors[position] > 0)
        yield from zip(position[worth].tolist(), node[worth].tolist(), strict=True)
        node = tree.parent[node]
        below = tree.level[node] > 0
        position, node = position[below], node[below]
