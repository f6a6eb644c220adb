"""Budgets, dry runs, calling off and the kill switch on the command line."""

from pathlib import Path

import pytest

from core.commands import local_api
from core.workspace import Workspace
from tests.cli.conftest import Call, Run


@pytest.fixture(autouse=True)
def poor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may be spent in a day without a confirmation."""
    monkeypatch.setenv("LOTWISE_DAY_BUDGET_USD", "0")


def test_a_submission_above_the_budget_needs_its_amount(call: Call, say: Call, requests_file: Path) -> None:
    """Exit 1 with the budget, the figures and what to type; `plan` and a dry run say it before."""
    call("import", requests_file)
    plan, tried = call("plan"), call("submit", "--dry-run")
    assert plan["confirm"] == tried["confirm"] is not None
    assert [row["period"] for row in tried["budgets"] if row["over"]] == ["day"]
    assert (tried["jobs"], tried["would_be_jobs"], tried["plan_id"]) == ([], 2, None)

    refused = call("submit", code=1)["error"]
    assert "The budget of the day is $0.00" in refused
    assert f"--confirm {plan['confirm']}" in refused
    assert "is not for this amount" in call("submit", "--confirm", "7.77", code=1)["error"]
    assert call("status")["jobs"] == []
    assert "would be jobs: 2" in say("submit", "--dry-run")

    assert len(call("submit", "--confirm", plan["confirm"], "--wait")["jobs"]) == 2
    assert call("status")["items"] == {"complete": 20}


def test_repairing_everything_above_the_budget_is_all_or_nothing(
    call: Call, requests_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sum of all slices has to be typed: no run stops half way for want of money."""
    monkeypatch.setenv("LOTWISE_SANDBOX_ERROR_RATE", "1")
    call("import", requests_file)
    call("submit", "--confirm", call("plan")["confirm"], "--wait")
    for job in call("status")["jobs"]:
        if job["state"] == "held":
            call("cancel", job["job_id"])
    before = len(call("status")["jobs"])
    shown = call("repair", "all", "--dry-run")
    assert len(shown["repairs"]) > 1 and shown["confirm"] is not None

    assert "confirm that to send it" in call("repair", "all", code=1)["error"]
    one = call("repair", shown["repairs"][0]["job_id"], "--dry-run")["confirm"]
    assert "confirm that to send it" in call("repair", shown["repairs"][0]["job_id"], code=1)["error"]
    assert len(call("status")["jobs"]) == before
    made = call("repair", "all", "--confirm", shown["confirm"])["repairs"]
    assert len(made) == len(shown["repairs"])
    assert one is not None


def test_calling_off_on_the_command_line(call: Call, requests_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dry run counts and changes nothing; the real one closes what was not sent."""
    monkeypatch.delenv("LOTWISE_DAY_BUDGET_USD")
    call("import", requests_file)
    _, body = call("submit")["jobs"]

    tried = call("cancel", body, "--dry-run")
    assert (tried["state"], tried["unsent_jobs"], tried["items"]) == ("canceled", 1, 19)
    assert {job["job_id"]: job["state"] for job in call("status")["jobs"]}[body] != "canceled"


def test_stop_and_resume(call: Call, say: Call, requests_file: Path) -> None:
    """Nothing goes out in between, whoever asks; the state of things is in `status`."""
    call("import", requests_file)
    confirm = call("plan")["confirm"]
    call("submit", "--confirm", confirm)
    tried = call("stop", "--dry-run")
    assert tried["sending"] is True and tried["unsent_jobs"] + tried["sent_jobs"] > 0
    assert call("status")["sending"] is True

    assert call("stop", "--wait")["sending"] is False
    status = call("status")
    assert status["sending"] is False and status["halted_by"] and status["halted_since"]
    assert {job["state"] for job in status["jobs"]} <= {"canceled", "done"}
    assert "sending: no" in say("status")
    left = next(job["job_id"] for job in status["jobs"] if job["state"] == "canceled")
    assert "Sending is stopped" in call("repair", left, "--confirm", "0.01", code=1)["error"]

    assert call("resume")["sending"] is True
    assert "nothing to resume" in call("resume", code=1)["error"]


def test_the_running_app_takes_the_same_options(workspace_dir: Path, requests_file: Path, run: Run) -> None:
    """Through the local API: refusal, confirmation and the kill switch mean the same."""
    with Workspace.open(workspace_dir) as workspace:
        workspace.worker.import_now(requests_file)
        workspace.start(serve=local_api.serve)
        refused = run("submit", "--workspace", workspace_dir)
        assert refused.returncode == 1 and "--confirm" in refused.stderr
        stopped = run("stop", "--workspace", workspace_dir, "--json")
        assert stopped.returncode == 0, stopped.stderr
        assert workspace.store.query("halt").height == 1


@pytest.mark.parametrize(
    "arguments", [("submit", "--confirm"), ("stop", "everything"), ("resume", "--dry-run")], ids=str
)
def test_wrong_usage(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2 with the usage."""
    from core.commands.command_line import main

    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "usage" in capsys.readouterr().err
