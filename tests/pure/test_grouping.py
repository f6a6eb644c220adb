"""Classes of similar work: the prefix that is worth sharing, whatever the order of the items."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.intake.group_files import Grouping, group_files
from core.prices import PriceBook
from core.requests.blocks import chain_of
from core.requests.request import parse_request
from core.tokens.counting import prefix_tokens
from tests.grouping import classes, parts
from tests.strategies import BAD_LINES, Json, few_texts, line, params, request

BOOK = PriceBook.load()


def chat(system: Any, user: str, **more: Any) -> Json:
    """A request with a system prompt."""
    return request(user, system=system, **more)


@given(st.lists(params(few_texts), max_size=12))
def test_every_item_is_in_exactly_one_class_of_a_prefix_that_all_share(items: list[Json]) -> None:
    """A class is what its items have in common: the same blocks up to the end of its prefix, in one scope."""
    found = classes(items)

    assert len(items) == len(found.class_of) == int(found.items.sum())
    assert sorted(set(found.class_of.tolist())) == list(range(len(found.keys)))
    for position, of in zip(found.class_of, items, strict=True):
        hashes, depths, _, _ = chain_of(parse_request(line("a", of)).params)
        blocks = int(found.prefix_blocks[position])
        assert hashes[blocks] == int(found.keys[position])
        assert depths[blocks] == int(found.prefix_chars[position])
    for number, first in enumerate(found.first):
        assert int(first) == int(np.flatnonzero(found.class_of == number)[0])


@given(st.lists(params(few_texts), max_size=10), st.randoms(use_true_random=False))
def test_classes_do_not_depend_on_the_order_of_the_items(items: list[Json], random: Any) -> None:
    """Files come in any order; the classes they make are the same, by name and by content."""
    order = list(range(len(items)))
    random.shuffle(order)
    one, other = classes(items), classes([items[position] for position in order])

    assert one.keys.tolist() == other.keys.tolist()
    assert one.items.tolist() == other.items.tolist()
    assert one.class_of[order].tolist() == other.class_of.tolist()


def test_nothing_has_no_classes() -> None:
    """An empty backlog is no special case for its caller."""
    found = classes([])

    assert (len(found.keys), len(found.class_of), len(found.items)) == (0, 0, 0)


def test_items_are_grouped_by_system_prompt() -> None:
    """The plain case: two instructions, many questions."""
    items = [chat("A" * 500, f"question {n}") for n in range(5)] + [chat("B" * 500, f"question {n}") for n in range(4)]

    assert {frozenset(range(5)), frozenset(range(5, 9))} == parts(classes(items))


def test_a_string_and_one_text_block_share() -> None:
    """The API caches them alike."""
    items = [chat("A" * 500, "x"), chat([{"type": "text", "text": "A" * 500}], "y")]

    assert len(parts(classes(items))) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"model": "claude-sonnet-5-5"},
        {"speed": "fast"},
        {"inference_geo": "us"},
        {"tools": [{"name": "other"}]},
        {"output_config": {"effort": "low"}},
    ],
    ids=["model", "speed", "geo", "tools", "output"],
)
def test_what_the_cache_keeps_apart_is_kept_apart(change: Json) -> None:
    """The same text under another model or another cache-relevant parameter is another class."""
    items = [chat("A" * 500, f"x{n}") for n in range(3)] + [chat("A" * 500, f"y{n}") | change for n in range(3)]

    assert {frozenset(range(3)), frozenset(range(3, 6))} == parts(classes(items))


def test_thinking_parts_the_messages_only() -> None:
    """A switch that spares the system prompt does not split the class that shares it."""
    thinking = {"type": "enabled", "budget_tokens": 1024}
    items = [chat("A" * 500, f"x{n}") for n in range(3)] + [
        chat("A" * 500, f"y{n}", thinking=thinking) for n in range(3)
    ]

    assert len(parts(classes(items))) == 1


def test_a_few_equal_questions_do_not_tear_a_class_apart() -> None:
    """A split must gain a tenth: three people asking the same short thing are no class of their own."""
    items = [chat("A" * 5_000, f"question {n}") for n in range(20)] + [chat("A" * 5_000, "the same")] * 3

    assert len(parts(classes(items))) == 1


def test_heavy_documents_under_one_instruction_are_classes_of_their_own() -> None:
    """A short common system prompt is worth less than the long documents below it."""
    items = [
        chat("Be brief.", "")
        | {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "text", "text": document * 4_000}, {"type": "text", "text": f"chunk {n}"}],
                }
            ]
        }
        for document in "AB"
        for n in range(5)
    ]

    assert {frozenset(range(5)), frozenset(range(5, 10))} == parts(classes(items))


def test_items_that_share_nothing_have_no_prefix() -> None:
    """One block each, all different: one class a scope, with nothing to cache."""
    found = classes([request(f"q{n}") for n in range(4)])

    assert (found.items.tolist(), found.prefix_blocks.tolist(), found.prefix_chars.tolist()) == ([4], [0], [0])


def test_tokens_are_estimated_by_model_and_held_against_its_floor() -> None:
    """Unknown models have an estimate and no cache."""
    assert prefix_tokens(BOOK, "claude-haiku-5-5", round(512 * 2.85)) == (512, True)
    assert prefix_tokens(BOOK, "claude-haiku-5-5", round(511 * 2.85)) == (511, False)
    assert prefix_tokens(BOOK, "claude-unheard-of", 3_500) == (1_000, False)


def grouped(folder: Path, *files: bytes) -> Grouping:
    """Group files of these bytes."""
    paths = [folder / f"{number}.jsonl" for number in range(len(files))]
    for path, data in zip(paths, files, strict=True):
        path.write_bytes(data)
    return group_files(paths, BOOK, assignments=True)


def test_files_are_grouped_without_a_workspace(tmp_path: Path) -> None:
    """Groups by size with their prefix; a line that comes twice counts once."""
    lines = [line(f"a{n}", chat("A" * 3_000, f"q{n}")) for n in range(4)] + [line("b", chat("B" * 30, "q"))]
    found = grouped(tmp_path, b"\n".join(lines), b"\n \n" + lines[0])

    assert (found.requests, found.rejected) == (5, 0)
    assert [(g.items, g.prefix_chars, g.cacheable) for g in found.groups] == [(4, 3_000, True), (1, 0, False)]
    assert {"claude-haiku-5-5"} == {group.model for group in found.groups}
    assert found.assignments["custom_id"].to_list() == ["a0", "a1", "a2", "a3", "b"]
    assert [found.groups[0].id] * 4 + [found.groups[1].id] == found.assignments["group_id"].to_list()
    assert len(b"\n".join(lines) + b"\n \n" + lines[0]) == found.bytes


def test_the_same_id_with_another_prompt_is_told(tmp_path: Path) -> None:
    """The first one counts; file and line of the other are named."""
    found = grouped(tmp_path, line("a", request("x")) + b"\n" + line("a", request("y")))

    assert found.requests == 1
    assert found.reasons == (("0.jsonl", 2, "custom_id came before with another prompt"),)


@pytest.mark.parametrize(
    "name", [name for name in BAD_LINES if name not in ("UTF-8 in metadata", "nested too deep to write")]
)
def test_a_bad_line_is_told_and_the_others_are_grouped(tmp_path: Path, name: str) -> None:
    """No line can end the grouping of a file. (What is no part of the prompt is not looked at here.)"""
    bad, reason = BAD_LINES[name]
    found = grouped(tmp_path, line("x", request()) + b"\n" + bad.replace(b"\n", b" ") + b"\n" + line("y", request()))

    assert (found.requests, found.rejected) == (2, 1)
    ((file, number, said),) = found.reasons
    assert (file, number, reason in said) == ("0.jsonl", 2, True), said


def test_a_line_too_long_is_told(tmp_path: Path) -> None:
    """Over 32 MB is no request."""
    found = grouped(tmp_path, line("x", request("x" * 33_000_000)) + b"\n" + line("y", request()))

    assert (found.requests, found.rejected) == (1, 1)
    assert "32 MB" in found.reasons[0][2]


def scores(assignments: pl.DataFrame, truth: pl.DataFrame) -> tuple[float, float]:
    """Purity (items in the majority class of their group) and wholeness (items in the best group of their class)."""
    pairs = assignments.join(truth, on="custom_id", suffix="_true").group_by("group_id", "group_id_true").len()
    pure = pairs.group_by("group_id").agg(pl.max("len"))["len"].sum()
    whole = pairs.group_by("group_id_true").agg(pl.max("len"))["len"].sum()
    return float(pure) / truth.height, float(whole) / truth.height


def test_real_prompts_are_grouped_as_the_truth_says(shared_data: Path) -> None:
    """11,647 real requests, borders at blocks and inside texts: purity 99.9 %, every class whole."""
    folder = shared_data / "workloads"
    found = group_files(sorted(folder.glob("requests-*.jsonl.zst")), BOOK, assignments=True)
    truth = pl.read_parquet(folder / "truth.parquet")

    assert (truth.height, 0) == (found.requests, found.rejected)
    purity, wholeness = scores(found.assignments, truth)
    # Ten documents have one request each: they share nothing, and stand together as such.
    assert purity >= 0.999
    assert wholeness >= 0.999
    # What an exact tree over every byte of the same prompts can share.
    assert abs(found.shareable - 0.97) < 0.01


def test_a_sample_of_real_prompts_is_grouped_as_the_truth_says(shared_data: Path) -> None:
    """Small classes too: 485 lines of 17 prefixes."""
    folder = shared_data / "workloads"
    found = group_files([folder / "sample.jsonl"], BOOK, assignments=True)
    kept = found.assignments.select("custom_id")
    truth = pl.read_parquet(folder / "truth.parquet").join(kept, on="custom_id")

    assert min(scores(found.assignments, truth)) >= 0.995
