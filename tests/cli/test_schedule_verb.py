"""The verb `schedule`: recommended, added, kept, paused, run and removed from the command line."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.commands.command_line import main
from tests.cli.conftest import Call


def test_a_recommended_schedule_is_kept(call: Call, say: Call, requests_file: Path) -> None:
    """One document says what to do, what it costs, and what the alternatives cost; with a name it is done."""
    refused = call("schedule", "recommend", "--deadline", "07:00 Europe/Berlin", code=1)
    assert refused["error"].startswith("Nothing came in lately")

    call("import", requests_file)
    found = call("schedule", "recommend", "nightly", "--deadline", "07:00 Europe/Berlin", "--per-day", "5000")
    best = found["recommended"]
    assert float(best["week_usd"]) > 0 and best["on_time_probability"] >= 0.95
    assert best["items_a_send"] == pytest.approx(5000, rel=0.05)
    assert [float(one["week_usd"]) for one in found["alternatives"]] == sorted(
        float(one["week_usd"]) for one in found["alternatives"]
    )
    (kept,) = call("schedule")["schedules"]
    assert (kept["name"], kept["state"], kept["need"]) == ("nightly", "active", "07:00 Europe/Berlin")
    due = datetime.fromisoformat(kept["next_due"])
    assert timedelta(0) < due - datetime.now(UTC) <= timedelta(days=1, hours=1)
    assert "before 07:00 Europe/Berlin" in say("schedule")


def test_a_schedule_is_paused_run_and_removed(call: Call, requests_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run asked for by hand sends what waits, within the budgets; a dry run says what it would send."""
    call("import", requests_file)
    call("schedule", "add", "queue", "--queue", "1000", "--within", "8", "--lead", "30")
    call("schedule", "add", "fixed", "--at", "06:00", "--at", "Mon 18:00 Europe/Berlin", "--class", "no such", code=1)
    assert call("schedule", "add", "queue", "--every", "4", code=1)["error"].startswith("There is a schedule")
    (paused,) = call("schedule", "pause", "queue")["schedules"]
    assert paused["state"] == "paused"
    assert call("schedule", "resume", "queue")["schedules"][0]["state"] == "active"

    monkeypatch.setenv("LOTWISE_DAY_BUDGET_USD", "0")
    tried = call("schedule", "run", "queue", "--dry-run")
    assert tried["would_be_jobs"] > 0 and tried["plan_id"] is None
    assert "--confirm" in call("schedule", "run", "queue", code=1)["error"]
    made = call("schedule", "run", "queue", "--confirm", tried["confirm"])
    assert len(made["jobs"]) == tried["would_be_jobs"]
    assert call("schedule")["schedules"][0]["last_run"]["items"] == 20

    assert call("schedule", "remove", "queue")["schedules"] == []
    assert "no schedule of this name" in call("schedule", "pause", "queue", code=1)["error"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["add"],
        ["add", "x"],
        ["add", "x", "--every", "0"],
        ["add", "x", "--every", "4", "--before"],
        ["recommend", "--within", "8", "--deadline", "07:00 UTC"],
        ["recommend", "--confidence", "1"],
        ["whatever"],
    ],
)
def test_wrong_usage_ends_with_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What is missing, or does not go together, is said by the parser."""
    with pytest.raises(SystemExit) as ended:
        main(["schedule", *arguments])
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_what_cannot_be_read_is_a_sentence(call: Call) -> None:
    """A moment that comes once is no schedule; a time needs to be one."""
    assert (
        "comes only once" in call("schedule", "add", "x", "--every", "4", "--deadline", "2027-01-01", code=1)["error"]
    )
    assert "cannot be understood" in call("schedule", "add", "x", "--at", "soonish", code=1)["error"]
