"""The verbs `costs` and `unit`, and tags of an import, from the command line."""

import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.commands.command_line import main
from tests.cli.conftest import Call, line

SYSTEM = "Judge the record by every one of these rules. " * 120
LINES = {"type": "object", "required": ["lines"], "properties": {"lines": {"const": ["a", "b", "c"]}}}
FORM = {"output_config": {"format": {"type": "json_schema", "schema": LINES}}}


@pytest.fixture
def done(call: Call, tmp_path: Path) -> None:
    """Work of two teams that is complete, every answer with three lines."""
    for team, first in (("search", 0), ("ads", 6)):
        path = tmp_path / f"{team}.jsonl"
        lines = [line(f"alpha-{number:02d}", system=SYSTEM, **FORM) for number in range(first, first + 6)]
        path.write_text("".join(json.dumps(each) + "\n" for each in lines))
        call("import", path, "--tag", f"team={team}")
    call("submit", "--wait")


@pytest.mark.usefixtures("done")
def test_costs_are_seen_by_class_week_and_team(call: Call, say: Call) -> None:
    """Amounts are decimal text, and add up to the same whatever they are seen by."""
    by_class = call("costs")
    by_team = call("costs", "--by", "team")
    by_all = call("costs", "--by", "class,week,tier,tag:team")

    (row,) = by_class["costs"]
    assert (row["units"], row["unit"], row["unpriced"], row["uncounted"]) == (12, "usable item", 0, 0)
    assert Decimal(row["cost_usd"]) / 12 == pytest.approx(Decimal(row["unit_cost_usd"]))
    assert Decimal(row["low_usd"]) <= Decimal(row["unit_cost_usd"]) <= Decimal(row["high_usd"])
    assert row["stability"] == "too little data"
    assert {each["team"]: each["units"] for each in by_team["costs"]} == {"ads": 6, "search": 6}
    assert {each["tier"] for each in by_all["costs"]} == {"sonnet"}
    assert {each["stability"] for each in by_all["costs"]} == {None}
    for document in (by_class, by_team, by_all):
        assert sum(Decimal(each["cost_usd"]) for each in document["costs"]) == Decimal(row["cost_usd"])
        assert document["overall"]["cost_usd"] == row["cost_usd"]
    assert "search" in say("costs", "--by", "team")
    later = call("costs", "--from", "2031-01-01")
    assert (later["costs"], later["overall"], later["notes"]) == ([], None, ["No work has results on these days."])
    assert "lies after" in call("costs", "--from", "2026-11-10", "--to", "2026-11-01", code=1)["error"]
    assert "No item carries the tag nope: see `import --tag`." in call("costs", "--by", "class,tag:nope")["notes"]


@pytest.mark.usefixtures("done")
def test_a_unit_is_tried_set_shown_and_taken_back(call: Call, say: Call) -> None:
    """A dry run says what would be counted; set, the costs follow; what cannot be counted is said."""
    name = call("costs")["costs"][0]["class"]
    tried = call("unit", "set", name, "--count", "$.lines", "--called", "line", "--dry-run")["preview"]
    assert tried["found"] == tried["answers"] > 0
    assert (tried["least"], tried["most"]) == (3, 3)
    assert call("unit")["units"] == []
    assert "No class has a unit of its own" in call("unit")["notes"][0]
    assert call("unit", "show", name)["units"][0]["usable_items"] == 12
    tokens = call("unit", "set", name, "--output-tokens", "--dry-run")["preview"]
    assert (tokens["jobs"], tokens["answers"]) == (None, 12)
    assert tokens["units"] > 12

    done = call("unit", "set", name, "--count", "$.lines", "--called", "line")
    assert (done["unit"], done["uncounted"], done["notes"]) == ("line", 0, [])
    assert call("costs")["costs"][0]["units"] == 36
    assert call("unit", "show", name)["units"] == call("unit")["units"]
    assert "$.lines" in say("unit")

    unknown = call("unit", "set", name, "--count", "$.pages")
    assert unknown["notes"] == ["12 usable items have no known count (pages): they are in no unit cost."]
    costs = call("costs")
    assert (costs["costs"][0]["unit_cost_usd"], costs["costs"][0]["uncounted"]) == (None, 12)
    assert costs["notes"] == unknown["notes"]

    call("unit", "set", name, "--matches", "[abc]")
    assert call("costs")["costs"][0]["unit"] == "match"
    call("unit", "set", name, "--output-tokens")
    assert call("costs")["costs"][0]["unit"] == "output token"
    call("unit", "set", name, "--items")
    assert call("costs")["costs"][0]["units"] == 12
    assert call("unit", "set", name, "--items")["usable_items"] == 12
    assert call("unit")["units"] == []
    log = [entry for entry in call("audit")["entries"] if entry["action"] == "set-unit"]
    assert len(log) == 6


def test_where_nothing_came_back_yet_every_verb_says_so(call: Call) -> None:
    """An empty table, zeros or no word at all would leave people guessing."""
    for verb in ("costs", "unit", "savings", "next", "explain"):
        assert any("Nothing has come back in this workspace yet" in note for note in call(verb)["notes"])


@pytest.mark.usefixtures("done")
def test_a_count_is_tried_on_the_newest_results_of_several_jobs(call: Call, tmp_path: Path) -> None:
    """One small job shows little: about a hundred answers are looked at; where none are kept it is said."""
    path = tmp_path / "more.jsonl"
    path.write_text("".join(json.dumps(line(f"late-{n}", system=SYSTEM, **FORM)) + "\n" for n in range(3)))
    call("import", path)
    call("submit", "--wait")
    name = call("costs")["costs"][0]["class"]
    tried = ("unit", "set", name, "--count", "$.lines", "--dry-run")
    assert (call(*tried)["preview"]["answers"], call(*tried)["notes"]) == (15, [])


def test_what_cannot_be_meant_is_wrong_usage(call: Call, tmp_path: Path) -> None:
    """Exit 2 for what cannot be meant, 1 with a sentence for what is not there or cannot be counted."""
    wrong: list[list[Any]] = [
        ["costs", "--by", "colour"],
        ["costs", "--by", "tag:"],
        ["costs", "--from", "yesterday"],
        ["unit", "set"],
        ["unit", "set", "x"],
        ["unit", "show", "x", "--items"],
        ["unit", "set", "x", "--items", "--output-tokens"],
        ["unit", "set", "x", "--items", "--called", "note"],
        ["costs", "--from", "20261001"],
        ["costs", "--to", "2026-W40"],
    ]
    for words in wrong:
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 2
    assert "no class of this id" in call("unit", "set", "nowhere", "--items", code=1)["error"]
    assert "no class of this id" in call("costs", "--class", "nowhere", code=1)["error"]
    assert "cannot be counted" in call("unit", "set", "nowhere", "--matches", "(", code=1)["error"]
    path = tmp_path / "one.jsonl"
    path.write_text(json.dumps(line("a")))
    assert "This is no tag" in call("import", path, "--tag", "search", code=1)["error"]
    assert call("status")["items"] == {}


def test_status_counts_what_waits_in_the_inbox(call: Call, workspace_dir: Path) -> None:
    """Without an app nobody takes files of the inbox in: they are not to be overlooked."""
    path = workspace_dir / "inbox" / "team=search" / "one.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(line("a")))
    os.utime(path, (0, 0))
    assert call("status")["waiting_in_inbox"] == 1
