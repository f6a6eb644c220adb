"""The verb `next`: the next savings, taking one up or dismissing it, and what came of those taken."""

import argparse
from dataclasses import asdict
from typing import Any

from core.actions import opportunities
from core.commands.emptiness import or_nothing
from core.commands.planning_options import AddVerb, OnWorkspace
from core.opportunities.opportunity import Opportunity
from core.opportunities.promises import Kept
from core.workspace import Workspace, utc_now

Document = dict[str, Any]
_DOES = ("list", "take", "dismiss")


def add_next_verb(verb: AddVerb, on_workspace: OnWorkspace) -> None:
    """What to do with which saving."""

    def run(arguments: argparse.Namespace) -> Document:
        if arguments.do != "list" and arguments.key is None:
            parser.error(f"{arguments.do} needs a KEY")
        if arguments.do == "list" and arguments.key is not None:
            parser.error("list takes no KEY")
        if arguments.do == "dismiss" and not arguments.note:
            parser.error("dismiss needs --note TEXT: why it is not worth hearing of")
        return on_workspace(arguments, "next", {"do": arguments.do, "key": arguments.key, "note": arguments.note or ""})

    parser = verb("next", "list the next savings, take one up or dismiss it, and see what came of those taken", run)
    parser.add_argument("do", nargs="?", choices=_DOES, default="list", help="default: list")
    parser.add_argument("key", nargs="?", metavar="KEY", help="take, dismiss: which one, as the list names it")
    parser.add_argument("--note", metavar="TEXT", help="dismiss: why")


def next_saving(workspace: Workspace, *, do: str, key: str | None = None, note: str = "") -> Document:
    """Do one thing with savings, and say what came of it."""
    now = utc_now()
    match do:
        case "take":
            return asdict(opportunities.take_up(workspace, str(key), now=now))
        case "dismiss":
            opportunities.dismiss(workspace, str(key), note=note, now=now)
            return {"key": key, "dismissed": True}
    found = opportunities.next_savings(workspace, now=now)
    return {
        "next_savings": [_listed(each) for each in found],
        "promises": [_promised(each) for each in opportunities.promises(workspace, now=now)],
        "notes": [] if found else or_nothing(workspace, "No saving worth naming is known right now."),
    }


def _listed(found: Opportunity) -> Document:
    document = asdict(found)
    document["low_usd"], document["high_usd"] = document.pop("low"), document.pop("high")
    return document


def _promised(found: Kept) -> Document:
    """The promise with what came of it, in one row."""
    document = asdict(found)
    made = document.pop("promise")
    kept = ("promise_id", "key", "kind", "class_id", "class_name", "said", "confidence", "taken_at", "taken_by", "how")
    row = {name: made[name] for name in kept}
    row |= {f"promised_{name}": made[name] for name in ("usd_month", "units_month")}
    row |= {name: made[name] for name in ("baseline_first", "baseline_last", "baseline_unit_usd")}
    document["low_usd"], document["high_usd"] = document.pop("low"), document.pop("high")
    return row | document
