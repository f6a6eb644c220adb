"""Answers that are more than a plain object: errors, and the injected failures of a create."""

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from core.sandbox.faults import CreateFault, Faults
from core.sandbox.outcomes import NO_CREDIT
from core.sandbox.wire_errors import WireError, error_body

JSON = "application/json"
_TOO_LARGE_PAGE = "<html><head><title>413 Request Entity Too Large</title></head><body>Simulated</body></html>"
_BAD_GATEWAY_PAGE = "<html><head><title>502 Bad Gateway</title></head><body>Simulated</body></html>"
_HANG_CHECK_SECONDS = 0.05


def json_reply(document: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON document."""
    return Response(orjson.dumps(document), status_code=status, headers=headers, media_type=JSON)


def error_reply(error: WireError, request_id: str | None) -> Response:
    """An error in the shape of the API."""
    body = error_body(error.kind, error.message, request_id, error.details)
    return json_reply(body, error.status, error.headers)


class DroppedReply(Response):
    """No answer: the connection closes."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        await drop_connection(receive)


class HangingReply(Response):
    """No answer until the client has gone, or long enough."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        waiting = asyncio.ensure_future(_gone(receive))
        await asyncio.wait({waiting}, timeout=self._seconds)
        waiting.cancel()
        await drop_connection(receive)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def drop_connection(receive: Receive, *, flush: bool = False) -> None:
    """Close the connection under the request, as a failing proxy would; ASGI itself has no word for it."""
    transport = getattr(getattr(receive, "__self__", None), "transport", None)
    if transport is None:
        raise ConnectionResetError("dropped on purpose")
    if flush:
        transport.close()
    else:
        transport.abort()
    await asyncio.sleep(_HANG_CHECK_SECONDS)  # lets the server notice before this request returns


def refusal_before_commit(fault: CreateFault | None, faults: Faults) -> Response | WireError | None:
    """The answer of a fault that keeps the batch from being made."""
    if fault is CreateFault.DROP_BEFORE_COMMIT:
        return DroppedReply()
    if fault is CreateFault.TOO_LARGE_HTML:
        return Response(_TOO_LARGE_PAGE, status_code=413, media_type="text/html")
    if fault is CreateFault.RATE_LIMITED:
        wait = {"retry-after": f"{faults.retry_after_seconds:g}"}
        return WireError(429, "rate_limit_error", "Simulated: too many batch requests", headers=wait)
    return _REFUSALS.get(fault) if fault else None


_INTERNAL = WireError(500, "api_error", "Simulated: Internal server error")
_OVERLOADED = WireError(529, "overloaded_error", "Simulated: Overloaded")
_REFUSALS = {
    CreateFault.RATE_LIMITED_BARE: WireError(429, "rate_limit_error", "Simulated: too many batch requests"),
    CreateFault.SPEND_LIMIT: WireError(
        429,
        "rate_limit_error",
        "Simulated: monthly spend limit reached",
        details={"error_code": "enforced_spend_limit_reached"},
    ),
    CreateFault.CREDIT_TOO_LOW: WireError.bad_request(NO_CREDIT.message),
    CreateFault.ERROR_500_BEFORE_COMMIT: _INTERNAL,
    CreateFault.OVERLOADED: _OVERLOADED,
}


def failure_after_commit(fault: CreateFault | None, faults: Faults) -> Response | WireError | None:
    """The answer of a fault that strikes when the batch is already made."""
    match fault:
        case CreateFault.DROP_AFTER_COMMIT | CreateFault.LATE_COMMIT:
            return DroppedReply()
        case CreateFault.HANG_AFTER_COMMIT:
            return HangingReply(faults.hang_seconds)
        case CreateFault.ERROR_502_AFTER_COMMIT:
            return Response(_BAD_GATEWAY_PAGE, status_code=502, media_type="text/html")
        case _:
            return _FAILURES.get(fault) if fault else None


_FAILURES = {
    CreateFault.ERROR_500_AFTER_COMMIT: _INTERNAL,
    CreateFault.TIMEOUT_504_AFTER_COMMIT: WireError(504, "timeout_error", "Simulated: Gateway timeout"),
    CreateFault.OVERLOADED_AFTER_COMMIT: _OVERLOADED,
}
