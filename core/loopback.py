"""Serves an ASGI app on 127.0.0.1 from a thread, for the local server and for tests."""

import asyncio
import logging
import socket
import threading
import time
from types import TracebackType
from typing import Self

import uvicorn
from starlette.types import ASGIApp

from core.errors import LotwiseError

HOST = "127.0.0.1"
_START_SECONDS = 30.0
_STOP_SECONDS = 10.0


class PortBusy(LotwiseError):
    """Another program uses this port. Choose another one, or 0 for any free port."""


class ServerNotStarted(LotwiseError):
    """The server thread ended before it answered. Look at the error above it."""


class _PromptServer(uvicorn.Server):
    """A uvicorn server that leaves when told to, instead of looking every tenth of a second."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._leave = asyncio.Event()
        await super().startup(sockets)

    async def main_loop(self) -> None:
        await self._leave.wait()

    def leave(self) -> None:
        """End the server from another thread."""
        self._loop.call_soon_threadsafe(self._leave.set)


class LoopbackServer:
    """One app on one port. `url` is set once it answers; port 0 takes a free port.

    Only this machine can reach it. It logs next to nothing: what a request did is in its answer.
    """

    def __init__(self, app: ASGIApp, *, port: int = 0) -> None:
        self._app = app
        self._port = port
        self._server: _PromptServer | None = None
        self._thread: threading.Thread | None = None
        self.url = ""

    def start(self) -> Self:
        """Serve, and return when the first request can be sent."""
        listener = self._listen()
        config = uvicorn.Config(
            self._app,
            log_config=None,
            log_level=logging.CRITICAL,
            access_log=False,
            date_header=False,
            ws="none",
            timeout_keep_alive=60,
            timeout_graceful_shutdown=1,
        )
        server = _PromptServer(config)
        thread = threading.Thread(target=server.run, args=([listener],), name="lotwise-loopback", daemon=True)
        thread.start()
        give_up = time.monotonic() + _START_SECONDS
        while not server.started:
            if not thread.is_alive() or time.monotonic() > give_up:
                listener.close()
                raise ServerNotStarted
            time.sleep(0.002)
        self._server, self._thread = server, thread
        self.url = f"http://{HOST}:{listener.getsockname()[1]}"
        return self

    def stop(self) -> None:
        """Close the port and wait for the thread; requests still open get a second."""
        if self._server is None or self._thread is None:
            return
        if self._thread.is_alive():
            self._server.leave()
        self._thread.join(_STOP_SECONDS)
        self._server = self._thread = None

    def wait(self) -> None:
        """Block until another thread stops the server, or until this one is interrupted."""
        while self._thread is not None and self._thread.is_alive():
            self._thread.join(0.5)

    def _listen(self) -> socket.socket:
        # The protocol is named because asyncio sets TCP_NODELAY only then; without it an answer takes 40 ms.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, self._port))
        except OSError as error:
            listener.close()
            raise PortBusy(port=self._port, reason=error.strerror) from error
        return listener

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
