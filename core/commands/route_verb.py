"""The verbs `route` and `certificate`: where classes stand, moving one to another model and back, what was proven."""

import argparse
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any

from core.actions import audits, certificates, routes
from core.commands.amounts import amount
from core.commands.planning_options import AddVerb, OnWorkspace
from core.errors import LotwiseError
from core.grading import read_gold
from core.workspace import Workspace, utc_now

Document = dict[str, Any]
_DOES = ("list", "apply", "withdraw", "audit", "label", "recheck")
_BUDGET = 1.0
_SAID = {"1": True, "true": True, "right": True, "0": False, "false": False, "wrong": False}


class NotALabel(LotwiseError):
    """A label says whether an answer is right: 1, true or right, or else 0, false or wrong. Nothing was kept."""


def add_route_verbs(verb: AddVerb, on_workspace: OnWorkspace) -> None:
    """What to do with which class, and where to write a certificate."""

    def run(arguments: argparse.Namespace) -> Document:
        return on_workspace(arguments, "route", _values(routing, arguments))

    routing = verb(
        "route",
        "show where classes stand, move the work of one to another model, or take that back",
        run,
    )
    routing.add_argument("do", nargs="?", choices=_DOES, default="list", help="default: list")
    routing.add_argument("class_id", nargs="?", metavar="CLASS", help="its id or its name")
    routing.add_argument("model", nargs="?", metavar="MODEL", help="apply: where its work is to go")
    routing.add_argument(
        "--trial", metavar="ID", help="apply: the trial that proves it (default: the newest that does)"
    )
    routing.add_argument("--uncertified", action="store_true", help="apply: without a trial that proves it; on record")
    routing.add_argument("--budget", type=amount, default=_BUDGET, metavar="USD", help="recheck: at most (default: 1)")
    routing.add_argument("--confirm", metavar="AMOUNT", help="recheck: the dollars, where they go over a budget")
    routing.add_argument("--dry-run", action="store_true", help="say what would change, and change nothing")
    routing.add_argument(
        "--labels",
        type=Path,
        metavar="FILE",
        help="label: a .csv, .jsonl or .parquet file with item_id and label (0 or 1)",
    )

    proof = verb(
        "certificate",
        "show what a trial proved, or write it to a file",
        lambda a: on_workspace(
            a, "certificate", {"trial": a.trial, "to": str(a.to.resolve()) if a.to else None, "page": not a.json}
        ),
    )
    proof.add_argument("trial", metavar="TRIAL")
    proof.add_argument("--to", type=Path, metavar="FILE.json|.txt", help="write it there")


def _values(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> Document:
    """The arguments as the verb takes them; ends with wrong usage where something is missing."""
    do = arguments.do
    if do != "list" and arguments.class_id is None:
        parser.error(f"{do} needs a CLASS")
    if do == "apply" and arguments.model is None:
        parser.error("apply needs a MODEL")
    if do == "label" and arguments.labels is None:
        parser.error("label needs --labels FILE")
    return {
        "do": do,
        "class_id": arguments.class_id,
        "model": arguments.model,
        "trial_id": arguments.trial,
        "uncertified": arguments.uncertified,
        "dry_run": arguments.dry_run,
        "budget": str(arguments.budget),
        "confirm": arguments.confirm,
        "labels": str(arguments.labels.resolve()) if arguments.labels else None,
    }


def route(
    workspace: Workspace,
    *,
    do: str,
    class_id: str | None = None,
    model: str | None = None,
    trial_id: str | None = None,
    uncertified: bool = False,
    dry_run: bool = False,
    labels: str | None = None,
    budget: str = str(_BUDGET),
    confirm: str | None = None,
) -> Document:
    """Do one thing with routes, and say what came of it."""
    now = utc_now()
    match do:
        case "apply":
            done = routes.apply_route(
                workspace,
                str(class_id),
                str(model),
                trial_id=trial_id,
                uncertified=uncertified,
                dry_run=dry_run,
                now=now,
            )
            return _done(done, dry_run=dry_run)
        case "withdraw":
            return _done(routes.withdraw_route(workspace, str(class_id), now=now, dry_run=dry_run), dry_run=dry_run)
        case "audit":
            return {"class": class_id, "to_label": audits.audit_items(workspace, str(class_id), now=now)}
        case "recheck":
            made = audits.recheck_route(
                workspace, str(class_id), budget_usd=Decimal(budget), confirmed=confirm, dry_run=dry_run, now=now
            )
            document = {"trial_id": made.trial_id, "items": made.items, "predicted_usd": made.predicted_usd}
            return document | ({"trial_id": None} if dry_run else {})
        case "label":
            said = _labels(Path(str(labels)))
            return {"class": class_id, "labelled": audits.label_audit(workspace, str(class_id), said, now=now)}
    return {
        "routes": [asdict(line) for line in routes.class_routes(workspace, now=now)],
        "alarms": [asdict(alarm) for alarm in routes.route_alarms(workspace, now=now)],
    }


def certificate(workspace: Workspace, *, trial: str, to: str | None = None, page: bool = False) -> Document:
    """The certificate of a trial, or its page; with `to` it is written there, as JSON or as a page by the ending."""
    now = utc_now()
    if to is None:
        found = certificates.certificate(workspace, trial, now=now)
        return {"certificate": found.text()} if page else found.document()
    written = certificates.write_certificate(workspace, trial, Path(to), now=now)
    return {"trial": trial, "to": to, "sha256": written.digest}


def _done(done: routes.RouteDone, *, dry_run: bool) -> Document:
    document = asdict(done)
    before, after = document.pop("usd_before"), document.pop("usd_after")
    document["changes"] = [change.said for change in done.changes]
    document["notes"] = [f"On {done.to_model} what waits is expected to cost more, not less."] if done.dearer else []
    return document | {"before_usd": before, "after_usd": after, "certified": done.certified, "dry_run": dry_run}


def _labels(path: Path) -> dict[str, bool]:
    """What a file says of each item. Raises `NotALabel`, and what `read_gold` raises."""
    said = read_gold(path)
    for item, word in said.items():
        if word.lower() not in _SAID:
            raise NotALabel(item=item, label=word)
    return {item: _SAID[word.lower()] for item, word in said.items()}
