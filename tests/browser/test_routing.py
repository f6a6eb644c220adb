"""A person labels answers by keyboard without learning whose they are, in a real browser."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from core.routing.verdict import Bar
from tests.browser.conftest import Noise
from tests.conftest import Serve
from tests.jobs.driving import Bench
from tests.jobs.trying import CANDIDATE, REFERENCE, follow, start, trying

Wait = Callable[[Page], None]
PAIRS = 4
PHONE = 390


@pytest.fixture
def labelling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str]:
    """Return a workspace in which pairs of one trial wait for a person, and the trial's id."""
    folder = tmp_path / "bench" / "workspace"
    folder.mkdir(parents=True)
    bench = trying(lambda settings=None, **options: Bench(folder, monkeypatch, settings or {}, options), items=PAIRS)
    try:
        trial = start(bench, grader={"kind": "people"}, bar=Bar(margin=0.05), gold=None, sample=PAIRS)
        assert follow(bench, trial).state == "labelling"
    finally:
        bench.close()
    return folder, trial


def test_labelling_by_keyboard(
    *,
    serve: Serve,
    labelling: tuple[Path, str],
    page: Page,
    idle: Wait,
    noise: Noise,
    assert_accessible: Wait,
) -> None:
    """Arrow keys judge, U takes back; the page tells no model, fits a phone and leads back to the class."""
    folder, trial = labelling
    with serve(folder) as url:
        page.goto(f"{url}/routing?label={trial}")
        expect(page.get_by_text(f"0 of about {PAIRS}")).to_be_visible(timeout=60_000)
        idle(page)
        assert CANDIDATE not in page.content() and REFERENCE not in page.content()
        assert_accessible(page)

        for done, key in enumerate(("ArrowLeft", "ArrowDown"), 1):
            page.keyboard.press(key)
            expect(page.get_by_text(f"{done} of about {PAIRS}")).to_be_visible(timeout=30_000)
            idle(page)
        page.keyboard.press("u")
        expect(page.get_by_text(f"1 of about {PAIRS}")).to_be_visible(timeout=30_000)

        page.set_viewport_size({"width": PHONE, "height": 844})
        expect(page.get_by_role("button", name=re.compile("^Neither is right"))).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE
        for done in range(2, PAIRS + 1):
            idle(page)
            page.keyboard.press("ArrowRight")
            if done < PAIRS:
                expect(page.get_by_text(f"{done} of about {PAIRS}")).to_be_visible(timeout=30_000)
        expect(page.get_by_text("Nothing waits for a label")).to_be_visible(timeout=30_000)
        page.get_by_role("link", name=re.compile("^Back to")).click()
        expect(page.get_by_role("heading", name="The class on every model")).to_be_visible(timeout=30_000)
        idle(page)
    noise[:] = [line for line in noise if "/_stcore/" not in line]
