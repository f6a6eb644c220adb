"""The doctor's visit to a stored backlog: finds what is planted, and hands out what would change, nothing else."""

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from core import actions
from core.checkup import examine_waiting, rewritten
from core.workspace import Workspace

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
SYSTEM = "You sort the letters of a small town library by what their writers want. " * 60


def line(number: int, system: str) -> str:
    """One request."""
    params = {
        "model": "claude-haiku-5-5",
        "max_tokens": 32,
        "system": system,
        "messages": [{"role": "user", "content": f"Letter {number}"}],
    }
    return json.dumps({"custom_id": f"letter-{number}", "params": params})


@pytest.fixture
def dated(workspace_dir: Path, tmp_path: Path) -> Workspace:
    """A workspace where forty requests begin with their minute and two with nothing of the kind."""
    file = tmp_path / "dated.jsonl"
    lines = [line(n, f"It is 2026-11-22T08:{n:02d}:00Z.\n{SYSTEM}") for n in range(40)]
    file.write_text("\n".join([*lines, line(40, "Say hello."), line(41, "Say goodbye.")]))
    workspace = Workspace.open(workspace_dir)
    actions.import_files(workspace, [file])
    return workspace


def test_what_waits_is_examined_and_rewritten(dated: Workspace) -> None:
    """The finding names the forty; its rewrite changes the forty, keeps their ids, and leaves the store as it was."""
    with dated as workspace:
        seen = examine_waiting(workspace.store, workspace.folder, workspace.book, now=NOW)
        (finding,) = [one for one in seen.findings if one.automatic]
        lines = [json.loads(text) for text in rewritten(workspace.store, workspace.folder, finding)]
        again = examine_waiting(workspace.store, workspace.folder, workspace.book, now=NOW)

    assert (seen.requests, seen.examined, seen.sampled) == (42, 42, False)
    assert finding.items == 40
    assert finding.saving_usd > 0
    assert sorted(one["custom_id"] for one in lines) == sorted(f"letter-{n}" for n in range(40))
    assert len({json.dumps(one["params"]["system"]) for one in lines}) == 1, "now they share it"
    assert again == seen, "nothing is changed by looking"


def test_healing_puts_the_rewritten_requests_in_place(dated: Workspace) -> None:
    """Once its owner agrees, what waits is what the rewrite says: same ids, one class, nothing left to find."""
    with dated as workspace:
        seen = examine_waiting(workspace.store, workspace.folder, workspace.book, now=NOW)
        (finding,) = [one for one in seen.findings if one.automatic]
        report = actions.heal(workspace, finding)
        again = examine_waiting(workspace.store, workspace.folder, workspace.book, now=NOW)
        waiting = workspace.store.query("backlog", class_ids=None)
        with pytest.raises(actions.NothingToHeal):
            actions.heal(workspace, finding)

    assert (report.replaced, report.added, report.rejected) == (40, 0, 0)
    assert [one for one in again.findings if one.automatic] == []
    assert waiting.height == 42
    assert (
        waiting.filter(pl.col("item_id") != "letter-40", pl.col("item_id") != "letter-41")["class_id"].n_unique() == 1
    )


def test_an_empty_backlog_is_healthy(workspace_dir: Path) -> None:
    """Nothing waits, so there is nothing to find."""
    with Workspace.open(workspace_dir) as workspace:
        seen = examine_waiting(workspace.store, workspace.folder, workspace.book, now=NOW)

    assert (seen.requests, seen.findings) == (0, ())
