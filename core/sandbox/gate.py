"""What every answer passes on its way: credentials and version in, ids and the mark of a simulation out."""

import asyncio
import hmac
import uuid
from collections.abc import Callable, Iterable
from math import ceil

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.sandbox.corners import Corner
from core.sandbox.faults import Faults
from core.sandbox.limits import RequestRate
from core.sandbox.replies import error_reply
from core.sandbox.wire_errors import WireError

BATCHES = "/v1/messages/batches"
REPORTS = "/v1/organizations/analytics"
ORGANIZATION_ID = "org_sim_lotwise"
SIMULATED_HEADER = "x-lotwise-simulated"


class Gate:
    """ASGI middleware around the routes. The page at `/` needs no credentials.

    Any key will do, unless `keys` names one: the first for everything, the second for usage and cost reports.
    """

    def __init__(
        self, app: ASGIApp, faults: Faults, keys: tuple[str | None, str | None], limit: int, now_us: Callable[[], int]
    ) -> None:
        self._app = app
        self._faults = faults
        self._api_key, self._admin_key = keys
        self._limit = limit
        self._rate = RequestRate(limit)
        self._now_us = now_us

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
        request = Request(scope, receive)
        try:
            self._admit(request)
        except WireError as error:
            async for _ in request.stream():
                pass  # an answer in the middle of an upload would look like a broken connection
            await error_reply(error, request_id)(scope, receive, marked)
            return
        await self._app(scope, receive, marked)

    def _admit(self, request: Request) -> None:
        path = request.url.path
        if path == "/":
            return
        offered = _credentials(request)
        if not offered:
            raise WireError(401, "authentication_error", "x-api-key or Authorization header is required")
        admin = self._admin_key is not None and any(_same(key, self._admin_key) for key in offered)
        if not admin and self._api_key is not None and not any(_same(key, self._api_key) for key in offered):
            raise WireError(401, "authentication_error", "invalid x-api-key")
        if path.startswith(REPORTS) and not admin and self._admin_key is not None:
            raise WireError(403, "permission_error", "Usage and cost reports need an Admin API key.")
        if not request.headers.get("anthropic-version", "").strip():
            raise WireError.at(Corner.MISSING_VERSION)
        if path.startswith(BATCHES) and (wait := self._rate.take(self._now_us())):
            refused = WireError.at(Corner.REQUEST_RATE, limit=self._limit)
            refused.headers["retry-after"] = str(ceil(wait))
            raise refused


def _credentials(request: Request) -> list[str]:
    """The keys of a request: clients differ in where they put theirs."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    offered = [token.strip() if scheme.lower() == "bearer" else "", request.headers.get("x-api-key", "").strip()]
    return [key for key in offered if key]


def _same(key: str, wanted: str) -> bool:
    """Whether two keys are equal, in a time that does not tell how much of them is."""
    return hmac.compare_digest(key.encode(), wanted.encode())


def _adding(send: Send, extra: Iterable[tuple[bytes, bytes]]) -> Send:
    async def marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *extra]
        await send(message)

    return marked
