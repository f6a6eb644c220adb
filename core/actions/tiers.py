"""What a class costs per usable item on each model, what its trials proved of them, and which one to take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl

from core.actions.trials import trial_standing
from core.intake.backlog import waiting_items
from core.intake.routing import all_routes
from core.jobs.predictions import known_of
from core.prices import UnknownModel, UnpricedModel
from core.routing.cascade import Cascade
from core.routing.choice import Choice, choose
from core.routing.quality import Quality
from core.routing.verdict import Bar, Ruling, Tally, rule
from core.routing.whole_cost import TierCost, tier_costs
from core.trials.homes import home_classes, places_of
from core.trials.standing import CandidateStanding, TrialStanding
from core.trials.watch import refuted
from core.workspace import Workspace

SAMPLE = 2_000
"""Items that a class is priced by: from a few hundred on, one more changes the cost of an item by less than a percent
(a prefix is written once for all of them)."""

_ERROR, _EVEN = 0.05, 0.5
_MAKER = "Claude "
"""What all names begin with, and a chart has no room for."""
_NEVER = datetime.min.replace(tzinfo=UTC)
_POINTS = {
    "model": pl.String,
    "name": pl.String,
    "usd": pl.Float64,
    "usd_low": pl.Float64,
    "usd_high": pl.Float64,
    "share": pl.Float64,
    "share_low": pl.Float64,
    "share_high": pl.Float64,
    "standing": pl.String,
    "kind": pl.String,
}


@dataclass(frozen=True, kw_only=True)
class ClassTiers:
    """A class on every model that has a price.

    `reference`: the model that its items name or are routed to today; `costs`: cheapest item first; `tried`: the
    latest standing of each model that was on trial, `trial`: the latest trial, None where there was none; `before`:
    the models that were in use during trials. `choice`: what to run on, None before there are labels.
    """

    reference: str
    before: frozenset[str]
    costs: tuple[TierCost, ...]
    tried: Mapping[str, CandidateStanding]
    trial: TrialStanding | None
    choice: Choice | None

    def standing(self, model: str) -> str:
        """How a model stands: "today", the ruling of its trial, "before" for one that was in use, or "untried"."""
        if model == self.reference:
            return "today"
        if model in self.tried:
            return self.tried[model].verdict.ruling.value
        return "before" if model in self.before else "untried"

    def points(self) -> pl.DataFrame:
        """The models whose quality is known, and a cascade that was measured, as the chart `frontier` takes them."""
        rows = [
            _point(one, one.usable, model=one.model, name=one.name, standing=self.standing(one.model), kind="tier")
            for one in self.costs
            if one.usable is not None
        ]
        if (cascade := self.cascade) and cascade.quality.labels:
            ruling = cascade.verdict.ruling if cascade.verdict else Ruling.NOT_YET
            of = {"model": cascade.first, "name": self.cascade_name, "standing": ruling.value, "kind": "cascade"}
            rows.append(_point(cascade, cascade.quality, **of))
        return pl.DataFrame(rows, schema=_POINTS).with_columns(pl.col("name").str.replace_all(_MAKER, "", literal=True))

    @property
    def cascade(self) -> Cascade | None:
        """The best cascade of two models that the latest trial tells of; None where one model alone is cheaper."""
        found = self.trial.cascade if self.trial else None
        return found if found is not None and found.second is not None else None

    @property
    def cascade_name(self) -> str:
        """Its models, in the order in which they are asked."""
        names = {one.model: one.name for one in self.costs}
        asked = (self.cascade.first, self.cascade.second) if self.cascade else ()
        return " → ".join(names.get(model or "", model or "") for model in asked)


def class_tiers(
    workspace: Workspace,
    class_id: str,
    *,
    trials: Sequence[TrialStanding],
    items_month: int | None = None,
    now: datetime,
) -> ClassTiers | None:
    """Price a class on every model, by what waits of it, or by what was sent last where nothing waits.

    `trials`: all, newest first; `items_month`: its usable items a month. None where no request of it is kept.
    """
    homes = home_classes(workspace.store)
    places = sorted(places_of(workspace.store, class_id))
    items = _items(workspace, class_id, places)
    if items.is_empty():
        return None
    routed = {route.class_id: route.model for route in all_routes(workspace.store, applied=True)}
    reference = routed.get(class_id, str(items["model"][0]))
    mine = [trial for trial in trials if homes.get(trial.class_id, trial.class_id) == class_id]
    failed = refuted(workspace.store, workspace.folder)
    tried = {
        one.model: _refuted(one) if trial.created_at <= failed.get((class_id, one.model), _NEVER) else one
        for trial in reversed(mine)
        for one in trial.candidates
    }
    newest = trial_standing(workspace, mine[0].trial_id, now=now) if mine else None
    # A model that a route already left is no candidate of its successor, and needs no proof either.
    before = {trial.reference_model for trial in mine}
    error = newest.bar.error if newest else _ERROR
    measured = {model: one.tally for model, one in tried.items()}
    measured = {trial.reference_model: _beside(trial) for trial in reversed(mine)} | measured
    qualities = {model: _quality(tally, error) for model, tally in measured.items() if tally.labels}
    for model in before | {reference}:
        qualities.setdefault(model, _assumed(newest))
    costs = tier_costs(
        items,
        _models(workspace, now, {reference, *before, *tried}),
        qualities=qualities,
        book=workspace.book,
        settings=workspace.settings,
        now=now,
        evidence=known_of(workspace.store, workspace.gateway, workspace.settings, now=now),
        seen=workspace.store.query("trial_tokens", class_ids=places),
    )
    return ClassTiers(
        reference=reference,
        before=frozenset(before),
        costs=tuple(sorted(costs, key=lambda one: (one.item_usd is None, one.item_usd))),
        tried=tried,
        trial=newest,
        choice=_choice(costs, tried, newest, reference, items_month),
    )


def _point(cost: TierCost | Cascade, quality: Quality, **names: str) -> dict[str, Any]:
    return names | {
        "usd": cost.usable_usd,
        "usd_low": cost.usable_low,
        "usd_high": cost.usable_high,
        "share": quality.share,
        "share_low": quality.lower,
        "share_high": quality.upper,
    }


def _refuted(one: CandidateStanding) -> CandidateStanding:
    """A model that cleared its bar, and whose answers surely failed it once it was in use."""
    return replace(one, verdict=replace(one.verdict, ruling=Ruling.FAILS))


def _items(workspace: Workspace, home: str, places: list[str]) -> pl.DataFrame:
    """At most `SAMPLE` items of the one place where most of the class is: all addressed to one model."""
    found = waiting_items(
        workspace.store,
        workspace.folder,
        workspace.book,
        simulated=workspace.gateway.simulated,
        class_ids=places,
    )
    others = workspace.store.query("others_waiting", class_id=home, places=places)["item_id"]
    found = found.filter(~pl.col("item_id").is_in(others.implode()))
    if found.is_empty():
        found = workspace.store.query("sent_items", class_ids=places, most=SAMPLE)
    if found.is_empty():
        return found
    largest = found["class_id"].value_counts(sort=True)["class_id"][0]
    return found.filter(class_id=largest).head(SAMPLE)


def _models(workspace: Workspace, now: datetime, wanted: set[str]) -> list[str]:
    """The models that are in use or on trial, and every other one that is sold today."""
    found = []
    for model in workspace.book.models():
        if model.id in wanted:
            found.append(model.id)
        elif model.lifecycle == "active":
            try:
                workspace.book.rates(model.id, at=now)
            except (UnknownModel, UnpricedModel):
                continue
            found.append(model.id)
    return found + sorted(wanted - set(found))


def _beside(trial: TrialStanding) -> Tally:
    """How often the model in use was right, where a trial asked it the same items; else no labels."""
    most = max((one.tally for one in trial.candidates), key=lambda tally: tally.labels, default=Tally())
    if trial.bar.margin is None:
        return Tally()
    return Tally(labels=most.labels, correct=most.correct - most.better + most.worse)


def _quality(tally: Tally, error: float) -> Quality:
    """The share of right answers, whatever the bar was about."""
    share = tally.correct / tally.labels
    bounds = rule(Tally(labels=tally.labels, correct=tally.correct), Bar(rate=_EVEN, error=error))
    return Quality(
        share=share,
        lower=min(share, bounds.lower),
        upper=max(share, bounds.upper),
        labels=tally.labels,
        basis="measured",
    )


def _assumed(trial: TrialStanding | None) -> Quality:
    """Of the model in use: its answers are taken as right, and nobody has counted how many are."""
    rate = trial.bar.rate if trial else None
    return Quality(share=1.0, lower=rate or 0.0, upper=1.0, labels=0, basis="assumed")


def _choice(
    costs: Sequence[TierCost],
    tried: Mapping[str, CandidateStanding],
    trial: TrialStanding | None,
    reference: str,
    items_month: int | None,
) -> Choice | None:
    if trial is None or not any(one.tally.labels for one in tried.values()):
        return None
    more: dict[str, Decimal] = {model: one.more_usd for model, one in tried.items() if one.more_usd is not None}
    return choose(
        costs,
        {model: one.verdict for model, one in tried.items()},
        trial.cascade,
        reference=reference,
        items_a_month=items_month,
        more_usd=more,
    )
