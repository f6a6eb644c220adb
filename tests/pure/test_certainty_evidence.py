"""Certainty on real outcomes: whether a small and a large model were right on each question of thirty subjects."""

import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmarks.certification import CAP, ERROR, RATE, chances, mixture, outcomes, rivals
from core.routing.mixture import Counts, Floats, log_evidence
from core.routing.verdict import Bar, Ruling, Tally, first_ruling, rule

REPLAYS = 2_000


@pytest.fixture(scope="module")
def classes(shared_data: Path) -> pl.DataFrame:
    """Outcomes of 30 classes."""
    return outcomes(shared_data)


def rates(classes: pl.DataFrame) -> Floats:
    """The true rate of the small model in each class."""
    found: Floats = classes.group_by("cls", maintain_order=True).agg(pl.col("weak_ok").mean())["weak_ok"].to_numpy()
    return found


def ever(right: np.ndarray, bar: float) -> tuple[float, float]:
    """Shares of rows of labels that clear, and that fail, when one looks after every label and stops."""
    test = mixture(bar, right.shape[1])
    counts = right.cumsum(axis=1)
    over, under = counts >= test.clears, counts <= test.fails
    first = [np.where(one.any(axis=1), one.argmax(axis=1), right.shape[1]) for one in (over, under)]
    return float((first[0] < first[1]).mean()), float((first[1] < first[0]).mean())


def test_just_under_the_bar_false_clears_stay_under_the_accepted_error(classes: pl.DataFrame) -> None:
    """2,000 replays, a look after every label to 1,000: classes near the bar, which is put a hair above their rate."""
    rng = np.random.default_rng(2026)
    near = sorted(zip(np.abs(rates(classes) - RATE), classes["cls"].unique(maintain_order=True), strict=True))[:6]
    for _, name in near:
        real = classes.filter(pl.col("cls") == name)["weak_ok"].to_numpy()
        drawn = rng.choice(real, (REPLAYS, CAP))
        assert ever(drawn, float(real.mean()) + 0.001)[0] <= ERROR, name
        assert ever(drawn, float(real.mean()) - 0.001)[1] <= ERROR, name


def test_at_a_rate_of_0_699_under_a_bar_of_0_70() -> None:
    """Replayed, and exactly: clears seldom, where the usual ways of looking clear every second or every fourth time."""
    drawn = np.random.default_rng(7).random((REPLAYS, CAP)) < 0.699
    exact = chances(np.array([0.699]), mixture(RATE, CAP)).cleared[0, -1]

    assert ever(drawn, RATE)[0] <= ERROR
    assert exact <= ERROR
    point, *_, looked_at = (chances(np.array([0.699]), one).cleared[0, -1] for one in rivals())
    assert point > 0.5
    assert looked_at > 0.2


def test_power_and_labels_at_the_reference_setting(classes: pl.DataFrame) -> None:
    """30 classes, bar 0.70, 1,000 labels at most: at least 90 % of those above clear, after 215 labels on average."""
    true = rates(classes)
    found = chances(true, mixture(RATE, CAP))

    assert (len(true), int((true > RATE).sum())) == (30, 18)
    assert found.cleared[true > RATE, -1].mean() >= 0.90
    assert found.labels.mean() <= 215
    assert found.cleared[true <= RATE, -1].mean() <= 0.005
    assert found.cleared[true <= RATE, -1].max() <= ERROR


def test_the_test_that_is_measured_is_the_one_that_rules() -> None:
    """The counts at which the benchmark's test decides are those at which `rule` does."""
    for bar in (0.5, RATE, 0.93):
        test = mixture(bar, 400)
        for labels in (1, 7, 40, 133, 400):
            least, most = int(test.clears[labels - 1]), int(test.fails[labels - 1])
            for correct, ruling in ((least, Ruling.CLEARS), (least - 1, Ruling.NOT_YET), (most, Ruling.FAILS)):
                if 0 <= correct <= labels:
                    assert rule(Tally(labels=labels, correct=correct), Bar(rate=bar)).ruling is ruling


def test_the_chances_of_a_rule_are_those_of_its_replays() -> None:
    """What is carried from label to label adds up, and is what replays find."""
    test = mixture(RATE, 200)
    found = chances(np.array([0.8]), test)
    drawn = np.random.default_rng(3).random((4_000, 200)) < 0.8
    cleared, failed = ever(drawn, RATE)

    assert found.cleared[0, -1] == pytest.approx(cleared, abs=0.03)
    assert found.failed[0, -1] == pytest.approx(failed, abs=0.01)


def test_just_outside_the_margin_a_comparison_seldom_clears(classes: pl.DataFrame) -> None:
    """Real pairs of answers, the margin a hair smaller than the true loss: at most the accepted error, ever."""
    rng = np.random.default_rng(11)
    steps = [
        rows["weak_ok"].to_numpy().astype(int) - rows["strong_ok"].to_numpy()
        for rows in classes.partition_by("cls", maintain_order=True)
    ]
    for step in [step for step in steps if -0.2 < step.mean() < -0.02][:3]:
        bar = Bar(margin=-float(step.mean()) - 0.001)
        drawn = rng.choice(step, (300, 600))
        better, worse = (drawn > 0).cumsum(axis=1), (drawn < 0).cumsum(axis=1)
        counts = Counts(wins=better, ties=np.arange(1, 601) - better - worse, losses=worse)
        assert (log_evidence(counts, bar.mean).max(axis=1) >= math.log(1 / ERROR)).mean() <= ERROR


def test_each_real_class_is_ruled_as_it_is(classes: pl.DataFrame) -> None:
    """One pass through each class: what is decided is true, and far from the bar all is decided."""
    for rows in classes.partition_by("cls", maintain_order=True):
        share = rows["weak_ok"].mean()
        table = rows.select(order="item", correct=pl.col("weak_ok").cast(pl.Int8))
        verdict = first_ruling(table, Bar(rate=RATE))
        assert isinstance(share, float)
        assert verdict.ruling is not (Ruling.FAILS if share > RATE else Ruling.CLEARS), rows["cls"][0]
        assert verdict.ruling is not Ruling.NOT_YET or abs(share - RATE) < 0.2
