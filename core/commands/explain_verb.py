"""The verb `explain`: why some days cost more or less than others, what moved by itself, and what is dealt with."""

import argparse
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from core.actions import explain as explaining
from core.commands.amounts import utc_day
from core.commands.emptiness import or_nothing
from core.commands.planning_options import AddVerb, OnWorkspace
from core.trends.attribution import Attribution, Part
from core.trends.sentences import days_words, movement_sentence, spend_sentences, unit_sentences
from core.trends.standing import Standing
from core.wording import count, day
from core.workspace import Workspace, utc_now

Document = dict[str, Any]
_DAYS = 7


def add_explain_verb(verb: AddVerb, on_workspace: OnWorkspace) -> None:
    """Which days, against which, of which class; or which movement is dealt with."""

    def run(arguments: argparse.Namespace) -> Document:
        if (arguments.resolve is None) != (arguments.note is None):
            parser.error("--resolve needs --note, and the other way round")
        if arguments.against_last is not None and arguments.against_first is None:
            parser.error("--against-to needs --against-from")
        names = ("first", "last", "against_first", "against_last", "class_named", "resolve", "note")
        return on_workspace(arguments, "explain", {name: getattr(arguments, name) for name in names})

    parser = verb("explain", "say why some days cost more or less than others, and what moved", run)
    days = (
        ("--from", "first", "the first day, in UTC (default: a week before the last)"),
        ("--to", "last", "the last day (default: the last one whose results are all in)"),
        ("--against-from", "against_first", "the first day to compare with (default: the same weekdays before)"),
        ("--against-to", "against_last", "the last day to compare with (default: as many days)"),
    )
    for option, name, said in days:
        parser.add_argument(option, dest=name, type=utc_day, metavar="DAY", help=said)
    parser.add_argument("--class", dest="class_named", metavar="CLASS", help="only this one: its id or its name")
    parser.add_argument("--resolve", metavar="KEY", help="say that this movement is dealt with; needs --note")
    parser.add_argument("--note", metavar="TEXT", help="why it is")


def explain(
    workspace: Workspace,
    *,
    first: str | None = None,
    last: str | None = None,
    against_first: str | None = None,
    against_last: str | None = None,
    class_named: str | None = None,
    resolve: str | None = None,
    note: str | None = None,
) -> Document:
    """Two stretches of days compared, as a document; amounts are decimal text, days are in UTC and both included."""
    now = utc_now()
    if resolve is not None:
        explaining.resolve_movement(workspace, resolve, note=note or "", now=now)
    whole = explaining.judged_to(workspace, now=now) or now.date() - timedelta(days=1)
    end = whole if last is None else date.fromisoformat(last)
    found = explaining.explain(
        workspace,
        now=now,
        first=end - timedelta(days=_DAYS - 1) if first is None else date.fromisoformat(first),
        last=end,
        against_first=None if against_first is None else date.fromisoformat(against_first),
        against_last=None if against_last is None else date.fromisoformat(against_last),
        class_named=class_named,
    )
    return {
        "days": {"first": found.days.first, "last": found.days.last},
        "against": {"first": found.against.first, "last": found.against.last},
        "class": found.class_name,
        "by_day": found.by_day,
        "judged_to": whole,
        "notes": [*_sentences(workspace, found, whole)],
        "spend": _split(found.spend),
        "unit_cost": None if found.unit_cost is None else _split(found.unit_cost),
        "classes": [
            {
                "class_name": line.class_name,
                "before_usd": _text(line.before_usd),
                "after_usd": _text(line.after_usd),
                "before_units": line.before_units,
                "after_units": line.after_units,
                "parts": _parts(line.parts),
            }
            for line in found.spend.lines
        ],
        "unknown_attempts": found.spend.unknown,
        "movements": [_movement(standing) for standing in found.movements],
        "events": [
            {"day": event.day, "kind": event.kind, "class_name": event.class_name, "said": event.said}
            for event in found.events
        ],
    }


def _sentences(workspace: Workspace, found: explaining.Explanation, whole: date) -> list[str]:
    against = days_words(found.against.first, found.against.last)
    head = f"{found.class_name or 'All work'}, {days_words(found.days.first, found.days.last)} against {against}:"
    moved = [
        movement_sentence(standing.movement)
        + "".join(f" {link.event.said}" for link in standing.movement.events)
        + (f" Dealt with: {standing.said}" if standing.state == "resolved" else "")
        + (f" Known: {standing.said}" if standing.state == "known" else "")
        for standing in found.movements
    ]
    if not (found.spend.before_usd or found.spend.after_usd or found.spend.lines or found.spend.unknown):
        return [head, *or_nothing(workspace, "No work has results on any of these days."), *moved]
    split = [*spend_sentences(found.spend, by_day=found.by_day), *unit_sentences(found.unit_cost)]
    return [head, *_limits(workspace, found, whole), *split, *moved]


def _limits(workspace: Workspace, found: explaining.Explanation, whole: date) -> Iterator[str]:
    """What the comparison leaves out, or cannot know."""
    between = (found.days.first - found.against.last).days - 1
    if between > 0 and found.against == found.days.weeks_earlier():
        yield f"The same weekdays are compared: {count(between, 'day')} between the two are in neither."
    known = explaining.known_from(workspace)
    if known is not None and found.against.first < known:
        yield f"There was no work before {day(known)}: what is compared with is not whole."
    if found.days.last > whole:
        yield f"Results of days after {day(whole)} are still coming."


def _split(split: Attribution) -> Document:
    return {
        "before_usd": _text(split.before_usd),
        "after_usd": _text(split.after_usd),
        "change_usd": _text(split.after_usd - split.before_usd),
        "parts": _parts(split.parts),
    }


def _parts(parts: tuple[Part, ...]) -> list[Document]:
    return [{"name": part.name, "amount": _text(part.amount)} for part in parts]


def _movement(standing: Standing) -> Document:
    movement = standing.movement
    return {
        "key": movement.key,
        "state": standing.state,
        "reopened": standing.reopened,
        "note": standing.said,
        "kind": movement.kind,
        "measure": movement.measure,
        "class_name": movement.class_name,
        "class_id": movement.class_id,
        "since": movement.since,
        "until": movement.until,
        "before_usd": _text(movement.before_usd),
        "after_usd": _text(movement.after_usd),
        "usd_month": _text(movement.usd_month) if movement.kind == "step" else None,
        "usd_total": None if movement.kind == "step" else _text(movement.usd_month),
        "low_usd_month": None if movement.low is None else _text(movement.low),
        "high_usd_month": None if movement.high is None else _text(movement.high),
        "parts": _parts(movement.parts),
        "events": [
            {
                "day": link.event.day,
                "kind": link.event.kind,
                "said": link.event.said,
                "explains": list(link.parts),
                "usd": _text(link.usd),
            }
            for link in movement.events
        ],
    }


def _text(amount: Decimal) -> str:
    """Every digit of an amount and no more: 0.0549, never 5.49E-2."""
    return f"{amount.normalize():f}"
