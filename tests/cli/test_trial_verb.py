"""The verb `trial`: started, followed, shown, labelled and stopped from the command line."""

import json
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from core.commands.command_line import main
from core.sandbox import truth_of
from core.settings import Settings
from tests.cli.conftest import Call, line

FORM = {
    "type": "object",
    "properties": {"label": {"type": "string", "enum": ["good", "bad"]}, "confidence": {"type": "number"}},
    "required": ["label", "confidence"],
    "additionalProperties": False,
}


@pytest.fixture
def labelled(tmp_path: Path, call: Call) -> Path:
    """Return gold labels of forty imported requests."""
    form = {"format": {"type": "json_schema", "schema": FORM}}
    system = "Label: every record by every one of these rules. " * 150
    lines = [line(f"record-{number:02d}", system=system, output_config=form) for number in range(40)]
    asked = tmp_path / "asked.jsonl"
    asked.write_text("".join(json.dumps(each) + "\n" for each in lines))
    call("import", asked)
    truths = {each["custom_id"]: truth_of(each["params"], Settings().sandbox_seed) or {} for each in lines}
    gold = tmp_path / "gold.csv"
    pl.DataFrame({"item_id": list(truths), "gold": [truth["label"] for truth in truths.values()]}).write_csv(gold)
    return gold


def class_id(call: Call) -> str:
    """Return the id of the one class that waits."""
    return str(call("plan")["classes"][0]["class_id"])


def started(gold: Path, of: str, *more: object) -> list[object]:
    """Return the arguments of a trial of Haiku and Opus by gold labels."""
    models = ("--candidate", "claude-haiku-5-5", "--candidate", "claude-opus-5-5")
    grader = ("--grader", "exact:field=label", "--gold", gold, "--bar", "0.6")
    return ["trial", "start", of, *models, *grader, *more]


def followed(call: Call) -> list[dict[str, Any]]:
    """Look at the status until no trial goes on by itself; return the trials."""
    for _ in range(120):
        if all(job["state"] == "done" for job in call("status")["jobs"]):
            rows: list[dict[str, Any]] = call("trial", "list")["trials"]
            if all(row["state"] != "running" for row in rows):
                return rows
        time.sleep(0.2)
    raise AssertionError(rows)


def test_a_trial_from_its_start_to_its_verdict(labelled: Path, call: Call, say: Call) -> None:
    """A dry run prices it, the start sends it, and looking at the status moves it on until it is decided."""
    of = class_id(call)
    dry = call(*started(labelled, of, "--dry-run", "--cascade"))
    assert [one["model"] for one in dry["would_try"]] == ["claude-haiku-5-5", "claude-opus-5-5"]
    assert all(float(one["usd"]) > 0 and one["labels_needed"] > 0 for one in dry["would_try"])
    assert "labels_needed" in say(*started(labelled, of, "--dry-run"))  # people see what programs do
    assert call("trial") == {"trials": []}

    made = call(*started(labelled, of, "--cascade"))
    assert float(made["predicted_usd"]) == pytest.approx(float(dry["predicted_usd"]))
    (row,) = followed(call)
    assert (row["trial_id"], row["state"], row["verdicts"]) == (made["trial_id"], "decided", ["clears", "clears"])
    shown = call("trial", "show", made["trial_id"])
    assert shown["candidates"][0]["lower"] >= 0.6
    assert shown["grader"]["kind"] == "exact"
    assert float(shown["spent_usd"]) > 0
    assert shown["cascade"]["first"].startswith("claude-")
    assert "claude-haiku-5-5" in say("trial", "show", made["trial_id"])
    assert "clears" in say("trial")
    assert call("status")["items"] == {"backlog": 40}
    assert "over" in say("trial", "stop", made["trial_id"], code=1)


def test_labels_from_a_file(labelled: Path, call: Call, say: Call, tmp_path: Path) -> None:
    """What is no label is refused as a whole, with its row; nothing of it is kept."""
    models = ("--candidate", "claude-haiku-5-5", "--grader", "people", "--bar", "0.6")
    trial = call("trial", "start", class_id(call), *models)["trial_id"]
    assert followed(call)[0]["state"] == "labelling"
    items = [f"record-{number:02d}" for number in range(40)]
    file = tmp_path / "labels.csv"

    def rows(**columns: Any) -> None:
        pl.DataFrame({"item": items[:2], "model": "claude-haiku-5-5", **columns}).write_csv(file)

    rows(correct=[1, 2])
    assert "no labels" in say("trial", "label", trial, "--file", file, code=1)
    rows()
    assert "missing: correct" in say("trial", "label", trial, "--file", file, code=1)
    pl.DataFrame({"item": items[:1] * 2, "model": "claude-haiku-5-5", "correct": [0, 1]}).write_csv(file)
    assert "contradicts" in say("trial", "label", trial, "--file", file, code=1)
    pl.DataFrame({"item": ["nobody"], "model": "claude-haiku-5-5", "correct": [1]}).write_csv(file)
    assert "no such item" in say("trial", "label", trial, "--file", file, code=1)
    assert "no such file" in say("trial", "label", trial, "--file", tmp_path / "none.csv", code=1)
    assert call("trial", "show", trial)["candidates"][0]["tally"]["labels"] == 0
    items = call("trial", "show", trial)["label_next"]
    rows(correct=[1, 0], reference=[1, 1])
    assert call("trial", "label", trial, "--file", file)["kept"] == 2
    assert call("trial", "show", trial)["candidates"][0]["tally"] == {
        "labels": 2,
        "correct": 1,
        "better": 0,
        "worse": 0,
    }
    assert call("trial", "stop", trial)["state"] == "stopped"


@pytest.mark.parametrize(
    "wrong",
    [
        ("start",),
        ("show",),
        ("label", "x"),
        ("start", "x"),
        ("start", "x", "--candidate", "m"),
        ("start", "x", "--candidate", "m", "--grader", "people"),
        ("start", "x", "--candidate", "m", "--grader", "people", "--bar", "1.5"),
        ("start", "x", "--candidate", "m", "--grader", "people", "--bar", "0.9", "--margin", "0.1"),
    ],
)
def test_wrong_usage_ends_with_two(wrong: tuple[str, ...]) -> None:
    """What is missing or cannot be meant is told before anything is opened."""
    with pytest.raises(SystemExit) as ended:
        main(["trial", *wrong])
    assert ended.value.code == 2


def test_graders_from_the_command_line(call: Call, say: Call, tmp_path: Path) -> None:
    """A grader is a word with options or a JSON file; what is neither is refused with a sentence."""
    start = ("trial", "start", "nowhere", "--candidate", "claude-haiku-5-5", "--bar", "0.9")
    file = tmp_path / "grader.json"
    file.write_text("[]")
    assert "no grader" in say(*start, "--grader-file", file, code=1)
    file.write_text("{")
    assert "no grader" in say(*start, "--grader-file", file, code=1)
    file.write_text('{"kind": "people"}')
    assert "no such class" in say(*start, "--grader-file", file, code=1)
    assert "no grader" in say(*start, "--grader", "exact:field", code=1)
    assert "no trial of this id" in say("trial", "show", "nowhere", code=1)
