"""A person who spends more than planned, and one who stops everything, in a real browser."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Noise
from tests.conftest import Serve

Wait = Callable[[Page], None]
ITEMS = 40


def request(number: int) -> str:
    """One request line."""
    asked = {"role": "user", "content": f"Letter {number}: may I keep the atlas longer?"}
    params = {"model": "claude-opus-5-5", "max_tokens": 900, "messages": [asked]}
    return json.dumps({"custom_id": f"letter-{number}", "params": params}) + "\n"


def test_a_typed_amount_and_the_kill_switch(
    *,
    serve: Serve,
    workspace_dir: Path,
    page: Page,
    idle: Wait,
    noise: Noise,
    assert_accessible: Wait,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The amount opens the button; everything is stopped, seen on another page, and let go on again."""
    monkeypatch.setenv("LOTWISE_DAY_BUDGET_USD", "0.01")
    monkeypatch.setenv("LOTWISE_SANDBOX_TIME_SCALE", "1")
    monkeypatch.setenv("LOTWISE_SANDBOX_WIDTH", "1")
    (workspace_dir / "inbox").mkdir()
    (workspace_dir / "inbox" / "letters.jsonl").write_text("".join(map(request, range(ITEMS))))
    with serve(workspace_dir) as url:
        page.goto(f"{url}/backlog")
        expect(page.get_by_text("The budget of the day is $0.01").first).to_be_visible(timeout=60_000)
        page.get_by_role("button", name="Submit 1 job for about").first.click()
        dialog = page.get_by_role("dialog")
        submit = dialog.get_by_role("button", name="Submit")
        expect(submit).to_be_disabled()
        amount = dialog.get_by_label("to send it all the same")
        amount.press_sequentially("999")
        idle(page)
        expect(submit).to_be_disabled()
        confirm(page)
        assert_accessible(page)
        submit.click()
        expect(page.get_by_text("The backlog is empty").first).to_be_visible(timeout=30_000)

        page.goto(f"{url}/jobs")
        idle(page)
        page.get_by_role("button", name="Stop everything").first.click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text(f"{ITEMS} items have no result yet")
        assert_accessible(page)
        dialog.get_by_role("button", name="Stop everything").click()
        expect(page.get_by_text("Sending is stopped").first).to_be_visible()
        expect(page.get_by_role("button", name="Stop everything")).to_have_count(0)

        page.goto(url)
        idle(page)
        expect(page.get_by_text("Sending is stopped").first).to_be_visible()
        assert_accessible(page)
        page.get_by_role("button", name="Let sending go on").first.click()
        expect(page.get_by_text("Sending is stopped")).to_have_count(0)
    noise[:] = [line for line in noise if "/_stcore/" not in line]


def confirm(page: Page) -> None:
    """Type the amount that is asked for; it may change while the worker counts what waits."""
    dialog = page.get_by_role("dialog")
    amount, submit = dialog.get_by_label("to send it all the same"), dialog.get_by_role("button", name="Submit")
    for _ in range(10):
        amount.fill("")
        asked = re.search(r"Type ([\d.]+)", dialog.inner_text())
        assert asked
        amount.press_sequentially(asked[1])
        page.wait_for_timeout(1_000)
        if submit.is_enabled():
            return
    raise AssertionError(f"the button stays dead: {dialog.inner_text()}")
