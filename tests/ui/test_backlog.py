"""From a file to submitted jobs, and every refusal on the way as a sentence."""

from pathlib import Path
from typing import BinaryIO

import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

from core import actions
from core.errors import LotwiseError
from core.store import Store
from core.workspace import Workspace
from pages import session
from tests.ui.conftest import Open


def test_an_upload_is_handed_to_the_core_as_it_came(
    open_app: Open, workspace_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Name and bytes arrive unchanged; what happens to them is the core's business."""
    taken: dict[str, bytes] = {}

    def accept(_: Workspace, name: str, file: BinaryIO) -> None:
        taken[name] = file.read()

    monkeypatch.setattr(actions, "accept_upload", accept)
    app = open_app(workspace_dir, "backlog.py")

    app.file_uploader[0].upload("one.jsonl", b"{}\n")
    app.file_uploader[0].upload("two.jsonl.gz", b"\x1f\x8b")
    press(app, "Import these files").run()

    assert not app.exception
    assert taken == {"one.jsonl": b"{}\n", "two.jsonl.gz": b"\x1f\x8b"}
    assert "2 files" in app.success[0].value


def test_nothing_chosen_is_said(open_app: Open, workspace_dir: Path) -> None:
    """Both forms ask for what is missing instead of doing nothing."""
    app = open_app(workspace_dir, "backlog.py")

    press(app, "Import these files").run()
    assert "Choose at least one file" in app.warning[0].value

    press(app, "Import from this path").run()
    assert "Type a path" in app.warning[0].value


def test_a_path_that_is_not_there_is_a_sentence(open_app: Open, workspace_dir: Path) -> None:
    """A wrong path is answered with what to do, never with a traceback."""
    app = open_app(workspace_dir, "backlog.py")

    app.text_input(key="import-path").set_value("/no/such/place.jsonl")
    press(app, "Import from this path").run()

    assert not app.exception
    assert len(app.error) == 1
    assert "/no/such/place.jsonl" in app.error[0].value


def test_a_plan_that_cannot_be_made_is_a_sentence(
    open_app: Open, workspace_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of the page stays usable."""

    def refuse(*_: object, **__: object) -> None:
        raise LotwiseError("The price book does not list this model.", model="claude-x")

    monkeypatch.setattr(actions, "preview_plan", refuse)
    app = open_app(workspace_dir, "backlog.py")

    assert not app.exception
    assert [error.value for error in app.error] == ["The price book does not list this model. (model\\: claude-x)"]
    assert app.file_uploader


def test_submitting_asks_first_and_submits_once(open_app: Open, demo: Path) -> None:
    """The button only asks; the confirmation stores the plan and its jobs; the backlog is then empty."""
    app = open_app(demo, "backlog.py")
    if not any(button.key == "submit" for button in app.button):
        pytest.skip("this demo has no backlog that was imported")
    before = job_count()

    app.button(key="submit").click().run()
    assert job_count() == before
    app.button(key="submit-confirm").click().run()

    assert not app.exception
    assert job_count() > before
    assert any("queued" in success.value for success in app.success)
    assert all(button.key != "submit" for button in app.button)


def test_a_busy_workspace_is_one_clear_page(open_app: Open, workspace_dir: Path) -> None:
    """A second Lotwise on the same workspace says who has it; when that one ends, trying again works."""
    other = Store.open(workspace_dir / "lotwise.duckdb")
    try:
        app = open_app(workspace_dir)
        assert not app.exception
        assert len(app.error) == 1
        assert not app.dataframe
    finally:
        other.close()

    app.button(key="try-again").click().run()
    assert not app.exception
    assert not app.error


def press(app: AppTest, label: str) -> AppTest:
    """Press the submit button of a form."""
    next(button for button in app.button if button.label == label).click()
    return app


def job_count() -> int:
    """Jobs in the open workspace."""
    count: int = session.workspace().store.query("standing", running=[], stopped=[]).select(pl.col("jobs")).item()
    return count
