"""Failures on the command line: choose causes, correct, set aside, look at an item."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Call, line


@pytest.fixture
def failed(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give the id of a job of which one item passes by itself when sent again, and one needs an edit."""
    monkeypatch.setenv("LOTWISE_SANDBOX_ERROR_RATE", "1")
    path = tmp_path / "two.jsonl"
    wrong = line("wrong")
    wrong["params"]["max_tokens"] = 200_000
    path.write_text("".join(json.dumps(one) + "\n" for one in (line("right"), wrong)))
    call("import", path)
    (job,) = call("submit", "--wait")["jobs"]
    monkeypatch.setenv("LOTWISE_SANDBOX_ERROR_RATE", "0")
    return str(job)


def test_correcting_and_repairing_by_cause(call: Call, failed: str, tmp_path: Path) -> None:
    """What needs an edit is refused as it is, goes once corrected, and both of its attempts are on record."""
    refused = call("repair", failed, "--cause", "invalid_request_error", code=1)
    assert "correct the lines and import them with --replace" in refused["error"]

    path = tmp_path / "corrected.jsonl"
    path.write_text(json.dumps(line("wrong")) + "\n")
    assert call("import", path, "--replace")["replaced"] == 1
    shown = call("repair", failed, "--cause", "corrected", "--dry-run")["slice"]
    made = call("repair", failed, "--cause", "corrected", "--wait")

    assert (shown["repairable"], made["repair"]["items"], made["repair"]["created"]) == (1, 1, True)
    assert shown["says"].startswith("Sends 1 item again as one new job, for about $")
    item = call("item", "wrong")
    assert item["status"] == "complete"
    assert [(one["job_id"], one["source"], one["usable"]) for one in item["chain"]] == [
        (failed, "two.jsonl", False),
        (made["repair"]["job_id"], "corrected.jsonl", True),
    ]


def test_setting_aside_and_taking_back(call: Call, failed: str) -> None:
    """What is given up is no open failure, `repair all` leaves it alone, and it comes back when asked for."""
    assert call("set-aside", failed, "--cause", "invalid_request_error")["set_aside"] == 1
    assert call("status")["items"] == {"failed": 1, "set aside": 1}
    assert call("set-aside", failed, "--cause", "invalid_request_error", code=1)["error"].startswith("No open failure")
    assert call("set-aside", failed, "--cause", "invalid_request_error", "--undo")["taken_back"] == 1
    assert call("status")["items"] == {"failed": 2}
    assert call("item", "wrong")["chain"][0]["set_aside_at"] is None
    assert call("item", "nobody", code=1)["error"].startswith("There is no item")
