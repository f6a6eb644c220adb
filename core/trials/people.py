"""People's labels: answers side by side, without a word of which model gave which."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice
from pathlib import Path

import polars as pl

from core.errors import LotwiseError
from core.grading import prompt_of
from core.prices import PriceBook
from core.store import Store, Transaction
from core.trials.asking import Requests, Sheet
from core.trials.labelling import LABEL_SCHEMA
from core.trials.replies import Fate, answer_texts
from core.trials.trial import Trial
from core.trials.verdicts import labels_of


class NoSuchPair(LotwiseError):
    """There are no two answers of this trial at this place, so there is nothing to label. Load the next pair."""


class NotForPeople(LotwiseError):
    """The grader of this trial does not ask people, so their labels would count for nothing."""


class Choice(StrEnum):
    """What a person says of two answers."""

    LEFT = "left"
    RIGHT = "right"
    BOTH = "both"
    NEITHER = "neither"


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two answers to one item; `candidate` is a number that tells nothing about the model."""

    position: int
    candidate: int
    prompt: str
    left: str
    right: str


def places_to_label(sheet: Sheet, labels: pl.DataFrame, by: str) -> list[tuple[int, int]]:
    """Positions and candidates of which both answers are there and that somebody has not labelled yet, in order."""
    if not sheet.trial.by_people and sheet.trial.judge is None:
        return []
    done = set(labels.filter(labeller=by).select("position", "candidate").iter_rows())
    return [
        (position, one.number)
        for position in range(len(sheet.items))
        for one in sheet.trial.candidates
        if (position, one.number) not in done and _both_answered(sheet, one.number, position)
    ]


def pairs(store: Store, folder: Path, book: PriceBook, trial: Trial, *, by: str, limit: int) -> tuple[Pair, ...]:
    """The next pairs for a person, in the order of the sample."""
    sheet = Sheet.read(store, trial)
    places = list(islice(iter(places_to_label(sheet, labels_of(store, trial.trial_id), by)), limit))
    params = Requests(store, folder, book).params({sheet.items[position] for position, _ in places})
    asked = {(number, at): sheet.reply(number, at) for at, one in places for number in (one, 0)}
    texts = answer_texts(folder, [reply for reply in asked.values() if reply is not None])
    found = []
    for position, number in places:
        both = [texts.get(reply.item_id) for one in (number, 0) if (reply := asked[one, position]) is not None]
        answer, beside = both
        if answer is None or beside is None:
            continue
        left, right = (answer, beside) if candidate_is_left(trial, number, position) else (beside, answer)
        prompt = prompt_of(params.get(sheet.items[position], {}))
        found.append(Pair(position=position, candidate=number, prompt=prompt, left=left, right=right))
    return tuple(found)


def candidate_is_left(trial: Trial, number: int, position: int) -> bool:
    """Which side is which: drawn from the trial's seed, the same at every look."""
    drawn = hashlib.blake2b(f"{trial.trial_id}/{trial.seed}/{number}/{position}".encode(), digest_size=1).digest()
    return bool(drawn[0] & 1)


def said_of(trial: Trial, number: int, position: int, choice: Choice) -> tuple[bool, bool]:
    """Whether the candidate is right by a person's choice, and whether the reference is."""
    sides = (Choice.LEFT, Choice.RIGHT)
    mine, other = sides if candidate_is_left(trial, number, position) else reversed(sides)
    return choice in (mine, Choice.BOTH), choice in (other, Choice.BOTH)


def label_row(
    sheet: Sheet, number: int, position: int, said: tuple[bool, bool], *, by: str, now: datetime
) -> tuple[object, ...]:
    """What a person says of the candidate and the reference, as a row of `label`.

    Raises `NoSuchPair` and `NotForPeople`.
    """
    trial = sheet.trial
    if not trial.by_people and trial.judge is None:
        raise NotForPeople(trial=trial.trial_id)
    known = number in {one.number for one in trial.candidates} and 0 <= position < len(sheet.items)
    if not known or not _both_answered(sheet, number, position):
        raise NoSuchPair(trial=trial.trial_id, position=position)
    return (trial.trial_id, number, position, by, *said, None, False, now)


def put_rows(tx: Transaction, rows: Iterable[tuple[object, ...]]) -> None:
    """Store labels; what a person said of the same answers before is replaced."""
    tx.merge("put_labels", pl.DataFrame(list(rows), schema=LABEL_SCHEMA, orient="row"))


def _both_answered(sheet: Sheet, number: int, position: int) -> bool:
    both = (sheet.reply(number, position), sheet.reply(0, position))
    return all(one is not None and one.fate is Fate.ANSWERED for one in both)
