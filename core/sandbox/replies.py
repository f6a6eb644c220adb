"""Answers that are more than a JSON document: errors, result files, and injected failures."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from core.sandbox.faults import CreateFault, Faults, ResultsFault
from core.sandbox.wire_errors import WireError, error_body

CHUNK_BYTES = 4 << 20  # results are read and sent in large pieces: small ones cost more than the bytes
JSON = "application/json"
_TOO_LARGE_PAGE = "<html><head><title>413 Request Entity Too Large</title></head><body>Simulated</body></html>"
_HANG_CHECK_SECONDS = 0.05


def json_reply(document: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON document."""
    return Response(orjson.dumps(document), status_code=status, headers=headers, media_type=JSON)


def error_reply(error: WireError, request_id: str | None) -> Response:
    """An error in the shape of the API."""
    body = error_body(error.kind, error.message, request_id, error.details)
    return json_reply(body, error.status, error.headers)


class FileReply(Response):
    """A whole file, streamed in large chunks; `cut_at` closes the connection after that many bytes."""

    def __init__(self, path: Path, *, cut_at: int | None = None) -> None:
        super().__init__(media_type="application/x-jsonl")
        self._file = path.open("rb", buffering=0)  # open from now on: a delete does not disturb a download
        self._cut_at = cut_at
        self.headers["content-length"] = str(path.stat().st_size)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        with self._file as file:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            if self._cut_at is not None:
                await send({"type": "http.response.body", "body": file.read(self._cut_at), "more_body": True})
                await drop_connection(receive, flush=True)
                return
            while chunk := await run_in_threadpool(file.read, CHUNK_BYTES):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


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
    if fault is CreateFault.TOO_LARGE_HTML:
        return Response(_TOO_LARGE_PAGE, status_code=413, media_type="text/html")
    if fault is CreateFault.RATE_LIMITED:
        wait = {"retry-after": f"{faults.retry_after_seconds:g}"}
        return WireError(429, "rate_limit_error", "Simulated: too many batch requests", headers=wait)
    return _REFUSALS.get(fault) if fault else None


_REFUSALS = {
    CreateFault.RATE_LIMITED_BARE: WireError(429, "rate_limit_error", "Simulated: too many batch requests"),
    CreateFault.SPEND_LIMIT: WireError(
        429,
        "rate_limit_error",
        "Simulated: monthly spend limit reached",
        details={"error_code": "enforced_spend_limit_reached"},
    ),
    CreateFault.CREDIT_TOO_LOW: WireError.bad_request(
        "Your credit balance is too low to access the Anthropic API. (Simulated)"
    ),
    CreateFault.OVERLOADED: WireError(529, "overloaded_error", "Simulated: Overloaded"),
}


def failure_after_commit(fault: CreateFault | None, faults: Faults) -> Response | WireError | None:
    """The answer of a fault that strikes when the batch is already made."""
    match fault:
        case CreateFault.DROP_AFTER_COMMIT:
            return DroppedReply()
        case CreateFault.HANG_AFTER_COMMIT:
            return HangingReply(faults.hang_seconds)
        case CreateFault.ERROR_500_AFTER_COMMIT:
            return WireError(500, "api_error", "Simulated: Internal server error")
        case CreateFault.TIMEOUT_504_AFTER_COMMIT:
            return WireError(504, "timeout_error", "Simulated: Gateway timeout")
        case _:
            return None


def faulty_results(path: Path, fault: ResultsFault) -> Response:
    """A download that goes wrong."""
    data = path.read_bytes()
    if fault is ResultsFault.CUT_CONNECTION:
        return FileReply(path, cut_at=len(data) // 2)
    return Response(_DAMAGE[fault](data.splitlines(keepends=True)), media_type="application/x-jsonl")


def _foreign(lines: list[bytes]) -> bytes:
    stranger = {**orjson.loads(lines[0]), "custom_id": "simulated-foreign-id"}
    return b"".join([*lines, orjson.dumps(stranger, option=orjson.OPT_APPEND_NEWLINE)])


_DAMAGE: Mapping[ResultsFault, Callable[[list[bytes]], bytes]] = {
    ResultsFault.FEWER_LINES: lambda lines: b"".join(lines[: len(lines) // 2]),
    ResultsFault.CUT_LINE: lambda lines: b"".join(lines)[: -len(lines[-1]) // 2],
    ResultsFault.DUPLICATED: lambda lines: b"".join([lines[0], *lines]),
    ResultsFault.FOREIGN_ID: _foreign,
    ResultsFault.MISSING_ID: lambda lines: b"".join(lines[1:]),
}
