"""`savings`: the amounts as decimal text, a period, a class, a baseline; and a sentence where something is wrong."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.commands.command_line import main
from core.savings import LEVERS
from tests.cli.conftest import Call


@pytest.fixture
def sent(requests_file: Path, call: Call) -> None:
    """A workspace whose requests came back."""
    call("import", requests_file)
    call("submit", "--wait")


def levers(document: dict[str, Any]) -> dict[str, Decimal]:
    """The amounts by lever; each is text."""
    assert all(isinstance(lever["amount"], str) for lever in document["levers"])
    return {lever["name"]: Decimal(lever["amount"]) for lever in document["levers"]}


@pytest.mark.usefixtures("sent")
def test_amounts_are_text_and_add_up(call: Call, say: Call) -> None:
    """List price less every lever is what was paid, to the last digit, altogether and over the classes."""
    told = call("savings")
    assert list(levers(told)) == list(LEVERS)
    assert Decimal(told["list_cost"]) - sum(levers(told).values()) == Decimal(told["paid"])
    assert Decimal(told["saved"]) > 0
    assert sum(Decimal(part["paid"]) for part in told["by_class"]) == Decimal(told["paid"])
    assert (told["unknown"], told["attempts"], told["class"]) == (0, 20, None)
    assert isinstance(told["not_taken"], list)
    assert "list cost: $" in say("savings")
    assert told["list_cost_sent"] == told["list_cost"]  # nothing failed: no job would have been sent again
    assert call("savings", "--from", "2099-01-01")["notes"] == ["No work has results on these days."]


@pytest.mark.usefixtures("sent")
def test_a_period_and_a_class_narrow_it(call: Call) -> None:
    """Both days belong to the period; a class by its name or its id is the same."""
    told = call("savings")
    first, last = told["period"]["first"], told["period"]["last"]
    assert call("savings", "--from", first, "--to", last)["paid"] == told["paid"]
    assert call("savings", "--from", "2020-01-01", "--to", "2020-01-31")["list_cost"] == "0"
    part = told["by_class"][0]
    one = call("savings", "--class", part["class_name"])
    assert (one["paid"], one["class"]) == (part["paid"], part["class_name"])
    assert len(one["by_class"]) == 1


@pytest.mark.usefixtures("sent")
def test_a_baseline_is_declared_and_taken_back(call: Call) -> None:
    """Against a dearer model routing has an amount; without the declaration it is nothing again."""
    name = call("savings")["by_class"][0]["class_name"]
    told = call("savings", "--class", name, "--baseline", "claude-opus-5-5")
    assert levers(told)["routing"] > 0
    assert told["approximations"]
    assert levers(call("savings", "--class", name))["routing"] == levers(told)["routing"]
    assert levers(call("savings", "--class", name, "--baseline", "none"))["routing"] == 0
    assert call("audit", "--limit", "1")["entries"][0]["action"] == "declare-baseline"


def test_an_empty_workspace_has_saved_nothing(call: Call) -> None:
    """Nothing was sent: zero at list price, zero paid, and nothing missed."""
    told = call("savings")
    assert (told["list_cost"], told["paid"], told["not_taken"]) == ("0", "0", [])


def test_what_is_wrong_is_said(call: Call, say: Call) -> None:
    """An unknown class, or days the wrong way round, is refused with a sentence; a day that is none is wrong usage."""
    assert "no class" in say("savings", "--class", "nobody", code=1)
    assert "first day" in call("savings", "--from", "2026-02-02", "--to", "2026-02-01", code=1)["error"]
    for wrong in (["--from", "yesterday"], ["--baseline", "claude-opus-5-5"]):
        with pytest.raises(SystemExit) as stopped:
            main(["savings", *wrong])
        assert stopped.value.code == 2
