"""Models of the local server that differ in quality: how often they find an item's hidden truth."""

import json
from pathlib import Path
from typing import Any

import pytest

from core.prices import PriceBook
from core.requests.adapting import adapted
from core.sandbox import BadSandboxOption, SandboxOptions, truth_of
from tests.sandbox.driving import Start, request

COUNT = 400
RATES = {"haiku_right": 0.8, "sonnet_right": 0.9, "opus_right": 0.97, "fable_right": 1.0}
HAIKU, SONNET, OPUS, MYTHOS = "claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5", "claude-mythos-5-1"
LABELS = ["refund", "delivery", "repair", "other"]
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "label": {"enum": LABELS},
        "about": {"type": "object", "properties": {"urgent": {"type": "boolean"}, "note": {"type": "string"}}},
        "confidence": {"type": "number"},
    },
}
FORMAT = {"format": {"type": "json_schema", "schema": SCHEMA}}
TOOL = {"name": "sort", "input_schema": SCHEMA}


def items(model: str, count: int = COUNT, **params: Any) -> list[dict[str, Any]]:
    """Items of one class, each with its own text."""
    asked = {"model": model, "output_config": FORMAT, **params}
    return [request(f"{model}-{number}", f"Ticket {number}", **asked) for number in range(count)]


def answers(results: dict[str, Any]) -> list[Any]:
    """What was answered, in the order of the items."""
    by_number = sorted(results, key=lambda name: int(name.rpartition("-")[2]))
    blocks = [results[name].message.content[0] for name in by_number]
    return [block.input if block.type == "tool_use" else json.loads(block.text) for block in blocks]


def right(found: list[Any], truths: list[Any]) -> list[bool]:
    """Which answers are right, whatever confidence they state."""
    chosen = [{**answer, "confidence": 1.0} for answer in found]
    return [answer == truth for answer, truth in zip(chosen, truths, strict=True)]


def test_a_line_is_right_as_often_as_it_is_told(start: Start) -> None:
    """Trials must be able to find what was put in; larger models are right wherever smaller ones are."""
    server = start(answer_noise=0.0, **RATES)
    truths = [truth_of(item["params"], 0) for item in items(HAIKU)]

    hits = {model: right(answers(server.run(*items(model))), truths) for model in (HAIKU, SONNET, OPUS, MYTHOS)}

    shares = {model: sum(hit) / COUNT for model, hit in hits.items()}
    assert shares == pytest.approx({HAIKU: 0.8, SONNET: 0.9, OPUS: 0.97, MYTHOS: 1.0}, abs=0.05)
    nested = zip(*(hits[model] for model in (HAIKU, SONNET, OPUS, MYTHOS)), strict=True)
    assert all(list(of) == sorted(of) for of in nested)
    assert {truth["label"] for truth in truths} == set(LABELS)
    assert {truth["about"]["urgent"] for truth in truths} == {False, True}


def test_answers_belong_to_item_and_model_not_to_the_batch(start: Start) -> None:
    """Sent again under other names, marked, split or adapted, an item gets the same answer: a rerun compares."""
    server = start(answer_noise=0.0, **RATES)
    first = answers(server.run(*items(HAIKU, 40)))
    marked = [
        {**item, "params": {**item["params"], "messages": [{"role": "user", "content": _split(number)}]}}
        for number, item in enumerate(items(HAIKU, 40))
    ]

    again = answers(server.run(*({**item, "custom_id": f"b-{number}"} for number, item in enumerate(marked))))

    assert again == first
    assert [truth_of(item["params"], 0) for item in marked] == [
        truth_of(item["params"], 0) for item in items(SONNET, 40)
    ]
    params, _ = adapted(items(HAIKU, 1)[0]["params"], PriceBook.load().model(OPUS))
    assert truth_of(params, 0) == truth_of(marked[0]["params"], 0)


def _split(number: int) -> list[dict[str, Any]]:
    head = {"type": "text", "text": "Ticket", "cache_control": {"type": "ephemeral"}}
    return [head, {"type": "text", "text": f" {number}"}]


def test_noise_makes_two_runs_differ_a_little(start: Start) -> None:
    """The agreement of a model with itself is below one, and its rate stays what it was."""
    server = start(answer_noise=0.5, **RATES)
    truths = [truth_of(item["params"], 0) for item in items(HAIKU)]

    runs = [right(answers(server.run(*items(HAIKU))), truths) for _ in range(2)]

    agreement = sum(first == second for first, second in zip(*runs, strict=True)) / COUNT
    assert 0.68 < agreement < 0.95
    assert [sum(run) / COUNT for run in runs] == pytest.approx([0.8, 0.8], abs=0.07)


def test_confidence_tells_something_of_being_right(start: Start) -> None:
    """A cascade needs a sign that costs nothing: sure answers are right more often than unsure ones."""
    server = start(**RATES)
    found = answers(server.run(*items(HAIKU)))
    hit = right(found, [truth_of(item["params"], 0) for item in items(HAIKU)])
    order = sorted(range(COUNT), key=lambda number: found[number]["confidence"])

    unsure, sure = (sum(hit[number] for number in half) for half in (order[: COUNT // 2], order[COUNT // 2 :]))

    assert sure > unsure + COUNT * 0.1
    assert all(0 <= answer["confidence"] <= 1 for answer in found)


def test_forced_tools_choose_too(start: Start) -> None:
    """The form of the answer makes no difference to what is right."""
    forced: Any = {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "sort"}, "output_config": None}
    server = start(answer_noise=0.0, **RATES)

    called = answers(server.run(*items(HAIKU, 30, **forced)))

    assert called == answers(server.run(*items(HAIKU, 30)))
    assert truth_of(items(HAIKU, 1, **forced)[0]["params"], 0) == truth_of(items(HAIKU, 1)[0]["params"], 0)


def test_without_rates_answers_are_as_plain_as_ever(start: Start) -> None:
    """Whoever does not ask for tiers gets the first value of every list."""
    (answer,) = answers(start().run(*items(HAIKU, 1)))

    assert answer == {"label": "refund", "about": {"urgent": False, "note": "Simulated"}, "confidence": 0}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"text": {"type": "string"}, "confidence": {"type": "number"}}},
        {"enum": ["only"]},
        {"const": True},
    ],
)
def test_nothing_to_choose_is_nothing_to_be_right_about(schema: dict[str, Any]) -> None:
    """A truth is never made up where every answer would do."""
    asked = request(output_config={"format": {"type": "json_schema", "schema": schema}})["params"]

    assert truth_of(asked, 0) is None
    assert truth_of(request()["params"], 0) is None


def test_a_bare_enum_and_another_seed(start: Start) -> None:
    """A schema may be the list itself; another seed hides other truths."""
    schema = {"enum": LABELS}
    asked = items(MYTHOS, 30, output_config={"format": {"type": "json_schema", "schema": schema}})

    found = answers(start(seed=3, **RATES).run(*asked))

    assert found == [truth_of(item["params"], 3) for item in asked]
    assert found != [truth_of(item["params"], 4) for item in asked]


def test_a_restart_keeps_the_answers(start: Start, tmp_path: Path) -> None:
    """Requests that were kept in compact form still know their items."""
    asked = items(HAIKU, 20)
    reference = answers(start(**RATES).run(*asked))
    batch = start(folder=tmp_path, **RATES).send(*asked)

    again = start(folder=tmp_path, **RATES)

    assert answers(again.results(again.finish(batch))) == reference


def test_a_rate_is_a_share() -> None:
    """What cannot be a share is refused at the start."""
    with pytest.raises(BadSandboxOption, match="opus_right"):
        SandboxOptions(opus_right=1.2)
