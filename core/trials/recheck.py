"""Rechecks: where agreement with the former model is the measure, that model answers some routed items once more.

A recheck is a trial the other way round: the model in use is its reference, whose answers are there already, and the
former model its candidate, whose answers are paid for. Two models agree in either direction.
"""

from decimal import Decimal
from pathlib import Path

from core.errors import LotwiseError
from core.intake.routing import Route
from core.store import Store
from core.trials.starting import TrialAsk
from core.trials.trial import Entrant, Trial, trials

_KIND = "agreement"


class NothingToCompare(LotwiseError):
    """No answer of the former model is needed to watch this class: its trial did not measure agreement by a rate, or
    nothing was routed yet. `route audit CLASS` lists what is to be labelled."""


def ask_again(store: Store, route: Route, proof: Trial | None, *, budget_usd: Decimal, sample: int | None) -> TrialAsk:
    """The trial that would recheck a route, by the grader and the bar that proved it. Raises `NothingToCompare`."""
    now_in = store.query("routed_classes").filter(home_id=route.class_id).sort("items", "class_id", descending=True)
    if proof is None or not is_agreement(proof) or now_in.is_empty():
        raise NothingToCompare(route=route.model)
    return TrialAsk(
        class_id=str(now_in["class_id"][0]),
        models=(route.from_model,),
        grader=proof.spec,
        bar=proof.bar,
        gold=None,
        budget_usd=budget_usd,
        sample=sample,
        seed=proof.seed,
    )


def recheck_of(store: Store, folder: Path, route: Route) -> tuple[Trial, Entrant] | None:
    """The newest recheck since a route was applied, and the former model in it; None where there was none."""
    for trial in trials(store, folder):
        if trial.created_at >= route.applied_at and trial.reference_model == route.model and is_agreement(trial):
            for one in trial.candidates:
                if one.model == route.from_model and _is_routed_to(store, route, trial.class_id):
                    return trial, one
    return None


def is_agreement(trial: Trial) -> bool:
    """Whether a trial measures how often two models agree."""
    return trial.spec["kind"] == _KIND and trial.bar.rate is not None


def _is_routed_to(store: Store, route: Route, class_id: str) -> bool:
    return not store.query("routed_classes").filter(home_id=route.class_id, class_id=class_id).is_empty()
