"""Every endpoint, as the official client sees it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import anthropic
import httpx2
import pytest

from core.sandbox import BATCH_PREFIX, SIMULATED_HEADER, BadSandboxOption, SandboxOptions, is_simulated
from tests.sandbox.driving import MODEL, Server, Start, request, requests


def test_a_batch_runs_from_creation_to_results(server: Server) -> None:
    """A batch is in progress without a results_url, then ended with one; its ids say that it is simulated."""
    batch = server.send(*requests(120))

    assert (batch.processing_status, batch.results_url, batch.ended_at) == ("in_progress", None, None)
    assert batch.request_counts.processing == 120
    assert batch.expires_at - batch.created_at == timedelta(hours=24)
    assert batch.id.startswith(BATCH_PREFIX)
    assert is_simulated(batch.id)
    server.clock.move(seconds=30)
    running = server.client.messages.batches.retrieve(batch.id)
    assert (running.request_counts.processing, running.request_counts.succeeded) == (120, 0)
    ended = server.finish(batch)
    assert ended.results_url == f"{server.url}/v1/messages/batches/{batch.id}/results"
    assert (ended.request_counts.processing, ended.request_counts.succeeded) == (0, 120)
    assert ended.ended_at is not None and ended.created_at < ended.ended_at < server.clock.now
    lines = [line.custom_id for line in server.client.messages.batches.results(batch.id)]
    sent = [f"item-{number}" for number in range(120)]
    assert sorted(lines) == sorted(sent)
    assert lines != sent


def test_live_counts_are_an_option(start: Start) -> None:
    """With live_counts finished items are counted while the batch runs; the sum stays the total."""
    server = start(live_counts=True, seconds_spread=0.0, width=1)
    batch = server.send(*requests(3))
    server.clock.move(seconds=50)

    counts = server.client.messages.batches.retrieve(batch.id).request_counts

    assert (counts.processing, counts.succeeded) == (1, 2)


def test_a_result_is_a_marked_message_with_batch_usage(server: Server) -> None:
    """A result carries the documented usage and says that it is simulated."""
    result = server.run(request())["one"]

    assert result.type == "succeeded"
    assert result.message.model == MODEL
    assert result.message.stop_reason == "end_turn"
    assert result.message.content[0].text.startswith("Simulated result")
    usage = result.message.usage
    assert (usage.service_tier, usage.inference_geo) == ("batch", "global")
    assert 0 < usage.output_tokens < 100
    assert usage.cache_creation.ephemeral_1h_input_tokens == 0


def test_lists_page_both_ways(server: Server) -> None:
    """The list is newest first; after_id goes to older batches, before_id to newer ones."""
    ids = []
    for number in range(5):
        ids.append(server.send(request(f"r{number}")).id)
        server.clock.move(seconds=1)
    newest = ids[::-1]
    listing = server.client.messages.batches.list

    assert [batch.id for batch in listing(limit=2)] == newest
    first = listing(limit=2)
    assert (first.has_more, first.first_id, first.last_id) == (True, newest[0], newest[1])
    assert [batch.id for batch in listing(limit=2, before_id=newest[4]).data] == newest[2:4]
    assert sorted(batch.id for batch in listing(limit=2, before_id=newest[4])) == sorted(newest[:4])
    assert [batch.id for batch in listing(after_id=newest[3]).data] == newest[4:]
    for wrong in ({"limit": 0}, {"limit": 1001}, {"after_id": newest[0], "before_id": newest[1]}):
        with pytest.raises(anthropic.BadRequestError):
            listing(**wrong)
    with pytest.raises(anthropic.NotFoundError):
        listing(after_id="msgbatch_unknown")


def test_cancel_stops_what_has_not_begun(start: Start) -> None:
    """Running items finish and are billed, the others are canceled; an ended batch cannot be canceled."""
    server = start(width=2)
    batch = server.send(*requests(10))
    server.clock.move(seconds=1)

    canceling = server.client.messages.batches.cancel(batch.id)

    assert canceling.processing_status == "canceling"
    assert canceling.cancel_initiated_at == server.clock.now
    assert server.client.messages.batches.cancel(batch.id).processing_status == "canceling"
    ended = server.finish(batch)
    assert (ended.request_counts.succeeded, ended.request_counts.canceled) == (2, 8)
    kinds = [result.type for result in server.results(ended).values()]
    assert sorted(kinds) == ["canceled"] * 8 + ["succeeded"] * 2
    with pytest.raises(anthropic.BadRequestError):
        server.client.messages.batches.cancel(batch.id)


def test_only_an_ended_batch_is_deleted(server: Server) -> None:
    """A delete takes the results and the entry of the list with it."""
    batches = server.client.messages.batches
    batch = server.send(request())
    with pytest.raises(anthropic.BadRequestError):
        batches.delete(batch.id)
    server.finish(batch)

    assert batches.delete(batch.id).type == "message_batch_deleted"

    assert batches.list().data == []
    for call in (batches.retrieve, batches.cancel, batches.delete):
        with pytest.raises(anthropic.NotFoundError):
            call(batch.id)


def test_a_deleted_batch_stays_away_while_others_run(server: Server) -> None:
    """A delete in the middle of other work is final as well."""
    first = server.finish(server.send(request()))
    server.send(*requests(60))

    server.client.messages.batches.delete(first.id)

    server.clock.move(hours=1)
    assert len(server.client.messages.batches.list().data) == 1


def test_results_are_archived(server: Server) -> None:
    """After 29 days the batch is listed, archived_at is set, and the results are gone."""
    batch = server.finish(server.send(request()))
    with pytest.raises(anthropic.AnthropicError, match="results_url"):
        server.client.messages.batches.results(server.send(request()).id)
    url = batch.results_url
    assert url is not None
    server.clock.move(days=29)

    old = server.client.messages.batches.retrieve(batch.id)

    assert (old.archived_at, old.results_url) == (batch.created_at + timedelta(days=29), None)
    assert httpx2.get(url, headers={"x-api-key": "k", "anthropic-version": "v"}).status_code == 404


def test_what_waits_at_the_deadline_expires(start: Start) -> None:
    """24 hours after its creation a batch expires what has not begun."""
    server = start(width=1, seconds_per_item=36_000.0, seconds_spread=0.0)

    results = server.run(*requests(5), days=2)

    kinds = sorted(result.type for result in results.values())
    assert kinds == ["expired"] * 2 + ["succeeded"] * 3


@pytest.mark.parametrize("version", ["2023-06-01", "2026-10-21"])
@pytest.mark.parametrize("credentials", [{"x-api-key": "k"}, {"authorization": "Bearer k"}])
def test_both_versions_and_both_credentials_work(shared: Server, version: str, credentials: dict[str, str]) -> None:
    """Any version and either header are accepted, and every answer says that it is simulated."""
    answer = httpx2.get(f"{shared.url}/v1/models", headers={**credentials, "anthropic-version": version})

    assert answer.status_code == 200
    assert answer.headers[SIMULATED_HEADER] == "true"
    assert answer.headers["request-id"].startswith("req_sim_")
    assert answer.headers["anthropic-organization-id"]


@pytest.mark.parametrize(
    ("headers", "path", "status", "kind"),
    [
        ({"anthropic-version": "v"}, "/v1/models", 401, "authentication_error"),
        ({"authorization": "Bearer", "anthropic-version": "v"}, "/v1/models", 401, "authentication_error"),
        ({"x-api-key": "k"}, "/v1/models", 400, "invalid_request_error"),
        ({"x-api-key": "k", "anthropic-version": "v"}, "/v1/nowhere", 404, "not_found_error"),
    ],
)
def test_refused_calls(shared: Server, headers: dict[str, str], path: str, status: int, kind: str) -> None:
    """Refusals have the error shape of the API."""
    answer = httpx2.get(f"{shared.url}{path}", headers=headers)

    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["type"], body["error"]["type"]) == (status, "error", kind)
    assert body["request_id"] == answer.headers["request-id"]


def test_the_front_page_says_what_this_is(shared: Server) -> None:
    """The address itself can be opened without credentials."""
    assert httpx2.get(shared.url).json()["simulated"] is True


def test_models_are_those_of_the_price_book(shared: Server) -> None:
    """Models are paged, and found by alias."""
    listed = [model.id for model in shared.client.models.list(limit=5)]

    assert MODEL in listed
    assert len(listed) == len(set(listed))
    found = shared.client.models.retrieve("claude-haiku-4-5-20251001")
    assert (found.id, found.line, found.max_tokens) == ("claude-haiku-4-5", "haiku", 64_000)
    assert found.capabilities is not None and found.capabilities.batch.supported
    assert shared.client.models.list(lifecycle=["retired"]).data == []
    with pytest.raises(anthropic.NotFoundError):
        shared.client.models.retrieve("claude-nobody")


def test_a_model_tells_what_it_takes(shared: Server) -> None:
    """What the list of models says of thinking, effort and retirement is what requests then meet."""
    for name, thinks, effort in (
        ("claude-haiku-4-5", {"disabled", "enabled"}, set()),
        ("claude-sonnet-4-6", {"adaptive", "disabled", "enabled"}, {"low", "medium", "high", "max"}),
        ("claude-sonnet-5-5", {"adaptive", "between_tools"}, {"low", "medium", "high", "xhigh", "max"}),
        ("claude-opus-5-5", {"adaptive"}, {"low", "medium", "high", "xhigh", "max"}),
    ):
        told = shared.client.models.retrieve(name).capabilities
        assert told is not None
        types, levels = told.thinking.types.to_dict(), told.effort.to_dict()
        assert {kind for kind, of in types.items() if of == {"supported": True}} == thinks
        assert {level for level, of in levels.items() if of == {"supported": True}} == effort
        assert levels["supported"] is bool(effort)
    assert shared.client.models.retrieve("claude-sonnet-4-5").retires_at == datetime(2026, 11, 30, tzinfo=UTC)


def test_messages_and_token_counts(shared: Server) -> None:
    """A direct message is answered at once at the standard tier; its count is what usage shows."""
    messages: Any = [{"role": "user", "content": "Hello there"}]
    counted = shared.client.messages.count_tokens(model=MODEL, messages=messages).input_tokens

    message = shared.client.messages.create(model=MODEL, max_tokens=50, messages=messages)

    assert message.usage.input_tokens == counted
    assert message.usage.service_tier == "standard"
    with pytest.raises(anthropic.NotFoundError):
        shared.client.messages.create(model="claude-nobody", max_tokens=5, messages=messages)


TOOL: Any = {"name": "note", "input_schema": {"type": "object", "properties": {"text": {"type": "string"}}}}


@pytest.mark.parametrize(
    "more",
    [{}, {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "note"}}],
    ids=["text", "tool"],
)
def test_a_streamed_message_is_the_message(server: Server, more: dict[str, Any]) -> None:
    """The client puts the events together to what it would have got at once: content, stop reason and usage."""
    asked: Any = {"model": "claude-opus-4-5", "max_tokens": 50, "messages": [{"role": "user", "content": "Hi"}], **more}

    whole = server.client.messages.create(**asked)
    with server.client.messages.stream(**asked) as stream:
        streamed = stream.get_final_message()

    assert streamed.stop_reason == whole.stop_reason
    assert [block.type for block in streamed.content] == [block.type for block in whole.content]
    if more:
        assert streamed.content[0].to_dict()["input"] == {"text": "Simulated"}
    assert streamed.usage.input_tokens == whole.usage.input_tokens
    assert streamed.usage.output_tokens > 1


def test_the_direct_cache_is_its_own(server: Server) -> None:
    """A direct call reads what a direct call wrote, a batch does not."""
    system: Any = [{"type": "text", "text": "x" * 9000, "cache_control": {"type": "ephemeral"}}]
    messages: Any = [{"role": "user", "content": "Hello"}]
    usages = [
        server.client.messages.create(model=MODEL, max_tokens=5, system=system, messages=messages).usage
        for _ in range(2)
    ]

    assert usages[0].cache_creation_input_tokens == usages[1].cache_read_input_tokens
    assert server.run(request(system=system))["one"].message.usage.cache_read_input_tokens == 0


def test_options_are_checked() -> None:
    """An option out of range is refused with its name; shares may not exceed the whole."""
    for wrong in ({"width": 0}, {"time_scale": 0.0}, {"queue_seconds": -1.0}, {"error_rate": 1.5}):
        with pytest.raises(BadSandboxOption):
            SandboxOptions(**wrong)
    with pytest.raises(BadSandboxOption):
        SandboxOptions(error_rate=0.6, expiry_rate=0.6)
