"""Certainty: evidence that never lies more often than promised, however often one looks; verdicts made of it."""

import itertools
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from core.routing.mixture import Counts, log_counter_evidence, log_evidence, lower_bound, upper_bound
from core.routing.verdict import (
    BadBar,
    BadTally,
    Bar,
    Ruling,
    Tally,
    Verdict,
    certainty_path,
    first_ruling,
    labels_needed,
    rule,
)

SHARES = st.floats(0.02, 0.98)
LABELS = st.integers(0, 400)
FEW = profile(max_examples=30)


@st.composite
def tallies(draw: st.DrawFn) -> Tally:
    """Labels of items that both answered."""
    both, better, worse, neither = (draw(st.integers(0, 120)) for _ in range(4))
    return Tally(labels=both + better + worse + neither, correct=both + better, better=better, worse=worse)


@st.composite
def bars(draw: st.DrawFn) -> Bar:
    """Of either kind."""
    error = draw(st.sampled_from((0.01, 0.05, 0.2)))
    if draw(st.booleans()):
        return Bar(rate=draw(SHARES), error=error)
    return Bar(margin=draw(st.floats(0.0, 0.5)), error=error)


def level(bar: Bar) -> float:
    """The bar on the scale of a verdict's bounds."""
    return bar.share(bar.mean)


def frame(correct: list[int], reference: list[int] | None = None) -> pl.DataFrame:
    """Outcomes in their order."""
    table = pl.DataFrame({"order": range(len(correct)), "correct": correct}, schema_overrides={"correct": pl.Int8})
    return table if reference is None else table.with_columns(reference=pl.Series(reference, dtype=pl.Int8))


@FEW
@given(wins=LABELS, ties=LABELS, losses=LABELS, bar=SHARES, share=st.floats(0, 1), tied=st.floats(0, 1))
def test_evidence_never_grows_on_average_where_the_truth_is_not_above(
    wins: int, ties: int, losses: int, *, bar: float, share: float, tied: float
) -> None:
    """From any counts, the mean evidence after one more label is at most that before, for any truth up to the bar."""
    truth = share * bar
    tie = tied * min(2 * truth, 2 * (1 - truth))
    chances = (truth - tie / 2, tie, 1 - truth - tie / 2)
    after = [
        Counts(wins=wins + 1, ties=ties, losses=losses),
        Counts(wins=wins, ties=ties + 1, losses=losses),
        Counts(wins=wins, ties=ties, losses=losses + 1),
    ]
    before = float(log_evidence(Counts(wins=wins, ties=ties, losses=losses), bar))
    growth = sum(
        chance * math.exp(float(log_evidence(counts, bar)) - before)
        for chance, counts in zip(chances, after, strict=True)
    )

    assert growth <= 1 + 1e-9


def test_evidence_is_one_on_average_at_the_bar() -> None:
    """Summed over every row of eight labels: exactly 1 at the bar, and less below it."""
    for bar, truth in ((0.7, 0.7), (0.7, 0.6), (0.05, 0.05), (0.95, 0.9)):
        mean = 0.0
        for row in itertools.product((0, 1), repeat=8):
            right = sum(row)
            chance = truth**right * (1 - truth) ** (8 - right)
            mean += chance * math.exp(float(log_evidence(Counts(wins=right, losses=8 - right), bar)))
        assert mean == pytest.approx(1.0) if truth == bar else mean < 1


def test_evidence_is_a_mean_of_likelihood_ratios() -> None:
    """For right and wrong answers: of forty rates spread evenly above the bar against the bar."""
    bar, right, wrong = 0.7, 31, 9
    rates = bar + (1 - bar) * (np.arange(40) + 0.5) / 40
    ratios = (rates / bar) ** right * ((1 - rates) / (1 - bar)) ** wrong

    assert float(log_evidence(Counts(wins=right, losses=wrong), bar)) == pytest.approx(math.log(ratios.mean()))
    below = bar * (np.arange(40) + 0.5) / 40
    ratios = (below / bar) ** right * ((1 - below) / (1 - bar)) ** wrong
    assert float(log_counter_evidence(Counts(wins=right, losses=wrong), bar)) == pytest.approx(math.log(ratios.mean()))


def test_a_comparison_is_a_bet_on_the_mean_difference() -> None:
    """Better, alike and worse make a stake L worth 1 + L (1 - m), 1 + L (1/2 - m), 1 - L m; m = (1 - margin) / 2."""
    mean, better, alike, worse = (1 - 0.05) / 2, 12, 70, 9
    stakes = (np.arange(40) + 0.5) / (40 * mean)
    owned = (1 + stakes * (1 - mean)) ** better * (1 + stakes * (0.5 - mean)) ** alike * (1 - stakes * mean) ** worse
    counts = Tally(labels=91, correct=80, better=better, worse=worse).counts(Bar(margin=0.05))

    assert float(log_evidence(counts, mean)) == pytest.approx(math.log(owned.mean()))


@FEW
@given(tally=tallies(), bar=bars())
def test_a_verdict_and_its_bounds_say_the_same(tally: Tally, bar: Bar) -> None:
    """It clears exactly when its lower bound reaches the bar, fails when the upper one does; the estimate is inside."""
    verdict = rule(tally, bar)

    assert (verdict.ruling is Ruling.CLEARS) == (verdict.lower >= level(bar) - 1e-9)
    assert (verdict.ruling is Ruling.FAILS) == (verdict.upper <= level(bar) + 1e-9)
    if verdict.estimate is None:
        assert (tally.labels, verdict.ruling) == (0, Ruling.NOT_YET)
    else:
        assert verdict.lower <= verdict.estimate + 1e-9
        assert verdict.estimate <= verdict.upper + 1e-9
    assert verdict.more_labels is None or (verdict.ruling is Ruling.NOT_YET and verdict.more_labels >= 1)


@FEW
@given(labels=st.integers(1, 300), data=st.data(), bar=SHARES)
def test_another_right_answer_never_hurts(labels: int, data: st.DataObject, bar: float) -> None:
    """With one more of the labels right, both bounds rise, and what cleared does not fail."""
    correct = data.draw(st.integers(0, labels - 1))
    worse, better = (rule(Tally(labels=labels, correct=right), Bar(rate=bar)) for right in (correct, correct + 1))

    assert (worse.lower, worse.upper) <= (better.lower, better.upper)
    rank = (Ruling.FAILS, Ruling.NOT_YET, Ruling.CLEARS)
    assert rank.index(worse.ruling) <= rank.index(better.ruling)


@FEW
@given(tally=tallies(), margin=st.floats(0.0, 0.5), rate=SHARES)
def test_clears_and_fails_are_mirror_images(tally: Tally, margin: float, rate: float) -> None:
    """What clears a bar, fails the mirrored bar with right and wrong exchanged."""
    counts, mirrored = tally.counts(Bar(rate=rate)), tally.counts(Bar(rate=rate)).mirrored
    assert float(log_evidence(counts, rate)) == pytest.approx(float(log_counter_evidence(mirrored, 1 - rate)))
    assert float(lower_bound(counts, 0.05)) == pytest.approx(1 - float(upper_bound(mirrored, 0.05)))
    swapped = Tally(labels=tally.labels, correct=tally.correct, better=tally.worse, worse=tally.better)
    straight, other = rule(tally, Bar(margin=margin)), rule(swapped, Bar(margin=margin))
    assert straight.lower == pytest.approx(-other.upper, abs=1e-9)


@FEW
@given(
    outcomes=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), max_size=40),
    bar=bars(),
)
def test_the_first_ruling_is_the_first_of_all_looks(outcomes: list[tuple[int, int]], bar: Bar) -> None:
    """Looking at every prefix one by one finds the same; rows may lie in any order."""
    table = frame([one for one, _ in outcomes], [other for _, other in outcomes])

    def look(rows: int) -> Verdict:
        part = outcomes[:rows]
        better, worse = (sum(one > other for one, other in part), sum(one < other for one, other in part))
        return rule(Tally(labels=rows, correct=sum(one for one, _ in part), better=better, worse=worse), bar)

    looks = [look(rows) for rows in range(len(outcomes) + 1)]
    expected = next((one for one in looks if one.ruling is not Ruling.NOT_YET), looks[-1])
    assert first_ruling(table, bar) == expected
    assert first_ruling(table[::-1], bar) == expected
    path = certainty_path(table, bar)
    assert path.rows() == [pytest.approx((one.labels, one.lower, one.upper)) for one in looks[1:]]


def test_a_long_row_is_looked_at_whole_and_its_path_thinned() -> None:
    """A ruling may come after any number of labels; a picture needs a few hundred."""
    undecided = [1, 0] * 20_000
    verdict = first_ruling(frame([*undecided, *[1] * 5_000]), Bar(rate=0.52))
    assert verdict.ruling is Ruling.FAILS
    assert verdict.labels < 40_000

    borderline = first_ruling(frame([*undecided, *[1] * 5_000]), Bar(rate=0.5))
    assert borderline.ruling is Ruling.CLEARS
    assert 40_000 < borderline.labels < 41_000
    path = certainty_path(frame(undecided), Bar(rate=0.5), looks=100)
    assert (path.height, path["labels"][0], path["labels"][-1]) == (100, 1, 40_000)


def test_without_labels_nothing_is_known() -> None:
    """No estimate, no bound, and no forecast."""
    nothing = Verdict(ruling=Ruling.NOT_YET, labels=0, estimate=None, lower=0.0, upper=1.0, more_labels=None)
    assert rule(Tally(), Bar(rate=0.9)) == first_ruling(frame([]), Bar(rate=0.9)) == nothing
    one = rule(Tally(labels=1, correct=1), Bar(rate=0.9))
    assert (one.ruling, one.upper) == (Ruling.NOT_YET, 1.0)
    assert one.lower < 0.05


@pytest.mark.parametrize(
    ("rate", "measured"),
    [(0.75, 527), (0.80, 112), (0.85, 48), (0.90, 26), (0.95, 13), (0.65, 730), (0.60, 168), (0.55, 74)],
)
def test_labels_needed_come_near_the_measured_medians(rate: float, measured: int) -> None:
    """Within a fifth of what replays at a bar of 0.7 needed, above and below it."""
    assert labels_needed(rate, Bar(rate=0.7)) == pytest.approx(measured, rel=0.2)


def test_labels_needed_of_a_comparison_depend_on_how_often_the_two_differ() -> None:
    """Two models that never differ are told to be alike soon; a rate on the bar may never be told from it."""
    bar = Bar(margin=0.05)
    seldom, often = (labels_needed(0.0, bar, differing=share) for share in (0.02, 0.4))
    assert seldom is not None
    assert often is not None
    assert seldom < often / 3
    assert labels_needed(-0.05, bar) is None
    assert labels_needed(0.7, Bar(rate=0.7)) is labels_needed(0.7005, Bar(rate=0.7)) is None


def test_more_labels_are_forecast_while_there_is_something_to_forecast() -> None:
    """As many as such a share needs in all, less the ones there are; none where decided, or where it may never be."""
    bar = Bar(rate=0.7)
    early, late = rule(Tally(labels=20, correct=16), bar), rule(Tally(labels=100, correct=79), bar)
    needed = labels_needed(0.8, bar)
    assert needed is not None
    assert early.more_labels == pytest.approx(needed - 20, abs=1)
    assert late.more_labels is not None
    assert 10 < late.more_labels < 150
    assert rule(Tally(labels=100, correct=70), bar).more_labels is None
    assert rule(Tally(labels=100, correct=99), bar).more_labels is None


def test_forecasts_are_right_in_the_middle() -> None:
    """Of trials that are late, half need no more than two and a half times the forecast, and half no less than 40 %."""
    rng = np.random.default_rng(5)
    bar, looks = Bar(rate=0.7), 1_500
    off = []
    for row in (rng.random((70, looks)) < 0.8).astype(int).tolist():
        here = rule(Tally(labels=160, correct=sum(row[:160])), bar)
        decided = first_ruling(frame(row), bar).labels
        if decided > 160 and here.more_labels is not None:
            off.append(math.log((decided - 160) / here.more_labels))
    assert len(off) > 15
    assert abs(float(np.median(off))) < math.log(2.5)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"rate": 0.9, "margin": 0.05},
        {"rate": 0.0},
        {"rate": 1.0},
        {"rate": math.nan},
        {"margin": -0.01},
        {"margin": 1.0},
        {"rate": 0.9, "error": 0.0},
        {"rate": 0.9, "error": 0.5},
        {"rate": 0.9, "error": math.nan},
    ],
)
def test_a_bar_that_means_nothing_is_refused(wrong: dict[str, float]) -> None:
    """Exactly one of rate and margin, each where it can be proven."""
    with pytest.raises(BadBar):
        Bar(**wrong)


@pytest.mark.parametrize(
    "wrong", [{"labels": -1}, {"labels": 1, "correct": 2}, {"labels": 1, "better": 1, "worse": 1}, {"worse": -1}]
)
def test_a_tally_that_contradicts_itself_is_refused(wrong: dict[str, int]) -> None:
    """More right answers than labels are no tally."""
    with pytest.raises(BadTally):
        Tally(**wrong)
