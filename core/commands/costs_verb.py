"""The verbs `costs` and `unit`: what a unit costs, by what, and what the unit of a class is."""

import argparse
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl

from core.actions import costs as of_costs
from core.actions import units as of_units
from core.commands.amounts import utc_day
from core.commands.emptiness import or_nothing
from core.commands.planning_options import AddVerb, OnWorkspace
from core.errors import LotwiseError
from core.prices.book import MONEY
from core.unit_costs.dimension import DIMENSIONS, check_dimension, tag_of
from core.unit_costs.stability import Stability
from core.unit_costs.unit import Unit
from core.workspace import Workspace

Document = dict[str, Any]
_DOES = ("show", "set")
_NO_RESULTS = "No work has results on these days."
_NO_UNITS = "No class has a unit of its own: each is measured by usable items. `unit set CLASS` chooses another one."
_NOT_KEPT = "No results of this class are kept, so nothing can be tried. What comes in from here on is counted."


def add_costs_verbs(verb: AddVerb, on_workspace: OnWorkspace) -> None:
    """Which costs, by what; and which class has which unit."""

    def run(arguments: argparse.Namespace) -> Document:
        values = {"first": arguments.first, "last": arguments.last, "by": arguments.by}
        return on_workspace(arguments, "costs", values | {"class_named": arguments.class_named})

    parser = verb("costs", "show what a unit costs, by class, tier, model, job, day, week, team or any tag", run)
    parser.add_argument(
        "--from", dest="first", type=utc_day, metavar="DAY", help="the first day, in UTC (default: of all)"
    )
    parser.add_argument("--to", dest="last", type=utc_day, metavar="DAY", help="the last day (default: of all)")
    parser.add_argument(
        "--by",
        type=_dimensions,
        default=["class"],
        metavar="NAME,…",
        help=f"{', '.join(DIMENSIONS)} or tag:NAME, separated by commas (default: class)",
    )
    parser.add_argument("--class", dest="class_named", metavar="CLASS", help="only this one: its id or its name")
    _add_unit_verb(verb, on_workspace)


def _add_unit_verb(verb: AddVerb, on_workspace: OnWorkspace) -> None:
    def run(arguments: argparse.Namespace) -> Document:
        return on_workspace(arguments, "unit", _values(parser, arguments))

    parser = verb("unit", "show or set what the cost of a class is divided by", run)
    parser.add_argument("do", nargs="?", choices=_DOES, default="show", help="default: show")
    parser.add_argument("class_named", nargs="?", metavar="CLASS", help="its id or its name")
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--items", action="store_true", help="set: by usable items, as any class is at first")
    kinds.add_argument("--output-tokens", action="store_true", help="set: by the output tokens of usable items")
    kinds.add_argument(
        "--count", metavar="PATH", help="set: by an array's length or a whole number in each answer's JSON: $.lines"
    )
    kinds.add_argument("--matches", metavar="PATTERN", help="set: by how often a pattern is found in each answer")
    parser.add_argument("--called", metavar="NAME", help="set: what one unit is called: line")
    parser.add_argument("--dry-run", action="store_true", help="set: say what would be counted, and change nothing")


def costs(
    workspace: Workspace,
    *,
    first: str | None = None,
    last: str | None = None,
    by: list[str],
    class_named: str | None = None,
) -> Document:
    """The costs of a period as a document; amounts are decimal text, days are in UTC and both included."""
    found = of_costs.costs(
        workspace,
        first=None if first is None else date.fromisoformat(first),
        last=None if last is None else date.fromisoformat(last),
        by=by,
        class_name=None if class_named is None else of_units.class_unit(workspace, class_named).class_name,
    )
    rows = zip(found.rows.iter_rows(named=True), found.steady, strict=True)
    return {
        "first": found.first,
        "last": found.last,
        "by": list(found.by),
        "costs": [{name: row[name] for name in found.by} | _figures(row, steady) for row, steady in rows],
        "overall": None if found.overall is None else _figures(found.overall, found.overall_steady),
        "notes": _notes(found) or ([] if found.overall else or_nothing(workspace, _NO_RESULTS)),
    }


def unit(
    workspace: Workspace,
    *,
    do: str,
    class_named: str | None = None,
    kind: str = "items",
    place: str | None = None,
    noun: str | None = None,
    dry_run: bool = False,
) -> Document:
    """Show the units of classes, or set one and say what was counted by it."""
    if do == "show":
        chosen = (
            of_units.class_units(workspace) if class_named is None else (of_units.class_unit(workspace, class_named),)
        )
        return {"units": [_unit_row(one) for one in chosen]} | (
            {} if chosen else {"notes": or_nothing(workspace, _NO_UNITS)}
        )
    wanted = Unit.of(kind, place, noun)  # type: ignore[arg-type]
    if dry_run:
        preview = of_units.preview_unit(workspace, str(class_named), wanted)
        return {"preview": asdict(preview), "notes": [_NOT_KEPT] if preview.jobs == 0 else []}
    done = of_units.set_unit(workspace, str(class_named), wanted)
    return _unit_row(done) | {"notes": _uncounted(done.uncounted, done.unit.noun)}


def _unit_row(one: of_units.ClassUnit) -> Document:
    row = {"class_name": one.class_name, "unit": one.unit.noun, "kind": one.unit.kind, "place": one.unit.place}
    return row | {"usable_items": one.usable_items, "uncounted": one.uncounted, "recounting": one.recounting}


def _figures(row: Document, steady: Stability | None) -> Document:
    names = ("cost_usd", "unit", "units", "unit_cost_usd", "low", "high", "attempts", "usable_items", "jobs")
    figures = {name: row[name] for name in names}
    bands = {f"{name}_usd": None if row[name] is None else _decimal(row[name]) for name in ("low", "high")}
    return {name: value for name, value in figures.items() if name not in ("low", "high")} | {
        **bands,
        "stability": None if steady is None else steady.word,
        "coefficient": None if steady is None or steady.coefficient is None else round(steady.coefficient, 4),
        "steady_weeks": None if steady is None else steady.weeks,
        "unpriced": row["unpriced"],
        "uncounted": row["uncounted"],
    }


def _notes(found: of_costs.Costs) -> list[str]:
    row = found.overall or {"unpriced": 0, "mixes": []}
    notes = [f"{row['unpriced']:,} attempts have no known price: they are in no unit cost."] if row["unpriced"] else []
    by_unit = found.rows.filter(pl.col("uncounted") > 0).group_by("unit").agg(pl.col("uncounted").sum()).sort("unit")
    notes += [note for noun, uncounted in by_unit.iter_rows() for note in _uncounted(uncounted, noun)]
    for dimension in found.by:
        if found.rows.height and tag_of(dimension) and found.rows[dimension].is_null().all():
            notes.append(f"No item carries the tag {tag_of(dimension)}: see `import --tag`.")
    if row["mixes"]:
        notes.append(
            f"Units of several kinds are not added up ({', '.join(row['mixes'])}): overall is per usable item."
        )
    return notes


def _uncounted(uncounted: int, noun: str) -> list[str]:
    if not uncounted:
        return []
    return [f"{uncounted:,} usable items have no known count ({noun}): they are in no unit cost."]


def _decimal(usd: float) -> Decimal:
    return round(Decimal(usd), MONEY.scale)


def _values(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> Document:
    """The arguments as the verb takes them; ends with wrong usage where something is missing."""
    stated = {"items": arguments.items, "output_tokens": arguments.output_tokens}
    stated |= {"json": arguments.count is not None, "matches": arguments.matches is not None}
    kinds = [kind for kind, given in stated.items() if given]
    if arguments.do == "set" and arguments.class_named is None:
        parser.error("set needs a CLASS")
    if (arguments.do == "set") != bool(kinds):
        parser.error("set needs one of --items, --output-tokens, --count and --matches, and nothing else takes one")
    if arguments.called is not None and not {"json", "matches"} & set(kinds):
        parser.error("--called names what --count or --matches counts")
    return {
        "do": arguments.do,
        "class_named": arguments.class_named,
        "kind": kinds[0] if kinds else "items",
        "place": arguments.count if arguments.count is not None else arguments.matches,
        "noun": arguments.called,
        "dry_run": arguments.dry_run,
    }


def _dimensions(text: str) -> list[str]:
    try:
        return [check_dimension(name.strip()) for name in text.split(",")]
    except LotwiseError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
