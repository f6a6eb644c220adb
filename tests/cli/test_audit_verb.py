"""`audit`: who did what from the command line, for people and for programs."""

from datetime import datetime
from pathlib import Path

from core.commands.command_line import main
from core.roles import user_name
from tests.cli.conftest import Call


def test_what_was_done_is_shown_newest_first(call: Call, requests_file: Path, tmp_path: Path) -> None:
    """With ids and figures of each action, in the name of the user; looking leaves no entry."""
    call("import", requests_file)
    call("plan")
    call("repair", "nosuchjb", code=1)
    call("export", "costs", "--to", tmp_path / "costs.csv")
    entries = call("audit")["entries"]

    assert [(entry["action"], entry["outcome"]) for entry in entries] == [("export", "done"), ("import", "done")]
    assert {(entry["actor"], entry["role"], entry["how"]) for entry in entries} == {
        (user_name(), "operator", "command line")
    }
    assert entries[0]["subject"] == {"what": "costs", "to": str(tmp_path / "costs.csv")}
    assert entries[1]["subject"]["paths"] == [str(requests_file)]
    assert entries[1]["subject"]["added"] == [20]
    assert datetime.fromisoformat(entries[0]["acted_at"]) > datetime.fromisoformat(entries[1]["acted_at"])


def test_the_log_can_be_cut_and_taken_along(call: Call, say: Call, requests_file: Path, tmp_path: Path) -> None:
    """The newest few, one person's, a table for people, and the whole as a file."""
    for name in ("a", "b", "c"):
        call("export", "items", "--to", tmp_path / f"{name}.csv")

    assert [entry["subject"]["to"][-5:] for entry in call("audit", "--limit", 2)["entries"]] == ["c.csv", "b.csv"]
    assert call("audit", "--actor", "nobody") == {"entries": []}
    said = say("audit")
    assert said.splitlines()[1].split()[:3] == ["acted_at", "actor", "role"]
    assert f"to {tmp_path / 'c.csv'}" in said
    assert call("export", "audit", "--to", tmp_path / "audit.jsonl")["rows"] == 4
    assert (tmp_path / "audit.jsonl").read_text().count('"action":"export"') == 4


def test_a_limit_is_a_number(call: Call) -> None:
    """Wrong usage is told from a refusal."""
    for wrong in ("0", "-1", "many"):
        try:
            main(["audit", "--limit", wrong])
        except SystemExit as left:
            assert left.code == 2
        else:
            raise AssertionError(wrong)
