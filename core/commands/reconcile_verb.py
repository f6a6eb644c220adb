"""The verb `reconcile`: the account's own reports beside the ledger, and what explains the difference."""

import argparse
from collections.abc import Iterable
from dataclasses import asdict
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from core.actions import reconciliation as actions
from core.commands.amounts import utc_day
from core.commands.planning_options import AddVerb, OnWorkspace
from core.reconciliation import EXPLAINED, UNEXPLAINED, Discount, Part
from core.workspace import Workspace, utc_now

Document = dict[str, Any]
_DAY_NOTE = (
    "Which day dates an item, that of its submission or of its processing, is not documented: tokens that the account "
    "dates a day later are told apart by the running total."
)


def add_reconcile_verb(verb: AddVerb, on_workspace: OnWorkspace) -> None:
    """Which days; whether to ask the account; whether to take over the discount."""

    def run(arguments: argparse.Namespace) -> Document:
        first, last = arguments.first, arguments.last
        if first is not None and last is not None and first > last:
            parser.error("--from lies after --to")
        values = {"first": first, "last": last, "workspaces": arguments.account_workspace, "kept": arguments.kept}
        return on_workspace(arguments, "reconcile", values | {"take_discount": arguments.take_discount})

    parser = verb("reconcile", "compare the account's own usage and cost reports with the ledger", run)
    parser.add_argument(
        "--from",
        dest="first",
        type=utc_day,
        metavar="DAY",
        help="the first day, in UTC (default: 31 days up to the last)",
    )
    parser.add_argument("--to", dest="last", type=utc_day, metavar="DAY", help="the last day (default: today)")
    parser.add_argument(
        "--account-workspace",
        action="append",
        default=[],
        metavar="ID",
        help="Lotwise sends from this workspace of the account only; may be given several times (default: from any)",
    )
    parser.add_argument("--kept", action="store_true", help="use the reports that were read before; ask nothing")
    parser.add_argument(
        "--take-discount",
        action="store_true",
        help="add, on record, the discount that the reports show and the price book lacks",
    )


def reconcile(
    workspace: Workspace,
    *,
    first: str | None = None,
    last: str | None = None,
    workspaces: Iterable[str] = (),
    kept: bool = False,
    take_discount: bool = False,
) -> Document:
    """The comparison as a document; amounts are decimal text, days are in UTC and both included."""
    now = utc_now()
    until = now.date() if last is None else date.fromisoformat(last)
    since = until - timedelta(days=actions.READ_DAYS - 1) if first is None else date.fromisoformat(first)
    if not kept:
        actions.read_reports(workspace, now=now, first=since, last=until)
    taken = actions.take_over_discount(workspace, now=now, first=since, last=until).numbers if take_discount else ()
    found = actions.reconcile(workspace, first=since, last=until, workspaces=tuple(workspaces))
    compared = found.found
    return {
        "period": {"first": found.first, "last": found.last},
        "read_at": found.read_at,
        "data_refreshed_at": found.refreshed_at,
        "reported_usd": _text(compared.reported_usd),
        "our_usd": _text(compared.our_usd),
        "difference_usd": _text(compared.reported_usd - compared.our_usd),
        "explained": [_part(part, EXPLAINED) for part in compared.explained],
        "unexplained": [_part(part, UNEXPLAINED) for part in compared.unexplained],
        "flagged": [asdict(flag) | {"usd": _text(flag.usd)} for flag in compared.flags],
        "discount": [_discount(each) for each in found.discounts],
        "taken": list(taken),
        "days_unread": list(found.unread),
        "days_incomplete": list(found.incomplete),
        "rows": [
            {name: _text(value) if isinstance(value, Decimal) else value for name, value in row.items()}
            for row in compared.rows.iter_rows(named=True)
        ],
        "notes": [_DAY_NOTE],
        "simulated": found.simulated,
    }


def _part(part: Part, meaning: dict[str, str]) -> Document:
    return {"name": part.name, "tokens": part.tokens, "amount": _text(part.usd), "said": meaning[part.name]}


def _discount(found: Discount) -> Document:
    document = asdict(found) | {"agrees": found.agrees}
    amounts = {name: _text(value) for name, value in document.items() if isinstance(value, Decimal)}
    return document | amounts


def _text(amount: Decimal) -> str:
    """Every digit of an amount and no more: 0.0549, never 5.49E-2."""
    return f"{amount.normalize():f}"
