"""Injected faults, and what the official client makes of them."""

import json
import time
from typing import Any

import anthropic
import httpx2
import pytest

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
        (CreateFault.TIMEOUT_504_AFTER_COMMIT, anthropic.InternalServerError),
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
        (ResultsFault.DUPLICATED, 11),
        (ResultsFault.FOREIGN_ID, 11),
        (ResultsFault.MISSING_ID, 9),
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


def test_answers_can_be_slow(server: Server) -> None:
    """Latency delays every answer in real time."""
    server.faults.latency_seconds = 0.15
    began = time.monotonic()

    count(server)

    assert time.monotonic() - began >= 0.15
