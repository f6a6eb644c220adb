"""The verbs `route` and `certificate` from the command line."""

import json
import time
from decimal import Decimal
from pathlib import Path

import pytest

from core.commands.command_line import main
from tests.cli.conftest import Call, line

HAIKU = "claude-haiku-5-5"
FORM = {
    "output_config": {
        "format": {
            "type": "json_schema",
            "schema": {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]},
        }
    }
}


def test_a_class_is_routed_and_taken_back(call: Call, say: Call, requests_file: Path) -> None:
    """Without proof it needs to be said; a dry run changes nothing; what was applied is listed, and withdrawn whole."""
    call("import", requests_file)
    listed = call("route")["routes"]
    (alpha,) = [row for row in listed if row["waiting"] == 12]
    assert (alpha["state"], alpha["best_model"], alpha["proven"]) == ("never", HAIKU, False)

    refused = call("route", "apply", alpha["class_id"], HAIKU, code=1)
    assert refused["error"].startswith("No trial of this class proves")
    shown = call("route", "apply", alpha["class_id"], HAIKU, "--uncertified", "--dry-run")
    assert (shown["items"], shown["certified"], shown["dry_run"], shown["notes"]) == (12, False, True, [])
    dearer = say("route", "apply", alpha["class_id"], "claude-opus-5-5", "--uncertified", "--dry-run")
    assert "On claude-opus-5-5 what waits is expected to cost more, not less." in dearer
    assert call("route")["routes"] == listed

    done = call("route", "apply", alpha["class_id"], HAIKU, "--uncertified")
    assert done == shown | {"dry_run": False}
    saving = Decimal(done["before_usd"]) - Decimal(done["after_usd"])
    assert saving == Decimal(alpha["saving_month_usd"]) > 0
    (routed,) = [row for row in call("route")["routes"] if row["waiting"] == 12]
    assert (routed["state"], routed["model"], routed["class_id"]) == ("applied", HAIKU, alpha["class_id"])
    assert "instead of" in routed["why"] and HAIKU in say("route")
    (entry,) = [row for row in call("audit")["entries"] if row["action"] == "apply-route" and row["outcome"] == "done"]
    assert entry["subject"]["uncertified"] is True

    assert call("route", "withdraw", alpha["class_id"])["items"] == 12
    assert call("route")["routes"] == listed


def test_missing_words_are_wrong_usage_and_unknown_ones_a_sentence(call: Call, requests_file: Path) -> None:
    """Exit 2 for what cannot be meant, 1 with a sentence for what is not there."""
    for words in (["apply"], ["apply", "x"], ["label", "x"], ["withdraw"], ["wander"]):
        with pytest.raises(SystemExit) as wrong:
            main(["route", *words])
        assert wrong.value.code == 2
    call("import", requests_file)
    assert "no class of this id" in call("route", "withdraw", "nowhere", code=1)["error"]
    assert "no trial of this id" in call("certificate", "nowhere", code=1)["error"]


def test_what_a_trial_proves_is_exported_used_and_watched(
    call: Call, say: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a trial to its certificate, the route by it, and labels of people on what was drawn since."""
    monkeypatch.setenv("LOTWISE_AUDIT_SHARE", "1")
    system = "Judge the record by every one of these rules. " * 120
    rows = [json.dumps(line(f"state-{number:02d}", system=system, **FORM)) + "\n" for number in range(22)]
    file, later = tmp_path / "state.jsonl", tmp_path / "later.jsonl"
    file.write_text("".join(rows[:20]))
    later.write_text("".join(rows[20:]))
    call("import", file)
    class_id = call("route")["routes"][0]["class_id"]
    asked = ("--candidate", HAIKU, "--grader", "regex:pattern=ok", "--bar", ".8")
    trial = call("trial", "start", class_id, *asked)["trial_id"]
    for _ in range(100):
        time.sleep(0.1)
        call("status")
        if call("route")["routes"][0]["state"] == "certified":
            break
    call("route", "apply", class_id, HAIKU)
    assert call("route", "recheck", class_id, code=1)["error"].startswith("No answer of the former model is needed")

    proof = call("certificate", trial)
    assert proof["certificate"]["candidates"][0]["verdict"] == "clears"
    assert proof["sha256"] in say("certificate", trial)
    written = call("certificate", trial, "--to", tmp_path / "proof.txt")
    assert written["sha256"] == proof["sha256"] and written["sha256"] in (tmp_path / "proof.txt").read_text()
    assert call("certificate", trial, "--to", tmp_path / "proof.pdf", code=1)["error"].startswith("The file's ending")

    call("import", later)
    call("submit", "--wait")
    call("status")
    assert call("route", "audit", class_id)["to_label"] == []
    labels = tmp_path / "labels.csv"
    labels.write_text("item_id,label\nstate-20,0\n")
    assert call("route", "label", class_id, "--labels", labels)["labelled"] == 1
    labels.write_text("item_id,label\nstate-20,perhaps\n")
    assert call("route", "label", class_id, "--labels", labels, code=1)["error"].startswith("A label says")
