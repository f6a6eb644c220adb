"""From a file to submitted jobs, and every refusal on the way as a sentence."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

from core import actions
from core.errors import LotwiseError
from core.store import Store, Transaction
from core.workspace import Workspace
from pages import session
from tests.ui.conftest import Open

MODELS = ("claude-haiku-5-5",) * 2 + ("claude-nova-9",) * 3
PARAMS = {"max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}]}


def now() -> datetime:
    """This moment: a run of all tests takes longer than a page remembers."""
    return datetime.now(UTC)


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


def test_an_empty_upload_is_a_sentence_that_stays(open_app: Open, workspace_dir: Path) -> None:
    """The files beside it are taken, and the page may rerun by itself before the sentence is read."""
    app = open_app(workspace_dir, "backlog.py")

    app.file_uploader[0].upload("empty.jsonl", b"")
    app.file_uploader[0].upload("one.jsonl", b"{}\n")
    press(app, "Import these files").run()
    assert "1 file handed" in app.success[0].value

    app.run()
    assert not app.exception
    assert ["empty.jsonl" in error.value for error in app.error] == [True]


def test_what_became_of_an_import_stays_in_sight(open_app: Open, workspace_dir: Path) -> None:
    """The newest three in a line each, with their notes; rejected lines of an old import are only to be chosen."""
    open_app(workspace_dir)
    imported("a", "old.jsonl", rejected=2, at=now() - timedelta(hours=1))
    app = open_app(workspace_dir, "backlog.py")
    assert "2 rejected lines in old.jsonl" in titles(app)

    for minutes, name in enumerate(("fourth", "third", "second")):
        imported(name, f"{name}.jsonl", added=300, at=now() - timedelta(minutes=4 - minutes))
    imported("first", "first.jsonl", added=1, note="The file ends early.", at=now())
    app = open_app(workspace_dir, "backlog.py")

    assert [line.value for line in app.success] == [
        "second.jsonl: 300 added, 0 known, 0 replaced, 0 rejected",
        "third.jsonl: 300 added, 0 known, 0 replaced, 0 rejected",
    ]
    assert "first.jsonl: 1 added" in app.warning[0].value
    assert "The file ends early." in app.warning[0].value
    assert titles(app) == [""]

    app.selectbox(key="rejects-of").select("a").run()
    assert titles(app) == ["", "2 rejected lines in old.jsonl"]


def test_the_newest_rejects_are_open(open_app: Open, workspace_dir: Path) -> None:
    """Older ones of the same name are told apart by their time."""
    open_app(workspace_dir)
    imported("a", "day.jsonl", rejected=2, at=now() - timedelta(minutes=5))
    imported("b", "day.jsonl", rejected=1, at=now() - timedelta(minutes=2))

    app = open_app(workspace_dir, "backlog.py")

    assert titles(app) == ["1 rejected line in day.jsonl"]
    assert [option.startswith("day.jsonl, ") for option in app.selectbox(key="rejects-of").options] == [True]


def test_items_without_a_price_are_named(open_app: Open, workspace_dir: Path, tmp_path: Path) -> None:
    """By the plan and where it is confirmed: the dollars there are of the others."""
    open_app(workspace_dir)
    file = tmp_path / "new.jsonl"
    lines = [{"custom_id": f"n-{n}", "params": PARAMS | {"model": model}} for n, model in enumerate(MODELS)]
    file.write_text("\n".join(json.dumps(line) for line in lines))
    actions.import_files(session.workspace(), [file])
    said = "3 items of claude-nova-9 have no price, so they are not in these figures."

    app = open_app(workspace_dir, "backlog.py")
    assert [warning.value for warning in app.warning if "figures" in warning.value] == [said]

    app.button(key="submit").click().run()
    assert [warning.value for warning in app.warning if "figures" in warning.value] == [said, said]


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

    app.run()
    assert any("queued" in success.value for success in app.success), "the page reruns by itself"
    assert any("Follow them" in link.value for link in app.page_link)


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


def imported(import_id: str, source: str, *, at: datetime, note: str | None = None, **counts: int) -> None:
    """An import that has ended."""
    names = ("bytes", "lines", "added", "known", "replaced", "rejected")
    ended = {name: counts.get(name, 0) for name in names} | {"finished_at": at, "note": note}
    rejects = [
        {"import_id": import_id, "line": n + 1, "custom_id": None, "reason": "not JSON", "bytes": 3}
        for n in range(counts.get("rejected", 0))
    ]

    def write(tx: Transaction) -> None:
        tx.run("start_import", import_id=import_id, source=source, started_at=at)
        tx.run("advance_import", import_id=import_id, **ended)
        if rejects:
            tx.merge("add_rejects", pl.DataFrame(rejects, schema_overrides={"custom_id": pl.String}))

    session.workspace().store.write(write)


def titles(app: AppTest) -> list[str]:
    """The titles of the warnings, in their order."""
    return [warning.proto.title for warning in app.warning]
