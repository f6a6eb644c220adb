"""The exact prefix tree of rendered prompts, to the byte: sort them, compare neighbours, read the tree off.

The longest common prefixes of sorted neighbours determine the whole tree (as an LCP array does a suffix tree: Kasai
et al., CPM 2001; Abouelhoda, Kurtz and Ohlebusch, J. Discrete Algorithms 2, 2004), so memory is a few numbers a prompt.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

# Comparing starts with this many bytes and grows fourfold: most neighbours differ early or very late.
_FIRST_STRIDE = 64
_STRIDE_GROWTH = 4
# A class stays whole unless splitting it saves at least this share more.
SPLIT_GAIN = 0.05


@dataclass(frozen=True, kw_only=True)
class ExactTree:
    """The prefix tree of a list of prompts, nodes in an order in which parents come before children (0 is the root).

    Per node `parent` (the root is its own), `depth` in bytes, `items` below it, which are
    `order[left:right]`. Per sorted position `overlaps`: bytes that its prompt shares with the one before it.
    A prompt is no node of its own unless it is shared.
    """

    order: Ints
    overlaps: Ints
    parent: Ints
    depth: Ints
    left: Ints
    right: Ints

    @property
    def items(self) -> Ints:
        """How many prompts go through each node."""
        return self.right - self.left

    @property
    def shareable(self) -> int:
        """Bytes that an unbounded prefix cache would serve: all bytes less those of the tree."""
        return int(self.overlaps.sum())

    def members(self, node: int) -> list[int]:
        """Positions of the prompts below a node, in the list that the tree was made from."""
        found: list[int] = self.order[self.left[node] : self.right[node]].tolist()
        return found


@dataclass(frozen=True, kw_only=True)
class Cuts:
    """The best use of at most one mark a prompt: bytes of plain input saved, and the nodes to mark, none below
    another."""

    saved: float
    nodes: Ints


def exact_tree(prompts: Sequence[bytes]) -> ExactTree:
    """The prefix tree of prompts of one scope."""
    order = sorted(range(len(prompts)), key=prompts.__getitem__)
    overlaps = [0] * len(prompts)
    for position in range(1, len(prompts)):
        # Neighbours of one class share about as much as the pair before them.
        overlaps[position] = common_prefix(
            prompts[order[position - 1]], prompts[order[position]], overlaps[position - 1]
        )
    depths, lefts, rights, parents = _nodes(overlaps)
    # An interval's ancestors begin no later and are less deep.
    preorder = np.lexsort((depths, lefts))
    rank = np.empty(len(preorder), dtype=np.int64)
    rank[preorder] = np.arange(len(preorder))
    return ExactTree(
        order=np.array(order, dtype=np.int64),
        overlaps=np.array(overlaps, dtype=np.int64),
        parent=rank[parents[preorder]],
        depth=depths[preorder],
        left=lefts[preorder],
        right=rights[preorder],
    )


def common_prefix(one: bytes, other: bytes, guess: int = 0) -> int:
    """How many bytes two strings have in common from the start: gallop to the first difference, then halve.

    `guess` is where to start looking; a wrong one costs time only.
    """
    least = min(len(one), len(other))
    low = guess if guess <= least and one.startswith(other[:guess]) else 0
    stride = _FIRST_STRIDE
    while low + stride <= least and one.startswith(other[low : low + stride], low):
        low += stride
        stride *= _STRIDE_GROWTH
    high = min(low + stride, least)
    if high == least and one.startswith(other[low:high], low):
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if one.startswith(other[low:middle], low):
            low = middle
        else:
            high = middle
    return low


def _nodes(overlaps: list[int]) -> tuple[Ints, Ints, Ints, Ints]:
    """Depth, left, right and parent of every node, in the order in which they were opened; the root is first."""
    depths, lefts, rights, parents = [0], [0], [len(overlaps)], [0]
    stack = [0]
    for position, cut in enumerate((*overlaps[1:], 0), 1):
        left, closed = position - 1, -1
        while cut < depths[stack[-1]]:
            closed = stack.pop()
            rights[closed] = position
            left = lefts[closed]
            if cut <= depths[stack[-1]]:
                parents[closed] = stack[-1]
        if cut > depths[stack[-1]]:
            node = len(depths)
            if closed >= 0:
                parents[closed] = node
            depths.append(cut)
            lefts.append(left)
            rights.append(0)
            parents.append(stack[-1])
            stack.append(node)
    return (
        np.array(depths, dtype=np.int64),
        np.array(lefts, dtype=np.int64),
        np.array(rights, dtype=np.int64),
        np.array(parents, dtype=np.int64),
    )


def best_cuts(
    tree: ExactTree,
    *,
    floor: float,
    write: float,
    read: float,
    scale: float = 1.0,
    split_gain: float = SPLIT_GAIN,
) -> Cuts:
    """Where one mark a prompt saves most: one item of a marked node writes its prefix, all others read it.

    `floor` in bytes; `write` and `read` in units of plain input; `scale` is how many items each prompt stands for
    (a sample's share turned round). Classes stay whole where splitting gains less than `split_gain`; 0 is the exact
    optimum.
    """
    counts = tree.items * scale
    gains = np.where(
        (tree.depth >= floor) & (tree.items >= 2), tree.depth * (counts - write - read * (counts - 1)), 0.0
    ).tolist()
    parents = tree.parent.tolist()
    below = [0.0] * len(gains)
    cut = np.zeros(len(gains), dtype=np.bool_)
    for node in range(len(gains) - 1, -1, -1):
        gain, inside = gains[node], below[node]
        cut[node] = gain > 0 and gain >= (1 - split_gain) * inside
        if node:
            below[parents[node]] += gain if cut[node] else inside
    saved = gains[0] if cut[0] else below[0]
    chosen, end = [], 0
    for node in np.flatnonzero(cut).tolist():
        if tree.left[node] >= end:
            chosen.append(node)
            end = int(tree.right[node])
    return Cuts(saved=saved, nodes=np.array(chosen, dtype=np.int64))
