"""Calibration: intervals of 80 % hold four in five of what comes, whatever the process, and never leave their range."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.charts import calibration as calibration_chart
from core.charts.figure import MARKS
from core.sizing.calibration import COST, HIT_RATE, MET_SCHEMA, SECONDS, Calibration
from core.sizing.ledger import coverage, summary
from core.sizing.normal import Floats

NOW = datetime(2026, 8, 1, tzinfo=UTC)
PLANS, EACH = 220, 3
SPREAD = 0.3

Process = Callable[[np.random.Generator, int], Floats]
"""Log of actual over predicted, of the jobs of the plan of this number; the model takes 0.3 for its spread."""


def drifting(rng: np.random.Generator, number: int) -> Floats:
    """0.4 % more with every plan: nearly two and a half times as much at the end, after eight weeks."""
    return np.asarray(0.004 * number + 0.3 * rng.normal(size=EACH))


def together(rng: np.random.Generator, _: int) -> Floats:
    """Jobs of one plan share most of what they are off."""
    return np.asarray(0.3 * (0.8**0.5 * rng.normal() + 0.2**0.5 * rng.normal(size=EACH)))


PROCESSES: dict[str, Process] = {
    "as assumed": lambda rng, _: 0.3 * rng.normal(size=EACH),
    "far less spread": lambda rng, _: 0.06 * rng.normal(size=EACH),
    "biased and wild": lambda rng, _: 0.6 + 0.8 * rng.normal(size=EACH),
    "heavy tails": lambda rng, _: 0.2 * rng.standard_t(2.2, size=EACH),
    "skewed": lambda rng, _: np.log(0.05 + rng.exponential(size=EACH)),
    "together": together,
    "drifting": drifting,
    "breaking": lambda rng, number: (1.2 if number > PLANS // 2 else 0.0) + 0.3 * rng.normal(size=EACH),
    "up and down": lambda rng, number: 0.5 * np.sin(number / 8) + 0.2 * rng.normal(size=EACH),
}


def replayed(process: Process, seed: int) -> pl.DataFrame:
    """Plan after plan, every six hours: the interval of each is made of what was known a few plans ago at most."""
    rng = np.random.default_rng(seed)
    rows: list[tuple[Any, ...]] = []
    known = Calibration()
    for number in range(PLANS):
        at = NOW + timedelta(hours=6 * number)
        if number % 3 == 0:
            known = Calibration.learn(pl.DataFrame(rows, schema=MET_SCHEMA, orient="row"), now=at)
        low, high = known.interval(SECONDS, 100.0, SPREAD, "c1")
        came = 100 * np.exp(process(rng, number))
        rows += [
            (SECONDS, str(number), "c1", at + timedelta(hours=1), 100.0, SPREAD, low, high, float(one)) for one in came
        ]
    return pl.DataFrame(rows, schema=MET_SCHEMA, orient="row")


@pytest.mark.parametrize("name", PROCESSES)
def test_intervals_hold_four_in_five_whatever_the_process(name: str) -> None:
    """Well specified or not, drifting, breaking or heavy-tailed: 75 to 85 % of what comes lies inside."""
    met = replayed(PROCESSES[name], seed=5)

    assert 0.75 <= summary(met)["inside"][0] <= 0.85


def test_intervals_of_hit_rates_hold_four_in_five() -> None:
    """Rates that vary between most and all, predicted five points too low and with half their spread."""
    rng = np.random.default_rng(4)
    rows: list[tuple[Any, ...]] = []
    for number in range(PLANS):
        at = NOW + timedelta(hours=6 * number)
        known = Calibration.learn(pl.DataFrame(rows, schema=MET_SCHEMA, orient="row"), now=at)
        low, high = known.interval(HIT_RATE, 0.86, 0.03, "c1")
        rows.append((HIT_RATE, str(number), "c1", at, 0.86, 0.03, low, high, float(rng.beta(20, 2))))

    assert 0.75 <= summary(pl.DataFrame(rows, schema=MET_SCHEMA, orient="row"))["inside"][0] <= 0.85


def test_without_a_ledger_the_model_is_taken_at_its_word() -> None:
    """80 % of a normal distribution lie within 1.28 standard deviations."""
    low, high = Calibration().interval(COST, 10.0, 0.1)

    assert (low, high) == pytest.approx((10 * np.exp(-0.12816), 10 * np.exp(0.12816)), rel=1e-3)


def met(came: Floats, *, measure: str = COST, class_id: str = "c1", point: float = 1.0) -> pl.DataFrame:
    """One plan a job, oldest first, all predicted alike and no longer ago than two days."""
    rows = [
        (
            measure,
            str(number),
            class_id,
            NOW - timedelta(minutes=10 * (len(came) - number)),
            point,
            0.1,
            0.9,
            1.1,
            float(one),
        )
        for number, one in enumerate(came)
    ]
    return pl.DataFrame(rows, schema=MET_SCHEMA, orient="row")


def test_a_class_that_runs_off_does_not_blur_the_others() -> None:
    """One class costs six times what was predicted; another one of a hundred good jobs keeps its narrow interval."""
    rng = np.random.default_rng(2)
    good, bad = met(np.exp(0.1 * rng.normal(size=100))), met(6 * np.exp(0.1 * rng.normal(size=60)), class_id="c2")
    known = Calibration.learn(pl.concat([good, bad]).sort("known_at"), now=NOW)

    assert known.interval(COST, 1.0, 0.1, "c1")[1] < 2
    assert known.interval(COST, 1.0, 0.1, "c2")[1] > 6


@given(
    st.floats(0, 1),
    st.floats(0.01, 0.5),
    st.lists(st.floats(0, 1), min_size=1, max_size=40),
    st.sampled_from([0.5, 1.0]),
)
def test_rates_stay_rates(point: float, spread: float, came: list[float], predicted: float) -> None:
    """Whatever was learned, an interval of a hit rate is an interval between nothing and all."""
    known = Calibration.learn(met(np.array(came), measure=HIT_RATE, point=predicted), now=NOW)
    low, high = known.interval(HIT_RATE, point, spread)

    assert 0 <= low <= high <= 1


def test_a_rate_that_is_always_the_same_is_always_inside() -> None:
    """A class that always reads everything is predicted to, and found so."""
    known = Calibration.learn(met(np.ones(200), measure=HIT_RATE, point=0.97), now=NOW)
    low, high = known.interval(HIT_RATE, 0.97, 0.1, "c1")

    assert low > 0.98
    assert high == 1.0


def test_the_ledger_in_figures() -> None:
    """The share inside, the bias and how far off it typically is; hit rates in points, the others as ratios."""
    rows = pl.concat([met(np.array([1.0, 1.05, 1.2, 1.2])), met(np.array([0.95, 0.5]), measure=HIT_RATE)])

    assert summary(rows).rows() == [
        ("cost", 4, 0.5, pytest.approx(0.125), pytest.approx(0.125)),
        ("hit_rate", 2, 0.5, pytest.approx(-0.275), pytest.approx(0.275)),
    ]


def test_the_curve_follows_the_newest() -> None:
    """A stretch that came out well does not hide for ever that the newest did not."""
    curve = coverage(met(np.concatenate([np.ones(100), np.full(100, 5.0)])))

    assert curve["inside"][0] == 1.0
    assert curve["inside"][-1] == 0.0
    assert coverage(met(np.ones(5))).is_empty()


def test_the_chart_is_drawn_small_and_told_in_words() -> None:
    """Years of predictions are few marks; too few are no curve but advice."""
    figure = calibration_chart(pl.concat([met(np.ones(3_000)), met(np.full(900, 1.3), measure=SECONDS)]))
    assert figure.chart is not None
    drawn: dict[str, list[Any]] = figure.chart.to_dict()["datasets"]
    assert sum(map(len, drawn.values())) <= MARKS
    assert "cost 100 % of 3,000 jobs" in figure.alt
    assert "Outside 75 % to 85 %: cost and turnaround." in figure.alt

    assert "Submit a plan" in (calibration_chart(met(np.ones(3))).empty or "")
