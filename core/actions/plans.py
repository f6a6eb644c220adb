"""Planning and sending the backlog."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from core.actions.writing import allowance_of
from core.audit import recorded
from core.caching.class_caching import ClassCaching
from core.errors import LotwiseError
from core.jobs.drafting import draft_backlog
from core.jobs.hit_rates import ClassHitRate, hit_rates
from core.jobs.journal import record_plan
from core.jobs.spending import Check, check_prices
from core.planning.needs import Needs
from core.planning.plan import NothingToPlan, Plan
from core.workspace import Workspace


class BudgetTooSmall(LotwiseError):
    """The plan does not fit the budget that was named for it, so nothing was sent. Name a larger one, or send less."""


class NothingToSplit(LotwiseError):
    """The prefix of this class ends with a block, or there is no such class: there is no text to send as two."""


@dataclass(frozen=True, kw_only=True)
class Caching:
    """How the classes of the backlog meet the cache, and how it went so far.

    `second_round_usd`: what priming the outer marks in a round of their own would save (a proposal, never planned).
    """

    planned: tuple[ClassCaching, ...]
    second_round_usd: Decimal
    history: tuple[ClassHitRate, ...]


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A plan on its way: its id, the ids of its jobs in sending order, and how they met the budgets."""

    plan_id: str
    jobs: tuple[str, ...]
    items: int
    predicted_usd: Decimal | None
    check: Check


def preview_plan(workspace: Workspace, *, now: datetime, needs: Needs | None = None) -> Plan:
    """Plan the whole backlog without storing anything. Raises `NothingToPlan`, and what `draft_plan` raises."""
    return draft_backlog(
        workspace.store,
        workspace.folder,
        workspace.gateway,
        workspace.book,
        workspace.settings,
        now=now,
        needs=needs,
    )


def cache_plan(workspace: Workspace, *, now: datetime) -> Caching:
    """Which prefixes of the backlog would be cached, how and why, beside predicted and actual hit rates so far."""
    history = hit_rates(workspace.store, now=now)
    try:
        plan = preview_plan(workspace, now=now)
    except NothingToPlan:
        return Caching(planned=(), second_round_usd=Decimal(0), history=history)
    return Caching(planned=plan.caching, second_round_usd=plan.second_round_usd, history=history)


@recorded("agree-split", "class_id", "agreed")
def agree_split(workspace: Workspace, class_id: str, *, agreed: bool) -> None:
    """Say whether the text in which this class's prefix ends may be sent as two blocks, the former marked.

    Whether the API counts the tokens of two such blocks exactly as it counts the one is not documented, so nothing is
    split unasked. Raises `NothingToSplit`.
    """
    found = workspace.store.query("class_caching", class_id=class_id)
    if found.is_empty() or not found["cut_chars"][0]:
        raise NothingToSplit(class_id=class_id)
    workspace.store.write(lambda tx: tx.run("agree_split", class_id=class_id, agreed=agreed))


@recorded("submit", "plan_id", "jobs", "items", "predicted_usd", "confirmed")
def submit(
    workspace: Workspace,
    *,
    now: datetime,
    needs: Needs | None = None,
    confirmed: str | None = None,
    dry_run: bool = False,
) -> Submission:
    """Plan the whole backlog, store the plan with its claims, and have the worker send it.

    `confirmed`: what a person typed for a plan that goes over a budget. A dry run goes as far and keeps nothing: its
    ids are of jobs that are not there. Raises `NothingToPlan`, `BudgetTooSmall`, `PlanOutdated` where another
    submission was faster, `OverBudget` or `SendingStopped`.
    """
    plan = preview_plan(workspace, now=now, needs=needs)
    if any(missed.binding == "budget" for missed in plan.timing.missed):
        raise BudgetTooSmall(why=" ".join(plan.timing.reasons))
    made = record_plan(
        workspace.store,
        plan,
        now=now,
        simulated=workspace.gateway.simulated,
        allowance=allowance_of(workspace, now=now, confirmed=confirmed, dry_run=dry_run),
    )
    workspace.worker.wake()
    return Submission(
        plan_id=made.plan_id, jobs=made.jobs, items=plan.items, predicted_usd=plan.predicted_usd, check=made.check
    )


def check_plan(workspace: Workspace, plan: Plan | None, *, now: datetime) -> Check:
    """How a plan would meet the budgets if it were submitted now; without one, how the budgets stand."""
    prices = [(job.predicted_usd, job.items) for job in plan.jobs] if plan else []
    return check_prices(workspace.store, workspace.settings, prices, now=now)
