"""Cache marks: both programmes against full enumeration, against reference figures, and the rules of any best plan."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from core.caching.marks import Bools, Floats, Ints, Marks, marks_on_path, one_round_marks, staged_marks

CASES = json.loads((Path(__file__).parent / "cases" / "marks.json").read_text("utf-8"))
BYTES_PER_TOKEN = 4
OWN = {"claude-sonnet-5-5": (512, 0.05), "claude-haiku-5-5": (512, 0.1), "claude-haiku-4-5": (4_096, 0.1)}
# The figures of one model may differ from those of another: multipliers of a 5-minute and a 1-hour write, and reads.
MODELS = [(1.25, 0.1), (2.0, 0.1), (1.25, 0.05), (2.0, 0.025)]

Choose = Callable[..., Marks]
both = pytest.mark.parametrize("choose", [staged_marks, one_round_marks])


@dataclass(frozen=True, kw_only=True)
class Tree:
    """What the programmes are given; `own` are the items that end at a node."""

    parent: Ints
    depth: Floats
    own: Ints
    floor: float
    allowed: Bools
    write: Floats
    read: Floats

    @property
    def items(self) -> Ints:
        """Items that pass through each node."""
        total = self.own.copy()
        for node in range(len(total) - 1, -1, -1):
            if self.parent[node] != node:
                total[self.parent[node]] += total[node]
        return total

    def solved(self, choose: Choose, most: int = 4) -> Marks:
        """The best marks by a programme."""
        return choose(
            self.parent,
            self.depth,
            self.items,
            floor=self.floor,
            allowed=self.allowed,
            write=self.write,
            read=self.read,
            most=most,
        )

    def gains(self, cached: Bools, choose: Choose, most: int) -> Floats:
        """Saving of each of many plans (one a row), minus infinity where a path has too many marks."""
        items = self.items
        above, deepest = np.zeros(cached.shape), np.zeros(cached.shape)
        marks = np.zeros(cached.shape, dtype=np.int64)
        below = np.zeros(cached.shape, dtype=np.bool_)
        for node, up in enumerate(self.parent):
            if up != node:
                above[:, node], marks[:, node] = deepest[:, up], marks[:, up]
            marks[:, node] += cached[:, node]
            deepest[:, node] = np.where(cached[:, node], self.depth[node], above[:, node])
        for node in range(len(items) - 1, 0, -1):
            if self.parent[node] != node:
                below[:, self.parent[node]] |= below[:, node] | cached[:, node]
        if choose is staged_marks:
            each = cached * (self.depth - above) * (items - self.write - self.read * (items - 1))
        else:
            innermost = cached & ~below
            each = self.own * (1 - self.read) * deepest - innermost * (self.write - self.read) * self.depth
        return np.where((marks <= most).all(axis=1), each.sum(axis=1), -np.inf)

    def best_by_enumeration(self, choose: Choose, most: int) -> float:
        """The largest saving of all plans there are."""
        possible = np.flatnonzero(self.allowed & (self.depth >= self.floor))
        plans = np.zeros((1 << len(possible), len(self.parent)), dtype=np.bool_)
        plans[:, possible] = (np.arange(len(plans))[:, None] >> np.arange(len(possible))) & 1
        return float(self.gains(plans, choose, most).max())


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Small forests in which all that matters varies: shape, depth, items, floors, where a mark can sit, models."""
    size = draw(st.integers(1, 8))
    parent = np.array([draw(st.integers(max(0, node - 3), node)) for node in range(size)])
    steps = draw(st.lists(st.integers(1, 9), min_size=size, max_size=size))
    models = draw(st.lists(st.sampled_from(MODELS), min_size=size, max_size=size))
    depth, model = np.zeros(size), np.zeros(size, dtype=np.int64)
    for node, up in enumerate(parent):
        depth[node] = steps[node] + (depth[up] if up != node else 0)
        model[node] = model[up] if up != node else node
    return Tree(
        parent=parent,
        depth=depth,
        own=np.array(draw(st.lists(st.sampled_from([0, 0, 1, 1, 2, 3, 9]), min_size=size, max_size=size))),
        floor=draw(st.sampled_from([0, 3, 8])),
        allowed=np.array(draw(st.lists(st.sampled_from([True, True, True, False]), min_size=size, max_size=size))),
        write=np.array([models[at][0] for at in model]),
        read=np.array([models[at][1] for at in model]),
    )


@both
@settings(max_examples=200)
@given(tree=trees(), most=st.integers(1, 4))
def test_no_plan_saves_more_than_the_chosen_one(choose: Choose, tree: Tree, most: int) -> None:
    """The programmes are exact: the best of all sets of marks, and what they choose is worth what they say."""
    assert_best(choose, tree, most)


@both
def test_no_plan_saves_more_on_two_thousand_trees(choose: Choose) -> None:
    """The same by sheer number: what is rare in small trees comes up often enough."""
    rng = np.random.default_rng(2_026)
    for _ in range(2_000):
        size = int(rng.integers(1, 9))
        nodes = np.arange(size)
        parent = nodes - rng.integers(0, np.minimum(nodes, 3) + 1)
        depth = rng.integers(1, 10, size).astype(float)
        for node in nodes[parent != nodes]:
            depth[node] += depth[parent[node]]
        write, read = MODELS[rng.integers(len(MODELS))]
        tree = Tree(
            parent=parent,
            depth=depth,
            own=rng.choice([0, 0, 1, 1, 2, 3, 9], size),
            floor=float(rng.choice([0, 3, 8])),
            allowed=rng.random(size) < 0.8,
            write=np.full(size, write),
            read=np.full(size, read),
        )
        assert_best(choose, tree, int(rng.integers(1, 5)))


def assert_best(choose: Choose, tree: Tree, most: int) -> None:
    """Compare a programme's marks with all that are possible."""
    marks = tree.solved(choose, most)

    assert marks.gain == pytest.approx(tree.best_by_enumeration(choose, most), abs=1e-9)
    assert marks.gain == pytest.approx(tree.gains(marks.cached[None], choose, most)[0], abs=1e-9)
    assert not (marks.cached & ~(tree.allowed & (tree.depth >= tree.floor))).any()


@given(tree=trees())
def test_rounds_of_their_own_are_never_worse_and_with_one_mark_the_same(tree: Tree) -> None:
    """A single primer round has to write shared levels several times."""
    assert tree.solved(staged_marks).gain >= tree.solved(one_round_marks).gain - 1e-9
    assert tree.solved(staged_marks, 1).gain == pytest.approx(tree.solved(one_round_marks, 1).gain)


@both
@given(tree=trees())
def test_a_plan_never_costs_more_than_no_caching_nor_more_marks_than_fewer(choose: Choose, tree: Tree) -> None:
    """None is a plan too, and so is leaving a mark out."""
    gains = [tree.solved(choose, most).gain for most in (1, 2, 3, 4)]

    assert gains[0] >= 0
    assert all(more >= fewer - 1e-9 for fewer, more in pairwise(gains))


@both
@given(tree=trees(), where=st.integers(0, 7))
def test_one_more_item_never_lowers_the_saving(choose: Choose, tree: Tree, where: int) -> None:
    """It may always go uncached."""
    own = tree.own.copy()
    own[where % len(own)] += 1

    assert replace(tree, own=own).solved(choose).gain >= tree.solved(choose).gain - 1e-9


@given(tree=trees())
def test_primers_are_every_level_in_turn_or_the_innermost_at_once(tree: Tree) -> None:
    """Staged: a node's round is its place among the marks on its path. At once: nothing cached lies below a primer."""
    for choose in (staged_marks, one_round_marks):
        marks = tree.solved(choose)
        nodes = np.arange(len(tree.parent))
        at, node = marks_on_path(tree.parent, marks.cached, nodes)
        on_path = np.bincount(at, minlength=len(nodes))
        outer = np.isin(nodes, node[marks.cached[at] & (at != node)])
        expected = on_path * marks.cached if choose is staged_marks else (marks.cached & ~outer).astype(int)

        assert expected.tolist() == marks.primer_round.tolist()


@given(tree=trees())
def test_the_marks_on_a_path_are_the_cached_nodes_between_it_and_its_root(tree: Tree) -> None:
    """Climbing one node at a time finds the same."""
    leaves = np.arange(len(tree.parent))
    expected = set()
    for leaf in leaves.tolist():
        node = leaf
        while True:
            expected |= {(leaf, node)} if tree.allowed[node] else set()
            if tree.parent[node] == node:
                break
            node = int(tree.parent[node])
    items, nodes = marks_on_path(tree.parent, tree.allowed, leaves)

    assert expected == set(zip(items.tolist(), nodes.tolist(), strict=True))
    assert len(expected) == len(items)


def test_an_item_that_stands_for_several_nodes_goes_in_the_earliest_round() -> None:
    """Item 0 writes nodes 0 and 1 at once; item 3 writes node 2 a round later, where node 0 can be read."""
    marks = Marks(cached=np.ones(3, dtype=np.bool_), primer_round=np.array([1, 2, 2]), gain=1.0)

    assert marks.item_rounds(np.array([0, 0, 3]), 5).tolist() == [1, 0, 0, 2, 0]


@both
def test_a_tree_without_nodes_has_no_marks(choose: Choose) -> None:
    """No items, no saving, no error."""
    none = np.zeros(0, dtype=np.int64)
    empty = none.astype(float)
    marks = choose(none, empty, none, floor=512, allowed=none.astype(bool), write=1.25, read=0.1)

    assert (marks.gain, marks.cached.tolist()) == (0.0, [])


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """A prefix tree of real requests with each node's own floor and read price, and the length of all prompts."""

    parent: Ints
    depth: Floats
    items: Ints
    floor: Floats
    read: Floats
    total: float


@pytest.fixture(scope="session")
def traffic(shared_data: Path) -> dict[str, Traffic]:
    """The two real sets that reference figures exist for."""
    return {"mooncake": mooncake(shared_data), "workloads": workloads(shared_data)}


def mooncake(shared_data: Path) -> Traffic:
    """Chat requests as ids of 512-token blocks; an id stands for its block and everything before it."""
    trace = shared_data / "mooncake_conversation" / "conversation_trace.jsonl"
    nodes: dict[int, int] = {}
    parent: list[int] = []
    depth: list[float] = []
    items: list[int] = []
    total = 0
    for line in trace.read_bytes().splitlines():
        request = orjson.loads(line)
        total += request["input_length"]
        up = -1
        for level, block in enumerate(request["hash_ids"], 1):
            node = nodes.setdefault(block, len(parent))
            if node == len(parent):
                parent.append(up if up >= 0 else node)
                depth.append(min(512 * level, request["input_length"]))
                items.append(0)
            items[node] += 1
            up = node
    size = len(parent)
    return Traffic(
        parent=np.array(parent),
        depth=np.array(depth, dtype=float),
        items=np.array(items),
        floor=np.zeros(size),
        read=np.full(size, 0.1),
        total=total,
    )


def workloads(shared_data: Path) -> Traffic:
    """Real prompts rendered to bytes, one tree a model; depths in bytes, floors at four bytes a token."""
    prompts: dict[str, list[bytes]] = {}
    for path in sorted((shared_data / "workloads").glob("requests-*.jsonl.zst")):
        with path.open("rb") as packed:
            for line in zstandard.ZstdDecompressor().stream_reader(packed).read().splitlines():
                params = orjson.loads(line)["params"]
                prompts.setdefault(params["model"], []).append(rendered(params))
    parts = [(model, *byte_tree(texts)) for model, texts in prompts.items()]
    starts = np.cumsum([0, *(len(depth) for _, _, depth, _ in parts)])
    return Traffic(
        parent=np.concatenate([parent + start for (_, parent, _, _), start in zip(parts, starts, strict=False)]),
        depth=np.concatenate([depth for _, _, depth, _ in parts]),
        items=np.concatenate([items for _, _, _, items in parts]),
        floor=np.concatenate([np.full(len(depth), OWN[model][0] * BYTES_PER_TOKEN) for model, _, depth, _ in parts]),
        read=np.concatenate([np.full(len(depth), OWN[model][1]) for model, _, depth, _ in parts]),
        total=sum(len(text) for texts in prompts.values() for text in texts),
    )


def rendered(params: dict[str, Any]) -> bytes:
    """A prompt in cache order: each text closed by 1E, each message opened by 1D, role, 1F."""

    def texts(content: Any) -> str:
        blocks = [content] if isinstance(content, str) else [block["text"] for block in content]
        return "".join(text + "\x1e" for text in blocks)

    system = texts(params["system"]) if "system" in params else ""
    return (system + "".join(f"\x1d{m['role']}\x1f{texts(m['content'])}" for m in params["messages"])).encode()


def byte_tree(texts: list[bytes]) -> tuple[Ints, Floats, Ints]:
    """Every head that at least two texts share: parents (before children), depths, items."""
    ordered = sorted(texts)
    arrays = [np.frombuffer(text, dtype=np.uint8) for text in ordered]
    overlap = [0, *(common(one, other) for one, other in pairwise(arrays)), 0]
    found: list[tuple[int, int, int]] = []
    stack: list[tuple[int, int]] = [(0, 0)]
    for right in range(1, len(ordered) + 1):
        left = right - 1
        while overlap[right] < stack[-1][0]:
            depth, left = stack.pop()
            found.append((left, depth, right))
        if overlap[right] > stack[-1][0]:
            stack.append((overlap[right], left))
    found = sorted([*found, (0, 0, len(ordered))], key=lambda node: (node[0], node[1]))
    parent: list[int] = []
    path: list[int] = [0]
    for number, (left, _, _) in enumerate(found):
        while number and found[path[-1]][2] <= left:
            path.pop()
        parent.append(path[-1])
        path.append(number)
    lefts, depths, rights = np.array(found).T
    return np.array(parent), depths.astype(float), rights - lefts


def common(one: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8]) -> int:
    """Bytes that two texts share from the start."""
    least = min(len(one), len(other))
    differs = one[:least] != other[:least]
    return int(differs.argmax()) if differs.any() else least


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['data']}: {case['why']} ({case['floor']})")
def test_real_traffic_costs_what_the_reference_says(traffic: dict[str, Traffic], case: dict[str, Any]) -> None:
    """Cost index of the best plan on real prompts, by code that shares nothing with this project."""
    real = traffic[case["data"]]
    floor = real.floor if case["floor"] == "own" else float(case["floor"])
    for choose, expected in ((staged_marks, case["staged"]), (one_round_marks, case["one_round"])):
        marks = choose(
            real.parent,
            real.depth,
            real.items,
            floor=floor,
            allowed=np.ones(len(real.parent), dtype=np.bool_),
            write=case["write"],
            read=real.read,
            most=case["most"],
        )
        if expected is not None:
            assert 1 - marks.gain / real.total == pytest.approx(expected, abs=case["within"])
