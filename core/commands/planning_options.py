"""The options of the verbs that look ahead: planning, simulating and recurring schedules."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.commands import file_verbs
from core.commands.schedule_options import add_schedule_options, schedule_values
from core.commands.simulate_verb import add_simulate_options, scenario_of, simulate_files
from core.commands.stated_needs import add_needs, stated

OnWorkspace = Callable[[argparse.Namespace, str, dict[str, Any]], dict[str, Any]]
"""Runs a verb on the workspace that the arguments name, here or in the process that owns it."""

AddVerb = Callable[[str, str, Any], argparse.ArgumentParser]


def add_planning_verbs(verb: AddVerb, on_workspace: OnWorkspace) -> None:
    """Add every verb that looks ahead."""
    _add_plan(verb, on_workspace)
    _add_schedule(verb, on_workspace)
    _add_simulate(verb, on_workspace)


def _add_plan(verb: AddVerb, on_workspace: OnWorkspace) -> None:
    """Planning what waits, or request files as they are."""

    def run(arguments: argparse.Namespace) -> dict[str, Any]:
        if arguments.files:
            return file_verbs.plan(arguments)
        return on_workspace(arguments, "plan", stated(arguments))

    plan = verb("plan", "propose jobs for everything not yet sent, or for request files as they are", run)
    plan.add_argument("files", nargs="*", type=Path, metavar="FILE", help="plan these, without importing them")
    plan.add_argument(
        "--assignments", type=Path, metavar="FILE.parquet", help="with files: write custom_id and the number of its job"
    )
    add_needs(plan)


def _add_schedule(verb: AddVerb, on_workspace: OnWorkspace) -> None:
    """Schedules that the worker keeps."""

    def run(arguments: argparse.Namespace) -> dict[str, Any]:
        return on_workspace(arguments, "schedule", schedule_values(schedule, arguments))

    schedule = verb("schedule", "recommend and keep schedules for recurring work", run)
    add_schedule_options(schedule)


def _add_simulate(verb: AddVerb, on_workspace: OnWorkspace) -> None:
    """What would have been, by simulation."""

    def run(arguments: argparse.Namespace) -> dict[str, Any]:
        if arguments.files:
            return simulate_files(arguments)
        values = {name: getattr(arguments, name) for name in ("days", "within", "replicates", "seed")}
        return on_workspace(arguments, "simulate", values | {"scenario": scenario_of(arguments)})

    simulate = verb("simulate", "say what other sizes, cadences or models would have cost, and when", run)
    add_simulate_options(simulate)
