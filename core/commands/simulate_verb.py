"""The verb `simulate`: the past weeks, what waits, or request files, under a scenario and as they were."""

import argparse
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any

from core import actions
from core.actions.simulation import DAYS, REPLICATES, WITHIN_HOURS, Comparison, Stage
from core.commands.amounts import amount, whole
from core.prices import PriceBook
from core.requests.files import request_files
from core.settings import Settings
from core.simulation.outcome import Distribution
from core.simulation.scenario import Scenario
from core.workspace import Workspace, utc_now

Document = dict[str, Any]
_CENTS = Decimal("0.0001")


def simulate(
    workspace: Workspace, *, days: int, within: float, replicates: int, seed: int, scenario: Document
) -> Document:
    """Replay what was sent from a workspace, or what waits there."""
    found = actions.stage_workspace(workspace, now=utc_now(), days=days, within_hours=within)
    return _document(found, Scenario(**scenario), replicates=replicates, seed=seed)


def simulate_files(arguments: argparse.Namespace) -> Document:
    """Request files as they are, without a workspace."""
    found = actions.stage_files(
        request_files(arguments.files),
        book=PriceBook.load(),
        settings=Settings.load(),
        now=utc_now(),
        within_hours=arguments.within,
    )
    scenario = Scenario(**scenario_of(arguments))
    return _document(found, scenario, replicates=arguments.replicates, seed=arguments.seed)


def add_simulate_options(simulate: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    simulate.add_argument("files", nargs="*", type=Path, metavar="FILE", help="simulate these, without importing them")
    simulate.add_argument("--days", type=whole(1, 366), default=DAYS, metavar="N", help="replay this many past days")
    simulate.add_argument(
        "--within", type=amount, default=WITHIN_HOURS, metavar="HOURS", help="on time is so long after coming in"
    )
    simulate.add_argument(
        "--group",
        choices=("packed", "class", "arrival"),
        default="packed",
        help="small classes together, one class a job (both primed), or as they came and unprimed",
    )
    simulate.add_argument("--size", type=int, metavar="N", help="items of a job at most (default: as advised)")
    simulate.add_argument("--every", type=float, metavar="HOURS", help="send in rounds (default: when it was sent)")
    simulate.add_argument("--model", metavar="M", help="price it all on this model")
    simulate.add_argument("--fault-rate", type=float, metavar="X", help="share of items that fail (default: as seen)")
    simulate.add_argument("--width", type=float, metavar="C", help="items of a job in flight at once")
    simulate.add_argument(
        "--replicates", type=whole(1, 10_000), default=REPLICATES, metavar="R", help="draws of chance"
    )
    simulate.add_argument("--seed", type=whole(0), default=0, metavar="S", help="the same seed gives the same figures")


def scenario_of(arguments: argparse.Namespace) -> Document:
    """The scenario that the options describe, as plain values."""
    return {
        "grouping": arguments.group,
        "size": arguments.size,
        "every_hours": arguments.every,
        "model": arguments.model,
        "fault_rate": arguments.fault_rate,
        "width": arguments.width,
    }


def _document(found: Stage, scenario: Scenario, *, replicates: int, seed: int) -> Document:
    compared: Comparison = actions.what_if(found, scenario, replicates=replicates, seed=seed)
    actual = (
        None
        if compared.actual is None
        else {name: {"value": _plain(name, value)} for name, value in compared.actual.items()}
    )
    return {
        "items": found.items,
        "unpriced_items": found.setting.replay.unpriced,
        "replayed_days": found.days,
        "within_hours": found.within_hours,
        "replicates": replicates,
        "seed": seed,
        "asked": {name: value for name, value in asdict(scenario).items() if value is not None},
        "width": scenario.width or found.setting.world.width,
        "width_basis": "asked" if scenario.width else found.width_basis,
        "scenario": _figures(compared.scenario),
        "baseline": _figures(compared.baseline),
        "baseline_is": "as advised" if actual is None else "as it was sent",
        "actual": actual,
    }


def _figures(distributions: dict[str, Distribution]) -> Document:
    return {
        name: {share: _plain(name, value) for share, value in asdict(one).items()}
        for name, one in distributions.items()
    }


def _plain(name: str, value: float) -> Decimal | float:
    """Money as decimal text, to the hundredth of a cent; everything else as a number."""
    return Decimal(value).quantize(_CENTS) if name.endswith("_usd") else round(value, 6)
