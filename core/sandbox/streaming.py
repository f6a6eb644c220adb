"""A message as server-sent events, the way the API streams one; here it is whole before its first event."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from starlette.responses import Response

_DELTA_USAGE = (
    "input_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
    "output_tokens_details",
    "server_tool_use",
)


def streamed_reply(message: Mapping[str, Any]) -> Response:
    """The events of this message."""
    body = b"".join(
        b"event: %s\ndata: %s\n\n" % (event["type"].encode(), orjson.dumps(event)) for event in _events(message)
    )
    return Response(body, media_type="text/event-stream")


def _events(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    usage = message["usage"]
    begun = {
        **message,
        "content": [],
        "stop_reason": None,
        "stop_details": None,
        "usage": {**usage, "output_tokens": 1},
    }
    yield {"type": "message_start", "message": begun}
    for index, block in enumerate(message["content"]):
        opened, delta = _opened(block)
        yield {"type": "content_block_start", "index": index, "content_block": opened}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    yield {
        "type": "message_delta",
        "delta": {name: message[name] for name in ("container", "stop_reason", "stop_sequence", "stop_details")},
        "usage": {name: usage[name] for name in _DELTA_USAGE},
    }
    yield {"type": "message_stop"}


def _opened(block: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A block before its content came, and the content."""
    if block["type"] == "tool_use":
        delta = {"type": "input_json_delta", "partial_json": orjson.dumps(block["input"]).decode()}
        return {**block, "input": {}}, delta
    return {**block, "text": ""}, {"type": "text_delta", "text": block["text"]}
