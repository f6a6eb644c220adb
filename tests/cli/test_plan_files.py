"""`plan`: of request files as they are, and of what waits, by a deadline."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from core.commands.command_line import main
from tests.cli.conftest import Call, line

PROMISED = {"role", "class", "model", "items", "bytes", "send_at", "predicted_cost", "ready_by"}


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two request files: a class with a heavy prefix, and requests of their own."""
    heavy = [line(f"h{number}", system="Judge it by every one of these rules. " * 400) for number in range(12)]
    lone = [line(f"l{number}") for number in range(5)]
    paths = []
    for name, lines in (("heavy", heavy), ("lone", lone)):
        path = tmp_path / f"{name}.jsonl"
        path.write_text("".join(json.dumps(one) + "\n" for one in lines))
        paths.append(path)
    return paths


def test_files_are_planned_without_a_workspace(call: Call, files: list[Path], tmp_path: Path) -> None:
    """Every item is in exactly one job, amounts are text with every digit, and nothing is left on the disk."""
    where = tmp_path / "jobs.parquet"
    deadline = datetime.now(UTC) + timedelta(hours=12)
    plan = call("plan", *files, "--deadline", deadline.isoformat(), "--confidence", "0.9", "--assignments", where)

    assert all(set(job) >= PROMISED for job in plan["jobs"])
    assert [job["role"] for job in plan["jobs"]] == ["primer", "body"]
    assert sum(job["items"] for job in plan["jobs"]) == plan["items"] == 17
    placed = pl.read_parquet(where)
    assert placed["custom_id"].n_unique() == placed.height == 17
    counted = dict(placed.group_by("job").len().iter_rows())
    assert counted == {job["number"]: job["items"] for job in plan["jobs"]}
    costs = [Decimal(job["predicted_cost"]) for job in plan["jobs"]]
    assert sum(costs) == Decimal(plan["predicted_cost"]) < Decimal(plan["uncached_cost"])
    assert 0.9 <= plan["on_time_probability"] < 1
    assert plan["binding"]
    assert plan["reasons"]
    assert all(job["send_at"] < job["ready_by"] <= plan["deadline"] for job in plan["jobs"])
    left = {path.name for path in tmp_path.iterdir()} - {"workspace"}
    assert left == {"heavy.jsonl", "jobs.parquet", "lone.jsonl"}


def test_the_backlog_is_planned_and_submitted_by_a_deadline(call: Call, files: list[Path]) -> None:
    """What was planned for a deadline is sent as planned, and the workspace keeps what it was sent for."""
    call("import", *files)
    plan = call("plan", "--deadline", "23:59 Europe/Berlin", "--confidence", "0.5")
    assert plan["deadline"] > plan["jobs"][0]["send_at"]
    class_id = next(job["class_id"] for job in plan["jobs"] if job["role"] == "primer")
    made = call("submit", "--class-deadline", f"{class_id}=2099-01-01T00:00Z", "--wait")

    assert made["items"] == 17


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--deadline", "2020-01-01T00:00Z"], "Name a later one"),
        (["--deadline", "tomorrow"], "cannot be understood"),
        (["--budget", "0"], "more than nothing"),
    ],
)
def test_what_cannot_be_planned_is_said_in_one_sentence(
    files: list[Path], arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1, one line, no traceback."""
    assert main(["plan", str(files[0]), *arguments, "--json"]) == 1

    captured = capsys.readouterr()
    assert said in json.loads(captured.out)["error"]
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize("arguments", [["--confidence", "1"], ["--confidence", "x"], ["--class-deadline", "c"]])
def test_wrong_usage_is_told_apart(files: list[Path], arguments: list[str]) -> None:
    """Exit code 2, as of every tool."""
    with pytest.raises(SystemExit) as ended:
        main(["plan", str(files[0]), *arguments])

    assert ended.value.code == 2


def test_files_without_a_request_are_no_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing to plan is a failure of the command, and says what a request is."""
    path = tmp_path / "none.jsonl"
    path.write_text("not json\n")

    assert main(["plan", str(path), "--json"]) == 1
    assert "`custom_id` and `params`" in json.loads(capsys.readouterr().out)["error"]


def test_people_read_reasons_line_by_line(say: Callable[..., str], files: list[Path]) -> None:
    """The table of jobs with times and prices, then one sentence a class."""
    text = say("plan", *files)

    assert "send_at" in text
    assert "predicted cost: $0.0" in text
    assert "a job: " in text.splitlines()[-2] + text.splitlines()[-1]
