"""The watch: after a switch a small sample of what the new model answers is graded, and rings where it surely fails.

The sample is drawn by the ids of the items alone, before anybody looks. Its labels since the switch go through the
mirrored test of the bar that was cleared (`core/routing/verdict.py`), which stays valid under a look after every one:
a model that is as good as was certified rings with probability `error` at most, for ever.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import polars as pl

from core.errors import LotwiseError
from core.grading import BadGrader
from core.intake.routing import Route, all_routes
from core.routing.verdict import Bar, Ruling, Tally, Verdict, rule
from core.settings import Settings
from core.store import Store
from core.trials.gold import has_gold
from core.trials.recheck import is_agreement, recheck_of
from core.trials.trial import Trial, trial_of
from core.trials.verdicts import labels_of, outcomes, tally_of

PEOPLE = "people"
_LEAST_A_WEEK = 5
"""Answers drawn of each week that is over, however small the share is: with none a watch would sleep."""
BY_ITSELF = frozenset(("gold",))
"""What a grader may need and still grade new answers without asking anybody."""
_EVEN = 0.5
_SCHEMA: dict[str, Any] = {
    "route_id": pl.String,
    "item_id": pl.String,
    "correct": pl.Boolean,
    "source": pl.String,
    "note": pl.String,
    "labelled_at": pl.Datetime("us", "UTC"),
    "labelled_by": pl.String,
}


class NotDrawn(LotwiseError):
    """This item is not one that was drawn for the watch of this class. `route audit CLASS` lists those that were."""


@dataclass(frozen=True, kw_only=True)
class Watch:
    """What the answers since a switch say.

    `answers`: all since then, `usable` of them usable as they are; `drawn`: the sample, `to_label` of it not told right
    from wrong yet, `ungraded` of those where the grader could not. `bar`: what the labels are held against, None where
    nothing was certified. `verdict`: by the labels; `validity`: by the share that is usable, against what it was before
    the switch (None where nothing was answered before). `alarm`: why it rings, None while it does not; `kind`: of it.
    `recheck`: whether the labels come from rechecks (`core/trials/recheck.py`), not from the sample.
    `trouble`: why nothing is graded by itself although it could be.
    """

    route: Route
    answers: int
    usable: int
    drawn: int
    to_label: int
    ungraded: int
    tally: Tally
    bar: Bar | None
    verdict: Verdict | None
    validity: Verdict | None
    kind: Literal["failing", "drift"] | None
    alarm: str | None
    recheck: bool
    trouble: str | None


def watch_of(store: Store, folder: Path, settings: Settings, route: Route, *, now: datetime) -> Watch:
    """How the watch of a route stands."""
    sample = sample_of(store, settings, route, now=now)
    trial = trial_of(store, folder, route.trial_id) if route.trial_id else None
    tally, bar = _tally(store, folder, route, trial), _bar(store, trial, route.model)
    verdict = rule(tally, bar) if bar and tally.labels else None
    counts = store.query("route_validity", since=route.applied_at, **_names(route)).row(0, named=True)
    validity = _validity(counts, bar.error if bar else 0.05)
    kind: Literal["failing", "drift"] | None = None
    alarm = None
    if verdict and bar and verdict.ruling is Ruling.FAILS:
        kind = "failing"
        how = f"agree with {route.from_model}" if trial and is_agreement(trial) else "are right"
        alarm = f"Of {tally.labels:,} answers looked at since the switch {tally.correct:,} {how}: surely under the bar."
    elif validity and validity.ruling is Ruling.FAILS:
        kind = "drift"
        alarm = (
            f"Of {counts['after']:,} answers since the switch {counts['after_usable']:,} are usable: surely fewer than"
            f" before ({counts['before_usable']:,} of {counts['before']:,})."
        )
    return Watch(
        route=route,
        answers=counts["after"],
        usable=counts["after_usable"],
        drawn=sample.height,
        to_label=0 if trial and is_agreement(trial) else sample.height - sample["correct"].count(),
        ungraded=sample.filter("labelled")["correct"].null_count(),
        tally=tally,
        bar=bar,
        verdict=verdict,
        validity=validity,
        kind=kind,
        alarm=alarm,
        recheck=trial is not None and is_agreement(trial),
        trouble=trouble_of(trial) or _not_kept(store, trial) if trial else None,
    )


def refuted(store: Store, folder: Path) -> dict[tuple[str, str], datetime]:
    """The classes and models whose use surely failed the bar that was proven, and when each was withdrawn.

    A trial that began before that proves nothing of them any more.
    """
    found: dict[tuple[str, str], datetime] = {}
    for route in reversed(all_routes(store)):
        if route.withdrawn_at is None or route.trial_id is None:
            continue
        trial = trial_of(store, folder, route.trial_id)
        tally, bar = _tally(store, folder, route, trial), _bar(store, trial, route.model)
        if bar and tally.labels and rule(tally, bar).ruling is Ruling.FAILS:
            found[route.class_id, route.model] = route.withdrawn_at
    return found


def to_label(store: Store, settings: Settings, route: Route, *, now: datetime) -> tuple[str, ...]:
    """The items drawn whose answers nobody has told right from wrong, oldest first."""
    sample = sample_of(store, settings, route, now=now)
    return tuple(sample.filter(~pl.col("labelled") | pl.col("correct").is_null())["item_id"])


def label(store: Store, settings: Settings, route: Route, said: Mapping[str, bool], *, now: datetime, by: str) -> int:
    """Keep what a person says of drawn items; saying it anew corrects it. Raises `NotDrawn`: then nothing is kept."""
    drawn = set(sample_of(store, settings, route, now=now)["item_id"])
    for item_id in said:
        if item_id not in drawn:
            raise NotDrawn(item=item_id)
    rows = [(route.route_id, item_id, right, PEOPLE, "", now, by) for item_id, right in said.items()]
    put_labels(store, rows)
    return len(rows)


def trouble_of(trial: Trial) -> str | None:
    """Why the grader of a trial cannot grade any more: a user's function may be gone, or another one by now."""
    try:
        trial.grader  # noqa: B018 - made when it is asked for
    except BadGrader as error:
        return str(error)
    return None


def _not_kept(store: Store, trial: Trial) -> str | None:
    """What the grader would need and a workspace that keeps no text does not have."""
    if trial.needs and trial.needs <= BY_ITSELF and not has_gold(trial.folder, trial.trial_id):
        return "The right answers of its trial are no longer kept, so what is drawn is for people to label."
    if store.metadata_only and trial.needs <= BY_ITSELF:
        return (
            "Answers are not kept once they are handed over: those drawn at the end of a week are for people to label."
        )
    return None


def _tally(store: Store, folder: Path, route: Route, trial: Trial | None) -> Tally:
    """The labels since the switch: of what was drawn, or where agreement is the measure those of the last recheck.

    All that there are, also of items that were withdrawn since: what was looked at stays looked at.
    """
    if trial and is_agreement(trial):
        if (found := recheck_of(store, folder, route)) is None:
            return Tally()
        again, one = found
        return tally_of(outcomes(again, labels_of(store, again.trial_id), one.number), again.bar)
    labels, correct = store.query("audit_counts", route_id=route.route_id).row(0)
    return Tally(labels=labels, correct=correct)


def put_labels(store: Store, rows: list[tuple[Any, ...]]) -> None:
    """Keep labels of the watch: route, item, whether it is right, by what grader, note, when, by whom."""
    frame = pl.DataFrame(rows, schema=_SCHEMA, orient="row")
    store.write(lambda tx: tx.merge("put_audit_labels", frame))


def sample_of(store: Store, settings: Settings, route: Route, *, now: datetime) -> pl.DataFrame:
    """What was drawn of the answers since the switch; columns item_id, submitted_at, labelled, correct."""
    return store.query(
        "audit_sample",
        route_id=route.route_id,
        trial_id=route.trial_id,
        model=route.model,
        since=route.applied_at,
        share=settings.audit_share,
        least=_LEAST_A_WEEK,
        now=now,
    )


def _bar(store: Store, trial: Trial | None, model: str) -> Bar | None:
    """What the labels of a route are held against: the bar, or what the trial proved of the model where it is none.

    Non-inferiority was proven on pairs, and the old model answers no more. So the share of right answers must not fall
    below what it surely was in the trial; half of the error is spent on either end.
    """
    if trial is None or trial.bar.rate is not None:
        return trial.bar if trial else None
    proven = tally_of(outcomes(trial, labels_of(store, trial.trial_id), trial.candidate(model).number), trial.bar)
    return _held(proven.labels, proven.correct, trial.bar.error)


def _held(labels: int, correct: int, error: float) -> Bar | None:
    """A bar at what a share surely was, by so many labels; None where that is no bar at all."""
    least = rule(Tally(labels=labels, correct=correct), Bar(rate=_EVEN, error=error / 2)).lower
    return Bar(rate=least, error=error / 2) if 0 < least < 1 else None


def _validity(counts: Mapping[str, int], error: float) -> Verdict | None:
    """Whether fewer answers are usable than before the switch."""
    bar = _held(counts["before"], counts["before_usable"], error)
    if bar is None or not counts["after"]:
        return None
    return rule(Tally(labels=counts["after"], correct=counts["after_usable"]), bar)


def _names(route: Route) -> dict[str, str]:
    return {
        "route_id": route.route_id,
        "class_id": route.class_id,
        "from_model": route.from_model,
        "model": route.model,
    }
