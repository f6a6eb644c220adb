"""A manager tries sizes out, sees when everything is there, and submits what is on the screen, in a real browser."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Noise
from tests.conftest import Serve

Wait = Callable[[Page], None]
ITEMS = 60
PREFIX = "You sort the letters of a small town library by what their writers want. " * 60


def request(number: int) -> str:
    """One request line; all of them share a heavy system prompt, and answers are dear."""
    asked = {"role": "user", "content": f"Letter {number}: may I keep the atlas {number} days longer?"}
    params = {"model": "claude-opus-5-5", "max_tokens": 20_000, "system": PREFIX, "messages": [asked]}
    return json.dumps({"custom_id": f"letter-{number}", "params": params}) + "\n"


def test_from_a_slider_to_a_submitted_plan(
    *,
    serve: Serve,
    workspace_dir: Path,
    page: Page,
    idle: Wait,
    noise: Noise,
    assert_accessible: Wait,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A slider moved by keyboard makes smaller jobs and stays in the link; what is then submitted is that plan."""
    monkeypatch.setenv("LOTWISE_SANDBOX_TIME_SCALE", "400")
    (workspace_dir / "inbox").mkdir()
    (workspace_dir / "inbox" / "letters.jsonl").write_text("".join(map(request, range(ITEMS))))
    with serve(workspace_dir) as url:
        page.goto(f"{url}/sizing?due=In+hours&hours=9")
        button = page.get_by_role("button", name=re.compile(r"^Submit \d+ jobs? for about"))
        expect(button.first).to_be_visible(timeout=60_000)
        expect(page.get_by_text("Plan on time").first).to_be_visible()
        before = jobs(page)

        page.get_by_role("slider", name="Affordable loss of a job").focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_url("**blast_usd=*")
        expect(page.get_by_role("button", name=f"Submit {before} job")).to_have_count(0, timeout=30_000)
        idle(page)
        after = jobs(page)
        assert after > before
        assert_accessible(page)

        page.reload()
        expect(button.first).to_be_visible(timeout=60_000)
        idle(page)
        assert jobs(page) == after

        button.first.click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text(f"{ITEMS} items")
        expect(dialog).to_contain_text(f"{after} jobs")
        dialog.get_by_role("button", name="Submit").click()
        expect(page.get_by_text(f"{after} jobs queued").first).to_be_visible(timeout=30_000)
    noise[:] = [line for line in noise if "/_stcore/" not in line]


def jobs(page: Page) -> int:
    """How many jobs the button would submit."""
    found = re.search(r"Submit (\d+) jobs? for about", page.inner_text("body"))
    assert found
    return int(found[1])
