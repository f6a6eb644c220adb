"""The thread that serves an app on this machine only."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from core.loopback import LoopbackServer, PortBusy, ServerNotStarted


def hello() -> Starlette:
    """An app of one page."""
    return Starlette(routes=[Route("/", lambda _: PlainTextResponse("hello"))])


def test_it_answers_between_start_and_stop() -> None:
    """The first request after start works, the port is free after stop, and both may be repeated."""
    server = LoopbackServer(hello()).start()
    assert server.url.startswith("http://127.0.0.1:")
    assert httpx2.get(server.url).text == "hello"
    server.stop()
    server.stop()
    server.wait()

    with pytest.raises(httpx2.ConnectError):
        httpx2.get(server.url)
    with LoopbackServer(hello(), port=int(server.url.rpartition(":")[2])) as again:
        assert again.url == server.url


def test_a_port_in_use_is_refused() -> None:
    """The error names the port."""
    with LoopbackServer(hello()) as server:
        port = int(server.url.rpartition(":")[2])
        with pytest.raises(PortBusy, match=str(port)):
            LoopbackServer(hello(), port=port).start()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_app_that_cannot_start_is_reported() -> None:
    """A failing lifespan ends the thread; the caller hears of it."""

    failing = [True]

    @asynccontextmanager
    async def broken(_: Starlette) -> AsyncIterator[None]:
        if not failing:
            yield
        raise RuntimeError("no")

    with pytest.raises(ServerNotStarted):
        LoopbackServer(Starlette(lifespan=broken)).start()
