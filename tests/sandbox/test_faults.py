"""Injected faults, and what the official client makes of them."""

import json
import time
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic.types.messages import MessageBatch

from core.sandbox import CreateFault, Faults, ResultsFault
from tests.sandbox.driving import Server, Start, request, requests


def count(server: Server) -> int:
    """How many batches exist."""
    return len(server.client.messages.batches.list().data)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (CreateFault.DROP_AFTER_COMMIT, anthropic.APIConnectionError),
        (CreateFault.ERROR_500_AFTER_COMMIT, anthropic.InternalServerError),
        (CreateFault.ERROR_502_AFTER_COMMIT, anthropic.InternalServerError),
        (CreateFault.TIMEOUT_504_AFTER_COMMIT, anthropic.InternalServerError),
        (CreateFault.OVERLOADED_AFTER_COMMIT, anthropic.OverloadedError),
        (CreateFault.HANG_AFTER_COMMIT, anthropic.APITimeoutError),
    ],
)
def test_a_reply_lost_after_the_commit_leaves_a_batch(start: Start, fault: CreateFault, error: Any) -> None:
    """The client sees a failure although the batch exists; a client that retries makes a twin."""
    server = start(Faults(creates=[fault, fault]))
    asked: Any = [request()]

    with pytest.raises(error):
        server.client.with_options(timeout=0.3).messages.batches.create(requests=asked)

    assert count(server) == 1
    server.client.with_options(timeout=0.3, max_retries=1).messages.batches.create(requests=asked)
    assert count(server) == 3


@pytest.mark.parametrize(
    ("fault", "error", "kind"),
    [
        (CreateFault.RATE_LIMITED, anthropic.RateLimitError, "rate_limit_error"),
        (CreateFault.RATE_LIMITED_BARE, anthropic.RateLimitError, "rate_limit_error"),
        (CreateFault.SPEND_LIMIT, anthropic.RateLimitError, "rate_limit_error"),
        (CreateFault.CREDIT_TOO_LOW, anthropic.BadRequestError, "invalid_request_error"),
        (CreateFault.ERROR_500_BEFORE_COMMIT, anthropic.InternalServerError, "api_error"),
        (CreateFault.OVERLOADED, anthropic.OverloadedError, "overloaded_error"),
        (CreateFault.TOO_LARGE_HTML, anthropic.ContentTooLargeError, None),
    ],
)
def test_a_refusal_before_the_commit_makes_nothing(
    start: Start, fault: CreateFault, error: Any, kind: str | None
) -> None:
    """The client sees the class of the refusal, and no batch exists; the next create works."""
    server = start(Faults(creates=[fault]))

    with pytest.raises(error) as caught:
        server.send(request())

    assert caught.value.type == kind
    assert ("retry-after" in caught.value.response.headers) is (fault is CreateFault.RATE_LIMITED)
    if fault is CreateFault.SPEND_LIMIT:
        assert caught.value.response.json()["error"]["details"]["error_code"] == "enforced_spend_limit_reached"
    assert count(server) == 0
    server.send(request())
    assert count(server) == 1


def test_a_create_dropped_before_the_commit_makes_nothing(start: Start) -> None:
    """The client cannot tell this from a drop after the commit; only looking can."""
    server = start(Faults(creates=[CreateFault.DROP_BEFORE_COMMIT]))

    with pytest.raises(anthropic.APIConnectionError):
        server.send(request())

    assert count(server) == 0


def test_a_late_batch_appears_when_the_client_has_given_up(start: Start, tmp_path: Path) -> None:
    """It exists from its later moment on, also when the server was restarted in between, and then runs as any other."""
    first = start(Faults(creates=[CreateFault.LATE_COMMIT], late_seconds=90), folder=tmp_path)
    began = first.clock.now
    with pytest.raises(anthropic.APIConnectionError):
        first.send(request("late"))
    first.clock.move(seconds=60)
    other = first.send(request("other"))
    assert [batch.id for batch in first.client.messages.batches.list()] == [other.id]

    again = start(folder=tmp_path)
    assert count(again) == 1
    again.clock.move(seconds=31)
    late, _ = again.client.messages.batches.list()

    assert late.id != other.id
    assert (late.created_at - began).total_seconds() == pytest.approx(90, abs=0.001)
    assert set(again.results(again.finish(late))) == {"late"}


def test_a_slow_answer_is_an_answer(start: Start) -> None:
    """It comes late, and the client has its batch."""
    server = start(Faults(creates=[CreateFault.SLOW], slow_seconds=0.15))
    began = time.monotonic()

    batch = server.send(request())

    assert time.monotonic() - began >= 0.15
    assert [found.id for found in server.client.messages.batches.list()] == [batch.id]


def test_lists_and_lookups_may_lag(start: Start) -> None:
    """A new batch is missing for as long as asked on the server's clock, each way by itself."""
    server = start(Faults(list_lag_seconds=60, retrieve_lag_seconds=30))
    batch = server.send(request())

    assert count(server) == 0
    with pytest.raises(anthropic.NotFoundError):
        server.client.messages.batches.retrieve(batch.id)
    server.clock.move(seconds=30)
    assert server.client.messages.batches.retrieve(batch.id).id == batch.id
    assert count(server) == 0
    server.clock.move(seconds=30)
    assert count(server) == 1


def test_a_new_batch_may_not_be_found_at_first(server: Server) -> None:
    """A retrieve right after the create can answer 404 once."""
    batch = server.send(request())
    server.faults.missing_retrieves = 1

    with pytest.raises(anthropic.NotFoundError):
        server.client.messages.batches.retrieve(batch.id)

    assert server.client.messages.batches.retrieve(batch.id).id == batch.id


@pytest.mark.parametrize(
    ("fault", "rows"),
    [
        (ResultsFault.FEWER_LINES, 5),
        (ResultsFault.EMPTY, 0),
        (ResultsFault.DUPLICATED, 11),
        (ResultsFault.FOREIGN_ID, 11),
        (ResultsFault.MISSING_ID, 9),
        (ResultsFault.REORDERED, 10),
    ],
)
def test_wrong_results(server: Server, fault: ResultsFault, rows: int) -> None:
    """Rows are missing, doubled or foreign, and only counting shows it; the next download is right."""
    batch = server.finish(server.send(*requests(10)))
    server.faults.results.append(fault)

    ids = [line.custom_id for line in server.client.messages.batches.results(batch.id)]

    assert len(ids) == rows
    assert ("simulated-foreign-id" in ids) is (fault is ResultsFault.FOREIGN_ID)
    assert len(server.results(batch)) == 10


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (ResultsFault.CUT_LINE, json.JSONDecodeError),
        (ResultsFault.MALFORMED, json.JSONDecodeError),
        (ResultsFault.CUT_CONNECTION, httpx2.RemoteProtocolError),
    ],
)
def test_cut_results(server: Server, fault: ResultsFault, error: type[Exception]) -> None:
    """A download that ends early raises what the client raises for it."""
    batch = server.finish(server.send(*requests(10)))
    server.faults.results.append(fault)

    with pytest.raises(error):
        server.results(batch)

    assert len(server.results(batch)) == 10


def test_reordered_results_are_the_same_results(server: Server) -> None:
    """Every line is there once, in another place."""
    batch = server.finish(server.send(*requests(10)))
    server.faults.results.append(ResultsFault.REORDERED)

    first, second = (list(server.client.messages.batches.results(batch.id)) for _ in range(2))

    assert first != second
    assert sorted(first, key=lambda line: line.custom_id) == sorted(second, key=lambda line: line.custom_id)


def download(server: Server, batch: MessageBatch, **headers: str) -> httpx2.Response:
    """The results as bytes, asked for with these headers."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.get(str(batch.results_url), headers={"x-api-key": "k", "anthropic-version": "v", **named})


def test_a_download_goes_on_where_it_broke_off(server: Server) -> None:
    """The rest from a byte on completes what came before; a file that is another one comes whole."""
    batch = server.finish(server.send(*requests(10)))
    whole = download(server, batch)
    size = len(whole.content)

    rest = download(server, batch, range="bytes=100-", if_range=whole.headers["etag"])
    changed = download(server, batch, range="bytes=100-", if_range='"another"')
    unknown = download(server, batch, range="lines=1-2")
    beyond = download(server, batch, range=f"bytes={size}-")

    assert (whole.status_code, whole.headers["accept-ranges"]) == (200, "bytes")
    assert (rest.status_code, rest.headers["content-range"]) == (206, f"bytes 100-{size - 1}/{size}")
    assert whole.content[:100] + rest.content == whole.content
    assert (changed.status_code, changed.content) == (unknown.status_code, unknown.content) == (200, whole.content)
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{size}")
    assert beyond.json()["error"]["type"] == "invalid_request_error"


def test_a_resumed_download_can_break_off_again(server: Server) -> None:
    """A cut strikes within the part asked for."""
    batch = server.finish(server.send(*requests(10)))
    whole = download(server, batch).content
    server.faults.results.append(ResultsFault.CUT_CONNECTION)
    got = b""

    headers = {"x-api-key": "k", "anthropic-version": "v", "range": "bytes=100-"}
    with (
        pytest.raises(httpx2.RemoteProtocolError),
        httpx2.stream("GET", str(batch.results_url), headers=headers) as answer,
    ):
        for piece in answer.iter_raw():
            got += piece

    assert got == whole[100 : 100 + (len(whole) - 100) // 2]


def test_answers_can_be_slow(server: Server) -> None:
    """Latency delays every answer in real time."""
    server.faults.latency_seconds = 0.15
    began = time.monotonic()

    count(server)

    assert time.monotonic() - began >= 0.15
