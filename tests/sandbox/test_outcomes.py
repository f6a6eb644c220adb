"""Drawn outcomes: shares, seeds, restarts."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.driving import Clock, Server, Start, marked, request, requests

RATES: dict[str, Any] = {"error_rate": 0.2, "expiry_rate": 0.1, "refusal_rate": 0.1, "truncation_rate": 0.2}


def outcomes(results: dict[str, Any]) -> dict[str, Any]:
    """What happened to each item, without the ids that no two batches share."""
    return {
        name: (
            result.type,
            result.message.usage.model_dump() if result.type == "succeeded" else None,
            result.error.error.model_dump() if result.type == "errored" else None,
        )
        for name, result in results.items()
    }


def test_rates_are_shares_of_items(start: Start) -> None:
    """Errors are retryable, truncated and refused items succeed, expired ones carry nothing."""
    server = start(**RATES)

    results = server.run(*requests(1000))

    kinds = Counter(
        result.message.stop_reason if result.type == "succeeded" else result.type for result in results.values()
    )
    expected = {"errored": 200, "expired": 100, "refusal": 100, "max_tokens": 200, "end_turn": 400}
    assert all(abs(kinds[kind] - count) < 60 for kind, count in expected.items()), kinds
    errors = {result.error.error.type for result in results.values() if result.type == "errored"}
    assert errors == {"api_error", "overloaded_error"}
    messages = [result.message for result in results.values() if result.type == "succeeded"]
    assert all((m.usage.output_tokens == 100) is (m.stop_reason == "max_tokens") for m in messages)
    refused = [message for message in messages if message.stop_reason == "refusal"]
    assert all(not message.content and message.usage.input_tokens for message in refused)
    assert {message.stop_details.category for message in refused} >= {"bio", "cyber", None}


def test_the_same_seed_gives_the_same_outcome(start: Start) -> None:
    """Same seed, same batches: same outcome; another seed or a resend draws anew."""
    items = requests(200, system=[marked("x" * 9000)])
    first, again, other = start(seed=1, **RATES), start(seed=1, **RATES), start(seed=2, **RATES)
    batch = first.send(*items)
    reference = outcomes(first.results(first.finish(batch)))

    assert outcomes(again.run(*items)) == reference
    assert outcomes(other.run(*items)) != reference
    assert outcomes(first.run(*items)) != reference


def test_how_often_one_asks_changes_nothing(start: Start) -> None:
    """A server that is polled every few seconds ends like one that is asked once."""
    items = requests(100, system=[marked("x" * 9000)])
    polled, asked = start(**RATES), start(**RATES)
    batches = [server.send(*items) for server in (polled, asked)]
    for _ in range(20):
        polled.clock.move(seconds=7)
        polled.client.messages.batches.retrieve(batches[0].id)

    ends = [server.finish(batch) for server, batch in zip((polled, asked), batches, strict=True)]

    assert ends[0].ended_at == ends[1].ended_at
    assert outcomes(polled.results(ends[0])) == outcomes(asked.results(ends[1]))


def two_batches_and_a_cancel(start: Start, folder: Path | None, *, restart: bool) -> list[Any]:
    """A story that a restart in the middle must not change."""
    options: Any = {"width": 5, **RATES}
    server = start(folder=folder, **options)
    clock = server.clock
    opened = clock.now
    primer = server.finish(server.send(request("primer", system=[marked("x" * 9000, "1h")])), minutes=2)
    first = server.send(*requests(40, system=[marked("x" * 9000, "1h")]))
    clock.move(seconds=30)
    second = server.send(*requests(30, system=[marked("x" * 9000, "1h")]))
    short = server.send(request("bad", max_tokens=0))
    clock.move(seconds=30)
    server.client.messages.batches.cancel(second.id)
    server.client.messages.batches.delete(short.id)
    if restart:
        server = start(folder=folder, **options)
    story = [(server.finish(batch), outcomes(server.results(batch))) for batch in (first, second, primer)]
    seen = [(end.request_counts, (end.ended_at or opened) - opened, results) for end, results in story]
    assert len(server.client.messages.batches.list().data) == 3
    return seen


def test_a_restart_changes_nothing(start: Start, clock: Clock, tmp_path: Path) -> None:
    """Unfinished batches go on after a restart and end as they would have; ended ones keep their results."""
    reference = two_batches_and_a_cancel(start, None, restart=False)
    clock.move(days=1)

    assert two_batches_and_a_cancel(start, tmp_path / "sandbox", restart=True) == reference


def test_a_second_restart_finds_everything_ended(start: Start, tmp_path: Path) -> None:
    """Requests are dropped once nothing runs; results and the cache stay, ordinals go on."""
    system = [marked("x" * 9000, "1h")]
    server = start(folder=tmp_path)
    batch = server.finish(server.send(request("primer", system=system)), minutes=3)
    assert not list(tmp_path.glob("batches/*/requests.json"))

    again = start(folder=tmp_path)

    assert again.results(batch)["primer"].type == "succeeded"
    assert again.run(request(system=system))["one"].message.usage.cache_read_input_tokens > 0
    again.client.messages.batches.delete(batch.id)
    assert len(start(folder=tmp_path).client.messages.batches.list().data) == 1
    assert sorted(path.name for path in tmp_path.glob("batches/*")) == ["000002"]


def test_damaged_files_never_stop_the_start(start: Start, tmp_path: Path) -> None:
    """A torn file costs its batch; the others and the server itself go on."""
    server = start(folder=tmp_path)
    batches = [server.finish(server.send(request())) for _ in range(3)]
    running: Server = start(folder=tmp_path)
    lost = running.send(request())
    (tmp_path / "state.json").write_bytes(b'{"at')
    (tmp_path / "batches/000001/batch.json").write_bytes(b"")
    (tmp_path / "batches/000002/results.jsonl").unlink()
    (tmp_path / "batches/000004/requests.json").write_bytes(b'{"custom_ids":[]')
    (tmp_path / "batches/stray").write_text("x")

    again = start(folder=tmp_path)

    listed = {batch.id for batch in again.client.messages.batches.list()}
    assert listed == {batches[1].id, batches[2].id}
    assert lost.id not in listed
    assert again.results(batches[2])["one"].type == "succeeded"
    assert again.send(request()).id not in {batch.id for batch in (*batches, lost)}


def test_structured_answers_fit_their_schema(start: Start) -> None:
    """An item that asks for JSON gets the plainest value of its schema; a truncated one does not parse."""
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {
            "label": {"enum": ["good", "bad"]},
            "version": {"const": 2},
            "score": {"type": ["number", "null"]},
            "either": {"anyOf": [{"type": "boolean"}, {"type": "string"}]},
            "tags": {"type": "array", "items": {"type": "string"}, "minItems": 2},
            "any": True,
        },
    }
    item = request(output_config={"format": {"type": "json_schema", "schema": schema}})

    whole = start().run(item)["one"].message.content[0].text
    cut = start(truncation_rate=1.0).run(item)["one"].message.content[0].text

    assert json.loads(whole) == {
        "label": "good",
        "version": 2,
        "score": 0,
        "either": False,
        "tags": ["Simulated", "Simulated"],
        "any": None,
    }
    with pytest.raises(json.JSONDecodeError):
        json.loads(cut)
