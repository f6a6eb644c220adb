"""Faults and limits that a user switches on to see how a client copes."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import anthropic
import httpx2
import pytest

from core.loopback import LoopbackServer
from core.sandbox import BadSandboxOption, SandboxOptions, create_app
from core.sandbox.limits import RequestRate
from core.sandbox.rehearsal import Rehearsal
from tests.sandbox.driving import Server, Start, request, requests

CALLS = 400
MINUTE = 60_000_000


def outcome(send: Callable[[], object]) -> str:
    """What a call ended with, as the name of the client's exception."""
    try:
        send()
    except (anthropic.AnthropicError, httpx2.HTTPError) as error:
        return type(error).__name__
    return "done"


@pytest.mark.parametrize(
    ("name", "rate", "ends"),
    [
        ("drop_rate", 0.25, {"DROP_AFTER_COMMIT": 0.25}),
        ("hang_rate", 0.5, {"HANG_AFTER_COMMIT": 0.5}),
        (
            "server_error_rate",
            0.8,
            {
                "ERROR_500_AFTER_COMMIT": 0.2,
                "ERROR_502_AFTER_COMMIT": 0.2,
                "TIMEOUT_504_AFTER_COMMIT": 0.2,
                "OVERLOADED_AFTER_COMMIT": 0.2,
            },
        ),
    ],
)
def test_creates_fail_at_their_rate(name: str, rate: float, ends: dict[str, float]) -> None:
    """Each kind of failure strikes about as often as asked, and nothing else does; a seed repeats it exactly."""
    runs = [Rehearsal(SandboxOptions(seed=seed, **{name: rate})) for seed in (1, 1, 2)]  # type: ignore[arg-type]
    first, again, other = ([run.next_create() for _ in range(CALLS)] for run in runs)

    found = Counter(fault.name for fault in first if fault)
    assert set(found) == set(ends)
    for fault, share in ends.items():
        assert found[fault] / CALLS == pytest.approx(share, abs=0.08)
    assert first == again != other


def test_downloads_and_first_looks_fail_at_their_rate() -> None:
    """Truncation takes its three forms; a batch that was not found once is found from then on."""
    rehearsal = Rehearsal(SandboxOptions(truncated_results_rate=0.6, early_404_rate=0.3))
    downloads = Counter(fault.name if fault else "" for fault in (rehearsal.next_results() for _ in range(CALLS)))
    names = [f"batch-{number}" for number in range(CALLS)]
    for name in names:
        rehearsal.created(name)
    first = [rehearsal.next_retrieve_missing(name) for name in names]

    assert downloads.keys() == {"", "CUT_CONNECTION", "CUT_LINE", "FEWER_LINES"}
    assert downloads[""] / CALLS == pytest.approx(0.4, abs=0.08)
    assert sum(first) / CALLS == pytest.approx(0.3, abs=0.08)
    assert not any(rehearsal.next_retrieve_missing(name) for name in names)


def test_a_client_meets_what_is_rehearsed(start: Start) -> None:
    """At a rate of one every create is lost, every first look finds nothing, and every download is short."""
    server = start(drop_rate=1, early_404_rate=1, truncated_results_rate=1)
    batches = server.client.messages.batches

    assert outcome(lambda: server.send(*requests(9))) == "APIConnectionError"
    (batch,) = batches.list()
    assert outcome(lambda: batches.retrieve(batch.id)) == "NotFoundError"
    ended = server.finish(batch)
    try:
        lines = len(server.results(ended))
    except (ValueError, httpx2.HTTPError):
        lines = 0
    assert lines < 9


def test_the_front_page_tells_what_is_rehearsed(start: Start) -> None:
    """Whoever wonders about a failure can see that it was asked for; a key is never shown."""
    server = start(drop_rate=0.5, queue_limit=10, api_key="sk-sim-secret")

    page = httpx2.get(server.url)

    assert page.json()["rehearsed"] == {"drop_rate": 0.5, "queue_limit": 10}
    assert "secret" not in page.text


@pytest.mark.parametrize(
    "wrong",
    [
        {"drop_rate": 0.5, "hang_rate": 0.4, "server_error_rate": 0.2},
        {"early_404_rate": 1.5},
        {"queue_limit": -1},
        {"hang_seconds": -1},
    ],
)
def test_an_option_out_of_range_is_refused(wrong: dict[str, Any]) -> None:
    """A rate that cannot be is told at the start."""
    with pytest.raises(BadSandboxOption):
        SandboxOptions(**wrong)


def test_items_beyond_the_credit_end_errored(start: Start) -> None:
    """The last items that are paid for succeed; the rest are typed as wrong requests, and so is the next create."""
    server = start(credit_requests=3)

    results = server.run(*requests(5))

    kinds = Counter(result.type for result in results.values())
    assert kinds == {"succeeded": 3, "errored": 2}
    unpaid = [result.error.error for result in results.values() if result.type == "errored"]
    assert {(error.type, "credit balance is too low" in error.message) for error in unpaid} == {
        ("invalid_request_error", True)
    }
    with pytest.raises(anthropic.BadRequestError, match="credit balance is too low"):
        server.send(request())


def test_the_account_can_run_dry_and_be_topped_up(server: Server) -> None:
    """A switch stops creates, direct messages and waiting items, until it is turned back."""
    asked: Any = request()["params"]
    waiting = server.send(request("waiting"))
    server.faults.credit_exhausted = True

    assert server.results(server.finish(waiting))["waiting"].error.error.type == "invalid_request_error"
    assert outcome(lambda: server.send(request())) == "BadRequestError"
    assert outcome(lambda: server.client.messages.create(**asked)) == "BadRequestError"

    server.faults.credit_exhausted = False
    assert server.run(request("again"))["again"].type == "succeeded"


def test_the_queue_holds_so_much(start: Start) -> None:
    """All unfinished batches share the limit; one that would pass it is refused whole, and has room later."""
    server = start(queue_limit=10)
    first = server.send(*requests(6))

    with pytest.raises(anthropic.RateLimitError) as caught:
        server.send(*requests(5))
    server.send(*requests(4))

    assert caught.value.type == "rate_limit_error"
    assert "queue" in str(caught.value)
    assert len(server.client.messages.batches.list().data) == 2
    server.finish(first)
    server.send(*requests(10))


def test_calls_a_minute_are_limited(start: Start) -> None:
    """Beyond them a call is refused with the time to wait; other endpoints have limits of their own."""
    server = start(requests_per_minute=30)
    batches = server.client.messages.batches
    for _ in range(30):
        batches.list()

    with pytest.raises(anthropic.RateLimitError) as caught:
        batches.list()

    assert caught.value.type == "rate_limit_error"
    assert caught.value.response.headers["retry-after"] == "2"
    assert server.client.models.list().data
    server.clock.move(seconds=2)
    assert outcome(batches.list) == "done"
    assert outcome(batches.list) == "RateLimitError"


def test_the_bucket_never_holds_more_than_a_minute() -> None:
    """Idle hours earn no more than one minute's requests, and a clock that falls back earns nothing."""
    rate = RequestRate(5)
    hour = 60 * MINUTE

    assert [rate.take(hour) for _ in range(5)] == [0] * 5
    assert rate.take(hour) == pytest.approx(12)
    assert rate.take(hour - MINUTE) == pytest.approx(12)
    assert rate.take(hour + MINUTE // 5) == 0


def test_a_refused_upload_is_read_to_its_end(start: Start) -> None:
    """A client that is still sending gets the refusal, not a broken connection."""
    server = start(requests_per_minute=1)
    server.client.messages.batches.list()

    with pytest.raises(anthropic.RateLimitError):
        server.send(*requests(20_000, system="x" * 500))


@pytest.mark.parametrize("name", ["x-api-key", "authorization"])
def test_a_key_that_is_set_is_the_only_one(start: Start, name: str) -> None:
    """Either header may carry it; without it nothing is told but that it is wrong."""
    server = start(api_key="right")

    def status(key: str) -> tuple[int, str | None]:
        value = f"Bearer {key}" if name == "authorization" else key
        answer = httpx2.get(f"{server.url}/v1/models", headers={name: value, "anthropic-version": "v"})
        assert "right" not in answer.text
        return answer.status_code, answer.json().get("error", {}).get("type")

    assert status("right") == (200, None)
    for wrong in ("wrong", "righ", "right2", "Right"):
        assert status(wrong) == (401, "authentication_error")
    assert outcome(server.client.models.list) == "AuthenticationError"
    assert server.client.with_options(api_key="right").models.list().data


def test_without_a_key_set_any_will_do_but_none(server: Server) -> None:
    """A forgotten key shows up here, as it would there."""
    answer = httpx2.get(f"{server.url}/v1/models", headers={"anthropic-version": "v"})

    assert (answer.status_code, answer.json()["error"]["type"]) == (401, "authentication_error")
    assert server.client.with_options(api_key="anything").models.list().data


def test_a_hanging_create_ends_after_the_time_given(http: httpx2.Client) -> None:
    """A client without a timeout of its own is let go, as by a proxy; its batch exists."""
    with LoopbackServer(create_app(SandboxOptions(hang_rate=1, hang_seconds=0.2))) as running:
        client = anthropic.Anthropic(api_key="any", base_url=running.url, max_retries=0, http_client=http)
        asked: Any = [request()]

        assert outcome(lambda: client.messages.batches.create(requests=asked)) == "APIConnectionError"
        assert len(client.messages.batches.list().data) == 1
