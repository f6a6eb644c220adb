"""The options of the verb `schedule`, and which of them belong together."""

import argparse
from typing import Any

from core.commands.amounts import amount, share, whole

_NAMED = ("add", "remove", "pause", "resume", "run")
_DOES = ("list", "recommend", *_NAMED)
_CONFIDENCE = 0.95
_WITHIN = 24.0


def add_schedule_options(schedule: argparse.ArgumentParser) -> None:
    """What to do, with which schedule, and how it is to send."""
    schedule.add_argument("do", nargs="?", choices=_DOES, default="list", help="default: list")
    schedule.add_argument("name", nargs="?", metavar="NAME", help="of the schedule; `recommend NAME` adds it at once")
    need = schedule.add_mutually_exclusive_group()
    need.add_argument(
        "--deadline", metavar="TIME", help="when results are needed: '07:00 Europe/Berlin', 'Mon-Fri 09:00 UTC'"
    )
    need.add_argument(
        "--within", type=amount, metavar="HOURS", help=f"or so long after an item came in (default: {_WITHIN:g})"
    )
    schedule.add_argument(
        "--confidence", type=share, default=_CONFIDENCE, metavar="P", help=f"default: {_CONFIDENCE:g}"
    )
    way = schedule.add_mutually_exclusive_group()
    way.add_argument("--at", action="append", default=[], metavar="TIME", help="send then; may be given several times")
    way.add_argument("--every", type=whole(1), metavar="HOURS", help="send every so many hours")
    way.add_argument("--before", action="store_true", help="send once before each deadline")
    way.add_argument("--queue", type=whole(1), metavar="ITEMS", help="send a class when so many of its items wait")
    schedule.add_argument(
        "--lead", type=amount, metavar="MINUTES", help="how long before the need it goes (default: as learned)"
    )
    schedule.add_argument(
        "--class", action="append", dest="classes", metavar="CLASS", help="only this class (id or name); several times"
    )
    schedule.add_argument("--per-day", type=amount, metavar="ITEMS", help="recommend for so many items a day")
    schedule.add_argument("--confirm", metavar="AMOUNT", help="run: the predicted dollars, where they go over a budget")
    schedule.add_argument("--dry-run", action="store_true", help="run: say what would be sent, and send nothing")


def schedule_values(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> dict[str, Any]:
    """The arguments as the verb takes them; ends with wrong usage where something is missing."""
    if arguments.do in _NAMED and arguments.name is None:
        parser.error(f"{arguments.do} needs the NAME of a schedule")
    ways = (arguments.at, arguments.every, arguments.before, arguments.queue)
    if arguments.do == "add" and not any(ways):
        parser.error("add needs one of --at, --every, --before and --queue")
    within = _WITHIN if arguments.within is None else arguments.within
    return {
        "do": arguments.do,
        "name": arguments.name,
        "need": arguments.deadline or f"within {within:f} h",
        "confidence": arguments.confidence,
        "classes": arguments.classes,
        "at": arguments.at,
        "every": arguments.every,
        "before": arguments.before,
        "queue": arguments.queue,
        "lead_minutes": arguments.lead,
        "items_a_day": arguments.per_day,
        "confirm": arguments.confirm,
        "dry_run": arguments.dry_run,
    }
