"""The verb `trial`: whether another model clears the bar of a class, started, shown, labelled and stopped."""

import argparse
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from core.actions import trials
from core.commands.amounts import amount, share, whole
from core.commands.planning_options import AddVerb, OnWorkspace
from core.errors import LotwiseError
from core.grading import described, read_gold
from core.intake.tables import read_table
from core.routing.verdict import Bar
from core.workspace import Workspace, utc_now

Document = dict[str, Any]
_NEXT = 100
"""Items to label that are shown at once."""
_NAMED = ("show", "stop", "label")
_DOES = ("list", "start", *_NAMED)
_COLUMNS = ("item", "model", "correct")
_BIT = {0: False, 1: True, "0": False, "1": True}


class NotAGrader(LotwiseError):
    """This is no grader. Write it as kind:option=value,option=value, or as a JSON object in a file."""


class NotLabels(LotwiseError):
    """These are no labels, so none was kept. Give a .csv or .parquet file with the columns item, model, correct (0 or
    1), and for the model in use on the same item reference (0 or 1)."""


def add_trial_verb(verb: AddVerb, on_workspace: OnWorkspace) -> None:
    """What to do with which trial."""

    def run(arguments: argparse.Namespace) -> Document:
        return on_workspace(arguments, "trial", _values(on_trial, arguments))

    on_trial = verb("trial", "find out whether another model is good enough for a class", run)
    on_trial.add_argument("do", nargs="?", choices=_DOES, default="list", help="default: list")
    on_trial.add_argument(
        "name", nargs="?", metavar="CLASS|ID", help="start: the class, by id or name; else the trial's id"
    )
    on_trial.add_argument(
        "--candidate", action="append", default=[], metavar="MODEL", help="start: try it; several times"
    )
    grader = on_trial.add_mutually_exclusive_group()
    grader.add_argument(
        "--grader",
        metavar="KIND[:OPTION=VALUE,…]",
        help="start: exact, normalised, json, numeric, regex, schema, agreement, python, rubric or people",
    )
    grader.add_argument("--grader-file", type=Path, metavar="FILE.json", help="start: the grader as a JSON object")
    on_trial.add_argument(
        "--gold", type=Path, metavar="FILE", help="start: right answers (.csv, .jsonl, .parquet: item_id and gold)"
    )
    bar = on_trial.add_mutually_exclusive_group()
    bar.add_argument("--bar", type=share, metavar="SHARE", help="start: the share of right answers to exceed, as 0.9")
    bar.add_argument(
        "--margin", type=share, metavar="SHARE", help="start: not worse than the model in use by more than this"
    )
    on_trial.add_argument("--error", type=share, default=0.05, metavar="SHARE", help="start: of a wrong verdict (0.05)")
    on_trial.add_argument("--budget", type=amount, default=5.0, metavar="USD", help="start: all rounds together (5)")
    on_trial.add_argument("--sample", type=whole(1), metavar="N", help="start: the most items (2,000)")
    on_trial.add_argument("--seed", type=whole(0), default=0, metavar="S", help="start: of the sample (0)")
    on_trial.add_argument(
        "--cascade", action="store_true", help="start: price a small model first, a larger one where it fails, too"
    )
    on_trial.add_argument(
        "--confirm", metavar="AMOUNT", help="start: the predicted dollars, where they go over a budget"
    )
    on_trial.add_argument("--dry-run", action="store_true", help="start: say what would be sent, and send nothing")
    on_trial.add_argument(
        "--file",
        type=Path,
        metavar="LABELS.csv",
        help="label: item, model, correct, reference; it counts up to the first pair that nobody labelled",
    )


def trial(workspace: Workspace, *, do: str, name: str | None = None, **stated: Any) -> Document:
    """Do one thing with trials, and show what there is afterwards."""
    now = utc_now()
    match do:
        case "start":
            return _start(workspace, str(name), **stated)
        case "stop":
            trials.stop_trial(workspace, str(name), now=now)
        case "label":
            kept = trials.label_items(workspace, str(name), _labels(Path(stated["file"])), now=now)
            return {"kept": kept, **_shown_of(workspace, str(name), now)}
    if do == "list":
        return {"trials": [_row(one) for one in trials.list_trials(workspace, now=now)]}
    return _shown_of(workspace, str(name), now)


def _shown_of(workspace: Workspace, trial_id: str, now: datetime) -> Document:
    """A trial, and the items that people should label next: only labels without a gap before them count."""
    shown = _shown(trials.trial_standing(workspace, trial_id, now=now))
    return shown | {"label_next": trials.items_to_label(workspace, trial_id)[:_NEXT] if shown["to_label"] else ()}


def _values(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> Document:
    """The arguments as the verb takes them; ends with wrong usage where something is missing."""
    do = arguments.do
    if do != "list" and arguments.name is None:
        parser.error("start needs a CLASS" if do == "start" else f"{do} needs the ID of a trial")
    if do == "label" and arguments.file is None:
        parser.error("label needs --file LABELS.csv")
    values = {"do": do, "name": arguments.name}
    if do == "label":
        return values | {"file": str(arguments.file.resolve())}
    if do != "start":
        return values
    if not arguments.candidate:
        parser.error("start needs --candidate MODEL")
    if arguments.grader is None and arguments.grader_file is None:
        parser.error("start needs --grader or --grader-file")
    if arguments.bar is None and arguments.margin is None:
        parser.error("start needs --bar or --margin")
    of_start = ("bar", "margin", "error", "budget", "sample", "seed", "cascade", "confirm", "dry_run")
    return (
        values
        | {option: getattr(arguments, option) for option in of_start}
        | {
            "models": arguments.candidate,
            "grader": _grader(arguments),
            "gold": read_gold(arguments.gold) if arguments.gold else None,
        }
    )


def _grader(arguments: argparse.Namespace) -> Document:
    """The specification of the grader: of a file, or `kind:option=value,option=value`."""
    if arguments.grader_file is not None:
        try:
            spec = orjson.loads(arguments.grader_file.read_bytes())
        except orjson.JSONDecodeError as error:
            raise NotAGrader(file=arguments.grader_file.name, why=str(error)) from error
        if not isinstance(spec, dict):
            raise NotAGrader(file=arguments.grader_file.name)
        return spec
    kind, _, options = arguments.grader.partition(":")
    pairs = [option.partition("=") for option in options.split(",") if option]
    if not all(equals for _, equals, _ in pairs):
        raise NotAGrader(grader=arguments.grader)
    return {"kind": kind, **{option: value for option, _, value in pairs}}


def _start(
    workspace: Workspace, name: str, *, confirm: str | None, dry_run: bool, gold: dict[str, str] | None, **stated: Any
) -> Document:
    ask = trials.TrialAsk(
        class_id=name,
        models=tuple(stated["models"]),
        grader=stated["grader"],
        bar=Bar(rate=stated["bar"], margin=stated["margin"], error=stated["error"]),
        gold=gold,
        budget_usd=Decimal(str(stated["budget"])),
        sample=stated["sample"],
        seed=stated["seed"],
        cascade=stated["cascade"],
    )
    now = utc_now()
    if dry_run:
        preview = trials.preview_trial(workspace, ask, now=now)
        made = trials.start_trial(workspace, ask, now=now, dry_run=True)
        return {
            "would_be_jobs": len(made.jobs),
            "items": made.items,
            "predicted_usd": made.predicted_usd,
            "confirm": made.check.confirm,
            "would_try": [
                asdict(one) | {"changes": [change.said for change in one.changes]} for one in preview.candidates
            ],
        }
    made = trials.start_trial(workspace, ask, now=now, confirmed=confirm)
    workspace.worker.tick()  # a process without a worker thread sends them now
    return {
        "trial_id": made.trial_id,
        "jobs": made.jobs,
        "items": made.items,
        "predicted_usd": made.predicted_usd,
        "confirm": made.check.confirm,
    }


def _labels(path: Path) -> pl.DataFrame:
    """The labels of a file, checked. Raises `NotLabels`, and what `read_table` raises."""
    if not path.is_file():
        raise NotLabels(file=path.name, why="there is no such file")
    table = read_table(path)
    missing = [column for column in _COLUMNS if column not in table.columns]
    if missing or table.is_empty():
        raise NotLabels(file=path.name, missing=", ".join(missing) or None)
    bits = [column for column in ("correct", "reference") if column in table.columns]
    rows = table.select("item", "model", *bits).with_columns(pl.col("item", "model").cast(pl.String)).to_dicts()
    for number, row in enumerate(rows, 1):
        for column in bits:
            if row[column] not in _BIT:
                raise NotLabels(file=path.name, row=number, column=column)
            row[column] = _BIT[row[column]]
    said: dict[tuple[str, str], Document] = {}
    for number, row in enumerate(rows, 1):
        if said.setdefault((row["item"], row["model"]), row) != row:
            raise NotLabels(file=path.name, row=number, why="it contradicts an earlier row of the same item")
    return pl.DataFrame(list(said.values()))


def _row(one: trials.TrialStanding) -> Document:
    return {
        "trial_id": one.trial_id,
        "class_id": one.class_id,
        "class_name": one.class_name,
        "state": one.state,
        "reason": one.reason,
        "models": [candidate.model for candidate in one.candidates],
        "verdicts": [candidate.verdict.ruling for candidate in one.candidates],
        "rounds": one.rounds,
        "spent_usd": one.spent_usd,
        "budget_usd": one.budget_usd,
        "created_at": one.created_at,
    }


def _shown(one: trials.TrialStanding) -> Document:
    facts = ("trial_id", "class_id", "class_name", "state", "reason", "reference_model", "created_at", "closed_at")
    figures = ("rounds", "sample", "spent_usd", "budget_usd", "to_label", "labelled")
    return {
        **{name: getattr(one, name) for name in (*facts, *figures)},
        "bar": one.bar.rate,
        "margin": one.bar.margin,
        "error": one.bar.error,
        "grader": one.grader,
        "right_where": described(one.grader),
        "noise": asdict(one.noise) if one.noise else None,
        "candidates": [_candidate(candidate) for candidate in one.candidates],
        "cascade": asdict(one.cascade) if one.cascade else None,
    }


def _candidate(one: trials.CandidateStanding) -> Document:
    verdict = one.verdict
    return {
        "model": one.model,
        "verdict": verdict.ruling,
        "labels": verdict.labels,
        "estimate": verdict.estimate,
        "lower": verdict.lower,
        "upper": verdict.upper,
        "more_labels": verdict.more_labels,
        "more_usd": one.more_usd,
        "usd_per_item": one.usd_per_item,
        "ungraded": one.ungraded,
        "disputed": one.disputed,
        "earlier_trials": one.earlier_trials,
        "tally": asdict(one.tally),
        "changes": [change.said for change in one.changes],
    }
