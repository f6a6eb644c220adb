"""What the labels of a trial prove: whose labels count, in which order, and when they prove nothing at all."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from core.routing.judging import JudgeTally, rule_by_judge
from core.routing.verdict import Bar, Ruling, Tally, first_ruling
from core.trials.labelling import GRADER, LABEL_SCHEMA
from core.trials.trial import Entrant, Part, Trial
from core.trials.verdicts import disputed, judge_tally, outcomes, outlook, verdict_of, why_ungraded

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
Said = tuple[int, str, bool | None, bool | None]


def trial(*needs: str, bar: Bar, judge: bool = False) -> Trial:
    """A trial of one model."""
    entrants = [Entrant(number=0, part=Part.REFERENCE, model="r"), Entrant(number=1, part=Part.CANDIDATE, model="c")]
    if judge:
        entrants.append(Entrant(number=2, part=Part.JUDGE, model="j"))
    return Trial(
        folder=Path(),
        trial_id="t",
        class_id="k",
        class_name="K",
        reference_model="r",
        spec={"kind": "exact"},
        needs=frozenset(needs),
        bar=bar,
        budget_usd=Decimal(1),
        seed=0,
        cascade=False,
        created_at=NOW,
        created_by="ann",
        entrants=tuple(entrants),
        sample=100,
    )


def labels(*said: Said, lost: bool = False) -> pl.DataFrame:
    """Labels of candidate 1 as they came, a second apart: position, labeller, correct, reference."""
    rows: list[tuple[Any, ...]] = [
        ("t", 1, position, labeller, correct, beside, "why", lost, NOW + timedelta(seconds=at))
        for at, (position, labeller, correct, beside) in enumerate(said)
    ]
    return pl.DataFrame(rows, schema=LABEL_SCHEMA, orient="row")


def test_labels_count_in_the_order_of_the_sample() -> None:
    """The verdict is that of a look after every label, and stays what it was at the first that decided."""
    graded = labels(
        *((at, GRADER, True, None) for at in range(30)), *((at, GRADER, False, None) for at in range(30, 60))
    )
    found = verdict_of(trial("gold", bar=Bar(rate=0.7)), graded, 1)
    alone = first_ruling(pl.DataFrame({"order": range(30), "correct": [1] * 30}), Bar(rate=0.7))
    assert (found.ruling, found.labels) == (alone.ruling, alone.labels) == (Ruling.CLEARS, alone.labels)


def test_for_a_margin_only_items_that_both_answered_count() -> None:
    """A label without one of the reference says nothing about the difference."""
    graded = labels((0, GRADER, True, True), (1, GRADER, True, None), (2, GRADER, None, None), (3, GRADER, False, True))
    known = outcomes(trial("gold", bar=Bar(margin=0.1)), graded, 1)
    assert known["position"].to_list() == [0, 3]
    assert outcomes(trial("gold", bar=Bar(rate=0.9)), graded, 1)["position"].to_list() == [0, 1, 3]


def test_what_people_disagree_on_is_no_label() -> None:
    """It counts once they agree, and what is behind it counts all the same."""
    by_people = trial("people", bar=Bar(rate=0.9))
    apart = labels((0, "ann", True, True), (1, "ann", True, False), (0, "bob", False, True))
    assert outcomes(by_people, apart, 1)["position"].to_list() == [1]
    assert disputed(by_people, apart, 1) == 1
    agreed = labels((0, "ann", True, True), (1, "ann", True, False), (0, "bob", True, True))
    assert outcomes(by_people, agreed, 1)["position"].to_list() == [0, 1]
    assert disputed(by_people, agreed, 1) == 0


def test_people_correct_a_judge() -> None:
    """Where people looked too, their labels say how far the judge is to be believed."""
    judged = [(at, GRADER, at % 10 != 0, True) for at in range(60)]
    people = [(at, "ann", at % 3 != 0, True) for at in range(30)]
    seen = labels(*judged, *people)
    with_judge = trial("reference", "judge", bar=Bar(rate=0.6), judge=True)
    checked = judge_tally(with_judge, seen, 1)
    right = [(at % 10 != 0, at % 3 != 0) for at in range(30)]
    assert checked == JudgeTally(
        approved_both=right.count((True, True)),
        approved_wrong=right.count((True, False)),
        rejected_right=right.count((False, True)),
        rejected_both=right.count((False, False)),
    )
    assert verdict_of(with_judge, seen, 1) == rule_by_judge(Tally(labels=60, correct=54), checked, with_judge.bar)
    assert verdict_of(with_judge, labels(*judged), 1).ruling is Ruling.CLEARS
    assert verdict_of(with_judge, seen, 1).ruling is not Ruling.CLEARS


def test_only_the_beginning_of_the_sample_counts_up_to_what_nobody_has_told_of() -> None:
    """Answers cut off are known at once, so they would decide alone; who labels chooses nothing; so it is of checks."""
    cut = [(at, GRADER, False, True) for at in range(0, 90, 15)]
    by_people = trial("people", bar=Bar(rate=0.85))
    assert verdict_of(by_people, labels(*cut), 1).labels == 1
    assert outlook(by_people, labels(*cut), 1).ruling is Ruling.FAILS
    people = [(at, "ann", True, True) for at in range(90) if at % 15]
    told = labels(*cut, *people)
    assert outcomes(by_people, told, 1)["position"].to_list() == list(range(90))
    assert verdict_of(by_people, told, 1).ruling is not Ruling.FAILS
    chosen = labels(*cut, *(row for row in people if row[0] > 4))
    assert outcomes(by_people, chosen, 1)["position"].to_list() == [0]

    judged = trial("judge", bar=Bar(rate=0.5), judge=True)
    grades = labels(*((at, GRADER, True, True) for at in range(50))).with_columns(note=pl.lit(None, pl.String))
    assert verdict_of(judged, labels(*cut), 1).labels == 1
    for checked, expected in ((range(10), 10), (range(20, 50), 0), ((0, 1, 9), 2)):
        checks = labels(*((at, "ann", True, True) for at in checked))
        assert judge_tally(judged, pl.concat([grades, checks]), 1).checked == expected


def test_too_many_answers_without_a_grade_prove_nothing() -> None:
    """One in ten is borne, of a judge one in three; a grader that never works is told at the first answer."""
    by_gold, judged = trial("gold", bar=Bar(rate=0.5)), trial("judge", bar=Bar(rate=0.5), judge=True)
    few = labels(*((at, GRADER, None if at < 3 else True, None) for at in range(30)))
    many = labels(*((at, GRADER, None if at < 6 else True, None) for at in range(30)))
    assert why_ungraded(by_gold, few, 1) is None
    assert "6 could not be graded" in (why_ungraded(by_gold, many, 1) or "")
    assert (verdict_of(by_gold, many, 1).ruling, verdict_of(by_gold, many, 1).labels) == (Ruling.NOT_YET, 0)
    assert why_ungraded(judged, many, 1) is None
    assert why_ungraded(by_gold, labels((0, GRADER, None, None)), 1) is not None
    assert why_ungraded(by_gold, labels(*((at, GRADER, False, None) for at in range(30)), lost=True), 1) is not None


def test_what_cannot_be_graded_is_held_against_one_candidate_alone() -> None:
    """Another one's verdict stands, however few of these answers there are among all."""
    fine = labels(*((at, GRADER, True, None) for at in range(60)))
    bad = labels(*((at, GRADER, None if at % 4 == 0 else True, None) for at in range(60)))
    both = pl.concat(
        [fine, fine.with_columns(candidate=pl.lit(2, pl.Int32)), bad.with_columns(candidate=pl.lit(3, pl.Int32))]
    )
    by_gold = trial("gold", bar=Bar(rate=0.8))
    assert [why_ungraded(by_gold, both, number) is None for number in (1, 2, 3)] == [True, True, False]
    rulings = [verdict_of(by_gold, both, number).ruling for number in (1, 2, 3)]
    assert rulings == [Ruling.CLEARS, Ruling.CLEARS, Ruling.NOT_YET]


def test_one_lost_answer_does_not_keep_people_from_labelling() -> None:
    """All answers that were labelled count, and as long as people have not begun there is nothing to object to."""
    by_people = trial("people", bar=Bar(rate=0.8))
    lost = (0, GRADER, None, None)
    assert why_ungraded(by_people, labels(lost), 1) is None
    told = labels(lost, *((at, "ann", True, True) for at in range(1, 40)))
    assert why_ungraded(by_people, told, 1) is None
    assert verdict_of(by_people, told, 1).ruling is Ruling.CLEARS
