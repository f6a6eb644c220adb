"""Borders inside texts: exactly where texts part, whatever stands around them and in whatever order they come."""

from itertools import combinations, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.grouping import borders
from core.grouping.landmarks import STEP
from core.grouping.prefix_tree import Chains
from core.requests.blocks import HEAD_BYTES
from tests.grouping import chains_of_requests, classes, parts
from tests.strategies import Json, request

HEAD = "You are a careful clerk who reads what customers write and answers in one word. " * 2
# A border may lie so far before the place where two texts part: a step, and what is cut back to a word's end.
SLACK = 3 * STEP
pieces = st.sampled_from(["alpha ", "beta\n", "gamma", "δέλτα ", "x" * 70, "long words here and there " * 9, "🙂" * 30])
texts = st.lists(pieces, max_size=8).map(lambda parts: HEAD + "".join(parts))


def inner(chains: Chains) -> list[dict[int, int]]:
    """Per item, its borders inside texts: key to characters."""
    borders = chains.borders
    last = {} if borders is None else dict(zip(borders.texts.tolist(), borders.last.tolist(), strict=True))
    found = []
    for start, end in pairwise([0, *chains.ends.tolist()]):
        its = {}
        for name in chains.hashes[start:end].tolist():
            border = last.get(name, -1)
            while borders is not None and border >= 0:
                its[int(borders.keys[border])] = int(borders.cuts[border])
                border = int(borders.parents[border])
        found.append(its)
    return found


def common(one: str, other: str) -> int:
    """Characters on which two texts agree."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


@given(st.lists(texts, min_size=2, max_size=24, unique=True))
def test_two_texts_have_a_border_in_common_just_before_they_part(written: list[str]) -> None:
    """A border that two texts have is one they agree on; and none that is worth having is missed."""
    found = inner(chains_of_requests([request(text) for text in written]))

    for (one, its), (other, their) in combinations(zip(written, found, strict=True), 2):
        together = common(one, other)
        both = its.keys() & their.keys()
        assert all(its[key] == their[key] <= together for key in both)
        # Characters take up to four bytes, so the slack in characters is no more than that in bytes.
        if len(one[:together].encode()) >= HEAD_BYTES and together < min(len(one), len(other)):
            assert max((its[key] for key in both), default=0) >= together - SLACK


@given(st.lists(texts, min_size=2, max_size=20, unique=True), st.randoms(use_true_random=False))
def test_borders_do_not_depend_on_the_order_of_the_items(written: list[str], random: Any) -> None:
    """Files come in any order; a border is known by what stands before it."""
    order = list(range(len(written)))
    random.shuffle(order)
    one = inner(chains_of_requests([request(text) for text in written]))
    other = inner(chains_of_requests([request(written[position]) for position in order]))

    assert [one[position] for position in order] == other


@given(st.lists(texts, min_size=2, max_size=20, unique=True), st.sampled_from([1, 300, 1_000]))
def test_little_memory_finds_the_same_borders(written: list[str], room: int) -> None:
    """Groups are looked at in as many turns as their landmarks need; texts are read as far as they must be."""
    plenty = inner(chains_of_requests([request(text) for text in written]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(borders, "_LANDMARK_BYTES", room)
        little = inner(chains_of_requests([request(text) for text in written]))

    assert plenty == little


@pytest.mark.parametrize("known", [1 << 16, 3 << 16, 1_000_000])
def test_texts_that_share_more_than_the_first_look_are_followed_to_the_end(known: int) -> None:
    """A prefix of a megabyte inside one string is found whole."""
    head = ("all of this is the same, page after page " * (known // 40))[:known]
    items = [request(head + f" {letter * 200} question {n}") for letter in "ab" for n in range(4)]
    found = inner(chains_of_requests(items))

    shared = [found[0][key] for key in found[0].keys() & found[7].keys()]
    assert known - SLACK <= max(shared) <= known + 1
    assert known + 201 - SLACK <= max(found[0].values()) <= known + 212


def test_a_border_lies_at_the_end_of_a_line_or_word() -> None:
    """A mark is put where a person would put it, and never inside a character."""
    line_end = inner(chains_of_requests([request(HEAD + "\nName: " + name) for name in ("Ann", "Anton", "Anita")]))
    word_end = inner(chains_of_requests([request(HEAD + name) for name in ("Ann", "Anton", "Anita")]))
    in_bytes = inner(chains_of_requests([request(HEAD.replace(" ", "_") + letter * 99) for letter in "äöü"]))

    assert {cut for cuts in line_end for cut in cuts.values()} == {len(HEAD) + 1}
    assert {cut for cuts in word_end for cut in cuts.values()} == {len(HEAD)}
    assert {cut for cuts in in_bytes for cut in cuts.values()} == {len(HEAD)}


def document_then_question(document: str, question: str) -> Json:
    """Both in one user string, as most people write it."""
    return request(f"{HEAD}\n<document>{document}</document>\n\nQuestion: {question}")


def test_a_document_and_a_question_in_one_string_are_a_class() -> None:
    """No border of a block tells them apart."""
    items = [document_then_question(letter * 3_000, f"{n}?") for letter in "ab" for n in range(5)]
    found = classes(items)

    assert parts(found) == {frozenset(range(5)), frozenset(range(5, 10))}
    assert all(cut > 3_000 for cut in found.cuts)
    assert found.prefix_blocks.tolist() == [0, 0]


def test_a_long_system_string_with_a_tail_that_varies_is_one_class() -> None:
    """The tail is the customer's name; the rest is what they share."""
    items = [request("hello", system=HEAD * 30 + f"\nThe customer is number {n}.") for n in range(9)]
    found = classes(items)

    assert parts(found) == {frozenset(range(9))}
    assert abs(int(found.prefix_chars[0]) - len(HEAD * 30)) < 40


def test_few_shot_turns_are_shared_block_by_block_and_inside() -> None:
    """Turns before the last one are the prefix, and so is the beginning of the last."""
    shots = [{"role": role, "content": f"{HEAD}{n}{role}" * 3} for n in range(3) for role in ("user", "assistant")]
    items = [request("") | {"messages": [*shots, {"role": "user", "content": HEAD * 9 + f"{n}?"}]} for n in range(6)]
    found = classes(items)

    assert parts(found) == {frozenset(range(6))}
    assert (int(found.prefix_blocks[0]), int(found.cuts[0])) == (6, len(HEAD * 9))


def test_a_deeper_prefix_over_the_floor_beats_a_shorter_one_under_it() -> None:
    """What lies under the model's floor saves nothing, however many share it."""

    def blocks(letter: str) -> list[Json]:
        return [{"type": "text", "text": "s" * 850}, {"type": "text", "text": letter * 60}]

    items = [request(f"q{n}", system=blocks(letter)) for letter in "abcdef" for n in range(40)]

    assert len(parts(classes(items, floor=900))) == 6
    assert len(parts(classes(items, floor=700))) == 1


def test_items_under_no_prefix_worth_caching_are_grouped_all_the_same() -> None:
    """Classes serve reporting and repair too."""
    items = [request(f"q{n}", system=letter * 200) for letter in "ab" for n in range(4)]

    assert parts(classes(items, floor=10_000)) == {frozenset(range(4)), frozenset(range(4, 8))}
