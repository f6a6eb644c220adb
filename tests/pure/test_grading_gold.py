"""What answers are compared with and read from: gold files, messages, prompts."""

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from core.grading import GoldUnusable, answer_of, matched_gold, prompt_of, read_gold

GOLD = {"a-1": "spam", "a-2": "0.5"}


def test_gold_comes_from_any_of_the_files_that_people_have(tmp_path: Path) -> None:
    """The same items and answers, whatever wrote them; further columns do not matter."""
    (tmp_path / "gold.csv").write_text('item_id,gold,note\na-1,spam,"x, y"\na-2,0.5,\n')
    (tmp_path / "gold.jsonl").write_text(
        '{"custom_id": "a-1", "label": "spam"}\n\n{"custom_id": "a-2", "label": 0.5}\n'
    )
    (tmp_path / "packed.jsonl").write_bytes(gzip.compress((tmp_path / "gold.jsonl").read_bytes()))
    pl.DataFrame({"id": ["a-1", "a-2"], "expected": ["spam", "0.5"]}).write_parquet(tmp_path / "gold.parquet")

    assert {name.name: read_gold(name) for name in tmp_path.iterdir()} == dict.fromkeys(
        ("gold.csv", "gold.jsonl", "gold.parquet", "packed.jsonl"), GOLD
    )


def test_gold_keeps_what_a_value_says(tmp_path: Path) -> None:
    """Ids stay texts, JSON values become canonical, and a row without gold is not labelled yet."""
    path = tmp_path / "gold.jsonl"
    rows = [{"id": 7, "gold": {"b": 1, "a": 2.0}}, {"id": "007", "gold": False}, {"id": "8", "gold": None}]
    path.write_text("\n".join(json.dumps(row) for row in [*rows, rows[0]]))

    assert read_gold(path) == {"7": '{"a":2,"b":1}', "007": "false"}


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("gold.csv", "", "empty"),
        ("gold.csv", "item_id,gold\n", "holds no gold answer"),
        ("gold.csv", "item_id,gold\na-1,\n", "holds no gold answer"),
        ("gold.csv", "item_id,gold\na-1,spam\na-1,ham\n", "item: a-1, why: this item has two different gold answers"),
        ("gold.csv", "item_id,truth\na-1,spam\n", "columns: item_id, truth, why: it has no column gold or answer"),
        ("gold.csv", "row,gold\n1,spam\n", "no column item_id or custom_id"),
        ("gold.csv", "item_id,gold\na-1,spam\n,ham\n", "row: 2, why: its item_id is empty"),
        ("gold.csv", "item_id,gold\na,b,c,d\n", "more fields"),
        ("gold.jsonl", "", "holds no gold answer"),
        ("gold.jsonl", '{"id": "a", "gold": "x"}\n{"id": ', "line: 2, why: it is no JSON object"),
        ("gold.jsonl", '["a", "x"]\n', "line: 1, why: it is no JSON object"),
        ("gold.jsonl", b'{"id": "\xff"}\n', "line: 1, why: it is no JSON object"),
        ("gold.jsonl", b"\x1f\x8btorn", "ends early or is damaged"),
        ("gold.parquet", "no parquet", "why: "),
        ("gold.xlsx", "x", "must end with one of .csv, .parquet, .jsonl"),
        ("missing.csv", None, "No such file"),
        ("missing.jsonl", None, "could not be read"),
    ],
)
def test_gold_that_cannot_be_used_is_refused(tmp_path: Path, name: str, text: str | bytes | None, why: str) -> None:
    """With the place and the reason, and never as a trial on what is left of it."""
    path = tmp_path / name
    if text is not None:
        path.write_bytes(text.encode() if isinstance(text, str) else text)

    with pytest.raises(GoldUnusable) as refused:
        read_gold(path)

    assert why in str(refused.value)
    assert refused.value.context["file"] == name


def test_gold_of_unknown_items_is_counted() -> None:
    """A file for another month is no fault as long as some of it fits."""
    matched = matched_gold(GOLD, ["a-1", "a-9", "a-8"])

    assert (matched.gold, matched.unknown, matched.missing) == ({"a-1": "spam"}, 1, 2)
    with pytest.raises(GoldUnusable, match="gold"):
        matched_gold(GOLD, ["a-9"])


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        ([{"type": "text", "text": "sp"}, {"type": "text", "text": "am"}], "spam"),
        ([{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "spam"}], "spam"),
        ([{"type": "tool_use", "name": "label", "input": {"b": 1, "a": "ä"}}], '{"a":"ä","b":1}'),
        ([{"type": "text", "text": "Here:"}, {"type": "tool_use", "name": "label", "input": {}}], "{}"),
        ([{"type": "tool_use", "input": {"n": 1}}, {"type": "tool_use", "input": {"n": 2}}], '[{"n":1},{"n":2}]'),
        ([], ""),
    ],
)
def test_the_answer_of_a_message(content: list[dict[str, Any]], answer: str) -> None:
    """Text as one, a called tool by its input, thinking not at all."""
    assert answer_of({"content": content}) == answer


def test_the_prompt_as_people_and_judges_read_it() -> None:
    """System text and messages, roles where there are several, and a word for what is no text."""
    asked = {"messages": [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is it?"}]}]}
    result = {"type": "tool_result", "content": [{"type": "text", "text": "42"}]}
    several = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": [result]},
    ]

    assert prompt_of(asked) == "[image]\nWhat is it?"
    assert prompt_of({**asked, "system": "Be short."}) == "Be short.\n\n[image]\nWhat is it?"
    assert prompt_of({"messages": several}) == "user: Hi\n\nassistant: Hello\n\nuser: 42"
