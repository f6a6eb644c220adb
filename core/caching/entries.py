"""Cache entries of a backlog: its prefix tree in tokens, and where marks save most for a given lifetime. Pure.

Prompts that share nothing after their scope cannot share an entry, so the tree falls into components (what hangs below
a scope) that are planned for themselves: each has one lifetime, because a request's marks have one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from core.caching.item_costs import ClassRates, tokens_at
from core.caching.lifetimes import Lifetime
from core.caching.marks import MOST_MARKS, Bools, Floats, Ints, Marks, marks_on_path, one_round_marks, staged_marks
from core.grouping.classes import class_id
from core.grouping.prefix_tree import Chains, PrefixTree, grow

# Every shape of parameters primes too, as a canary, where that costs no more than this share of what the entry saves.
_CANARY_SHARE = 0.01


@dataclass(frozen=True, kw_only=True)
class Forest:
    """The prefix tree of a backlog with what planning needs of its nodes.

    Per node: `parent` (a component's first node is its own), `component` (its first node, -1 for a scope), `tokens`
    from the start of the prompt, `floor`, `read` and `write` of its model, and `allowed` (a mark can sit there). Per
    entry of the chains, which begin at `starts`: `overheads`, the bytes that a mark adds.
    """

    items: pl.DataFrame
    tree: PrefixTree
    starts: Ints
    overheads: Ints
    parent: Ints
    component: Ints
    tokens: Floats
    floor: Floats
    allowed: Bools
    read: Floats
    write: Mapping[Lifetime, Floats]

    @property
    def item_component(self) -> Ints:
        """Per item, its component; -1 where it shares nothing."""
        return self.component[self.tree.node_of]


@dataclass(frozen=True, kw_only=True)
class Odds:
    """How entries of one lifetime fare. Per node `reads`: the probability that an item of a primed body reads.

    `alive`: the probability that the entry lives when the body could start. A dead one is written once more, and if
    that one dies too the body goes without marks (see `core/jobs/priming.py`), so `marked` is 1 - (1 - alive)^2.
    """

    lifetime: Lifetime
    alive: float
    reads: Floats

    @property
    def marked(self) -> float:
        """The probability that the body goes with marks."""
        return 1 - (1 - self.alive) ** 2

    @property
    def writes(self) -> float:
        """Writes that a primer item stands for: its own, and the second one where that is needed."""
        return 2 - self.alive


@dataclass(frozen=True, kw_only=True)
class Option:
    """The best marks of one lifetime. Per node: `cached`. Per item: `inner` (its innermost entry's node, -1 = none),
    `primes`, and `saved` (tokens of plain input)."""

    odds: Odds
    cached: Bools
    inner: Ints
    primes: Bools
    saved: Floats


def forest_of(
    items: pl.DataFrame, rates: Mapping[str, ClassRates], *, split: pl.Series, under_floor: frozenset[str]
) -> Forest:
    """Grow the tree of a backlog (columns as in `plan_caching`, with tokens).

    `split`: per item, whether the text in which its class's prefix ends may be sent as two; its path then ends there.
    `under_floor`: entries that were marked and neither written nor read. Items without a price carry no mark.
    """
    cut = items.select(
        "chain",
        "depths",
        "overheads",
        at=pl.col("prefix_blocks").cast(pl.Int64) + 1,
        key=pl.col("prefix_key").map_elements(lambda text: int(text, 16), return_dtype=pl.UInt64),
        end=pl.col("prefix_chars"),
        split=split & (pl.col("cut_chars") > 0),
    ).select(
        "split",
        chain=_cut_off("chain", pl.col("key")),
        depths=_cut_off("depths", pl.col("end")),
        overheads=_cut_off("overheads", pl.col("overheads").list.get(pl.col("at"), null_on_oob=True)),
    )
    ends = cut["chain"].list.len().cast(pl.Int64).cum_sum().to_numpy()
    chains = Chains(
        hashes=cut["chain"].explode().to_numpy(),
        depths=cut["depths"].explode().to_numpy(),
        ends=ends,
        cuts=_cuts(cut["split"], items["cut_chars"], ends),
    )
    overheads = cut["overheads"].explode().cast(pl.Int64).to_numpy()
    return _forest(items, chains, overheads, rates, under_floor)


def _cut_off(column: str, last: pl.Expr) -> pl.Expr:
    inner = pl.concat_list(pl.col(column).list.head(pl.col("at")), last)
    return pl.when("split").then(inner).otherwise(pl.col(column))


def _cuts(split: pl.Series, cut_chars: pl.Series, ends: Ints) -> Ints:
    cuts = np.zeros(int(ends[-1]) if len(ends) else 0, dtype=np.int64)
    where = split.to_numpy()
    cuts[ends[where] - 1] = cut_chars.to_numpy()[where]
    return cuts


def _forest(
    items: pl.DataFrame,
    chains: Chains,
    overheads: Ints,
    rates: Mapping[str, ClassRates],
    under_floor: frozenset[str],
) -> Forest:
    tree, starts = grow(chains), chains.starts
    index = np.arange(len(tree.keys))
    component = np.where(tree.level == 1, index, -1)
    tokens = _node_tokens(items, tree)
    for level in tree.by_level()[2:]:
        component[level] = component[tree.parent[level]]
        tokens[level] = np.maximum(tokens[level], tokens[tree.parent[level]])
    of = [rates.get(name) for name in items["class_id"].gather(tree.first).to_list()]
    markable = overheads[starts[tree.first] + tree.level] > 0
    priced = np.array([rate is not None for rate in of], dtype=np.bool_)

    def column(value: Any) -> Floats:
        return np.array([0.0 if rate is None else float(value(rate)) for rate in of])

    return Forest(
        items=items,
        tree=tree,
        starts=starts,
        overheads=overheads,
        parent=np.where(tree.level <= 1, index, tree.parent),
        component=component,
        tokens=tokens,
        floor=column(lambda rate: rate.floor),
        allowed=markable & priced & (tree.level > 0) & ~_too_short(items, tree, under_floor),
        read=column(lambda rate: rate.multipliers.read),
        write={
            "5m": column(lambda rate: rate.multipliers.write_5m),
            "1h": column(lambda rate: rate.multipliers.write_1h),
        },
    )


def _node_tokens(items: pl.DataFrame, tree: PrefixTree) -> Floats:
    """Tokens up to each node, as the class of one of its items counts them."""
    seen = items[tree.first].with_columns(depth=pl.Series(tree.depths))
    return seen.select(tokens_at(pl.col("depth")).cast(pl.Float64)).to_series().to_numpy().copy()


def _too_short(items: pl.DataFrame, tree: PrefixTree, under_floor: frozenset[str]) -> Bools:
    """Nodes at or above the end of a prefix that is known, or feared, to lie under the floor."""
    short = items.select(pl.when("cacheable").then(0).otherwise("prefix_chars")).to_series().to_numpy()
    reach = np.zeros(len(tree.keys), dtype=np.int64)
    np.maximum.at(reach, tree.node_of, short)
    for node in np.flatnonzero([class_id(int(key)) in under_floor for key in tree.keys]):
        reach[node] = max(reach[node], tree.depths[node])
    for level in reversed(tree.by_level()[1:]):
        np.maximum.at(reach, tree.parent[level], reach[level])
    return np.asarray(tree.depths <= reach)


def _prices(forest: Forest, odds: Odds) -> tuple[Floats, Floats]:
    """What a primer and an item of the body are expected to pay for what they cache, in units of plain input."""
    write = forest.write[odds.lifetime]
    read = odds.reads * forest.read + (1 - odds.reads) * write
    return 1 + odds.writes * (write - 1), odds.marked * read + (1 - odds.marked)


def _best_marks(programme: Callable[..., Marks], forest: Forest, write: Floats, read: Floats) -> Marks:
    """What one of the exact programmes chooses at these prices."""
    return programme(
        forest.parent,
        forest.tokens,
        forest.tree.items,
        floor=forest.floor,
        allowed=forest.allowed,
        write=write,
        read=read,
        most=MOST_MARKS,
    )


def best_option(forest: Forest, odds: Odds) -> Option:
    """The marks of one primer round that save most."""
    write, read = _prices(forest, odds)
    marks = _best_marks(one_round_marks, forest, write, read)
    inner = _innermost(forest, marks.cached)
    marked = inner >= 0
    tokens = np.where(marked, forest.tokens[inner], 0.0)
    primes = _primers(forest, inner, marks.primer_round > 0, write, read)
    saved = tokens * (1 - np.where(primes, write[inner], read[inner]))
    return Option(odds=odds, cached=marks.cached, inner=inner, primes=primes, saved=saved)


def staged_saving(forest: Forest, odds: Odds) -> Floats:
    """Per component (at its first node), tokens saved when every level of marks is primed in a round of its own."""
    write, read = _prices(forest, odds)
    cached = _best_marks(staged_marks, forest, write, read).cached
    inner = _innermost(forest, cached)
    saved = np.zeros(len(cached))
    some = inner >= 0
    np.add.at(saved, forest.item_component[some], (forest.tokens * (1 - read))[inner[some]])
    # What a node's primer writes is what lies between it and the entry above.
    nodes = np.flatnonzero(cached)
    above = _above(forest, cached)[nodes]
    edge = forest.tokens[nodes] - np.where(above >= 0, forest.tokens[above], 0.0)
    np.subtract.at(saved, forest.component[nodes], (write - read)[nodes] * edge)
    return saved


def _innermost(forest: Forest, cached: Bools) -> Ints:
    """Per item, the deepest cached node on its path, or -1."""
    node = np.where(cached, np.arange(len(cached)), _above(forest, cached))
    return node[forest.tree.node_of]


def _above(forest: Forest, cached: Bools) -> Ints:
    """Per node, the nearest cached one above it, or -1."""
    above = np.full(len(cached), -1)
    for level in forest.tree.by_level()[1:]:
        parent = forest.tree.parent[level]
        above[level] = np.where(cached[parent], parent, above[parent])
    return above


def _primers(forest: Forest, inner: Ints, wanted: Bools, write: Floats, read: Floats) -> Bools:
    """Which items prime: one of middling size for every innermost entry, and of every shape where that is cheap.

    The shape is what an item's parameters ask besides its prompt; what the API refuses, it refuses by shape.
    """
    primes = np.zeros(len(inner), dtype=np.bool_)
    candidates = (inner >= 0) & wanted[inner]
    if not candidates.any():
        return primes
    frame = forest.items.select("payload_bytes", shape="max_tokens").with_columns(
        row=pl.int_range(pl.len()), node=pl.Series(inner)
    )
    frame = frame.filter(pl.Series(candidates)).sort("payload_bytes", "row")
    middle = pl.col("row").gather(pl.len() // 2).first()
    main = frame.group_by("node", maintain_order=True).agg(middle, items=pl.len(), shapes=pl.col("shape").n_unique())
    several = main.filter(pl.col("shapes") > 1)
    node = several["node"].to_numpy()
    gain = several["items"].to_numpy() * (1 - read[node]) - (write - read)[node]
    cheap = (several["shapes"].to_numpy() - 1) * (write - read)[node] <= _CANARY_SHARE * gain
    others = (
        frame.filter(pl.col("node").is_in(node[cheap].tolist()))
        .group_by("node", "shape", maintain_order=True)
        .agg(middle, taken=pl.col("row").is_in(main["row"].implode()).any())
        .filter(~pl.col("taken"))
    )
    primes[main["row"].to_numpy()] = True
    primes[others["row"].cast(pl.Int64).to_numpy()] = True
    return primes


def marks_of(forest: Forest, cached: Bools) -> pl.DataFrame:
    """Per item with marks, in order of rows: `row`, `marks` (blocks), `split_chars`, `entry_id` and `mark_bytes`."""
    item, node = marks_on_path(forest.parent, cached, forest.tree.node_of.astype(np.int64))
    tree = forest.tree
    order = np.lexsort((tree.level[node], item))
    item, node = item[order], node[order]
    cuts = tree.cuts[node]
    pairs = pl.DataFrame(
        {
            "row": item,
            "block": tree.blocks[node] + (cuts > 0),
            "cut": cuts,
            "entry_id": _entry_ids(tree.keys[node]),
            "bytes": forest.overheads[forest.starts[item] + tree.level[node]],
        }
    )
    return pairs.group_by("row", maintain_order=True).agg(
        marks=pl.col("block").cast(pl.Int16),
        split_chars=pl.when(pl.col("cut").last() > 0).then(pl.col("cut").last()),
        entry_id=pl.col("entry_id").last(),
        mark_bytes=pl.col("bytes").sum(),
    )


def _entry_ids(keys: npt.NDArray[np.uint64]) -> Sequence[str]:
    names, place = np.unique(keys, return_inverse=True)
    ids = np.array([class_id(int(key)) for key in names], dtype=object)
    return list(ids[place])
