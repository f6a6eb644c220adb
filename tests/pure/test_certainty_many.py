"""Certainty with a judge whose labels people check in part, and over many classes at once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from core.routing.discovery import clear_together
from core.routing.judging import JudgeTally, rule_by_judge
from core.routing.mixture import Counts, log_evidence
from core.routing.verdict import BadTally, Bar, Ruling, Tally, rule

FEW = profile(max_examples=25)
BAR = Bar(rate=0.8)
CHECKS = st.builds(
    JudgeTally,
    approved_both=st.integers(0, 300),
    approved_wrong=st.integers(0, 30),
    rejected_right=st.integers(0, 30),
    rejected_both=st.integers(0, 100),
)
SURE = JudgeTally(approved_both=450, rejected_both=50)


def test_an_unchecked_judge_proves_nothing() -> None:
    """Whatever it approves: without a label by people there is no verdict, nor a number of labels that would do."""
    verdict = rule_by_judge(Tally(labels=100_000, correct=100_000), JudgeTally(), BAR)

    assert (verdict.ruling, verdict.lower, verdict.upper, verdict.more_labels) == (Ruling.NOT_YET, 0.0, 1.0, None)
    assert verdict.estimate == 1.0
    assert JudgeTally().agreement is None
    nothing = rule_by_judge(Tally(), SURE, BAR)
    assert (nothing.ruling, nothing.estimate, nothing.more_labels) == (Ruling.NOT_YET, None, None)


def test_a_judge_whom_people_bear_out_decides_with_more_labels() -> None:
    """500 checks without a disagreement leave room for little: a clear case is decided, a close one waits."""
    assert rule_by_judge(Tally(labels=600, correct=540), SURE, BAR).ruling is Ruling.CLEARS
    assert rule_by_judge(Tally(labels=600, correct=360), SURE, BAR).ruling is Ruling.FAILS
    close = rule_by_judge(Tally(labels=300, correct=255), SURE, BAR)
    assert (close.ruling, SURE.agreement) == (Ruling.NOT_YET, 1.0)
    assert close.more_labels is not None
    by_pairs = Tally(labels=600, correct=500, better=60, worse=40)
    assert rule_by_judge(by_pairs, SURE, Bar(margin=0.1)).ruling is Ruling.CLEARS


def test_a_kind_judge_raises_the_bar_and_the_estimate_is_corrected() -> None:
    """A judge that approves a tenth that people reject says 90 % where 80 % is true."""
    kind = JudgeTally(approved_both=320, approved_wrong=40, rejected_both=40)
    told = Tally(labels=5_000, correct=4_500)

    assert rule(told, BAR).ruling is Ruling.CLEARS
    verdict = rule_by_judge(told, kind, BAR)
    assert verdict.ruling is Ruling.NOT_YET
    assert verdict.estimate == pytest.approx(0.8)
    assert verdict.more_labels is None
    harsh = JudgeTally(approved_both=320, rejected_right=40, rejected_both=40)
    assert rule_by_judge(told, harsh, BAR).estimate == pytest.approx(1.0)
    pairs = rule_by_judge(Tally(labels=5_000, correct=4_500, better=500, worse=500), kind, Bar(margin=0.2))
    assert pairs.estimate == pytest.approx(-0.1)  # one step in ten, from better to alike or from alike to worse


@FEW
@given(labels=st.integers(1, 2_000), share=st.floats(0, 1), checked=CHECKS, more=st.integers(1, 50))
def test_a_judge_adds_doubt_and_disagreement_more(labels: int, share: float, checked: JudgeTally, more: int) -> None:
    """Its bounds hold those of its labels taken at their word, and each item it was kind to lowers the lower one."""
    tally = Tally(labels=labels, correct=round(share * labels))
    verdict, at_its_word = rule_by_judge(tally, checked, BAR), rule(tally, BAR)

    assert verdict.lower <= at_its_word.lower
    assert verdict.upper >= at_its_word.upper
    assert verdict.estimate is not None
    assert verdict.lower - 1e-9 <= verdict.estimate <= verdict.upper + 1e-9
    assert (verdict.ruling is Ruling.CLEARS) == (verdict.lower >= 0.8)
    assert (verdict.ruling is Ruling.FAILS) == (verdict.upper <= 0.8)
    worse = JudgeTally(**vars(checked) | {"approved_wrong": checked.approved_wrong + more})
    assert rule_by_judge(tally, worse, BAR).lower <= verdict.lower + 1e-9


def test_a_judge_that_errs_seldom_leads_to_a_false_verdict() -> None:
    """True rate on the bar, a judge that approves a tenth wrongly: taken at its word it always errs, checked seldom."""
    rng = np.random.default_rng(4)
    false, trusting = 0, 0
    for _ in range(40):
        true = rng.random(3_000) < 0.8
        judged = true | (rng.random(3_000) < 0.5)
        for labels in (500, 3_000):
            tally = Tally(labels=labels, correct=int(judged[:labels].sum()))
            seen, said = true[: labels // 4], judged[: labels // 4]
            checked = JudgeTally(
                approved_both=int((seen & said).sum()),
                approved_wrong=int((~seen & said).sum()),
                rejected_both=int((~seen & ~said).sum()),
            )
            false += rule_by_judge(tally, checked, BAR).ruling is Ruling.CLEARS
        trusting += bool(log_evidence(tally.counts(BAR), 0.8) > np.log(20))
    assert false / 40 <= 0.05
    assert trusting == 40


def test_counts_of_checks_are_counts() -> None:
    """Nobody checked fewer than no items."""
    with pytest.raises(BadTally):
        JudgeTally(approved_wrong=-1)


def test_one_class_alone_clears_as_it_does_by_itself() -> None:
    """With one class there is nothing to correct for."""
    for correct in (44, 45, 46, 50):
        tally = Tally(labels=50, correct=correct)
        alone = clear_together({"a": (tally, BAR)}, error=0.05)
        assert bool(alone) == (rule(tally, BAR).ruling is Ruling.CLEARS)


def test_among_many_classes_a_narrow_case_does_not_clear() -> None:
    """Evidence of twenty is enough for one class, not for one of ten; where all have it, all clear."""
    narrow, hopeless = Tally(labels=50, correct=47), Tally(labels=50, correct=30)
    assert rule(narrow, BAR).ruling is Ruling.CLEARS
    one_of_ten = {"narrow": (narrow, BAR)} | {str(number): (hopeless, BAR) for number in range(9)}
    assert clear_together(one_of_ten, error=0.05) == frozenset()
    assert len(clear_together({str(number): (narrow, BAR) for number in range(10)}, error=0.05)) == 10
    plenty = one_of_ten | {"plain": (Tally(labels=400, correct=390), BAR)}
    assert clear_together(plenty, error=0.05) == {"plain"}
    assert clear_together({}, error=0.05) == frozenset()


@FEW
@given(rights=st.lists(st.integers(60, 100), max_size=12), error=st.sampled_from((0.05, 0.2)))
def test_the_classes_that_clear_together_are_the_most_for_which_evidence_is_enough(
    rights: list[int], error: float
) -> None:
    """By brute force over every number of classes that could clear."""
    given = {str(number): (Tally(labels=100, correct=right), BAR) for number, right in enumerate(rights)}
    evidence = [float(np.exp(log_evidence(Counts(wins=right, losses=100 - right), 0.8))) for right in rights]
    most = max(
        (
            count
            for count in range(1, len(rights) + 1)
            if sum(one >= len(rights) / (error * count) for one in evidence) >= count
        ),
        default=0,
    )

    cleared = clear_together(given, error=error)
    assert len(cleared) == most
    assert all(
        rights[int(name)] >= right for name in cleared for at, right in enumerate(rights) if str(at) not in cleared
    )


def test_few_of_those_that_clear_together_do_so_wrongly() -> None:
    """Thirty classes on the bar and ten above it: on average at most a twentieth of what clears is wrong."""
    rng = np.random.default_rng(9)
    rates = np.array([0.8] * 30 + [0.93] * 10)
    wrong = []
    for _ in range(60):
        rights = rng.binomial(200, rates)
        cleared = clear_together(
            {str(at): (Tally(labels=200, correct=int(right)), BAR) for at, right in enumerate(rights)}, error=0.05
        )
        wrong.append(sum(int(name) < 30 for name in cleared) / max(1, len(cleared)))
        assert len(cleared) > 0
    assert np.mean(wrong) <= 0.05
