"""The whole life of a batch, as every client is asked to live it, and what each must have seen."""

import sys
from pathlib import Path
from typing import Any

MODEL = "claude-sonnet-5-5"
KEY = "sk-ant-any"
MAX_BODY_BYTES = 1_000_000
"""In these tests; the real limit is 256 times as much, and is tested without them."""
QUEUE = 50
OUTSIDERS = Path(sys.prefix) / "strangers"
"""Where `make dev` puts the clients that cannot live among the project's own packages."""

Transcript = dict[str, Any]


def params(text: str = "Hello", **more: Any) -> dict[str, Any]:
    """The params of a request."""
    return {"model": MODEL, "max_tokens": 50, "messages": [{"role": "user", "content": text}], **more}


def requests(count: int, text: str = "Hello") -> list[dict[str, Any]]:
    """That many requests in order."""
    return [{"custom_id": f"item-{number}", "params": params(text)} for number in range(count)]


def mixed() -> list[dict[str, Any]]:
    """Two requests in order, and one whose params are wrong."""
    return [*requests(2), {"custom_id": "wrong", "params": params(max_tokens=0)}]


CANCELED = requests(40)
TOO_MANY = requests(QUEUE + 1)
TOO_LARGE = requests(1, "x" * MAX_BODY_BYTES)

SEEN: Transcript = {
    "created": ["message_batch", "in_progress", 3],
    "counts": {"processing": 0, "succeeded": 2, "errored": 1, "canceled": 0, "expired": 0},
    "results": {"item-0": "Simulated", "item-1": "Simulated", "wrong": "invalid_request_error"},
    "canceling": "canceling",
    "canceled": ["ended", 40, True],
    "pages": True,
    "deleted": "message_batch_deleted",
    "errors": {
        "empty": "BadRequestError",
        "unknown": "NotFoundError",
        "deleted": "NotFoundError",
        "too large": "ContentTooLargeError",
        "too many": "RateLimitError",
    },
    "models": True,
    "tokens": True,
}
"""What a client that knows every call has seen at the end, in its own words for errors."""
