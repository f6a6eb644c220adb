"""The cascade of a trial: a small model first, and a larger one where its answer is not accepted."""

from datetime import datetime
from functools import partial

import polars as pl

from core.intake.backlog import waiting_items
from core.jobs.predictions import known_of
from core.routing.cascade import Cascade, best_cascade
from core.routing.escalation import OutcomesUnusable
from core.routing.whole_cost import stage_of
from core.trials.asking import Sheet
from core.trials.standing import TrialStanding, both_outcomes
from core.trials.trial import Trial
from core.trials.verdicts import labels_of
from core.workspace import Workspace

_PRICED_BY = 2_000
"""Items by which a class is priced."""


def cascade_of(workspace: Workspace, trial: Trial, standing: TrialStanding, *, now: datetime) -> Cascade | None:
    """The best cascade of the cheapest candidate and the reference; None without labels and prices of both.

    Where no label tells of the reference, the dearest candidate stands in its place.
    """
    if not all(one.tally.labels for one in standing.candidates):
        return None
    # By list price as the trial began: which two are compared must not change with what comes in.
    ranked = sorted(trial.candidates, key=lambda one: workspace.book.rates(one.model, at=trial.created_at).input)
    small, large = ranked[0], trial.entrants[0] if trial.asks_reference else ranked[-1]
    if small == large:
        return None
    items = _class_items(workspace, trial.class_id)
    if items.is_empty():
        return None
    evidence = known_of(workspace.store, workspace.gateway, workspace.settings, now=now)
    seen = workspace.store.query("trial_tokens", class_ids=[trial.class_id])
    book, settings = workspace.book, workspace.settings
    stage = partial(stage_of, items, book=book, settings=settings, now=now, evidence=evidence, seen=seen)
    first, second = stage(small.model), stage(large.model)
    if first is None or second is None:
        return None
    sheet = Sheet.read(workspace.store, trial)
    both = both_outcomes(sheet, labels_of(workspace.store, trial.trial_id), small.number, large.number)
    wrong = float(workspace.settings.wrong_answer_usd)
    try:
        return best_cascade(both, first, second, items=items.height, bar=trial.bar, wrong_usd=wrong)
    except OutcomesUnusable:
        return None


def _class_items(workspace: Workspace, class_id: str) -> pl.DataFrame:
    """What waits of a class, or what was sent last where nothing waits; as it is planned, at most 2,000."""
    waiting = waiting_items(
        workspace.store,
        workspace.folder,
        workspace.book,
        simulated=workspace.gateway.simulated,
        class_ids=[class_id],
    )
    if waiting.is_empty():
        return workspace.store.query("sent_items", class_ids=[class_id], most=_PRICED_BY)
    return waiting.head(_PRICED_BY)
