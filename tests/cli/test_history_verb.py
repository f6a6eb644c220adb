"""The verb `history`: what others sent on the account, from the command line."""

import json
import time
from pathlib import Path

import pytest

from core.commands.command_line import main
from core.workspace import Workspace
from tests.cli.conftest import Call, line


@pytest.fixture
def foreign(workspace_dir: Path, tmp_path: Path) -> None:
    """Somebody else sends two batches on the account, and they end."""
    with Workspace.open(workspace_dir) as workspace:
        sent = []
        for name, count in (("summary", 5), ("grade", 3)):
            body = tmp_path / "body.json"
            body.write_text(json.dumps({"requests": [line(f"{name}-{number:03d}") for number in range(count)]}))
            sent.append(workspace.gateway.create(body).batch_id)
        while any(workspace.gateway.retrieve(batch_id).status != "ended" for batch_id in sent):
            time.sleep(0.02)


@pytest.mark.usefixtures("foreign")
def test_history_comes_in_once_and_is_named_by_the_rules(call: Call, say: Call, workspace_dir: Path) -> None:
    """Dry run, run, run again; then other rules in the file, looked at first and put into force."""
    listed = call("history", "--dry-run")
    assert (listed["batches"], listed["items"], listed["dry_run"]) == (2, 8, True)
    assert call("status")["jobs"] == []

    (new,) = call("history", "--since", "2")["found"]
    assert (new["standing"], new["batches"], new["items"], new["unpriced"]) == ("new", 2, 8, 0)
    assert float(new["cost_usd"]) > 0
    (known,) = call("history")["found"]
    assert known == {**new, "standing": "known"}
    assert {job["class_name"] for job in call("status")["jobs"]} == {"summary", "grade"}
    said = say("history")
    assert "standing  batches  items  cost_usd" in said
    assert "known" in said

    (workspace_dir / "naming.toml").write_text("[[rule]]\npattern = 'summary'\nclass = 'S'\n")
    preview = call("history", "--reclassify", "--dry-run")
    assert (preview["changed"], preview["items"], preview["unmatched_share"]) == (8, 8, 3 / 8)
    assert [(rule["number"], rule["items"]) for rule in preview["rules"]] == [(1, 5), (None, 3)]
    assert preview["rules"][0]["examples"][0] == "summary-000 → S"
    assert call("history", "--reclassify")["changed"] == 8
    assert {job["class_name"] for job in call("status")["jobs"]} == {"S", "claude-sonnet-5-5"}
    assert "37.50%" in say("history", "--reclassify")


@pytest.mark.parametrize("days", ["0", "-3", "x", "4000"])
def test_days_that_are_none_are_wrong_usage(days: str) -> None:
    """Exit code 2, before anything is opened."""
    with pytest.raises(SystemExit) as stopped:
        main(["history", "--since", days])

    assert stopped.value.code == 2


def test_a_slip_in_the_rules_is_a_sentence(call: Call, workspace_dir: Path) -> None:
    """Exit code 1 and the rule that is wrong; no traceback of a regex engine."""
    (workspace_dir / "naming.toml").write_text("[[rule]]\npattern = '('\nclass = 'S'\n")

    refused = call("history", "--reclassify", code=1)
    assert refused["context"]["rule"] == 1
    assert "no regular expression" in refused["context"]["why"]
