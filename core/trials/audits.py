"""The worker's part in the watch: it grades what was drawn, where the grader of the trial needs nobody for that."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from core.intake.routing import Route, all_routes
from core.settings import Settings
from core.store import Store
from core.trials.gold import gold_of
from core.trials.replies import Fate, Reply, answer_texts, former_replies
from core.trials.trial import Trial, trial_of
from core.trials.watch import BY_ITSELF, put_labels, sample_of, trouble_of

_log = logging.getLogger(__name__)
_MOST_A_LOOK, _LOOK_SECONDS = 500, 10.0
"""How many answers are graded in one look, and for how long: a user's function may take seconds for each of them, and
jobs wait meanwhile."""
_REST = timedelta(minutes=10)


class Audits:
    """Grades what was drawn of every routed class; a restart only looks again."""

    def __init__(self, store: Store, folder: Path, settings: Settings, *, stopwatch: Callable[[], float]) -> None:
        self._store, self._folder, self._settings, self._stopwatch = store, folder, settings, stopwatch
        self._seen = -1
        self._looked: dict[str, tuple[int, datetime]] = {}

    def look(self, *, now: datetime) -> str | None:
        """Grade what has no label yet, and say what went wrong with a route; costs nothing while nothing was written.

        Drawing takes long where much was answered: a route is looked at again once a job of its model is over, or
        after `_REST`.
        """
        if self._store.version == self._seen:
            return None
        self._seen = self._store.version
        trouble = None
        for route in all_routes(self._store, applied=True):
            if route.trial_id is None:
                continue
            over = int(self._store.query("jobs_over", model=route.model)["jobs"][0])
            known, at = self._looked.get(route.route_id, (-1, now))
            if known == over and now - at < _REST:
                continue
            try:
                if self._grade(route, trial_of(self._store, self._folder, route.trial_id), now):
                    self._looked[route.route_id] = over, now
            except Exception as error:  # one route that cannot be graded must not keep the others, or any job, waiting
                _log.exception("the watch of route %s met something unexpected", route.route_id)
                self._looked[route.route_id] = over, now
                trouble = f"The watch of {route.model} in use cannot grade: {type(error).__name__}: {error}"
        return trouble

    def _grade(self, route: Route, trial: Trial, now: datetime) -> bool:
        """Grade some of what was drawn; whether that was all of it."""
        if trouble_of(trial) or not trial.grader.needs <= BY_ITSELF:
            return True
        sample = sample_of(self._store, self._settings, route, now=now)
        gold = gold_of(self._folder, trial.trial_id) if trial.grader.needs else {}
        waiting = [
            item for item in sample.filter(~pl.col("labelled"))["item_id"] if item in gold or not trial.grader.needs
        ]
        if not waiting:
            return True
        found = former_replies(self._store, self._folder, waiting[:_MOST_A_LOOK], route.model)
        texts = answer_texts(self._folder, found.values())
        rows: list[tuple[Any, ...]] = []
        began = self._stopwatch()
        for item in waiting[:_MOST_A_LOOK]:
            if self._stopwatch() - began > _LOOK_SECONDS:
                break
            correct, note = _graded(trial, found.get(item), texts.get(item), gold.get(item))
            rows.append((route.route_id, item, correct, trial.grader.kind, note, now, "worker"))
        put_labels(self._store, rows)
        return len(rows) == len(waiting)


def _graded(trial: Trial, reply: Reply | None, text: str | None, gold: str | None) -> tuple[bool | None, str]:
    """Whether an answer is right; one that was cut off or refused is wrong, as it was in the trial."""
    if reply and reply.fate is Fate.UNUSABLE:
        return False, reply.why or ""
    if text is None:
        return None, "its answer is no longer kept"
    grade = trial.grader.grade(text, gold=gold)
    return grade.label, grade.note
