"""Fixtures for real-browser flows: one Chromium, one app on the demo workspace, no complaints.

Every test below this folder is marked `browser` and runs in one test process, so the app is started once.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ConsoleMessage, Page, Request, WebSocket, expect

HERE = Path(__file__).parent
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ADVICE = (
    "no Chromium found, so browser tests are skipped. Debian/Ubuntu: apt-get install chromium; "
    "elsewhere set CHROMIUM to the path of a Chromium or Chrome binary"
)
# The last ones keep Chromium from calling its maker, which a closed network refuses many times a second.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'
# Opened by a deep link, Streamlit's client looks for its server below the page first, then at the root.
SEARCH = re.compile(r"/\w+/_stcore/(?:health|host-config)$")
SPARKLINE = '[data-testid="stMetricChart"]'

Noise = list[str]
Serve = Callable[[Path], AbstractContextManager[str]]


def chromium() -> str | None:
    """Return the path of a usable Chromium: $CHROMIUM first, then the usual names on PATH."""
    chosen = os.environ.get("CHROMIUM")
    names = (chosen,) if chosen else NAMES
    return next((found for name in names if (found := shutil.which(name))), None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark this tier, and skip it with advice where there is no browser."""
    # With LOTWISE_REQUIRE_BROWSER the tests go on and fail in `browser_type_launch_args` instead.
    absent = chromium() is None and not os.environ.get("LOTWISE_REQUIRE_BROWSER")
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if absent:
                item.add_marker(pytest.mark.skip(reason=ADVICE))


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Launch the system's Chromium; Playwright's own download is never needed."""
    binary = chromium()
    if binary is None:
        pytest.fail(ADVICE)
    return {**browser_type_launch_args, "executable_path": binary, "args": list(ARGUMENTS)}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    """Pin what would differ between machines; a time zone off UTC shows times that were not converted."""
    return {
        **browser_context_args,
        "locale": "en-US",
        "timezone_id": "Europe/Berlin",
        "viewport": {"width": 1280, "height": 900},
    }


@pytest.fixture(scope="session")
def app_url(serve: Serve, demo_workspace: Path) -> Iterator[str]:
    """Start the app once on the demo workspace; its log must stay free of tracebacks."""
    with serve(demo_workspace) as url:
        yield url


@pytest.fixture(scope="session")
def base_url(app_url: str) -> str:
    """Let `page.goto("/jobs")` mean this app."""
    return app_url


@pytest.fixture
def noise() -> Noise:
    """Collect what a visitor's browser complained about; a test that expects a complaint removes it."""
    return []


@pytest.fixture
def page(page: Page, noise: Noise) -> Iterator[Page]:
    """Give a page whose console errors, failed requests and calls to other hosts fail the test."""
    listen(page, noise)
    yield page
    assert noise == []


@pytest.fixture
def idle() -> Callable[[Page], None]:
    """Return the wait for a finished script run."""
    return wait_until_idle


@pytest.fixture
def assert_accessible() -> Callable[[Page], None]:
    """Return the accessibility check."""
    return check_accessibility


def wait_until_idle(page: Page) -> None:
    """Wait until the script has run to its end and no skeleton is left."""
    expect(page.locator(IDLE)).to_be_attached(timeout=30_000)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0, timeout=30_000)


def check_accessibility(page: Page) -> None:
    """Run axe over the page; only Streamlit's own unnamed metric sparklines are excused."""
    faults = accessibility_faults(page)
    if faults:
        # An element may have begun to fade in while axe looked: a fault is what is still there a moment later.
        page.wait_for_timeout(1_000)
        faults = accessibility_faults(page)
    assert faults == []


def accessibility_faults(page: Page) -> list[str]:
    """What axe finds wrong with the page as it stands."""
    # What fades in is judged when it has arrived.
    page.wait_for_function("document.getAnimations().every(move => move.playState !== 'running')")
    return [
        f"{violation['id']}: {node['target']}: {node['failureSummary']}"
        for violation in Axe().run(page).response["violations"]
        for node in violation["nodes"]
        if not (violation["id"] == "svg-img-alt" and in_sparkline(page, node["target"]))
    ]


def in_sparkline(page: Page, target: list[Any]) -> bool:
    """Tell whether an axe target lies in a metric's sparkline."""
    return all(
        isinstance(selector, str)
        and bool(page.locator(selector).first.evaluate("(node, outer) => !!node.closest(outer)", SPARKLINE))
        for selector in target
    )


def listen(page: Page, noise: Noise) -> None:
    """Write the page's complaints into `noise`."""

    def console(message: ConsoleMessage) -> None:
        source = message.location.get("url", "")
        if message.type == "error" and not SEARCH.search(source):
            noise.append(f"console: {message.text} ({source})")

    def asked(request: Request) -> None:
        if foreign(request.url):
            noise.append(f"foreign host: {request.url}")

    def failed(request: Request) -> None:
        # Leaving a page aborts what it was still loading.
        if request.failure != "net::ERR_ABORTED":
            noise.append(f"failed: {request.url}: {request.failure}")

    def opened(socket: WebSocket) -> None:
        if foreign(socket.url):
            noise.append(f"foreign host: {socket.url}")

    page.on("console", console)
    page.on("pageerror", lambda error: noise.append(f"page error: {error}"))
    page.on("request", asked)
    page.on("requestfailed", failed)
    page.on("websocket", opened)


def foreign(url: str) -> bool:
    """Tell whether an address leaves this machine."""
    parts = urlsplit(url)
    return parts.scheme in {"http", "https", "ws", "wss"} and parts.hostname not in {"127.0.0.1", "localhost"}
