"""Reads request bodies: small ones whole, the list of a batch piece by piece to bound memory."""

import re
from collections.abc import Iterator
from typing import Any

import orjson
from starlette.requests import Request

from core.sandbox.wire_errors import WireError

SLICE_BYTES = 4 << 20
_HEAD = re.compile(rb'\s*\{\s*"requests"\s*:\s*\[')
_TAIL = re.compile(rb"\]\s*\}\s*$")
# Between two requests. Inside a JSON string the quote would be escaped, so this is never text. If it is part
# of a list deep inside a request, the piece before it is not valid JSON, and the body is parsed whole.
_BORDER = re.compile(rb'\}(\s*,\s*)\{\s*"custom_id"\s*:')


async def read_body(request: Request, most: int) -> bytearray:
    """The body, if it is not over `most` bytes.

    A larger one is read to its end and thrown away: answering in the middle of an upload would look like a
    broken connection to most clients.
    """
    body = bytearray()
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= most:
            body += chunk
        elif body:
            body = bytearray()
    if size > most:
        raise WireError(413, "request_too_large", f"The request body has {size} bytes; the most is {most}.")
    return body


def parse_object(body: bytearray) -> dict[str, Any]:
    """The JSON object of a body."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise WireError.bad_request(f"The request body is not valid JSON: {error}") from None
    if not isinstance(document, dict):
        raise WireError.bad_request("The request body must be a JSON object.")
    return document


class NotSliceable(Exception):  # not an error: the body is parsed whole instead
    """This body cannot be taken apart at the borders of its requests."""


def sliced_requests(body: bytearray) -> Iterator[Any]:
    """The requests of a batch, parsed a few megabytes at a time."""
    head, tail = _HEAD.match(body), _TAIL.search(body, max(0, len(body) - 64))
    if head is None or tail is None or tail.start() < head.end():
        raise NotSliceable
    view = memoryview(body)
    start, stop = head.end(), tail.start()
    while start < stop:
        border = _BORDER.search(body, start + SLICE_BYTES, stop)
        end = border.start(1) if border else stop
        try:
            requests = orjson.loads(b"".join((b"[", view[start:end], b"]")))
        except orjson.JSONDecodeError:
            raise NotSliceable from None
        yield from requests
        start = border.end(1) if border else stop


def whole_requests(body: bytearray) -> Iterator[Any]:
    """The requests of a batch, parsed at once: for a body in an unusual form, or one that is wrong."""
    requests = parse_object(body).get("requests")
    if not isinstance(requests, list):
        raise WireError.bad_request("requests: Field required")
    yield from requests
