"""Verdicts: what the labels of a trial prove about each candidate."""

from itertools import count

import polars as pl

from core.grading.people import settle
from core.routing.judging import JudgeTally, rule_by_judge
from core.routing.verdict import Bar, Ruling, Tally, Verdict, certainty_path, first_ruling
from core.store import Store
from core.trials.labelling import GRADER
from core.trials.trial import Trial

# Of fewer answers a share says little; of so many that were graded, no more than this may be left without a label, or
# a verdict would be about a part that is not drawn at random. Good judges change their mind with the order of one pair
# in three (Zheng et al., "Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena", 2023, table 2: GPT-4 in 35 %).
_FEW, _MOST_UNGRADED, _MOST_UNJUDGED = 20, 0.1, 0.35


def labels_of(store: Store, trial_id: str) -> pl.DataFrame:
    """Every label of a trial in the order in which they came: candidate (number), position, labeller, correct, …"""
    return store.query("trial_labels", trial_id=trial_id)


def outcomes(trial: Trial, labels: pl.DataFrame, number: int) -> pl.DataFrame:
    """What counts of a candidate, in the order of the sample: order, position, correct, reference.

    The order was drawn before anything was asked, and what counts is its beginning up to the first item that nobody
    has told of: which answers are told of first depends on what they are. Where people label, an item on which they
    disagree is no label; elsewhere the grader's labels count. Nothing counts where too many could not be graded.
    """
    own = _beginning(trial, labels, number)
    return _known(trial, own.clear() if why_ungraded(trial, labels, number) else own)


def why_ungraded(trial: Trial, labels: pl.DataFrame, number: int) -> str | None:
    """Why no verdict on a candidate can come of these labels: too few of its answers could be graded; else None.

    A grader that never works is told at its first answer, but people and judges are waited for.
    """
    own = _beginning(trial, labels, number)
    missing = own.filter(pl.col("labeller") == GRADER, pl.col("correct").is_null() | pl.col("lost"))
    told, lacking = own["position"].n_unique(), missing.height
    most = _MOST_UNJUDGED if trial.judge else _MOST_UNGRADED
    never_works = lacking == told and trial.judge is None and not trial.by_people
    if not lacking or not (never_works or (told >= _FEW and lacking > most * told)):
        return None
    note = missing["note"].fill_null("").mode().sort()[0]
    return f"Of {told:,} answers {lacking:,} could not be graded, so there is no verdict. {note}".strip()


def disputed(trial: Trial, labels: pl.DataFrame, number: int) -> int:
    """Items of a candidate on which people disagree."""
    own = labels.filter(candidate=number)
    return len(settle(_said(own)).disputed) if trial.by_people else 0


def verdict_of(trial: Trial, labels: pl.DataFrame, number: int) -> Verdict:
    """The verdict on a candidate: of the first look that decided, or of all labels that count.

    A judge's labels are corrected by those that people gave to some of the same answers, where there are any.
    """
    return _ruled(trial, labels, number, outcomes(trial, labels, number))


def outlook(trial: Trial, labels: pl.DataFrame, number: int) -> Verdict:
    """What the verdict would be if also those labels counted that wait for earlier ones.

    It says how much to ask next, and proves nothing.
    """
    return _ruled(trial, labels, number, _known(trial, labels.filter(candidate=number)))


def judge_tally(trial: Trial, labels: pl.DataFrame, number: int) -> JudgeTally:
    """Where people looked at what the judge had labelled: how often they agree.

    Of these items too the beginning counts, up to the first that nobody checked: nobody chooses what is checked.
    """
    if trial.judge is None:
        return JudgeTally()
    own = _beginning(trial, labels, number).filter(pl.col("correct").is_not_null())
    judged, people = own.filter(labeller=GRADER), own.filter(pl.col("labeller") != GRADER)
    # A note says that one of the two answers could not be used, so that nobody had to compare them.
    unchecked = judged.filter(pl.col("note").is_null()).join(people, on="position", how="anti")["position"].min()
    if unchecked is not None:
        judged = judged.filter(pl.col("position") < unchecked)
    both = judged.join(_agreed(people), on="position")
    worth, right = _worth(trial.bar, ""), _worth(trial.bar, "_right")
    row = both.select(
        approved_both=((right >= 1) & (worth == right)).sum(),
        approved_wrong=(worth > right).sum(),
        rejected_right=(worth < right).sum(),
        rejected_both=((right < 1) & (worth == right)).sum(),
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


def _beginning(trial: Trial, labels: pl.DataFrame, number: int) -> pl.DataFrame:
    """The labels of a candidate up to the first item of the sample that nobody has told of."""
    own = labels.filter(candidate=number)
    told = set((own if trial.by_people else own.filter(labeller=GRADER))["position"])
    return own.filter(pl.col("position") < next(position for position in count() if position not in told))


def _known(trial: Trial, own: pl.DataFrame) -> pl.DataFrame:
    """One row for each item of which these labels say something, in the order of the sample."""
    own = own.filter(pl.col("correct").is_not_null())
    own = _agreed(own) if trial.by_people else own.filter(labeller=GRADER)
    if trial.bar.margin is not None:
        own = own.filter(pl.col("reference").is_not_null())
    return own.sort("position").select(pl.int_range(pl.len()).alias("order"), "position", "correct", "reference")


def _ruled(trial: Trial, labels: pl.DataFrame, number: int, known: pl.DataFrame) -> Verdict:
    checked = judge_tally(trial, labels, number)
    if checked.checked:
        return rule_by_judge(tally_of(known, trial.bar), checked, trial.bar)
    return first_ruling(_as_numbers(known), trial.bar)


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
