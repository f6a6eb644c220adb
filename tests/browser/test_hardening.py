"""Hostile texts in a real browser: no script runs, no request leaves, nothing is clickable that should not be."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Dialog, Page

from tests.nasty import HOST, nasty_workspace

PAGES = ("", "backlog", "classes", "jobs", "trends")
Idle = Callable[[Page], None]


@pytest.mark.timeout(600)
def test_hostile_texts_stay_texts(page: Page, serve: Any, idle: Idle, tmp_path: Path) -> None:
    """Every page, one class and one job. Foreign requests and script errors fail through the page's own noise."""
    folder = tmp_path / "workspace"
    addresses = [*PAGES, *nasty_workspace(folder)]
    dialogs: list[str] = []

    def note(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", note)
    with serve(folder) as url:
        for address in addresses:
            page.goto(f"{url}/{address}")
            idle(page)
            check(page)
        page.goto("about:blank")
    assert dialogs == []


def check(page: Page) -> None:
    """Nothing of the corpus is alive on this page, and it is not wider than the window."""
    assert "owned" not in page.title()
    assert (
        page.locator(f'a[href*="{HOST}"], img[src*="{HOST}"], a[href^="javascript:"], a[href^="mailto:"]').count() == 0
    )
    assert page.locator("img[onerror], [data-testid='stMain'] script").count() == 0
    assert page.locator("[data-testid='stMain'] .katex").count() == 0
    assert page.locator("[aria-label='delete icon'], img[alt*='treamlit' i]").count() == 0
    width = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert width[0] <= width[1]
