"""A real local server for clients that know nothing of Lotwise, and those that live outside this environment."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.loopback import LoopbackServer
from core.sandbox import SandboxOptions, create_app
from tests.strangers.life import MAX_BODY_BYTES, OUTSIDERS, QUEUE


@pytest.fixture(autouse=True)
def no_loop() -> Iterator[None]:
    """A browser driven by the same process leaves its event loop running in this thread; here others begin."""
    running = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    yield
    asyncio._set_running_loop(running)


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the address of a server where an item takes 0.4 seconds and two run at once."""
    monkeypatch.setattr("core.sandbox.app.MAX_BATCH_BYTES", MAX_BODY_BYTES)
    options = SandboxOptions(time_scale=50, width=2, seconds_spread=0, queue_limit=QUEUE)
    with LoopbackServer(create_app(options)) as server:
        yield server.url


@pytest.fixture
def outsiders() -> Path:
    """Return where the clients outside this environment are, or skip with advice."""
    if not (OUTSIDERS / ".lotwise-installed").exists():
        advice = f"{OUTSIDERS} has no clients in it; `make dev` installs them where there is a network"
        if os.environ.get("LOTWISE_REQUIRE_STRANGERS"):
            pytest.fail(advice)
        pytest.skip(advice)
    return OUTSIDERS
