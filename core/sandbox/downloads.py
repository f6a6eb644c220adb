"""Downloads of results: whole, from a byte onwards, and the ways in which one goes wrong."""

import random
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from core.sandbox.corners import Corner
from core.sandbox.faults import ResultsFault
from core.sandbox.replies import drop_connection
from core.sandbox.wire_errors import WireError

CHUNK_BYTES = 4 << 20  # results are read and sent in large pieces: small ones cost more than the bytes
JSON_LINES = "application/x-jsonl"
_RANGE = re.compile(r"bytes=(\d{1,18})-")


class FileReply(Response):
    """A file from byte `start` on, streamed in large chunks; `cut_at` closes the connection before that byte."""

    def __init__(self, path: Path, *, etag: str, start: int | None = None, cut_at: int | None = None) -> None:
        super().__init__(status_code=200 if start is None else 206, media_type=JSON_LINES)
        size = path.stat().st_size
        self._start = start or 0
        self._cut_at = cut_at
        self.headers["content-length"] = str(size - self._start)
        self.headers["accept-ranges"] = "bytes"
        self.headers["etag"] = etag
        if start is not None:
            self.headers["content-range"] = f"bytes {start}-{size - 1}/{size}"
        self._file = path.open("rb", buffering=0)  # open from now on: a delete does not disturb a download

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        with self._file as file:
            file.seek(self._start)
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            if self._cut_at is not None:
                await send({"type": "http.response.body", "body": file.read(self._cut_at), "more_body": True})
                await drop_connection(receive, flush=True)
                return
            while chunk := await run_in_threadpool(file.read, CHUNK_BYTES):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


def download(path: Path, *, etag: str, asked: Headers, fault: ResultsFault | None) -> Response:
    """The results in that file, or the rest of them that the request asks for; raises FileNotFoundError."""
    if fault not in (None, ResultsFault.CUT_CONNECTION):
        return Response(_DAMAGE[fault](path.read_bytes().splitlines(keepends=True)), media_type=JSON_LINES)
    size = path.stat().st_size
    start = _start(asked, etag)
    if start is not None and start >= size:
        error = WireError.at(Corner.RANGE_BEYOND, size=size)
        error.headers["content-range"] = f"bytes */{size}"
        raise error
    cut_at = (size - (start or 0)) // 2 if fault else None
    return FileReply(path, etag=etag, start=start, cut_at=cut_at)


def _start(asked: Headers, etag: str) -> int | None:
    """The byte to begin with; nothing where the whole file is due, as RFC 9110 has it for what is not understood."""
    found = _RANGE.fullmatch(asked.get("range", ""))
    return int(found[1]) if found and asked.get("if-range", etag) == etag else None


def _foreign(lines: list[bytes]) -> bytes:
    stranger = {**orjson.loads(lines[0]), "custom_id": "simulated-foreign-id"}
    return b"".join([*lines, orjson.dumps(stranger, option=orjson.OPT_APPEND_NEWLINE)])


def _malformed(lines: list[bytes]) -> bytes:
    middle = len(lines) // 2
    return b"".join([*lines[:middle], b'{"simulated": no JSON}\n', *lines[middle + 1 :]])


def _reordered(lines: list[bytes]) -> bytes:
    return b"".join(random.Random(len(lines)).sample(lines, len(lines)))  # noqa: S311 - an order, not a secret


_DAMAGE: Mapping[ResultsFault | None, Callable[[list[bytes]], bytes]] = {
    ResultsFault.FEWER_LINES: lambda lines: b"".join(lines[: len(lines) // 2]),
    ResultsFault.EMPTY: lambda lines: b"",
    ResultsFault.CUT_LINE: lambda lines: b"".join(lines)[: -len(lines[-1]) // 2],
    ResultsFault.DUPLICATED: lambda lines: b"".join([lines[0], *lines]),
    ResultsFault.FOREIGN_ID: _foreign,
    ResultsFault.MISSING_ID: lambda lines: b"".join(lines[1:]),
    ResultsFault.MALFORMED: _malformed,
    ResultsFault.REORDERED: _reordered,
}
