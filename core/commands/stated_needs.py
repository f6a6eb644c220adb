"""What a plan has to meet, as options of the command line."""

import argparse
from typing import Any

from core.commands.amounts import share


def add_needs(verb: argparse.ArgumentParser) -> None:
    """What a plan has to meet."""
    when = "2026-11-23T07:00Z, 07:00 Europe/Berlin, or Mon 09:00 UTC (no zone: UTC)"
    verb.add_argument("--deadline", metavar="TIME", help=f"have all results by then: {when}")
    verb.add_argument(
        "--class-deadline",
        action="append",
        type=_class_deadline,
        metavar="CLASS=TIME",
        help="have those of one class, by its id, by another time; may be given several times",
    )
    verb.add_argument(
        "--confidence", type=share, metavar="SHARE", help="how surely they are to be there by then (default: 0.95)"
    )
    verb.add_argument(
        "--budget", metavar="USD", help="what all jobs together may cost, reruns and the fixed cost of each included"
    )


def stated(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the arguments ask of a plan, as `Needs.stated` takes it."""
    return {
        "deadline": arguments.deadline,
        "class_deadlines": dict(arguments.class_deadline or ()),
        "confidence": arguments.confidence,
        "budget": arguments.budget,
    }


def _class_deadline(text: str) -> tuple[str, str]:
    class_id, _, deadline = text.partition("=")
    if not class_id or not deadline:
        raise argparse.ArgumentTypeError("say which class, and when: CLASS=TIME")
    return class_id, deadline
