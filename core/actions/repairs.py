"""What a person can do about failures: send them again, give them up, look at every attempt."""

from collections.abc import Sequence
from datetime import datetime

from core.actions.writing import allowance_of
from core.audit import recorded
from core.jobs import set_aside as giving_up
from core.jobs.item_chain import ItemChain
from core.jobs.item_chain import item_chain as chain_of_item
from core.jobs.repair import Repair, repair_slice
from core.jobs.slices import Slice, failed_slice
from core.jobs.spending import Check, check_prices
from core.workspace import Workspace


def repair_preview(workspace: Workspace, job_id: str, *, now: datetime, causes: Sequence[str] | None = None) -> Slice:
    """What is left to repair of a job, by cause, and what repairing it would do. Raises `NoSuchJob`.

    `causes`: which failures go; None takes those that pass by themselves.
    """
    return failed_slice(
        workspace.store,
        workspace.book,
        workspace.settings,
        job_id,
        now=now,
        causes=causes,
        lifetime=workspace.gateway.cache_lifetime,
    )


def check_repair(workspace: Workspace, previews: Sequence[Slice], *, now: datetime) -> Check:
    """How repairs of these slices would meet the budgets if they were sent now."""
    prices = [(preview.predicted_usd, preview.repairable) for preview in previews if preview.repairable]
    return check_prices(workspace.store, workspace.settings, prices, now=now)


@recorded("repair", "job_id", "causes", "items", "created", "confirmed")
def repair(
    workspace: Workspace,
    job_id: str,
    *,
    now: datetime,
    causes: Sequence[str] | None = None,
    confirmed: str | None = None,
) -> Repair:
    """Create the repair job of a failed slice (once, however often it is asked for) and have the worker send it.

    `causes` as in `repair_preview`, `confirmed` as in `submit`. Raises `NoSuchJob`, `NothingToRepair`, `OverBudget` or
    `SendingStopped`.
    """
    made = repair_slice(
        workspace.store,
        workspace.book,
        workspace.settings,
        job_id,
        now=now,
        simulated=workspace.gateway.simulated,
        allowance=allowance_of(workspace, now=now, confirmed=confirmed),
        causes=causes,
        lifetime=workspace.gateway.cache_lifetime,
    )
    workspace.worker.wake()
    return made


@recorded("set-aside", "job_id", "causes")
def set_aside(workspace: Workspace, job_id: str, causes: Sequence[str], *, now: datetime) -> int:
    """Give up a job's open failures of these causes, on record; return how many items.

    Raises `NoSuchJob`, or `NothingToSetAside` where there is no such failure.
    """
    return giving_up.set_aside(workspace.store, job_id, causes, now=now, by=workspace.actor.name)


@recorded("take-back", "job_id", "causes")
def take_back(workspace: Workspace, job_id: str, causes: Sequence[str]) -> int:
    """Make what was set aside an open failure again; return how many items. Raises `NoSuchJob`, `NothingSetAside`."""
    return giving_up.take_back(workspace.store, job_id, causes)


def item_chain(workspace: Workspace, item_id: str) -> ItemChain:
    """Every attempt of an item, first to last: its job, what came of it, what it cost. Raises `NoSuchItem`."""
    return chain_of_item(workspace.store, item_id)
