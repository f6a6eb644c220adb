"""What is refused at once, and what comes back as an errored item."""

import json
from typing import Any

import anthropic
import httpx2
import pytest

from tests.sandbox.driving import MODEL, Server, marked, request

TOOL = {"name": "note", "input_schema": {"type": "object", "properties": {"text": {"type": "string"}}}}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"{}",
        b'{"requests":[]}',
        b'{"requests":[1]}',
        b'{"requests":[{"params":{}}]}',
        b'{"requests":[{"custom_id":"a"}]}',
        b'{"requests":[{"custom_id":"a b","params":{}}]}',
        b'{"requests":[{"custom_id":"","params":{}}]}',
        b'{"requests":[{"custom_id":"a\\n","params":{}}]}',
        b'{"requests":[{"custom_id":5,"params":{}}]}',
        b'{"requests":[{"custom_id":"a","params":[]}]}',
        b'{"requests":{"custom_id":"a","params":{}}}',
        b'{"requests":[{"custom_id":"a","params":{"text":"\xff"}}]}',
        b"[" * 5000,
        b'{"requests":[{"custom_id":"' + b"a" * 65 + b'","params":{}}]}',
        b'{"requests":[{"custom_id":"a","params":{}},{"custom_id":"a","params":{}}]}',
        b'{"requests":[' + b",".join(b'{"custom_id":"%d","params":{}}' % n for n in range(100_001)) + b"]}",
    ],
    ids=lambda body: ascii(body[:60]),
)
def test_a_malformed_create_makes_no_batch(shared: Server, body: bytes) -> None:
    """Structure is checked at once: 400 and nothing exists."""
    headers = {"x-api-key": "k", "anthropic-version": "v"}

    answer = httpx2.post(f"{shared.url}/v1/messages/batches", content=body, headers=headers, timeout=60)

    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    assert shared.client.messages.batches.list().data == []


def test_a_create_over_256_megabytes_is_413(shared: Server) -> None:
    """The size of the body is a limit of its own, with the documented type."""
    headers = {"x-api-key": "k", "anthropic-version": "v"}

    answer = httpx2.post(f"{shared.url}/v1/messages/batches", content=bytes(256_000_001), headers=headers, timeout=60)

    assert (answer.status_code, answer.json()["error"]["type"]) == (413, "request_too_large")


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
def test_a_message_over_32_megabytes_is_413(shared: Server, path: str) -> None:
    """Direct messages and token counts have a smaller limit than batches."""
    headers = {"x-api-key": "k", "anthropic-version": "v"}

    answer = httpx2.post(f"{shared.url}{path}", content=bytes(32_000_001), headers=headers, timeout=60)

    assert (answer.status_code, answer.json()["error"]["type"]) == (413, "request_too_large")


def test_look_alikes_inside_a_request_do_no_harm(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Objects that look like requests, deep inside one, do not confuse the reader of large bodies."""
    monkeypatch.setattr("core.sandbox.body.SLICE_BYTES", 50)
    inner = [{"custom_id": f"{number}", "params": {}} for number in range(9)]
    tool = {"type": "tool_use", "id": "t", "name": "n", "input": {"list": inner}}
    talk = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": [tool]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "done"}]},
    ]

    results = server.run(request("a", messages=talk), *(request(f"b{number}") for number in range(5)))

    assert sorted(results) == ["a", "b0", "b1", "b2", "b3", "b4"]
    assert {result.type for result in results.values()} == {"succeeded"}


def test_a_body_in_another_layout_is_read(shared: Server) -> None:
    """Spaces, line breaks and further keys are as good as the client's compact form."""
    headers = {"x-api-key": "k", "anthropic-version": "v"}
    for body in (
        json.dumps({"requests": [request("a"), request("b")]}, indent=2),
        json.dumps({"metadata": 1, "requests": [request("a"), request("b")]}),
    ):
        answer = httpx2.post(f"{shared.url}/v1/messages/batches", content=body, headers=headers)

        assert answer.json()["request_counts"]["processing"] == 2
        shared.clock.move(hours=1)
        shared.client.messages.batches.delete(answer.json()["id"])


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("invalid_request_error", {"model": None}),
    ("invalid_request_error", {"model": 5}),
    ("not_found_error", {"model": "claude-nobody"}),
    ("invalid_request_error", {"messages": None}),
    ("invalid_request_error", {"messages": []}),
    ("invalid_request_error", {"messages": [{"role": "robot", "content": "x"}]}),
    ("invalid_request_error", {"messages": [{"role": "user", "content": ""}]}),
    ("invalid_request_error", {"messages": [{"role": "user", "content": 5}]}),
    ("invalid_request_error", {"messages": [{"role": "user", "content": [{"text": "x"}]}]}),
    ("invalid_request_error", {"messages": [{"role": "user", "content": [{"type": "text"}]}]}),
    ("invalid_request_error", {"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]}),
    (
        "invalid_request_error",
        {"messages": [*request()["params"]["messages"], {"role": "assistant", "content": "x"}]},
    ),
    ("invalid_request_error", {"max_tokens": None}),
    ("invalid_request_error", {"max_tokens": 0}),
    ("invalid_request_error", {"max_tokens": "many"}),
    ("invalid_request_error", {"max_tokens": 128_001}),
    ("invalid_request_error", {"stream": True}),
    ("invalid_request_error", {"speed": "fast"}),
    ("invalid_request_error", {"fallbacks": []}),
    ("invalid_request_error", {"bill_to": "user_profile"}),
    ("invalid_request_error", {"temperature": 0.5}),
    ("invalid_request_error", {"temperature": 3}),
    ("invalid_request_error", {"top_p": "x"}),
    ("invalid_request_error", {"top_k": 5}),
    ("invalid_request_error", {"tools": [TOOL], "tool_choice": {"type": "any"}}),
    ("invalid_request_error", {"model": "claude-opus-5", "tool_choice": {"type": "any"}}),
    ("invalid_request_error", {"thinking": {"type": "enabled", "budget_tokens": 2000}}),
    (
        "invalid_request_error",
        {"model": "claude-haiku-4-5", "thinking": {"type": "enabled", "budget_tokens": 1}},
    ),
    ("invalid_request_error", {"thinking": {"type": "disabled"}}),
    ("invalid_request_error", {"model": "claude-haiku-4-5", "thinking": {"type": "adaptive"}}),
    ("invalid_request_error", {"model": "claude-opus-4-8", "temperature": 0.5}),
    ("invalid_request_error", {"model": "claude-haiku-4-5", "output_config": {"effort": "low"}}),
    ("invalid_request_error", {"output_config": {"effort": "extreme"}}),
    ("invalid_request_error", {"inference_geo": "moon"}),
    ("invalid_request_error", {"model": "claude-haiku-4-5", "inference_geo": "us"}),
    ("invalid_request_error", {"tools": 5}),
    ("invalid_request_error", {"tools": [{}]}),
    ("invalid_request_error", {"system": [marked("x", "2h")]}),
    ("invalid_request_error", {"system": [{"type": "text", "text": "x", "cache_control": {"type": "y"}}]}),
    ("invalid_request_error", {"system": [marked("x")] * 5}),
    ("invalid_request_error", {"system": [marked("x", "5m"), marked("y", "1h")]}),
    ("invalid_request_error", {"model": "claude-haiku-4-5", "system": "x" * 800_000}),
]


def test_wrong_params_are_late_errors_of_their_own_items(server: Server) -> None:
    """Each wrong item comes back errored in the documented shape; a right one beside them succeeds."""
    wrong = [request(f"item-{number}", **params) for number, (_, params) in enumerate(WRONG)]

    results = server.run(*wrong, request("right"))

    assert results["right"].type == "succeeded"
    for number, (kind, params) in enumerate(WRONG):
        result = results[f"item-{number}"]
        assert result.type == "errored", params
        assert (result.error.type, result.error.error.type) == ("error", kind), params
        assert result.error.error.message
        assert result.error.request_id.startswith("req_sim_")


def test_older_models_take_what_newer_ones_refuse(server: Server) -> None:
    """Refusals belong to models, not to parameters."""
    talk = [*request()["params"]["messages"], {"role": "assistant", "content": "The answer is"}]
    older: dict[str, Any] = {"model": "claude-opus-4-5", "messages": talk, "temperature": 0.2}

    results = server.run(
        request("old", **older),
        request("forced", model="claude-opus-5", tools=[TOOL], tool_choice={"type": "tool", "name": "note"}),
        request("us", inference_geo="us"),
        request("json", output_config={"format": {"type": "json_schema", "schema": TOOL["input_schema"]}}),
    )

    assert results["old"].type == "succeeded"
    assert results["forced"].message.stop_reason == "tool_use"
    assert results["forced"].message.content[0].input == {"text": "Simulated"}
    assert results["us"].message.usage.inference_geo == "us"
    assert results["json"].message.content[0].text == '{"text":"Simulated"}'


def test_the_long_output_beta_raises_the_limit(server: Server) -> None:
    """With its beta header an item may ask for 300,000 tokens."""
    asked: Any = [request(max_tokens=300_000)]
    batch = server.client.beta.messages.batches.create(requests=asked, betas=["output-300k-2026-03-24"])
    server.clock.move(hours=1)

    (line,) = server.client.beta.messages.batches.results(batch.id)

    assert line.result.type == "succeeded"


def test_an_early_download_is_refused(server: Server) -> None:
    """The raw results address answers 400 before the end and 404 for a stranger."""
    batch = server.send(request())
    headers = {"x-api-key": "k", "anthropic-version": "v"}

    for name, status in ((batch.id, 400), ("msgbatch_unknown", 404)):
        assert httpx2.get(f"{server.url}/v1/messages/batches/{name}/results", headers=headers).status_code == status


def test_errors_raise_the_classes_of_the_client(server: Server) -> None:
    """The client turns an error into its class, with type and request id."""
    with pytest.raises(anthropic.NotFoundError) as caught:
        server.client.messages.batches.retrieve("msgbatch_unknown")

    assert caught.value.type == "not_found_error"
    assert caught.value.request_id is not None and caught.value.request_id.startswith("req_sim_")
    assert MODEL
