"""Local servers for these tests, each with a clock that stands still until it is moved."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

from core.loopback import LoopbackServer
from core.sandbox import Faults, SandboxOptions, create_app
from tests.sandbox.driving import Clock, Server, Start


@pytest.fixture(autouse=True)
def no_loop() -> Iterator[None]:
    """A browser driven by the same process leaves its event loop running in this thread; here others begin."""
    running = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    yield
    asyncio._set_running_loop(running)


@pytest.fixture
def clock() -> Clock:
    """Return a clock under the test's control."""
    return Clock()


@pytest.fixture(scope="session")
def http() -> Iterator[httpx2.Client]:
    """Return one connection pool for all clients: making one loads every certificate of the machine."""
    with httpx2.Client() as client:
        yield client


@pytest.fixture(scope="session")
def shared(http: httpx2.Client) -> Iterator[Server]:
    """Return a server for tests that leave nothing behind."""
    clock, faults = Clock(), Faults()
    with LoopbackServer(create_app(clock=clock, faults=faults)) as running:
        yield Server(running.url, clock, faults, http)


@pytest.fixture
def start(clock: Clock, http: httpx2.Client) -> Iterator[Start]:
    """Return a function that starts a server with these options, faults and folder."""
    with ExitStack() as stack:

        def starting(
            faults: Faults | None = None,
            folder: Path | None = None,
            api_key: str | None = None,
            admin_key: str | None = None,
            **options: Any,
        ) -> Server:
            faults = faults or Faults()
            app = create_app(
                SandboxOptions(**options),
                folder=folder,
                clock=clock,
                faults=faults,
                api_key=api_key,
                admin_key=admin_key,
            )
            return Server(stack.enter_context(LoopbackServer(app)).url, clock, faults, http)

        yield starting


@pytest.fixture
def server(start: Start) -> Server:
    """Return a server with default options."""
    return start()
