"""Grading: one table of what is right, and graders that answer for whatever they are given."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.grading import BadGrader, Grade, described, make_grader
from core.grading.numbers import number_in
from core.grading.texts import normalised

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "cases" / "grading.json").read_text())
SPECS = list({json.dumps(case["spec"]): case["spec"] for case in CASES}.values())
GRADERS = [make_grader(spec) for spec in SPECS]
ODD = st.text() | st.text('{}[]":,.0123456789eE%-\ud800') | st.sampled_from(["[" * 9_000, "9" * 9_000, "1e400", "NaN"])


@pytest.mark.parametrize("case", CASES, ids=[case["why"] for case in CASES])
def test_the_table_of_what_is_right(case: dict[str, Any]) -> None:
    """Each row is one rule of one grader; null is never a label."""
    grade = make_grader(case["spec"]).grade(case["answer"], gold=case.get("gold"), reference=case.get("reference"))

    assert grade.correct is case["correct"]
    assert grade.label is case["correct"]
    assert bool(grade.note) == (grade.correct is not True)


@given(answer=ODD, other=ODD)
def test_graders_never_raise(answer: str, other: str) -> None:
    """A model may answer anything, and a file may hold anything: each gets a grade."""
    for grader in GRADERS:
        grade = grader.grade(answer, gold=other, reference=other)
        # What a note quoted could not be kept by a store that holds no texts.
        assert len(answer) < 9 or answer not in grade.note


@given(text=st.text())
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    """Else an answer could differ from itself, once stored and read again."""
    once = normalised(text)

    assert normalised(once) == once
    assert normalised(f" {text}\n") == once


@given(number=st.decimals(allow_nan=False, allow_infinity=False, places=3))
def test_a_number_is_read_as_it_was_written(number: Any) -> None:
    """With thousands parted or not, and in the notation of a comma."""
    assert number_in(f"It is {number:f}.") == number
    assert number_in(f"It is {number:,}") == number
    assert number_in(f"{number:,}".translate(str.maketrans(",.", ".,")), decimal=",") == number


@pytest.mark.parametrize("spec", SPECS, ids=[json.dumps(spec)[:60] for spec in SPECS])
def test_a_grader_comes_back_from_its_own_data(spec: dict[str, Any]) -> None:
    """The store and the certificate keep the specification, and a certificate must be checkable from it."""
    grader = make_grader(spec)
    kept = json.loads(json.dumps(grader.spec))

    assert make_grader(kept).spec == grader.spec
    assert all(kept[option] == value for option, value in spec.items() if option != "by")
    assert described(kept) == grader.sentence
    assert grader.sentence.endswith(".")


def test_options_may_be_texts() -> None:
    """The command line knows texts only."""
    assert make_grader({"kind": "numeric", "absolute": "0.5"}).spec["absolute"] == 0.5
    assert make_grader({"kind": "normalised", "case": "true"}).spec["case"] is True


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({}, "the kinds are exact, normalised"),
        ({"kind": "magic"}, "the kinds are exact, normalised"),
        ({"kind": ["exact"]}, "the kinds are exact, normalised"),
        ({"kind": "exact", "feild": "label"}, "unknown field `feild`"),
        ({"kind": "exact", "field": "$"}, "it names no field"),
        ({"kind": "exact", "field": "a..b"}, "it names no field"),
        ({"kind": "numeric", "absolute": "wide"}, "at `$.absolute`"),
        ({"kind": "numeric", "relative": -1}, "from 0 on"),
        ({"kind": "numeric", "relative": float("nan")}, "from 0 on"),
        ({"kind": "numeric", "take": "middle"}, "at `$.take`"),
        ({"kind": "regex"}, "missing required field `pattern`"),
        ({"kind": "regex", "pattern": "(spam"}, "unclosed group"),
        ({"kind": "regex", "pattern": "(?=spam)"}, "look-around"),
        ({"kind": "regex", "pattern": "x", "field": "["}, "it names no field"),
        ({"kind": "schema", "schema": []}, "at `$.schema`"),
        ({"kind": "schema", "schema": {"type": "objekt"}}, "at: type"),
        ({"kind": "schema", "schema": {"$ref": "#"}}, "without end"),
        ({"kind": "schema", "schema": {"$ref": "https://example.org/schema"}}, "something that is not in it"),
        ({"kind": "schema", "schema": {"$schema": "https://example.org/draft-99"}}, "names no draft"),
        ({"kind": "schema", "schema": {"$schema": 7}}, "at: $schema"),
        ({"kind": "schema", "schema": {"items": {"pattern": "(?!x)"}}}, "look-around"),
        ({"kind": "schema", "schema": {}, "equal": [""]}, "it names no field"),
        ({"kind": "agreement", "by": "people"}, "`$.by"),
        ({"kind": "rubric", "rubric": " ", "model": "claude-haiku-5-5"}, "it is empty"),
        ({"kind": "rubric", "rubric": "x", "model": "claude-haiku-5-5", "max_tokens": 0}, "at least 1"),
        ({"kind": "python", "function": "mine.py:grade"}, "the folder of a workspace"),
    ],
)
def test_what_is_no_grader_is_refused_with_its_reason(spec: dict[str, Any], why: str) -> None:
    """Before anything is sent, and so that its author can mend it."""
    with pytest.raises(BadGrader) as refused:
        make_grader(spec)

    assert why in str(refused.value)


def test_a_schema_that_refers_elsewhere_for_some_answers_loses_those() -> None:
    """Nothing is fetched, and what cannot be known is no verdict on the answer."""
    schema = {"if": {"type": "object"}, "then": {"$ref": "https://example.org/schema"}}
    grader = make_grader({"kind": "schema", "schema": schema})

    assert grader.grade("1").correct is True
    assert grader.grade("{}") == Grade(
        correct=None, note="The schema refers to something that is not in it.", lost=True
    )


def test_a_lost_answer_counts_against_the_model() -> None:
    """An answer that breaks its grader would else be left out, to the favour of the model that gave it."""
    assert Grade(correct=None, note="…", lost=True).label is False
    assert Grade(correct=None, note="…").label is None


def test_the_documented_graders_are_graders(checkout: Path, tmp_path: Path) -> None:
    """What users copy from docs/graders.md works, and every kind and option is told there."""
    text = (checkout / "docs" / "graders.md").read_text()
    (tmp_path / "graders").mkdir()
    [source] = re.findall(r"```python\n# graders/mine.py\n(.*?)```", text, re.DOTALL)
    (tmp_path / "graders" / "mine.py").write_text(source)

    for spec in re.findall(r"```json\n(.*?)```", text, re.DOTALL):
        make_grader(json.loads(spec), tmp_path)
    for grader in [*GRADERS, make_grader({"kind": "python", "function": "mine.py:grade"}, tmp_path)]:
        [row] = re.findall(rf"^\| `{grader.kind}` \|.*$", text, re.MULTILINE)
        assert {option for option in grader.spec.keys() - {"kind", "sha256"} if f"`{option}`" not in row} == set()
