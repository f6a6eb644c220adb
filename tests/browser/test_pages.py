"""Every page in a real browser: by its link on a fresh server, in both themes, on a phone, for everybody."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Noise
from tests.conftest import Serve

Wait = Callable[[Page], None]
Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")
PAGES = {
    "": "Overview",
    "backlog": "Backlog and groups",
    "sizing": "Sizing",
    "routing": "Routing",
    "classes": "Classes",
    "jobs": "Jobs",
    "schedule": "Schedule",
    "results": "Results",
    "trends": "Trends",
    "savings": "Savings",
    "what_if": "What if",
    "history": "Account history",
    "prices": "Prices",
    "reconcile": "Reconcile",
    "audit": "Audit log",
}


def forgive_probes(noise: Noise) -> None:
    """Streamlit asks for its server below the path of a deep link before it asks at the root."""
    noise[:] = [line for line in noise if "/_stcore/health)" not in line and "/_stcore/host-config)" not in line]


def excuse_uploader(page: Page) -> None:
    """Streamlit gives its drop zone a role that its own labels contradict; nothing else is excused."""
    page.evaluate("document.querySelector('[data-testid=stFileUploaderDropzone]')?.removeAttribute('role')")


@pytest.mark.parametrize("path", ["jobs", "sizing", "trends"])
def test_a_deep_link_is_the_first_visit_of_a_fresh_server(
    *, serve: Serve, workspace_dir: Path, page: Page, idle: Wait, noise: Noise, path: str
) -> None:
    """Nobody has opened the overview yet, and the linked page is there all the same."""
    with serve(workspace_dir) as url:
        page.goto(f"{url}/{path}")
        idle(page)

        expect(page.get_by_role("heading", level=1)).to_have_text(PAGES[path])
        expect(page.get_by_text("Simulated data").first).to_be_visible()
    forgive_probes(noise)


@pytest.mark.parametrize("path", PAGES)
def test_everybody_can_use_every_page(
    *, app_url: str, page: Page, idle: Wait, assert_accessible: Wait, noise: Noise, path: str
) -> None:
    """Axe finds nothing on the demo, in either theme, and at 390 pixels nothing sticks out to the right."""
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)
        page.goto(f"{app_url}/{path}")
        idle(page)

        expect(page.get_by_role("heading", level=1)).to_have_text(PAGES[path])
        expect(page.get_by_test_id("stException")).to_have_count(0)
        excuse_uploader(page)
        assert_accessible(page)

    page.set_viewport_size({"width": 390, "height": 844})
    idle(page)
    expect(page.get_by_role("heading", level=1)).to_have_text(PAGES[path])
    page.wait_for_function(
        "[document.documentElement, document.querySelector('[data-testid=stMain]')].every(e => e.scrollWidth <= 390)"
    )
    forgive_probes(noise)


@pytest.mark.parametrize("theme", THEMES)
def test_everybody_can_use_a_job(
    *, app_url: str, page: Page, idle: Wait, assert_accessible: Wait, noise: Noise, theme: Theme
) -> None:
    """The way from the overview to the repair of a job, by links alone."""
    page.emulate_media(color_scheme=theme)
    page.goto(app_url)
    idle(page)
    page.get_by_role("link", name="Open the job").first.click()
    expect(page.get_by_text("What failed, and what helps")).to_be_visible()
    idle(page)

    assert "/jobs?job=" in page.url
    assert_accessible(page)
    forgive_probes(noise)


def test_filters_travel_in_the_link(app_url: str, page: Page, idle: Wait, noise: Noise) -> None:
    """A filter set by keyboard is in the address; the address alone brings it back."""
    page.goto(f"{app_url}/jobs")
    idle(page)
    page.get_by_role("combobox", name="Role").press_sequentially("Primer")
    page.keyboard.press("Enter")
    page.wait_for_url("**/jobs?role=Primer")
    link = page.url

    page.goto("about:blank")
    page.goto(link)
    idle(page)

    expect(page.get_by_test_id("stMultiSelect").filter(has_text="Role")).to_contain_text("Primer")
    forgive_probes(noise)
