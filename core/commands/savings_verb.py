"""The verb `savings`: from list price to paid, lever by lever, and what was not taken; or a baseline declared."""

import argparse
from datetime import date
from decimal import Decimal
from typing import Any

from core.actions.routes import class_routes
from core.actions.savings import Decomposition, declare_baseline, decomposition, missed, savings_period
from core.commands.amounts import utc_day
from core.commands.emptiness import or_nothing
from core.commands.planning_options import AddVerb, OnWorkspace
from core.savings import Savings
from core.workspace import Workspace, utc_now

Document = dict[str, Any]


def add_savings_verb(verb: AddVerb, on_workspace: OnWorkspace) -> None:
    """Which days, of which class; or which baseline."""

    def run(arguments: argparse.Namespace) -> Document:
        if arguments.baseline is not None and arguments.class_named is None:
            parser.error("--baseline needs --class")
        values = {"first": arguments.first, "last": arguments.last, "class_named": arguments.class_named}
        return on_workspace(arguments, "savings", values | {"baseline": arguments.baseline})

    parser = verb("savings", "show what was saved against list price, by what, and what was not taken", run)
    parser.add_argument(
        "--from", dest="first", type=utc_day, metavar="DAY", help="the first day, in UTC (default: of all)"
    )
    parser.add_argument("--to", dest="last", type=utc_day, metavar="DAY", help="the last day (default: of all)")
    parser.add_argument("--class", dest="class_named", metavar="CLASS", help="only this one: its id or its name")
    parser.add_argument(
        "--baseline",
        metavar="MODEL",
        help="declare, on record, what this class would have run on had nobody moved it; `none` takes that back",
    )


def savings(
    workspace: Workspace,
    *,
    first: str | None = None,
    last: str | None = None,
    class_named: str | None = None,
    baseline: str | None = None,
) -> Document:
    """The savings of a period as a document; amounts are decimal text, days are in UTC and both included."""
    now = utc_now()
    if baseline is not None:
        declare_baseline(workspace, str(class_named), None if baseline == "none" else baseline, now=now)
    period = savings_period(
        workspace,
        now=now,
        first=None if first is None else date.fromisoformat(first),
        last=None if last is None else date.fromisoformat(last),
        class_named=class_named,
    )
    found = decomposition(workspace, period)
    not_taken = missed(workspace, period, standing=class_routes(workspace, now=now), now=now)
    return {
        "period": {"first": period.first, "last": period.last},
        "class": class_named,
        **_amounts(found.total),
        "by_class": [{"class_name": part.class_name, **_amounts(part.savings)} for part in found.classes],
        "not_taken": [
            {
                "name": each.name,
                "class_id": each.class_id,
                "class_name": each.class_name,
                "amount": _text(each.amount),
                "attempts": each.attempts,
                "known": each.known,
                "said": each.said,
            }
            for each in not_taken
        ],
        "trials_cost": _text(found.trials_usd),
        "trials_unknown": found.trials_unknown,
        "notes": [] if found.total.attempts else or_nothing(workspace, "No work has results on these days."),
        "approximations": _notes(found),
    }


def _amounts(savings: Savings) -> Document:
    return {
        "list_cost": _text(savings.list_cost),
        "list_cost_sent": _text(savings.list_cost_sent),
        "paid": _text(savings.paid),
        "saved": _text(savings.saved),
        "levers": [{"name": lever.name, "amount": _text(lever.amount)} for lever in savings.levers],
        "attempts": savings.attempts,
        "unknown": savings.unknown,
    }


def _notes(found: Decomposition) -> list[str]:
    overlap = "Amounts not taken are each reckoned alone: they overlap, and do not add up."
    return [*found.approximations, overlap]


def _text(amount: Decimal) -> str:
    """Every digit of an amount and no more: 0.0549, never 5.49E-2."""
    return f"{amount.normalize():f}"
