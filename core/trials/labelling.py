"""Labels: what the grader says of the answers that came back, each once."""

import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import polars as pl

from core.grading.rubric import JudgementUnreadable, combined, read_choice
from core.trials.asking import JUDGED, Sheet, waits
from core.trials.replies import Fate, Reply
from core.trials.trial import Entrant

GRADER = "grader"
"""Who gave a label that no person gave."""
# A user's function may take its time, and nothing else moves on meanwhile.
_SECONDS_A_LOOK = 10.0
LABEL_SCHEMA: dict[str, Any] = {
    "trial_id": pl.String,
    "candidate": pl.Int32,
    "position": pl.Int64,
    "labeller": pl.String,
    "correct": pl.Boolean,
    "reference": pl.Boolean,
    "note": pl.String,
    "lost": pl.Boolean,
    "labelled_at": pl.Datetime("us", "UTC"),
}


class Label(NamedTuple):
    """Whether the candidate is right, and the reference on the same item; None where that cannot be told.

    `lost`: grading this very answer failed, so it counts as wrong.
    """

    correct: bool | None
    reference: bool | None
    note: str | None
    lost: bool = False


def new_labels(sheet: Sheet, labels: pl.DataFrame, gold: Mapping[str, str], *, now: datetime) -> pl.DataFrame:
    """Labels of answers that have none yet, as rows of `label`, in the order of the sample; what ten seconds allow.

    Cut off or refused answers are wrong; what is lost for good cannot be graded; what waits for the reference or a
    judge, or is for people to say, gets no label. `labels`: those that are there; `gold`: by item.
    """
    given = labels.filter(labeller=GRADER)
    done = set(given.select("candidate", "position").iter_rows())
    rows: list[tuple[Any, ...]] = []
    until = time.monotonic() + _SECONDS_A_LOOK
    for entrant, position in _graded_here(sheet):
        if time.monotonic() > until:
            break
        if (entrant.number, position) in done:
            continue
        label = _label(sheet, entrant.number, position, gold.get(sheet.items[position]))
        if label is not None:
            rows.append((sheet.trial.trial_id, entrant.number, position, GRADER, *label, now))
    return pl.DataFrame(rows, schema=LABEL_SCHEMA, orient="row")


def _graded_here(sheet: Sheet) -> Iterator[tuple[Entrant, int]]:
    graded = [*sheet.trial.candidates, *([sheet.trial.rerun] if sheet.trial.rerun else [])]
    return ((one, position) for position in range(len(sheet.items)) for one in graded)


def _label(sheet: Sheet, number: int, position: int, gold: str | None) -> Label | None:
    """The label of one answer; None where it is not known yet, or is for people to say."""
    trial, reply = sheet.trial, sheet.reply(number, position)
    reference = sheet.reply(0, position) if trial.asks_reference else None
    if reply is None or waits(reply) or (trial.asks_reference and (reference is None or waits(reference))):
        return None
    if reply.fate is Fate.LOST:
        return Label(None, None, f"It gave no answer: {reply.why}.")
    if reference and reference.fate is Fate.LOST:
        return Label(None, None, "The model in use gave no answer to it.")
    if reference is None or (trial.judge is None and not trial.by_people):
        return _compared(sheet, reply, reference, gold)
    return _beside(sheet, number, position, reply, reference)


def _beside(sheet: Sheet, number: int, position: int, reply: Reply, reference: Reply) -> Label | None:
    """Where one of the two answers cannot be used the other one is better; else somebody has to compare them."""
    if reply.fate is Fate.UNUSABLE:
        return Label(False, reference.fate is Fate.ANSWERED, reply.why)
    if reference.fate is Fate.UNUSABLE:
        return Label(True, False, "The model in use gave nothing usable.")
    return None if sheet.trial.by_people else _judged(sheet, number, position)


def _compared(sheet: Sheet, reply: Reply, reference: Reply | None, gold: str | None) -> Label:
    """By gold, by the answer of the model in use, or by a rule of its own."""
    grader = sheet.trial.grader
    paired = sheet.trial.bar.margin is not None
    agrees = "reference" in sheet.trial.needs
    beside = sheet.texts.get(reference.item_id) if reference else None
    if agrees and reference is not None and beside is None:
        return Label(None, None, "The model in use gave nothing usable to agree with.")
    right: bool | None = True if agrees else None
    if paired and reference is not None and not agrees:
        right = _is_right(sheet, reference, gold)
    if reply.fate is Fate.UNUSABLE:
        return Label(False, right, reply.why)
    text = sheet.texts.get(reply.item_id)
    if text is None:
        return Label(None, None, "Its raw answer is no longer kept.")
    grade = grader.grade(text, gold=gold, reference=beside)
    if paired and right is None and grade.label is not None:
        return Label(None, None, "The answer of the model in use could not be graded.")
    return Label(grade.label, right if grade.label is not None else None, grade.note or None, grade.lost)


def _is_right(sheet: Sheet, reference: Reply, gold: str | None) -> bool | None:
    """Whether the reference is right by the grader that grades the candidates."""
    if reference.fate is Fate.UNUSABLE:
        return False
    text = sheet.texts.get(reference.item_id)
    return None if text is None else sheet.trial.grader.grade(text, gold=gold).correct


def _judged(sheet: Sheet, number: int, position: int) -> Label | None:
    """What the judge says in both orders; None while it was not asked, or its answers are not there."""
    said = []
    for order in JUDGED:
        reply = sheet.judgement(number, position, order)
        if reply is None or waits(reply):
            return None
        if reply.fate is not Fate.ANSWERED:
            return Label(None, None, f"The judge gave no usable answer: {reply.why}.")
        try:
            said.append(read_choice(sheet.texts.get(reply.item_id, "")))
        except JudgementUnreadable as error:
            return Label(None, None, error.message)
    better = combined(said[0], said[1])
    if better is None:
        return Label(None, None, "The judge chose otherwise when the answers changed places.")
    return Label(better >= 0, better <= 0, None)
