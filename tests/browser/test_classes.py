"""Classes in a real browser: the picture opens a class, for everybody, in both themes and on a phone."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Noise
from tests.browser.test_flows import ITEMS, request
from tests.browser.test_pages import forgive_probes
from tests.conftest import Serve

Wait = Callable[[Page], None]
BAR = "path[aria-roledescription=rect], path[role=graphics-symbol]"


@pytest.fixture
def open_classes(app_url: str, page: Page, idle: Wait) -> Callable[[], None]:
    """Return a function that opens the classes of the demo."""

    def opened() -> None:
        page.goto(f"{app_url}/classes")
        idle(page)
        expect(page.get_by_test_id("stVegaLiteChart")).to_be_visible()

    return opened


def largest_bar(page: Page) -> Locator:
    """The largest bar of one class in the picture."""
    page.wait_for_selector(f"[data-testid=stVegaLiteChart] .mark-rect {BAR}")
    bars = page.locator(f"[data-testid=stVegaLiteChart] .mark-rect {BAR}")
    areas = bars.evaluate_all(
        "bars => bars.map(bar => { const b = bar.getBoundingClientRect(); return b.width * b.height })"
    )
    return bars.nth(areas.index(max(areas)))


def excuse_tooltip(page: Page) -> None:
    """Streamlit leaves the tooltip of a chart that is gone behind the page, outside of all landmarks."""
    page.evaluate("document.getElementById('vg-tooltip-element')?.remove()")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_click_on_a_bar_opens_its_class(
    *, open_classes: Callable[[], None], page: Page, idle: Wait, assert_accessible: Wait, noise: Noise, theme: str
) -> None:
    """The class is in the link, its page is accessible, and its way back leads to the picture."""
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    open_classes()
    largest_bar(page).click()
    expect(page.get_by_role("heading", name="The prompt")).to_be_visible()
    idle(page)

    assert "/classes?id=" in page.url
    expect(page.get_by_role("heading", name="Cache plan")).to_be_visible()
    excuse_tooltip(page)
    assert_accessible(page)

    page.get_by_role("link", name="All classes").click()
    expect(page.get_by_role("heading", name="What waits, by what it shares")).to_be_visible()
    forgive_probes(noise)


def test_a_class_fits_a_phone(open_classes: Callable[[], None], page: Page, idle: Wait, noise: Noise) -> None:
    """At 390 pixels a long prompt wraps; nothing sticks out to the right."""
    page.set_viewport_size({"width": 390, "height": 844})
    open_classes()
    largest_bar(page).click()
    expect(page.get_by_role("heading", name="The prompt")).to_be_visible()
    idle(page)

    widths = page.evaluate(
        "[document.documentElement, document.querySelector('[data-testid=stMain]')].map(e => e.scrollWidth)"
    )
    assert max(widths) <= 390
    forgive_probes(noise)


def test_the_doctor_hands_out_what_it_would_change(
    *, serve: Serve, workspace_dir: Path, page: Page, idle: Wait, noise: Noise
) -> None:
    """A date early in the prompt: found on the button, and the rewritten requests are a file of all of them."""
    lines = [
        request(number).replace("You sort", f"It is 08:{number:02d}:00Z.\\nYou sort", 1) for number in range(ITEMS)
    ]
    with serve(workspace_dir) as url:
        page.goto(f"{url}/backlog")
        idle(page)
        part = workspace_dir / "inbox" / "dated.jsonl.part"
        part.write_text("\n".join(lines) + "\n")
        part.rename(workspace_dir / "inbox" / "dated.jsonl")
        expect(page.get_by_text("dated.jsonl", exact=False).first).to_be_visible(timeout=30_000)

        page.goto(f"{url}/classes")
        idle(page)
        page.get_by_role("button", name="Examine what waits").click()
        with page.expect_download() as taken:
            page.get_by_role("button", name="Download the rewritten requests").first.click()
        assert len(taken.value.path().read_text().splitlines()) == ITEMS
    noise[:] = [line for line in noise if "/_stcore/" not in line]
