"""The page of the audit log: what was done here stands there, the newest first, and can be filtered and taken along."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core import actions, workspace
from core.audit import NotAllowed
from core.roles import Role
from pages import session
from pages.entries import subject, whole_log
from tests.ui.conftest import Open


@pytest.fixture
def acted(open_app: Open, demo: Path, tmp_path: Path) -> Path:
    """A demo in which an export was made and a viewer tried to release a job."""
    open_app(demo)
    opened = session.workspace()
    actions.export(opened, "items", tmp_path / "items.csv")
    with pytest.raises(NotAllowed):
        bob = replace(opened.actor, name="bob", role=Role.VIEWER)
        actions.release(opened.acting(bob), "nosuchjb", now=workspace.utc_now())
    return demo


def test_the_log_shows_the_newest_first_and_says_why_not(open_app: Open, acted: Path) -> None:
    """Who, in what role, did what, how it went, and the sentence of a refusal."""
    app = open_app(acted, "audit.py")

    shown = app.dataframe[0].value
    assert shown["action"].to_list() == ["release", "export"]
    assert shown["outcome"].to_list() == ["Refused", "Done"]
    assert shown["actor"].to_list()[0] == "bob" and shown["role"].to_list() == ["viewer", "operator"]
    assert shown["subject"].to_list()[0] == "job id nosuchjb"
    assert "Ask an operator" in shown["sentence"].to_list()[0]
    assert [error.value for error in app.exception] == []


def test_filters_come_with_the_link(open_app: Open, acted: Path) -> None:
    """One person, one action, one outcome, from one day on; and a sentence where nothing matches."""
    assert open_app(acted, "audit.py", actor="bob").dataframe[0].value["action"].to_list() == ["release"]
    assert open_app(acted, "audit.py", action=["export"]).dataframe[0].value["action"].to_list() == ["export"]
    assert open_app(acted, "audit.py", outcome=["Refused"]).dataframe[0].value["actor"].to_list() == ["bob"]
    assert len(open_app(acted, "audit.py", since="2026-01-01").dataframe[0].value) == 2

    none = open_app(acted, "audit.py", since=f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%d}")
    assert not none.dataframe and none.info[0].value == "No entry matches these filters."


def test_the_download_is_the_whole_log_and_is_itself_on_record(open_app: Open, acted: Path) -> None:
    """What leaves the page as a file is an export like any other."""
    open_app(acted, "audit.py")
    lines = whole_log(session.workspace()).decode().splitlines()

    assert lines[0] == "number,acted_at,actor,role,how,action,subject,outcome,sentence"
    assert [line.split(",")[5] for line in lines[1:]] == ["export", "release", "export"]
    assert "begun" in lines[3]


def test_what_an_entry_is_about_is_one_line() -> None:
    """Ids letter for letter, names of figures in words."""
    assert subject('{"job_id":"a_b","jobs":["x","y"],"items":3}') == "job id a_b; jobs x, y; items 3"
    assert subject("{}") == ""
