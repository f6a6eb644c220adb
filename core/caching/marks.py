"""Cache marks: which nodes of a prefix tree to cache, exactly, with at most four on any path.

A tree is arrays with one place a node: `parent` (before its children; a root is its own), `depth` (tokens from the
start of the prompt to the node's end), `items` (how many pass through). Both programmes below are dynamic programmes
over (node, deepest cached node above it, marks left). They first drop every node that cannot pay, which is exact:

- caching saves on n items only if `n (1 - r) > w - r` (w, r: write and read multipliers of plain input);
- of nodes in a row with the same items only the deepest can be part of a best plan.

What remains is solved a level at a time: nodes with equally many candidates above them share one array.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

MOST_MARKS = 4
"""Cache breakpoints that one request may carry (platform.claude.com, Prompt caching)."""

# What a node of a one-round plan is: passed by, the deepest mark of its items, or a mark with others below it.
_PASSED, _INNERMOST, _OUTER = range(3)


@dataclass(frozen=True, kw_only=True)
class Marks:
    """Which nodes to cache, and what that saves.

    `cached`: per node; `primer_round`: per node, the primer round in which an item of its own writes it (0: it needs
    none, or is not cached); `gain`: saving against no caching, in tokens of plain input.
    """

    cached: Bools
    primer_round: Ints
    gain: float

    def item_rounds(self, first: Ints, count: int) -> Ints:
        """Per item, the primer round it goes in (0: with the body).

        `first`: per node, the position of one item through it; `count`: number of items. An item that stands for
        several nodes on its path writes them all, so it goes in the earliest of their rounds.
        """
        rounds = np.zeros(count, dtype=np.int64)
        nodes = np.flatnonzero(self.primer_round)
        nodes = nodes[np.argsort(-self.primer_round[nodes], kind="stable")]
        rounds[first[nodes]] = self.primer_round[nodes]
        return rounds


@dataclass(frozen=True, kw_only=True)
class _Level:
    """Candidates with equally many candidates above them, siblings side by side.

    `up`: each one's parent, as a position in the level above; `heads`: where each family of siblings begins;
    `above`: depths of what can be cached above each one, from nothing (0) to its parent.
    """

    nodes: Ints
    up: Ints
    heads: Ints
    above: Floats

    def to_parents(self, families: Floats, *, parents: int, childless: float) -> Floats:
        """Place one value a family at its parent's position."""
        placed = np.full((parents, *families.shape[1:]), childless)
        placed[self.up[self.heads]] = families
        return placed


def staged_marks(
    parent: Ints,
    depth: Floats,
    items: Ints,
    *,
    floor: Floats | float,
    allowed: Bools,
    write: Floats | float,
    read: Floats | float,
    most: int = MOST_MARKS,
) -> Marks:
    """Choose the marks that save most when every level is primed in a round of its own.

    `floor` (least tokens of an entry), `write` and `read` are those of the node's model: one for all, or per node and
    equal within a tree; `allowed`: whether a mark can sit at the node. Caching v below its deepest cached ancestor u
    has one item write and the rest read what lies between: it saves `(d_v - d_u)(n_v - w - r (n_v - 1))`.
    """
    worth = items - write - read * (items - 1)
    levels = _levels(parent, depth, items, _eligible(depth, floor, allowed, worth))
    choices = []
    below = _leaves(levels, most, fill=0.0)
    for number, level in _upwards(levels):
        gain = (depth[level.nodes, None] - level.above) * worth[level.nodes, None]
        taken = gain[:, :, None] + _one_less(below[:, -1:], none=0.0)
        choices.append(taken > below[:, :-1])
        sums = np.add.reduceat(np.maximum(taken, below[:, :-1]), level.heads, axis=0)
        below = level.to_parents(sums, parents=_size(levels, number - 1), childless=0.0)

    cached = np.zeros(len(parent), dtype=np.bool_)
    rounds = np.zeros(len(parent), dtype=np.int64)
    column, left = np.zeros(1, dtype=np.int64), np.full(1, most, dtype=np.int64)
    for number, (level, choice) in enumerate(zip(levels, reversed(choices), strict=True), 1):
        column, left = column[level.up], left[level.up]
        take = (left > 0) & choice[np.arange(len(left)), column, left - 1]
        cached[level.nodes] = take
        rounds[level.nodes] = np.where(take, most - left + 1, 0)
        column, left = np.where(take, number, column), left - take
    return Marks(cached=cached, primer_round=rounds, gain=float(below[0, 0, -1]))


def one_round_marks(
    parent: Ints,
    depth: Floats,
    items: Ints,
    *,
    floor: Floats | float,
    allowed: Bools,
    write: Floats | float,
    read: Floats | float,
    most: int = MOST_MARKS,
) -> Marks:
    """Choose the marks that save most when all primer items go at once and none can read what another writes.

    Arguments as for `staged_marks`. Every innermost cached node needs one item, which writes its whole path: it costs
    `(w - r) d` once, and every item saves `(1 - r) d` at its deepest cached node.
    """
    worth = items - write - read * (items - 1)
    saving, entry = items * (1.0 - read), (np.zeros(len(parent)) + write - read) * depth
    levels = _levels(parent, depth, items, _eligible(depth, floor, allowed, worth))
    choices: list[tuple[npt.NDArray[np.int8], Bools]] = []
    inside = _leaves(levels, most, fill=-np.inf)
    for number, level in _upwards(levels):
        gain = (saving[level.nodes, None] * (depth[level.nodes, None] - level.above))[:, :, None]
        shape = (*level.above.shape, most)
        options = np.empty((3, *shape))
        options[_PASSED] = inside[:, :-1]
        options[_INNERMOST] = gain - entry[level.nodes, None, None]
        options[_OUTER] = gain + _one_less(inside[:, -1:], none=-np.inf)
        kind, best = options.argmax(axis=0).astype(np.int8), options.max(axis=0)
        families, wanted = _at_least_one(best, level)
        choices.append((kind, wanted))
        inside = level.to_parents(families, parents=_size(levels, number - 1), childless=-np.inf)

    cached = np.zeros(len(parent), dtype=np.bool_)
    rounds = np.zeros(len(parent), dtype=np.int64)
    gain_of_all = max(0.0, float(inside[0, 0, -1]))
    # `open_`: something below this node is still to be cached.
    open_ = np.array([gain_of_all > 0.0])
    column, left = np.zeros(1, dtype=np.int64), np.full(1, most, dtype=np.int64)
    for number, (level, (kind, wanted)) in enumerate(zip(levels, reversed(choices), strict=True), 1):
        column, left = column[level.up], left[level.up]
        at = np.arange(len(left)), column, left - 1
        chosen = open_[level.up] & (left > 0) & wanted[at]
        take = chosen & (kind[at] != _PASSED)
        innermost = chosen & (kind[at] == _INNERMOST)
        cached[level.nodes] = take
        rounds[level.nodes] = innermost
        open_ = chosen & ~innermost
        column, left = np.where(take, number, column), left - take
    return Marks(cached=cached, primer_round=rounds, gain=gain_of_all)


def marks_on_path(parent: Ints, cached: Bools, node_of: Ints) -> tuple[Ints, Ints]:
    """Every cached node on the path of every item, as pairs (item, node); `node_of`: per item, its deepest node."""
    above = _nearest(parent, cached)
    item = np.arange(len(node_of))
    node = np.where(cached[node_of], node_of, above[node_of])
    pairs = []
    while len(item := item[node < len(parent)]):
        node = node[node < len(parent)]
        pairs.append((item, node))
        node = above[node]
    if not pairs:
        return item, item
    return np.concatenate([items for items, _ in pairs]), np.concatenate([nodes for _, nodes in pairs])


def _eligible(depth: Floats, floor: Floats | float, allowed: Bools, worth: Floats) -> Bools:
    return np.asarray(allowed & (depth >= floor) & (depth > 0) & (worth > 0))


def _levels(parent: Ints, depth: Floats, items: Ints, eligible: Bools) -> list[_Level]:
    """Arrange the nodes that can be part of a best plan, from the roots down."""
    candidate = _deepest_of_equals(parent, items, eligible)
    up = _nearest(parent, candidate)
    height = _steps_to_root(up)
    nodes = np.flatnonzero(candidate)
    nodes = nodes[np.lexsort((up[nodes], height[nodes]))]
    levels: list[_Level] = []
    place = np.zeros(len(up), dtype=np.int64)
    above = np.zeros((1, 0))
    own_depth = np.zeros(1)
    for group in np.split(nodes, np.flatnonzero(np.diff(height[nodes])) + 1) if len(nodes) else []:
        place[group] = np.arange(len(group))
        of = up[group]
        heads = np.flatnonzero(np.concatenate(([True], of[1:] != of[:-1])))
        at = place[of]
        above = np.column_stack((above[at], own_depth[at]))
        own_depth = depth[group]
        levels.append(_Level(nodes=group, up=at, heads=heads, above=above))
    return levels


def _deepest_of_equals(parent: Ints, items: Ints, eligible: Bools) -> Bools:
    """Of eligible nodes in a row that the same items pass through, the deepest."""
    index = np.arange(len(parent))
    top = np.where(items[parent] == items, parent, index)
    while not np.array_equal(further := top[top], top):
        top = further
    last = np.full(len(parent), -1, dtype=np.int64)
    np.maximum.at(last, top[eligible], index[eligible])
    return np.asarray(eligible & (last[top] == index))


def _nearest(parent: Ints, stop: Bools) -> Ints:
    """Per node, the nearest one above it with `stop`; the number of nodes stands for none, and is its own."""
    none = len(parent)
    up = np.append(np.where(parent == np.arange(none), none, parent), none)
    halt = np.append(stop, True)
    while not halt[up].all():
        up = np.where(halt[up], up, up[up])
    return up


def _steps_to_root(up: Ints) -> Ints:
    """Per node, how many steps `up` it is from none, the last of them."""
    none = len(up) - 1
    steps, hop = np.ones(len(up), dtype=np.int64), up
    steps[none] = 0
    while (hop != none).any():
        steps, hop = steps + steps[hop], hop[hop]
    return steps


def _upwards(levels: list[_Level]) -> list[tuple[int, _Level]]:
    return list(enumerate(levels))[::-1]


def _size(levels: list[_Level], number: int) -> int:
    """Nodes of a level; above the first stands the one that means "nothing cached"."""
    return len(levels[number].nodes) if number >= 0 else 1


def _leaves(levels: list[_Level], most: int, *, fill: float) -> Floats:
    """The values below the deepest level, where there is nothing."""
    return np.full((_size(levels, len(levels) - 1), len(levels) + 1, most), fill)


def _one_less(values: Floats, *, none: float) -> Floats:
    """Values by marks left (1, 2, ...), with one mark fewer; `none` is the value with no mark left."""
    shifted = np.full_like(values, none)
    shifted[..., 1:] = values[..., :-1]
    return shifted


def _at_least_one(best: Floats, level: _Level) -> tuple[Floats, Bools]:
    """Per family, the value when at least one sibling caches something; and which siblings do.

    All that gain; where none does, the one that loses least.
    """
    most = np.maximum.reduceat(best, level.heads, axis=0)
    values = np.add.reduceat(np.maximum(best, 0.0), level.heads, axis=0) + np.minimum(most, 0.0)
    family = np.repeat(np.arange(len(level.heads)), np.diff(np.append(level.heads, len(best))))
    position = np.arange(len(best))[:, None, None]
    nominee = np.where(best == most[family], position, len(best))
    first = np.minimum.reduceat(nominee, level.heads, axis=0)[family] == position
    return values, np.asarray((best > 0) | ((most[family] <= 0) & first))
