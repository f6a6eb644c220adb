"""`forecast` and `commit` on files: one document for programs, a sentence where there is no answer."""

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Call, Run


def written(folder: Path, values: list[float], name: str = "series.csv") -> Path:
    """A CSV file of daily values."""
    path = folder / name
    first = date(2026, 1, 5)
    rows = [f"{first + timedelta(days=place)},{value}" for place, value in enumerate(values)]
    path.write_text("\n".join(("date,value", *rows)) + "\n")
    return path


@pytest.fixture
def series(tmp_path: Path) -> Path:
    """Return a file of forty weeks with quiet weekends."""
    rng = np.random.default_rng(1)
    week = np.tile([100.0, 100, 100, 100, 100, 30, 20], 40)
    return written(tmp_path, [float(value) for value in week * np.exp(0.05 * rng.standard_normal(280))])


def test_a_forecast_is_one_document(series: Path, run: Run, workspace_dir: Path) -> None:
    """In a process of its own: the quantiles of the total, every day, the record; no workspace is made."""
    done = run("forecast", series, "--horizon", 28, "--seed", 3, "--json")
    told = json.loads(done.stdout)

    assert (done.returncode, done.stderr) == (0, "")
    assert list(told["quantiles"])[:4] == ["0.01", "0.025", "0.05", "0.1"]
    assert list(told["quantiles"])[-3:] == ["0.95", "0.975", "0.99"]
    assert len(told["quantiles"]) == 23
    assert told["quantiles"]["0.5"] == pytest.approx(4 * 550, rel=0.05)
    assert [day["date"] for day in told["daily"]][::27] == ["2026-10-12", "2026-11-08"]
    assert told["skill"] < 1
    assert 0 <= told["coverage"] <= 1
    assert (told["fallback"], told["notes"]) == (False, [])
    assert list(workspace_dir.iterdir()) == []


def test_the_seed_decides(series: Path, call: Call) -> None:
    """The same seed, the same bytes; another one, other paths."""
    told = call("forecast", series, "--horizon", 14, "--seed", 3)

    assert told == call("forecast", series, "--horizon", 14, "--seed", 3)
    assert told["quantiles"] != call("forecast", series, "--horizon", 14, "--seed", 4)["quantiles"]


def test_a_refusal_is_a_document_with_its_reason(tmp_path: Path, call: Call, say: Call) -> None:
    """Exit 1: a program reads `refused` and `reason`, a person the sentence."""
    short = written(tmp_path, [5.0] * 30)
    told = call("forecast", short, "--horizon", 28, code=1)

    assert told["refused"] is True
    assert "30 days of history; it takes 56" in told["reason"]

    bad = written(tmp_path, [5.0, -1.0], "bad.csv")
    assert "1 value is negative" in call("forecast", bad, "--horizon", 28, code=1)["reason"]
    empty = tmp_path / "empty.csv"
    empty.write_text("date,value\n")
    assert call("forecast", empty, "--horizon", 28, code=1)["refused"] is True
    assert "no file" in call("forecast", tmp_path / "none.csv", "--horizon", 28, code=1)["error"]


def test_known_events_come_from_a_file(series: Path, tmp_path: Path, call: Call) -> None:
    """A launch that doubles the first week ahead; a file that says nothing clear is refused."""
    events = tmp_path / "events.toml"
    events.write_text('[[event]]\nname = "launch"\nfirst = 2026-10-12\nlast = 2026-10-18\nfactor = 2.0\n')
    plain = call("forecast", series, "--horizon", 7)
    moved = call("forecast", series, "--horizon", 7, "--events", events)
    assert moved["quantiles"]["0.5"] == pytest.approx(2 * plain["quantiles"]["0.5"])

    events.write_text('[[event]]\nname = "launch"\nfirst = 2026-10-12\nlast = 2026-10-01\n')
    assert "ends before it begins" in call("forecast", series, "--horizon", 7, "--events", events, code=1)["reason"]
    events.write_text("[[event]\n")
    assert "not TOML" in call("forecast", series, "--horizon", 7, "--events", events, code=1)["reason"]


def test_a_commitment_problem_is_solved(tmp_path: Path, call: Call) -> None:
    """Sample paths and terms in, the cheapest commitment and its mean payment out; or the price of a given one."""
    problem = tmp_path / "problem.json"
    demand = [[value / 2, value / 2] for value in range(500_000, 1_500_001, 10_000)]
    problem.write_text(json.dumps({"demand": demand, "d": 0.2, "d_o": 0, "rho": 0, "commit": None, "bands": None}))
    told = call("commit", "--problem", problem)
    assert told["commit"] == 560_000
    assert told["expected_pay"] == pytest.approx(880_792.0792)

    problem.write_text(json.dumps({"demand": demand, "bands": [[0, 0], [600_000, 0.1]], "commit": 600_000}))
    assert call("commit", "--problem", problem)["commit"] == 600_000


def test_a_problem_that_contradicts_itself_is_refused(tmp_path: Path, call: Call) -> None:
    """With what is wrong by name; a file that is not there or no JSON too."""
    problem = tmp_path / "problem.json"
    problem.write_text('{"demand": [[1]], "d": 1.5}')
    assert "Correct the one that is named" in call("commit", "--problem", problem, code=1)["error"]
    problem.write_text("{")
    assert call("commit", "--problem", problem, code=1)["context"]["why"].startswith("not JSON")
    assert "no file" in call("commit", "--problem", tmp_path / "none.json", code=1)["error"]
