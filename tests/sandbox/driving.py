"""Drives a local server under test with the official client."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import anthropic
import httpx2
from anthropic.types.messages import MessageBatch

from core.sandbox import Faults

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
