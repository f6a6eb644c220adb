"""The prefix tree: every shared head once, with how many share it, whatever the order of the items."""

from collections import Counter
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.grouping.prefix_tree import Chains, PrefixTree, grow

paths = st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=6).map("".join), min_size=1, max_size=30)


def chains_of(prompts: list[str]) -> Chains:
    """Chains of prompts whose letters are blocks; the first one is the scope."""
    heads = [["", *accumulate(prompt)][1:] for prompt in prompts]
    names = {head: number * 7919 + 1 for number, head in enumerate(sorted({h for path in heads for h in path}))}
    return Chains(
        hashes=np.array([names[head] for path in heads for head in path], dtype=np.uint64),
        depths=np.array([10 * (len(head) - 1) for path in heads for head in path], dtype=np.int64),
        ends=np.cumsum([len(path) for path in heads], dtype=np.int64),
    )


def described(tree: PrefixTree, prompts: list[str]) -> dict[str, tuple[int, int]]:
    """Nodes by the prompt up to there: items and depth."""
    return {
        prompts[first][: level + 1]: (items, depth)
        for first, level, items, depth in zip(
            tree.first.tolist(), tree.level.tolist(), tree.items.tolist(), tree.depths.tolist(), strict=True
        )
    }


@given(paths)
def test_the_nodes_are_the_heads_that_two_prompts_share(prompts: list[str]) -> None:
    """And the scopes, shared or not; each knows how many items pass and how long it is."""
    shared = Counter(head for prompt in prompts for head in accumulate(prompt))
    expected = {head: (count, 10 * (len(head) - 1)) for head, count in shared.items() if count > 1 or len(head) == 1}
    tree = grow(chains_of(prompts))

    assert described(tree, prompts) == expected
    assert tree.shared_chars == sum((count - 1) * 10 for head, (count, _) in expected.items() if len(head) > 1)
    for item, prompt in enumerate(prompts):
        node = int(tree.node_of[item])
        assert (
            max((head for head in accumulate(prompt) if head in expected), key=len)
            == (prompts[int(tree.first[node])][: int(tree.level[node]) + 1])
        )


@given(paths, st.randoms(use_true_random=False))
def test_parents_stand_before_their_children_in_the_same_order_always(prompts: list[str], random: Any) -> None:
    """A pass over the nodes is a pass from root to leaf; shuffled items make the same tree."""
    tree = grow(chains_of(prompts))
    order = list(range(len(prompts)))
    random.shuffle(order)
    chains = chains_of(prompts)
    starts = chains.starts
    entries = np.concatenate([np.arange(starts[item], chains.ends[item]) for item in order])
    lengths = np.diff(chains.ends, prepend=0)[order]
    other = grow(
        Chains(hashes=chains.hashes[entries], depths=chains.depths[entries], ends=np.cumsum(lengths, dtype=np.int64))
    )

    roots = tree.level == 0
    assert (tree.parent[~roots] < np.flatnonzero(~roots)).all()
    assert (tree.parent[roots] == np.flatnonzero(roots)).all()
    for name in ("keys", "parent", "level", "blocks", "cuts", "depths", "items"):
        assert getattr(tree, name).tolist() == getattr(other, name).tolist()
    assert tree.node_of[order].tolist() == other.node_of.tolist()


@given(paths, st.data())
def test_some_items_of_a_set_have_the_tree_of_their_own(prompts: list[str], data: st.DataObject) -> None:
    """Taking items out is the same as never having had them."""
    kept = sorted(data.draw(st.sets(st.integers(0, len(prompts) - 1), min_size=1)))
    tree = grow(chains_of(prompts).of(np.array(kept)))

    of_them = [prompts[item] for item in kept]
    assert described(tree, of_them) == described(grow(chains_of(of_them)), of_them)


def test_no_items_have_an_empty_tree() -> None:
    """An empty backlog is no special case."""
    none = np.empty(0, dtype=np.int64)
    tree = grow(Chains(hashes=none.astype(np.uint64), depths=none, ends=none))

    assert (len(tree.keys), len(tree.node_of), tree.shared_chars, tree.by_level()) == (0, 0, 0, [])


def test_an_hour_of_chat_shares_what_its_publishers_trace_says(shared_data: Path) -> None:
    """Mooncake's conversation trace (FAST'25): an endless cache reads 37.36 % of its input tokens."""
    hashes: list[int] = []
    depths: list[int] = []
    ends: list[int] = []
    total = 0
    for line in (shared_data / "mooncake_conversation" / "conversation_trace.jsonl").read_bytes().splitlines():
        request = orjson.loads(line)
        blocks = request["hash_ids"]
        hashes += [2**63, *blocks]
        depths += [512 * number for number in range(len(blocks))] + [request["input_length"]]
        ends.append(len(hashes))
        total += request["input_length"]
    tree = grow(Chains(hashes=np.array(hashes, dtype=np.uint64), depths=np.array(depths), ends=np.array(ends)))

    assert tree.shared_chars / total == pytest.approx(0.3736, abs=0.0005)
