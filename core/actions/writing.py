"""What actions have in common: writes that can be rehearsed, and what somebody may spend."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from core.jobs.spending import Allowance
from core.store import Transaction
from core.workspace import Workspace

T = TypeVar("T")


def perform(workspace: Workspace, task: Callable[[Transaction], T], *, dry_run: bool = False) -> T:
    """Write and wake the worker; a dry run does the same and keeps nothing."""
    if dry_run:
        return workspace.store.rehearse(task)
    done = workspace.store.write(task)
    workspace.worker.wake()
    return done


def allowance_of(workspace: Workspace, *, now: datetime, confirmed: str | None, dry_run: bool = False) -> Allowance:
    """The budgets, and what the person who acts typed to go over them."""
    by = workspace.actor.name
    return Allowance(settings=workspace.settings, now=now, by=by, confirmed=confirmed, rehearsal=dry_run)
