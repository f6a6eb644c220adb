"""The whole way of a pipeline owner: a file goes in, jobs run on the local server, a failed slice is repaired."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Noise
from tests.browser.test_pages import excuse_uploader
from tests.conftest import Serve

Wait = Callable[[Page], None]
ITEMS = 60
PREFIX = "You sort the letters of a small town library by what their writers want. " * 60


def request(number: int) -> str:
    """One request line; all of them share a heavy system prompt."""
    params = {
        "model": "claude-haiku-5-5",
        "max_tokens": 64,
        "system": [{"type": "text", "text": PREFIX}],
        "messages": [{"role": "user", "content": f"Letter {number}: may I keep the atlas {number} days longer?"}],
    }
    return json.dumps({"custom_id": f"letter-{number}", "params": params})


@pytest.fixture
def requests(tmp_path: Path) -> Path:
    """Give a request file with one line that is none."""
    file = tmp_path / "letters.jsonl"
    file.write_text("\n".join([*(request(number) for number in range(ITEMS)), "not a request"]) + "\n")
    return file


def test_from_a_file_to_a_repaired_job(
    *,
    serve: Serve,
    workspace_dir: Path,
    requests: Path,
    page: Page,
    idle: Wait,
    noise: Noise,
    assert_accessible: Wait,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Upload, see the class and the rejected line, submit, watch, open the job, repair its failed slice."""
    monkeypatch.setenv("LOTWISE_SANDBOX_ERROR_RATE", "0.3")
    monkeypatch.setenv("LOTWISE_SANDBOX_EXPIRY_RATE", "0")
    monkeypatch.setenv("LOTWISE_SANDBOX_TIME_SCALE", "400")
    # Everywhere `.first`: while a page follows the worker, Streamlit keeps an outgoing twin of an element for a moment.
    with serve(workspace_dir) as url:
        page.goto(url)
        idle(page)
        page.get_by_role("link", name="Bring in requests").first.click()
        expect(page.get_by_role("heading", level=1).first).to_have_text("Backlog and groups")

        page.locator("input[type=file]").set_input_files(requests)
        expect(page.get_by_text("letters.jsonl").first).to_be_visible()
        page.get_by_role("button", name="Import these files").first.click()

        expect(page.get_by_role("heading", name="Classes of similar work").first).to_be_visible(timeout=30_000)
        expect(page.get_by_text("1 rejected line").first).to_be_visible()
        excuse_uploader(page)
        assert_accessible(page)
        with page.expect_download() as raw:
            page.get_by_role("button", name="Download the rejected lines").first.click()
        assert raw.value.path().read_bytes().strip() == b"not a request"

        page.get_by_role("button", name=re.compile(r"^Submit \d+ jobs? for about \$")).first.click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text(f"{ITEMS} items")
        dialog.get_by_role("button", name="Submit").click()
        expect(page.get_by_text("The backlog is empty").first).to_be_visible()
        page.get_by_role("link", name="Follow them on the Jobs page").first.click()

        page.goto(f"{url}/")
        open_the_job = page.get_by_role("link", name="Open the job")
        expect(open_the_job.first).to_be_visible(timeout=90_000)
        open_the_job.first.click()
        expect(page.get_by_text("To repair", exact=True).first).to_be_visible()

        page.get_by_role("button", name=re.compile(r"^Repair \d+ items? for about")).first.click()
        expect(page.get_by_text(re.compile(r"queued as repair job")).first).to_be_visible()
        page.get_by_role("link", name=re.compile(r"^Open repair job")).first.click()
        expect(page.get_by_role("heading", level=2).first).to_contain_text("Repair")
        expect(page.get_by_text("Chain of repairs").first).to_be_visible(timeout=30_000)
    noise[:] = [line for line in noise if "/_stcore/" not in line]


def test_an_idle_page_notices_the_inbox(
    *, serve: Serve, workspace_dir: Path, requests: Path, page: Page, idle: Wait, noise: Noise
) -> None:
    """A cron job drops a file while the page is just open: it appears without a click."""
    with serve(workspace_dir) as url:
        page.goto(f"{url}/backlog")
        idle(page)
        requests.rename(workspace_dir / "inbox" / "dropped.jsonl")

        said = f"dropped.jsonl: {ITEMS} added, 0 known, 0 replaced, 1 rejected"
        expect(page.get_by_text(said)).to_be_visible(timeout=30_000)
    noise[:] = [line for line in noise if "/_stcore/" not in line]


def test_a_second_app_says_who_has_the_workspace(serve: Serve, workspace_dir: Path, page: Page, idle: Wait) -> None:
    """Two apps on one workspace: the second comes up and explains itself; no data is touched."""
    with serve(workspace_dir), serve(workspace_dir) as second:
        page.goto(second)
        idle(page)

        expect(page.get_by_role("alert")).to_contain_text("cannot open its workspace")
        expect(page.get_by_role("button", name="Try again")).to_be_visible()
        expect(page.get_by_text("Traceback")).to_have_count(0)
