"""The exact prefix tree: what prompts share, to the byte, and where one mark saves most."""

from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.grouping.exact_tree import ExactTree, best_cuts, common_prefix, exact_tree
from core.prices import PriceBook
from core.requests.lines import read_lines
from core.requests.rendering import render

few_bytes = st.binary(max_size=12).map(lambda data: bytes(byte % 3 for byte in data))
prompts = st.lists(few_bytes, max_size=12)


def naive_nodes(data: list[bytes]) -> dict[bytes, set[int]]:
    """Every prefix at which a character trie branches or two equal strings end, with the strings below it."""
    through: dict[bytes, set[int]] = {}
    for position, text in enumerate(data):
        for length in range(len(text) + 1):
            through.setdefault(text[:length], set()).add(position)
    shared = {prefix: found for prefix, found in through.items() if len(found) >= 2}
    longer: dict[bytes, list[set[int]]] = {prefix[:-1]: [] for prefix in shared if prefix}
    for prefix, found in shared.items():
        if prefix:
            longer[prefix[:-1]].append(found)
    return {prefix: found for prefix, found in shared.items() if found not in longer.get(prefix, [])}


def best_by_trial(tree: dict[bytes, set[int]], floor: int, write: float, read: float) -> float:
    """The most that disjoint marked prefixes save, by trying every set of nodes."""
    gains = [
        (found, len(prefix) * (len(found) - write - read * (len(found) - 1)))
        for prefix, found in tree.items()
        if len(prefix) >= floor
    ]

    def best(start: int, taken: set[int]) -> float:
        options = [
            gain + best(number + 1, taken | found)
            for number, (found, gain) in enumerate(gains[start:], start)
            if gain > 0 and not taken & found
        ]
        return max(options, default=0.0)

    return best(0, set())


@given(prompts)
def test_the_tree_is_that_of_a_character_trie(data: list[bytes]) -> None:
    """Sorting and comparing neighbours finds every branching prefix with exactly its prompts."""
    tree = exact_tree(data)
    found = {data[tree.members(node)[0]][: tree.depth[node]]: set(tree.members(node)) for node in inner(tree)}
    expected = {prefix: below for prefix, below in naive_nodes(data).items() if prefix}

    assert expected == found
    assert sum(map(len, data)) - len({text[:n] for text in data for n in range(1, len(text) + 1)}) == tree.shareable


def inner(tree: ExactTree) -> range:
    """Every node but the root."""
    return range(1, len(tree.depth))


@given(prompts)
def test_parents_come_first_and_hold_their_children(data: list[bytes]) -> None:
    """One loop backwards visits children before parents; a child is deeper, inside its parent and smaller."""
    tree = exact_tree(data)

    assert sorted(tree.order.tolist()) == list(range(len(data)))
    assert (tree.parent[0], tree.depth[0], tree.items[0]) == (0, 0, len(data))
    for node in inner(tree):
        parent = tree.parent[node]
        assert parent < node
        assert tree.depth[parent] < tree.depth[node]
        assert tree.left[parent] <= tree.left[node] < tree.right[node] <= tree.right[parent]
        assert tree.items[node] >= 2


@given(prompts, st.integers(0, 6), st.sampled_from([(1.25, 0.1), (2.0, 0.1), (2.0, 0.05)]))
def test_the_exact_optimum_is_found(data: list[bytes], floor: int, rates: tuple[float, float]) -> None:
    """With no price on splitting, no set of disjoint marks saves more than the one found."""
    write, read = rates
    cuts = best_cuts(exact_tree(data), floor=floor, write=write, read=read, split_gain=0)
    trie = {prefix: below for prefix, below in naive_nodes(data).items() if prefix}

    assert cuts.saved == pytest.approx(best_by_trial(trie, max(floor, 1), write, read))


@given(prompts, st.integers(0, 6), st.floats(1, 50))
def test_marks_are_disjoint_over_the_floor_and_worth_what_is_said(data: list[bytes], floor: int, scale: float) -> None:
    """Each chosen node saves its part; keeping classes whole costs at most the share allowed for it."""
    tree = exact_tree(data)
    cuts = best_cuts(tree, floor=floor, write=2, read=0.1, scale=scale)
    best = best_cuts(tree, floor=floor, write=2, read=0.1, scale=scale, split_gain=0)
    below = [position for node in cuts.nodes for position in tree.members(int(node))]
    count = tree.items[cuts.nodes] * scale

    assert len(below) == len(set(below))
    assert (tree.depth[cuts.nodes] >= floor).all()
    assert cuts.saved == pytest.approx(float((tree.depth[cuts.nodes] * (count - 2 - 0.1 * (count - 1))).sum()))
    assert 0.95 * best.saved - 1e-9 <= cuts.saved <= best.saved + 1e-9


@given(st.binary(max_size=300), st.binary(max_size=3), st.binary(max_size=3), st.integers(0, 400))
def test_the_common_prefix_is_exact(head: bytes, one: bytes, other: bytes, guess: int) -> None:
    """Galloping and halving give what counting byte by byte gives, at every length and from every guess."""
    first, second = head + one, head + other
    pairs = zip(first, second, strict=False)
    expected = next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(first), len(second)))

    assert expected == common_prefix(first, second) == common_prefix(first, second, guess)


def test_a_scaled_sample_saves_what_all_would() -> None:
    """A prompt that stands for ten counts as ten: one write, the others reads."""
    tree = exact_tree([b"a" * 100 + bytes([n]) for n in range(5)])

    assert best_cuts(tree, floor=1, write=2, read=0.1, scale=10).saved == pytest.approx(100 * (50 - 2 - 0.1 * 49))


def test_nothing_and_one_have_a_root_only() -> None:
    """Empty input is no special case."""
    for data in ([], [b"alone"]):
        tree = exact_tree(data)
        assert (tree.depth.tolist(), tree.items.tolist(), tree.shareable) == ([0], [len(data)], 0)
        assert best_cuts(tree, floor=0, write=2, read=0.1).saved == 0


def test_real_prompts_give_the_reference_figures(shared_data: Path) -> None:
    """11,647 real requests: shareable bytes, those over the floor, and the cost index of one mark, as computed by
    independent code (floor of four bytes a token, 5-minute writes)."""
    folder = shared_data / "workloads"
    reference = orjson.loads((folder / "reference.json").read_bytes())["by_exact_prefix_tree_bytes"]["all"]
    book = PriceBook.load()
    scopes: dict[str, list[bytes]] = {}
    for path in sorted(folder.glob("requests-*.jsonl.zst")):
        for line in read_lines(path):
            assert isinstance(line, bytes)
            prompt = render(orjson.loads(line)["params"])
            scopes.setdefault(prompt.scope, []).append(prompt.data)
    total = shareable = over_floor = classes = 0
    saved = 0.0
    for model, data in scopes.items():
        tree = exact_tree(data)
        floor = book.model(model).cache_floor_tokens * 4
        read = 0.05 if model == "claude-sonnet-5-5" else 0.1
        total += sum(map(len, data))
        shareable += tree.shareable
        over_floor += int(tree.overlaps[tree.overlaps >= floor].sum())
        saved += best_cuts(tree, floor=floor, write=1.25, read=read, split_gain=0).saved
        classes += len(best_cuts(tree, floor=floor, write=1.25, read=read).nodes)

    assert shareable / total == pytest.approx(reference["share_any_depth"], abs=1e-4)
    assert over_floor / total == pytest.approx(reference["share_over_floor"], abs=1e-4)
    assert 1 - saved / total == pytest.approx(reference["best_plan"]["1"]["cost_index"], abs=1e-4)
    assert classes == 26
