"""Verdicts: what the labels of a trial prove about each candidate."""

import polars as pl

from core.grading.people import settle
from core.routing.judging import JudgeTally, rule_by_judge
from core.routing.verdict import Bar, Ruling, Tally, Verdict, certainty_path, first_ruling
from core.store import Store
from core.trials.labelling import GRADER, why_ungraded
from core.trials.trial import Trial


def labels_of(store: Store, trial_id: str) -> pl.DataFrame:
    """Every label of a trial in the order in which they came: candidate (number), position, labeller, correct, …"""
    return store.query("trial_labels", trial_id=trial_id)


def outcomes(trial: Trial, labels: pl.DataFrame, number: int) -> pl.DataFrame:
    """What is known of a candidate, in the order in which it became known: order, position, correct, reference.

    Where people label, an item on which they disagree is no label; elsewhere the grader's labels count. Nothing is
    known where too many answers could not be graded.
    """
    if why_ungraded(trial, labels) is not None:
        labels = labels.clear()
    own = labels.filter(pl.col("candidate") == number, pl.col("correct").is_not_null())
    own = _agreed(own) if trial.by_people else own.filter(labeller=GRADER)
    if trial.bar.margin is not None:
        own = own.filter(pl.col("reference").is_not_null())
    return own.select(pl.int_range(pl.len()).alias("order"), "position", "correct", "reference")


def disputed(trial: Trial, labels: pl.DataFrame, number: int) -> int:
    """Items of a candidate on which people disagree."""
    own = labels.filter(candidate=number)
    return len(settle(_said(own)).disputed) if trial.by_people else 0


def verdict_of(trial: Trial, labels: pl.DataFrame, number: int) -> Verdict:
    """The verdict on a candidate: of the first look that decided, or of all labels.

    A judge's labels are corrected by those that people gave to some of the same answers, where there are any.
    """
    known = outcomes(trial, labels, number)
    checked = judge_tally(trial, labels, number)
    if checked.checked:
        return rule_by_judge(tally_of(known, trial.bar), checked, trial.bar)
    return first_ruling(_as_numbers(known), trial.bar)


def judge_tally(trial: Trial, labels: pl.DataFrame, number: int) -> JudgeTally:
    """Where people looked at what the judge had labelled: how often they agree."""
    if trial.judge is None:
        return JudgeTally()
    own = labels.filter(pl.col("candidate") == number, pl.col("correct").is_not_null())
    both = own.filter(labeller=GRADER).join(_agreed(own.filter(pl.col("labeller") != GRADER)), on="position")
    worth, people = _worth(trial.bar, ""), _worth(trial.bar, "_right")
    row = both.select(
        approved_both=((people >= 1) & (worth == people)).sum(),
        approved_wrong=(worth > people).sum(),
        rejected_right=(worth < people).sum(),
        rejected_both=((people < 1) & (worth == people)).sum(),
    ).row(0, named=True)
    return JudgeTally(**row)


def tally_of(known: pl.DataFrame, bar: Bar) -> Tally:
    """The counts of outcomes."""
    paired = {}
    if bar.margin is not None:
        paired = {
            "better": int((known["correct"] & ~known["reference"]).sum()),
            "worse": int((~known["correct"] & known["reference"]).sum()),
        }
    return Tally(labels=known.height, correct=int(known["correct"].sum()), **paired)


def path_of(trial: Trial, labels: pl.DataFrame, number: int) -> pl.DataFrame:
    """How the interval of a candidate narrowed: labels, lower, upper."""
    return certainty_path(_as_numbers(outcomes(trial, labels, number)), trial.bar)


def decided(verdict: Verdict) -> bool:
    """Whether nothing more has to be asked of a candidate."""
    return verdict.ruling is not Ruling.NOT_YET


def _agreed(own: pl.DataFrame) -> pl.DataFrame:
    """One row for each item: the last label of those who said the same; none for an item on which they differ."""
    agreed = settle(_said(own)).agreed
    rows = own.filter(pl.col("position").is_in(list(agreed)))
    return rows.unique("position", keep="last", maintain_order=True)


def _said(own: pl.DataFrame) -> list[tuple[int, str, tuple[bool, bool | None]]]:
    rows = own.filter(pl.col("correct").is_not_null()).select("position", "labeller", "correct", "reference")
    return [(position, labeller, (correct, beside)) for position, labeller, correct, beside in rows.iter_rows()]


def _as_numbers(known: pl.DataFrame) -> pl.DataFrame:
    return known.with_columns(pl.col("correct", "reference").cast(pl.Int64))


def _worth(bar: Bar, suffix: str) -> pl.Expr:
    """A label on the scale of the bar: right or wrong, or better, alike and worse than the reference."""
    right = pl.col(f"correct{suffix}").cast(pl.Int64)
    return right if bar.margin is None else right - pl.col(f"reference{suffix}").cast(pl.Int64) + 1
