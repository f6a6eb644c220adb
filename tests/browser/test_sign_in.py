"""Signing in for real: a browser, the app, and an OpenID Connect provider, all on this machine."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, WebSocket, expect

from tests.browser.conftest import Noise, Serve, check_accessibility, listen, wait_until_idle
from tests.oidc import Provider

ACCOUNTS = {
    "ann": {"email": "ann@example.com", "email_verified": True},
    "bob": {"email": "bob@example.com", "email_verified": True},
    "eve": {"email": "eve@elsewhere.org", "email_verified": True},
    "mallory": {"email": "ann@example.com", "email_verified": False},
}
ROLES = 'operators = ["ann@example.com"]\nviewers = ["@example.com"]'


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    """A provider that knows four people."""
    made = Provider(ACCOUNTS)
    with made.server:
        yield made


@pytest.fixture(scope="module")
def door(
    provider: Provider, serve: Serve, demo_workspace: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The app on a copy of the demo, behind the sign-in."""
    folder = tmp_path_factory.mktemp("signed-in")
    secrets = folder / "secrets.toml"
    secrets.write_text(provider.secrets(ROLES))
    workspace = folder / "workspace"
    shutil.copytree(demo_workspace, workspace)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STREAMLIT_SECRETS_FILES", str(secrets))
        with serve(workspace) as url:
            yield url


@pytest.fixture
def visitor(context: BrowserContext, noise: Noise) -> Iterator[Page]:
    """A fresh browser that has never been here."""
    page = context.new_page()
    listen(page, noise)
    yield page
    assert noise == []


def sign_in(page: Page, name: str) -> None:
    """Go through the provider as one of its accounts."""
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name=name, exact=True).click()
    page.wait_for_url("**/")
    wait_until_idle(page)


def test_a_link_shows_nothing_to_whoever_is_not_signed_in(visitor: Page, door: str, context: BrowserContext) -> None:
    """No byte of the workspace reaches the browser, whatever page is named and whatever cookie is made up."""
    received: list[bytes] = []

    def opened(socket: WebSocket) -> None:
        socket.on("framereceived", lambda frame: received.append(frame if isinstance(frame, bytes) else frame.encode()))

    context.add_cookies([{"name": "_streamlit_user", "value": "eyJpc19sb2dnZWRfaW4iOnRydWV9.x.y", "url": door}])
    visitor.on("websocket", opened)
    for path in ("jobs", "audit", ""):
        visitor.goto(f"{door}/{path}")
        expect(visitor.get_by_role("button", name="Sign in")).to_be_visible(timeout=30_000)
        wait_until_idle(visitor)
        expect(visitor.get_by_test_id("stMetric")).to_have_count(0)
        expect(visitor.get_by_test_id("stDataFrame")).to_have_count(0)
    check_accessibility(visitor)

    said = b"".join(received)
    assert b"Sign in to see" in said
    assert [word for word in (b"Support ticket triage", b"claude-", b"USD", b"Spend, last") if word in said] == []


def test_an_operator_signs_in_and_sends_in_their_own_name(visitor: Page, door: str) -> None:
    """Through the provider and back, the plan of the backlog is sent, and the log says by whom."""
    visitor.goto(f"{door}/backlog")
    sign_in(visitor, "ann")
    expect(visitor.get_by_test_id("stMetric").first).to_be_visible()
    visitor.goto(f"{door}/backlog")
    wait_until_idle(visitor)
    visitor.locator(".st-key-submit button").click()
    visitor.locator(".st-key-submit-confirm button").click()
    expect(visitor.locator(".st-key-submit-confirm")).to_have_count(0, timeout=30_000)

    visitor.goto(f"{door}/audit?actor=ann%40example.com&action=submit&outcome=Done")
    wait_until_idle(visitor)
    expect(visitor.get_by_test_id("stDataFrame")).to_be_visible()
    expect(visitor.get_by_text("No entry matches")).to_have_count(0)
    check_accessibility(visitor)


def test_a_viewer_looks_and_can_press_nothing_that_spends(visitor: Page, door: str) -> None:
    """All figures are there; the buttons are dead and say why; signing out shuts the door again."""
    visitor.goto(door)
    sign_in(visitor, "bob")
    expect(visitor.get_by_test_id("stMain").get_by_text("Viewer").first).to_be_visible()
    expect(visitor.get_by_test_id("stMetric").first).to_be_visible()
    check_accessibility(visitor)
    visitor.goto(f"{door}/backlog")
    wait_until_idle(visitor)
    upload = visitor.get_by_role("button", name="Import these files")
    expect(upload).to_be_disabled()
    upload.hover(force=True)
    expect(visitor.get_by_text("Only operators change, send or spend.")).to_be_visible()

    account = visitor.locator(".st-key-account button").first
    expect(account).to_contain_text("bob")
    account.click()
    visitor.locator(".st-key-sign-out button").click()
    expect(visitor.get_by_role("button", name="Sign in")).to_be_visible(timeout=30_000)
    visitor.goto(f"{door}/jobs")
    expect(visitor.get_by_role("button", name="Sign in")).to_be_visible(timeout=30_000)


@pytest.mark.parametrize("name", ["eve", "mallory"])
def test_an_account_on_no_list_stays_outside(visitor: Page, door: str, name: str) -> None:
    """Anybody may have an account with the provider; an address that it has not verified is nobody's."""
    visitor.goto(door)
    sign_in(visitor, name)

    expect(visitor.get_by_text("You are signed in, but not on the list")).to_be_visible()
    expect(visitor.get_by_test_id("stMetric")).to_have_count(0)
    visitor.get_by_role("button", name="Sign out").click()
    expect(visitor.get_by_role("button", name="Sign in")).to_be_visible(timeout=30_000)
