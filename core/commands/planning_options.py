"""The options of the verbs that look ahead: planning, simulating and recurring schedules."""

import argparse
from collections.abc import Callable
from typing import Any, Protocol


class OnWorkspace(Protocol):
    """Runs a verb on the workspace that the arguments name, here or in the process that owns it."""

    def __call__(
        self, arguments: argparse.Namespace, verb: str, values: dict[str, Any], *, advance: bool = False
    ) -> dict[str, Any]: ...


AddVerb = Callable[[str, str, Any], argparse.ArgumentParser]


def add_planning_verbs(verb: AddVerb, on_workspace: OnWorkspace) -> None:
    """Add every verb that looks ahead."""
    _add_plan(verb, on_workspace)


def _add_plan(verb: AddVerb, on_workspace: OnWorkspace) -> None:
    verb("plan", "propose jobs for everything not yet sent", lambda a: on_workspace(a, "plan", {}))
