"""A local server under test, reached through the official client."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic.types.messages import MessageBatch

from core.loopback import LoopbackServer
from core.sandbox import Faults, SandboxOptions, create_app

MODEL = "claude-sonnet-5-5"


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 10, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


class Server:
    """A running local server, its clock and its client."""

    def __init__(self, url: str, clock: Clock, faults: Faults, http: httpx2.Client) -> None:
        self.url = url
        self.clock = clock
        self.faults = faults
        self.client = anthropic.Anthropic(api_key="any", base_url=url, max_retries=0, http_client=http)

    def send(self, *requests: dict[str, Any]) -> MessageBatch:
        """Create a batch of these requests."""
        return self.client.messages.batches.create(requests=list(requests))  # type: ignore[arg-type]

    def finish(self, batch: MessageBatch, **by: float) -> MessageBatch:
        """Let simulated time pass until the batch has ended."""
        self.clock.move(**by or {"hours": 1})
        ended = self.client.messages.batches.retrieve(batch.id)
        assert ended.processing_status == "ended"
        return ended

    def results(self, batch: MessageBatch) -> dict[str, Any]:
        """Result objects by custom_id."""
        return {line.custom_id: line.result for line in self.client.messages.batches.results(batch.id)}

    def run(self, *requests: dict[str, Any], **by: float) -> dict[str, Any]:
        """Create, finish, and read the results of a batch."""
        return self.results(self.finish(self.send(*requests), **by))


Start = Callable[..., Server]


@pytest.fixture
def clock() -> Clock:
    """Return a clock under the test's control."""
    return Clock()


@pytest.fixture(scope="session")
def http() -> Iterator[httpx2.Client]:
    """Return one connection pool for all clients: making one loads every certificate of the machine."""
    with httpx2.Client() as client:
        yield client


@pytest.fixture(scope="session")
def shared(http: httpx2.Client) -> Iterator[Server]:
    """Return a server for tests that leave nothing behind."""
    clock, faults = Clock(), Faults()
    with LoopbackServer(create_app(clock=clock, faults=faults)) as running:
        yield Server(running.url, clock, faults, http)


@pytest.fixture
def start(clock: Clock, http: httpx2.Client) -> Iterator[Start]:
    """Return a function that starts a server with these options, faults and folder."""
    with ExitStack() as stack:

        def starting(faults: Faults | None = None, folder: Path | None = None, **options: Any) -> Server:
            faults = faults or Faults()
            app = create_app(SandboxOptions(**options), folder=folder, clock=clock, faults=faults)
            return Server(stack.enter_context(LoopbackServer(app)).url, clock, faults, http)

        yield starting


@pytest.fixture
def server(start: Start) -> Server:
    """Return a server with default options."""
    return start()


def request(custom_id: str = "one", text: str = "Hello", **params: Any) -> dict[str, Any]:
    """A request; a parameter set to None is left out."""
    asked = {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": text}], **params}
    return {
        "custom_id": custom_id,
        "params": {key: value for key, value in asked.items() if value is not None},
    }


def requests(count: int, **params: Any) -> list[dict[str, Any]]:
    """Several requests with different texts."""
    return [request(f"item-{number}", f"Question {number}", **params) for number in range(count)]


def marked(text: str, ttl: str = "5m") -> dict[str, Any]:
    """A text block with a cache mark."""
    return {"type": "text", "text": text, "cache_control": {"type": "ephemeral", "ttl": ttl}}
