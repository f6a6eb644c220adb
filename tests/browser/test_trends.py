"""The ways down from the trends, by mouse and back again, and what can be taken away from them."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Noise
from tests.browser.test_pages import forgive_probes

Wait = Callable[[Page], None]

# Where the box of the first row of a table is, from its upper left corner.
FIRST_ROW = {"x": 16, "y": 55}


def test_from_a_bar_to_a_job_and_back(app_url: str, page: Page, idle: Wait, noise: Noise) -> None:
    """A click on a day lists its jobs, the browser's back button takes that back, a click on a job opens it."""
    page.set_viewport_size({"width": 1280, "height": 2400})
    page.goto(f"{app_url}/trends?range=30+days")
    idle(page)
    jobs = page.get_by_role("heading", name=re.compile(r"^Jobs of \d+ \w+ \d{4}$"))
    page.get_by_test_id("stVegaLiteChart").nth(1).locator('path[aria-roledescription="bar"]').first.click()
    page.wait_for_url(re.compile(r"range=30\+days&day=\d{4}-\d\d-\d\d$"))
    expect(jobs).to_be_visible(timeout=30_000)

    page.go_back()
    expect(jobs).to_have_count(0, timeout=30_000)
    page.go_forward()
    expect(jobs).to_be_visible(timeout=30_000)
    idle(page)

    page.get_by_test_id("stDataFrame").first.click(position=FIRST_ROW)  # type: ignore[arg-type]
    page.wait_for_url(re.compile(r"/jobs\?job=\w+$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Jobs")
    forgive_probes(noise)


def test_a_click_on_a_line_narrows_to_its_class(app_url: str, page: Page, idle: Wait, noise: Noise) -> None:
    """The table of lines leads to one class, which then stands in the address and in the filter."""
    page.set_viewport_size({"width": 1280, "height": 4000})
    page.goto(f"{app_url}/trends?range=30+days")
    idle(page)
    page.get_by_test_id("stDataFrame").first.click(position=FIRST_ROW)  # type: ignore[arg-type]

    page.wait_for_url(re.compile(r"class=\w+"))
    expect(page.get_by_role("combobox", name="Class")).not_to_have_value("")
    forgive_probes(noise)


@pytest.mark.parametrize("view", ["Why it moved", "Compare", "Cost per unit"])
def test_what_is_chosen_is_legible_on_dark_ground(
    *, app_url: str, page: Page, idle: Wait, assert_accessible: Wait, noise: Noise, view: str
) -> None:
    """The chosen range, the open tab and every chart of it pass axe in the dark theme."""
    page.emulate_media(color_scheme="dark")
    page.goto(f"{app_url}/trends?view={view.replace(' ', '+')}")
    idle(page)

    assert_accessible(page)
    forgive_probes(noise)


def test_a_picture_is_downloaded(app_url: str, page: Page, idle: Wait, assert_accessible: Wait, noise: Noise) -> None:
    """The control beside a chart opens by keyboard, is accessible, and gives a PNG."""
    page.goto(app_url)
    idle(page)
    page.get_by_test_id("stPopover").get_by_role("button", name="Download").first.focus()
    page.keyboard.press("Enter")
    button = page.get_by_test_id("stPopoverBody").get_by_role("button", name="Picture as PNG")
    expect(button).to_be_visible()
    assert_accessible(page)

    with page.expect_download() as download:
        button.click()
    assert re.fullmatch(r"lotwise-unit-cost-\d{4}-\d\d-\d\d\.png", download.value.suggested_filename)
    assert download.value.path().read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    forgive_probes(noise)
