"""`simulate`: what other ways of sending would have cost, from a workspace and from request files."""

from decimal import Decimal
from pathlib import Path

import pytest

from core.commands.command_line import main
from tests.cli.conftest import Call

SHARES = {"mean", "p10", "p50", "p90"}


def test_the_past_is_replayed_beside_what_happened(call: Call, say: Call, requests_file: Path) -> None:
    """A scenario, the jobs as they were sent, and the truth, each with the same figures; dollars are decimal text."""
    call("import", requests_file)
    call("submit", "--wait")
    told = call("simulate", "--size", 4, "--replicates", 5, "--seed", 3)

    assert (told["items"], told["replayed_days"], told["baseline_is"]) == (20, 28, "as it was sent")
    assert told["asked"] == {"grouping": "packed", "size": 4}
    for name in ("scenario", "baseline"):
        assert {"cost_usd", "on_time", "rerun_usd", "hours", "jobs"} <= set(told[name])
        assert all(set(figure) == SHARES for figure in told[name].values())
        assert Decimal(told[name]["cost_usd"]["p10"]) <= Decimal(told[name]["cost_usd"]["p90"])
    assert set(told["actual"]) <= set(told["baseline"]) | {"cost_usd"}
    assert told["scenario"]["jobs"]["mean"] > told["baseline"]["jobs"]["mean"]
    assert call("simulate", "--size", 4, "--replicates", 5, "--seed", 3)["scenario"] == told["scenario"]

    said = say("simulate", "--replicates", 2)
    assert "baseline is: as it was sent" in said
    assert any(line.startswith("cost usd") for line in said.splitlines())


def test_request_files_need_no_workspace(call: Call, requests_file: Path, workspace_dir: Path) -> None:
    """Without a past there is no truth; every option has its say, and nothing is kept."""
    asked = ("--replicates", 3, "--every", 6, "--model", "claude-haiku-4-5", "--fault-rate", 0.1, "--width", 5)
    told = call("simulate", requests_file, *asked, "--group", "arrival")

    assert (told["items"], told["actual"], told["baseline_is"]) == (20, None, "as advised")
    assert told["asked"] == {
        "grouping": "arrival",
        "every_hours": 6.0,
        "model": "claude-haiku-4-5",
        "fault_rate": 0.1,
        "width": 5.0,
    }
    assert told["width_basis"] == "asked"
    assert not list(workspace_dir.iterdir())


def test_what_cannot_be_simulated_is_said(call: Call, requests_file: Path) -> None:
    """A refusal is a sentence with exit 1."""
    assert "nothing to simulate" in call("simulate", code=1)["error"]
    assert "cannot be simulated" in call("simulate", requests_file, "--size", 0, code=1)["error"]
    assert "price book" in call("simulate", requests_file, "--model", "claude-unheard-of", code=1)["error"]


@pytest.mark.parametrize(
    "wrong", [("--days", "0"), ("--within", "-1"), ("--replicates", "many"), ("--seed", "-1"), ("--group", "size")]
)
def test_wrong_usage_is_told_from_a_refusal(wrong: tuple[str, str]) -> None:
    """What no option can mean is exit 2."""
    with pytest.raises(SystemExit) as left:
        main(["simulate", *wrong])
    assert left.value.code == 2
