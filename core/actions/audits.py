"""Watching a routed class: what was drawn of its answers, labels of people, and its former model asked again."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from core.actions.trials import TrialStarted, start_trial
from core.audit import recorded
from core.trials.homes import route_of
from core.trials.recheck import ask_again
from core.trials.trial import trial_of
from core.trials.watch import label, to_label
from core.workspace import Workspace


def audit_items(workspace: Workspace, class_id: str, *, now: datetime) -> tuple[str, ...]:
    """The items drawn for the watch of a class that nobody has told right from wrong. Raises as `withdraw_route`."""
    route = route_of(workspace.store, class_id)
    return to_label(workspace.store, workspace.settings, route, now=now)


@recorded("label-audit", "class_id")
def label_audit(workspace: Workspace, class_id: str, said: Mapping[str, bool], *, now: datetime) -> int:
    """Keep whether answers of drawn items are right, and return how many; saying it anew corrects it.

    Raises `NotDrawn`, and as `withdraw_route`.
    """
    route = route_of(workspace.store, class_id)
    return label(workspace.store, workspace.settings, route, said, now=now, by=workspace.actor.name)


@recorded("recheck-route", "class_id", "trial_id", "items", "predicted_usd", "confirmed")
def recheck_route(
    workspace: Workspace,
    class_id: str,
    *,
    budget_usd: Decimal,
    now: datetime,
    sample: int | None = None,
    confirmed: str | None = None,
    dry_run: bool = False,
) -> TrialStarted:
    """Ask the former model of a routed class some of its items again, where agreement with it is the measure.

    Raises `NothingToCompare`, as `withdraw_route`, and as `start_trial`, which it is.
    """
    route = route_of(workspace.store, class_id)
    proof = trial_of(workspace.store, workspace.folder, route.trial_id) if route.trial_id else None
    ask = ask_again(workspace.store, route, proof, budget_usd=budget_usd, sample=sample)
    return start_trial(workspace, ask, now=now, confirmed=confirmed, dry_run=dry_run)
