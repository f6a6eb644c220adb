"""A trial as it is stored: what it asks whom, by which bar and grader, and how it stands."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from core.errors import LotwiseError
from core.grading import Grader, make_grader
from core.requests.adapting import Change
from core.routing.verdict import Bar
from core.store import Store


class NoSuchTrial(LotwiseError):
    """There is no trial of this id. `trial list` shows them all."""


class TrialOver(LotwiseError):
    """This trial is over, so nothing of it can be changed any more. Start another one."""


class TrialState(StrEnum):
    """How a trial stands."""

    RUNNING = "running"
    """Rounds are under way, or the next one is to come."""
    LABELLING = "labelling"
    """Answers wait for people's labels."""
    DECIDED = "decided"
    """Of every candidate it is certain whether it clears the bar."""
    STOPPED = "stopped"
    """By a person, or because nothing could be graded: the reason says it."""
    SPENT = "spent"
    """What is left of its budget does not pay for another round."""
    EXHAUSTED = "exhausted"
    """The sample is used up."""


OPEN = (TrialState.RUNNING, TrialState.LABELLING)
"""States in which a trial goes on."""


class Part(StrEnum):
    """What is asked in a trial, and what for."""

    REFERENCE = "reference"
    """The model that the class runs on."""
    CANDIDATE = "candidate"
    """A model on trial."""
    RERUN = "rerun"
    """The reference once more: how often it agrees with itself."""
    JUDGE = "judge"
    """The model that says which of two answers is better."""


@dataclass(frozen=True, kw_only=True)
class Entrant:
    """One model in one part; `number` stands in the ids of its items, 0 is the reference."""

    number: int
    part: Part
    model: str
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One trial of the workspace `folder`; `sample`: items drawn for it, `rounds`: sent so far.

    `spec` and `needs`: of its grader, and what that grades by.
    """

    folder: Path
    trial_id: str
    class_id: str
    class_name: str
    reference_model: str
    spec: dict[str, Any]
    needs: frozenset[str]
    bar: Bar
    budget_usd: Decimal
    seed: int
    cascade: bool
    created_at: datetime
    created_by: str
    state: TrialState = TrialState.RUNNING
    reason: str | None = None
    closed_at: datetime | None = None
    entrants: tuple[Entrant, ...]
    sample: int
    rounds: int = 0

    @cached_property
    def grader(self) -> Grader:
        """What grades its answers. Raises `BadGrader` where a user's function changed or is gone."""
        return make_grader(self.spec, self.folder)

    @property
    def open(self) -> bool:
        """Whether it goes on."""
        return self.state in OPEN

    @property
    def checkable(self) -> bool:
        """Whether it is over, and people's labels still tell how far its judge is to be believed."""
        return self.state is TrialState.DECIDED and self.judge is not None

    @property
    def candidates(self) -> tuple[Entrant, ...]:
        """The models on trial."""
        return self._of(Part.CANDIDATE)

    @property
    def rerun(self) -> Entrant | None:
        """The reference once more, where the grader compares with it."""
        return next(iter(self._of(Part.RERUN)), None)

    @property
    def judge(self) -> Entrant | None:
        """Who compares answers, where a model does."""
        return next(iter(self._of(Part.JUDGE)), None)

    @property
    def by_people(self) -> bool:
        """Whether nobody but people can label its answers."""
        return "people" in self.needs

    @property
    def asks_reference(self) -> bool:
        """Whether the answers of the model in use are needed too."""
        return self.bar.margin is not None or bool(self.needs & {"reference", "judge", "people"})

    def candidate(self, model: str) -> Entrant:
        """The candidate of this model. Raises `NoSuchTrial` where it is not on trial here."""
        for one in self.candidates:
            if one.model == model:
                return one
        raise NoSuchTrial(trial=self.trial_id, model=model)

    def _of(self, part: Part) -> tuple[Entrant, ...]:
        return tuple(one for one in self.entrants if one.part is part)


def copy_id(trial_id: str, number: int, position: int) -> str:
    """The id of the item that asks an entrant about the item at a position of the sample."""
    return f"{trial_id}-{number}-{position}"


def trials(store: Store, folder: Path) -> tuple[Trial, ...]:
    """Every trial, newest first."""
    return tuple(_trial(folder, row) for row in store.query("trials", trial_id=None).to_dicts())


def trial_of(store: Store, folder: Path, trial_id: str) -> Trial:
    """One trial. Raises `NoSuchTrial`."""
    rows = store.query("trials", trial_id=trial_id).to_dicts()
    if not rows:
        raise NoSuchTrial(trial=trial_id)
    return _trial(folder, rows[0])


def _trial(folder: Path, row: dict[str, Any]) -> Trial:
    bar = Bar(rate=row.pop("rate"), margin=row.pop("margin"), error=row.pop("error"))
    entrants = tuple(_entrant(one) for one in row.pop("entrants"))
    spec, state = orjson.loads(row.pop("grader")), TrialState(row.pop("state"))
    needs = frozenset(row.pop("needs"))
    return Trial(folder=folder, **row, spec=spec, needs=needs, bar=bar, entrants=entrants, state=state)


def _entrant(row: dict[str, Any]) -> Entrant:
    changes = tuple(Change(**change) for change in orjson.loads(row["changes"]))
    return Entrant(number=row["number"], part=Part(row["part"]), model=row["model"], changes=changes)
