"""What every answer passes on its way: credentials and version in, ids and the mark of a simulation out."""

import asyncio
import uuid
from collections.abc import Iterable

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.sandbox.corners import Corner
from core.sandbox.faults import Faults
from core.sandbox.replies import error_reply
from core.sandbox.wire_errors import WireError

ORGANIZATION_ID = "org_sim_lotwise"
SIMULATED_HEADER = "x-lotwise-simulated"


class Gate:
    """ASGI middleware around the routes. The page at `/` needs no credentials."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = f"req_sim_{uuid.uuid4().hex[:24]}"
        scope["request_id"] = request_id
        extra = [
            (b"request-id", request_id.encode()),
            (b"anthropic-organization-id", ORGANIZATION_ID.encode()),
            (SIMULATED_HEADER.encode(), b"true"),
        ]
        if self._faults.latency_seconds > 0:
            await asyncio.sleep(self._faults.latency_seconds)
        marked = _adding(send, extra)
        try:
            _admit(Request(scope))
        except WireError as error:
            await error_reply(error, request_id)(scope, receive, marked)
            return
        await self._app(scope, receive, marked)


def _adding(send: Send, extra: Iterable[tuple[bytes, bytes]]) -> Send:
    async def marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *extra]
        await send(message)

    return marked


def _admit(request: Request) -> None:
    if request.url.path == "/":
        return
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    bearer = scheme.lower() == "bearer" and token.strip()
    if not bearer and not request.headers.get("x-api-key", "").strip():
        raise WireError(401, "authentication_error", "x-api-key or Authorization header is required")
    if not request.headers.get("anthropic-version", "").strip():
        raise WireError.at(Corner.MISSING_VERSION)
