"""The watch: after a switch a small sample of what the new model answers is graded, and rings where it surely fails.

The sample is drawn by the ids of the items alone, before anybody looks. Its labels since the switch go through the
mirrored test of the bar that was cleared (`core/routing/verdict.py`), which stays valid under a look after every one:
a model that is as good as was certified rings with probability `error` at most, for ever.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

import polars as pl

from core.errors import LotwiseError
from core.grading import BadGrader
from core.intake.routing import Route, all_routes
from core.routing.verdict import Bar, Ruling, Tally, Verdict, rule
from core.settings import Settings
from core.store import Store, Transaction
from core.trials.gold import gold_of
from core.trials.recheck import is_agreement, recheck_of
from core.trials.replies import Fate, Reply, answer_texts, former_replies
from core.trials.trial import Trial, trial_of
from core.trials.verdicts import labels_of, outcomes, tally_of

PEOPLE = "people"
_LEAST_A_WEEK = 5
"""Answers drawn of each week that is over, however small the share is: with none a watch would sleep."""
_MOST_A_LOOK, _LOOK_SECONDS = 500, 10.0
"""How many answers are graded in one look, and for how long: a user's function may take seconds for each of them, and
jobs wait meanwhile."""
_BY_ITSELF = frozenset(("gold",))
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
    sample = _sample(store, settings, route, now=now)
    labels = sample.filter("labelled")
    trial = trial_of(store, folder, route.trial_id) if route.trial_id else None
    bar = _bar(store, trial, route.model) if trial else None
    tally = _tally(store, folder, route, trial, labels)
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
        to_label=0 if trial and is_agreement(trial) else sample.height - labels["correct"].count(),
        ungraded=labels["correct"].null_count(),
        tally=tally,
        bar=bar,
        verdict=verdict,
        validity=validity,
        kind=kind,
        alarm=alarm,
        recheck=trial is not None and is_agreement(trial),
        trouble=_trouble(trial) if trial else None,
    )


def to_label(store: Store, settings: Settings, route: Route, *, now: datetime) -> tuple[str, ...]:
    """The items drawn whose answers nobody has told right from wrong, oldest first."""
    sample = _sample(store, settings, route, now=now)
    return tuple(sample.filter(~pl.col("labelled") | pl.col("correct").is_null())["item_id"])


def label(store: Store, settings: Settings, route: Route, said: Mapping[str, bool], *, now: datetime, by: str) -> int:
    """Keep what a person says of drawn items; saying it anew corrects it. Raises `NotDrawn`: then nothing is kept."""
    drawn = set(_sample(store, settings, route, now=now)["item_id"])
    for item_id in said:
        if item_id not in drawn:
            raise NotDrawn(item=item_id)
    rows = [(route.route_id, item_id, right, PEOPLE, "", now, by) for item_id, right in said.items()]
    store.write(partial(_put, rows))
    return len(rows)


class Audits:
    """The worker's part: grades what was drawn, where the trial's grader needs nobody for that."""

    def __init__(self, store: Store, folder: Path, settings: Settings, *, stopwatch: Callable[[], float]) -> None:
        self._store, self._folder, self._settings, self._stopwatch = store, folder, settings, stopwatch
        self._seen = -1

    def look(self, *, now: datetime) -> None:
        """Grade what has no label yet; costs nothing while nothing was written."""
        if self._store.version == self._seen:
            return
        self._seen = self._store.version
        for route in all_routes(self._store, applied=True):
            if route.trial_id is not None:
                self._grade(route, trial_of(self._store, self._folder, route.trial_id), now)

    def _grade(self, route: Route, trial: Trial, now: datetime) -> None:
        if _trouble(trial) or not trial.grader.needs <= _BY_ITSELF:
            return
        sample = _sample(self._store, self._settings, route, now=now)
        gold = gold_of(self._folder, trial.trial_id) if trial.grader.needs else {}
        waiting = [
            item for item in sample.filter(~pl.col("labelled"))["item_id"] if item in gold or not trial.grader.needs
        ]
        if not waiting:
            return
        waiting = waiting[:_MOST_A_LOOK]
        found = former_replies(self._store, self._folder, waiting, route.model)
        texts = answer_texts(self._folder, found.values())
        rows: list[tuple[Any, ...]] = []
        began = self._stopwatch()
        for item in waiting:
            if self._stopwatch() - began > _LOOK_SECONDS:
                break
            correct, note = _graded(trial, found.get(item), texts.get(item), gold.get(item))
            rows.append((route.route_id, item, correct, trial.grader.kind, note, now, "worker"))
        self._store.write(partial(_put, rows))


def _trouble(trial: Trial) -> str | None:
    """Why the grader of a trial cannot grade any more: a user's function may be gone, or another one by now."""
    try:
        trial.grader  # noqa: B018 - made when it is asked for
    except BadGrader as error:
        return str(error)
    return None


def _tally(store: Store, folder: Path, route: Route, trial: Trial | None, labels: pl.DataFrame) -> Tally:
    """The labels since the switch: of what was drawn, or where agreement is the measure those of the last recheck."""
    if trial and is_agreement(trial):
        if (found := recheck_of(store, folder, route)) is None:
            return Tally()
        again, one = found
        return tally_of(outcomes(again, labels_of(store, again.trial_id), one.number), again.bar)
    return Tally(labels=labels["correct"].count(), correct=int(labels["correct"].sum()))


def _graded(trial: Trial, reply: Reply | None, text: str | None, gold: str | None) -> tuple[bool | None, str]:
    """Whether an answer is right; one that was cut off or refused is wrong, as it was in the trial."""
    if reply and reply.fate is Fate.UNUSABLE:
        return False, reply.why or ""
    if text is None:
        return None, "its answer is no longer kept"
    grade = trial.grader.grade(text, gold=gold)
    return grade.label, grade.note


def _put(rows: list[tuple[Any, ...]], tx: Transaction) -> None:
    tx.merge("put_audit_labels", pl.DataFrame(rows, schema=_SCHEMA, orient="row"))


def _sample(store: Store, settings: Settings, route: Route, *, now: datetime) -> pl.DataFrame:
    """What was drawn of the answers since the switch; columns item_id, submitted_at, labelled, correct."""
    return store.query(
        "audit_sample",
        route_id=route.route_id,
        model=route.model,
        since=route.applied_at,
        share=settings.audit_share,
        least=_LEAST_A_WEEK,
        now=now,
    )


def _bar(store: Store, trial: Trial, model: str) -> Bar | None:
    """What the labels of a route are held against: the bar, or what the trial proved of the model where it is none.

    Non-inferiority was proven on pairs, and the old model answers no more. So the share of right answers must not fall
    below what it surely was in the trial; half of the error is spent on either end.
    """
    if trial.bar.rate is not None:
        return trial.bar
    shares = store.query("candidate_shares", trial_id=trial.trial_id, candidate=trial.candidate(model).number)
    labels, correct = shares.row(0)
    return _held(labels, correct, trial.bar.error)


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
