"""The verb `explain`: the same parts as everywhere, as exact text, and plain sentences."""

import json
import shutil
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.commands.command_line import main


@pytest.fixture(scope="module")
def demo(demo_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the demo of this hour: the verb has the clock of the machine."""
    return Path(shutil.copytree(demo_workspace, tmp_path_factory.mktemp("explain") / "workspace"))


def day(ago: int) -> date:
    """So many days before today."""
    return datetime.now(UTC).date() - timedelta(days=ago)


def explained(demo: Path, capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    """What the verb prints with `--json`."""
    assert main(["explain", "--workspace", str(demo), "--json", *arguments]) == code
    return json.loads(capsys.readouterr().out)


def test_parts_add_up_as_decimal_text(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Spend, every class and the cost of an item: what a program adds up is the difference, digit by digit."""
    end = day(ago=8)
    start = end - timedelta(days=13)

    found = explained(demo, capsys, "--from", str(start), "--to", str(end))

    assert found["against"] == {"first": str(start - timedelta(days=14)), "last": str(end - timedelta(days=14))}
    for split in (found["spend"], found["unit_cost"], *found["classes"]):
        change = Decimal(split["after_usd"]) - Decimal(split["before_usd"])
        assert sum((Decimal(part["amount"]) for part in split["parts"]), Decimal(0)) == change
        assert not any("E" in part["amount"] for part in split["parts"])
    assert found["unknown_attempts"] == 0
    broken = found["movements"][0]
    assert (broken["class_name"], broken["state"]) == ("Invoice field extraction", "open")
    assert [link["kind"] for link in broken["events"]] == ["unshared"]
    low, usd, high = (Decimal(broken[name]) for name in ("low_usd_month", "usd_month", "high_usd_month"))
    assert low < usd < high
    for moved in found["movements"]:
        assert (moved["usd_month"] is None, moved["usd_total"] is None) == (
            moved["kind"] == "days",
            moved["kind"] == "step",
        )


def test_one_class_against_days_of_ones_own_and_a_note(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Days of another length are compared by day; what is dealt with says so from then on."""
    last = day(ago=2)
    against = ("--against-from", str(last - timedelta(days=50)), "--against-to", str(last - timedelta(days=31)))
    asked = ("--to", str(last), "--class", "Invoice field extraction", *against)

    found = explained(demo, capsys, *asked)

    assert found["by_day"] is True
    assert [line["class_name"] for line in found["classes"]] == ["Invoice field extraction"]
    assert {moved["class_name"] for moved in found["movements"]} == {"Invoice field extraction"}
    key = found["movements"][0]["key"]
    done = explained(demo, capsys, *asked, "--resolve", key, "--note", "The stamp goes next week.")
    assert (done["movements"][0]["state"], done["movements"][0]["note"]) == ("resolved", "The stamp goes next week.")
    assert main(["explain", "--workspace", str(demo), *asked]) == 0
    text = capsys.readouterr().out
    assert "Spend a day rose from $" in text
    assert "Dealt with: The stamp goes next week." in text


def test_what_a_comparison_leaves_out_is_said(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Days in neither, days before there was any work, and days whose results are still coming."""
    usual = explained(demo, capsys, "--from", str(day(ago=12)), "--to", str(day(ago=3)))
    early = explained(demo, capsys, "--from", str(day(ago=85)), "--to", str(day(ago=79)))
    plain = explained(demo, capsys)

    assert "The same weekdays are compared: 4 days between the two are in neither." in usual["notes"]
    assert any(note.startswith("There was no work before") for note in early["notes"])
    assert plain["days"]["last"] == plain["judged_to"]
    assert not any("still coming" in note for note in plain["notes"])
    today = explained(demo, capsys, "--to", str(day(ago=0)))
    assert any("still coming" in note for note in today["notes"])


def test_what_cannot_be_meant_is_wrong_usage_and_what_is_not_there_a_sentence(
    demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2 for half an order, 1 with a sentence for days in reverse, an unknown class, or a movement that is gone."""
    for words in (["--from", "yesterday"], ["--resolve", "x"], ["--note", "x"], ["--against-to", "2026-01-01"]):
        with pytest.raises(SystemExit) as wrong:
            main(["explain", "--workspace", str(demo), *words])
        assert wrong.value.code == 2
    capsys.readouterr()
    today = date(2026, 1, 2)
    reverse = explained(demo, capsys, "--from", str(today), "--to", str(today - timedelta(days=1)), code=1)
    assert "lies after the last" in reverse["error"]
    assert "no class of this id" in explained(demo, capsys, "--class", "nobody", code=1)["error"]
    assert "no movement of this key" in explained(demo, capsys, "--resolve", "x", "--note", "y", code=1)["error"]
