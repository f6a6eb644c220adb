"""Turnaround: assumed until there are jobs, learned from them with its uncertainty, never safer for a larger job."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.sizing.normal import normal_cdf, normal_score
from core.sizing.residuals import KNOT_SHARES, KNOTS
from core.sizing.turnaround import HISTORY_SCHEMA, Turnaround, Turnarounds

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
MODEL, OTHER = "claude-haiku-5-5", "claude-opus-5-5"


def history(
    seed: int,
    *,
    waves: int,
    each: int = 1,
    seconds: float = 60.0,
    sd: float = 0.3,
    shared: float = 0.5,
    slope: float = 0.3,
    days: float = 60.0,
    **effects: Any,
) -> pl.DataFrame:
    """Jobs of 10 to 10,000 items, sent in waves; one of 1,000 takes `seconds` in the median.

    `effects`: functions of the time of sending (`hour`), or factors by model (`model`) and class (`of_class`).
    """
    rng = np.random.default_rng(seed)
    rows = []
    for wave in range(waves):
        at = NOW - timedelta(days=days * (1 - wave / waves))
        common = rng.normal()
        for place in range(each):
            model, class_id, items = (
                (MODEL, OTHER)[int(rng.integers(2))],
                f"c{rng.integers(3)}",
                int(10 ** rng.uniform(1, 4)),
            )
            log = np.log(seconds) + slope * np.log(items / 1_000)
            log += sd * (shared**0.5 * common + (1 - shared) ** 0.5 * rng.normal())
            factor = effects.get("hour", lambda _: 1.0)(at) * effects.get("model", {}).get(model, 1.0)
            factor *= effects.get("of_class", {}).get(class_id, 1.0)
            rows.append((model, class_id, items, at + timedelta(seconds=place), float(np.exp(log)) * factor, False))
    return pl.DataFrame(rows, schema=HISTORY_SCHEMA, orient="row")


def median(known: Turnarounds, *, model: str = MODEL, items: int = 1_000, at: datetime = NOW, **of: Any) -> float:
    """Seconds in which half of such jobs end."""
    return float(known.of(model, items, at, **of).quantile(0.5))


def test_before_any_job_the_documented_assumption_holds() -> None:
    """Half of all jobs of a thousand items end within 15 minutes, 95 % within an hour; half a percent expires."""
    known = Turnarounds().of(MODEL, 1_000, NOW)

    assert median(Turnarounds()) == pytest.approx(900, rel=1e-6)
    assert float(known.quantile(0.95)) == pytest.approx(3_600, rel=0.01)
    assert (known.expiry, known.jobs, known.basis) == (0.005, 0, "assumed")
    low, high = known.interval()
    assert float(known.cdf(high) - known.cdf(low)) == pytest.approx(0.8)


def test_a_server_that_runs_faster_than_life_is_expected_to() -> None:
    """On the local server the assumptions are shortened, the end of the 24 hours too."""
    fast = Turnarounds.learn(pl.DataFrame(schema=HISTORY_SCHEMA), now=NOW, scale=40.0)

    assert median(fast) == pytest.approx(900 / 40)
    assert fast.of(MODEL, 1, NOW).expires_seconds == 24 * 3600 / 40


@given(st.floats(-7, 7), st.floats(0, 1), st.floats(1, 1e5))
def test_the_distribution_and_its_quantiles_agree(score: float, shared: float, seconds: float) -> None:
    """Quantile and share are each other's inverse, and the mean over the common factor is the share itself."""
    known = Turnaround(
        seconds=np.exp(6 + 0.8 * KNOTS), shares=KNOT_SHARES, shared=shared, expiry=0.0, jobs=0, basis="assumed"
    )
    share = float(normal_cdf(score))
    assert float(known.cdf(known.quantile(share))) == pytest.approx(share, abs=1e-9)

    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    mixed = float((weights * known.given(seconds, nodes)).sum() / weights.sum())
    assert mixed == pytest.approx(float(known.cdf(seconds)), abs=0.02)


@given(st.floats(-6, 6))
def test_scores_and_shares_of_the_normal_distribution(score: float) -> None:
    """They are each other's inverse."""
    assert float(normal_score(normal_cdf(score))) == pytest.approx(score, abs=1e-5)


@pytest.mark.parametrize("jobs", [0, 3, 30, 300])
def test_a_larger_job_is_never_expected_sooner(jobs: int) -> None:
    """Whatever was seen: a size that clears a window leaves room for every smaller one."""
    known = Turnarounds.learn(history(jobs, waves=jobs, slope=-0.2 if jobs == 30 else 0.3), now=NOW)
    sizes = [1, 2, 5, 30, 99, 100, 101, 700, 1_000, 4_000, 30_000, 100_000]

    times = np.array([known.of(MODEL, size, NOW).quantile([0.5, 0.8, 0.95, 0.99]) for size in sizes])

    assert (np.diff(times, axis=0) >= -1e-9).all()


def test_assumptions_fade_as_jobs_come_in() -> None:
    """Twenty jobs that take a minute are believed against an assumption of a quarter of an hour."""
    off = [abs(np.log(median(Turnarounds.learn(history(1, waves=jobs), now=NOW)) / 60)) for jobs in (0, 1, 5, 20, 300)]

    assert off[0] > off[1] > off[2] > off[4]
    assert off[3] < np.log(1.25)
    assert off[4] < np.log(1.1)


def test_what_is_predicted_comes_as_often_as_it_says() -> None:
    """Four in five of the next jobs lie in the interval of 80 %, in workspaces of all kinds and after few jobs."""
    inside, below = [], []
    for seed in range(24):
        jobs = history(seed, waves=80, each=2, seconds=(20, 300, 2_000)[seed % 3], sd=(0.2, 0.5, 0.9)[seed // 3 % 3])
        cut = (30, 80, 120)[seed // 9]
        known = Turnarounds.learn(jobs[:cut], now=jobs["submitted_at"][cut - 1])
        for job in jobs[cut : cut + 30].iter_rows(named=True):
            share = float(
                known.of(job["model"], job["items"], job["submitted_at"], job["class_id"]).cdf(job["seconds"])
            )
            inside.append(0.1 <= share <= 0.9)
            below.append(share < 0.5)

    assert 0.75 <= np.mean(inside) <= 0.88
    assert 0.42 <= np.mean(below) <= 0.58


def test_size_model_class_and_hour_are_learned() -> None:
    """What makes jobs slow is told apart, as far as there is evidence for it."""

    def by_hour(at: datetime) -> float:
        return 2.0 if 9 <= at.hour < 18 else 1.0

    jobs = history(3, waves=700, slope=0.6, model={OTHER: 3.0}, of_class={"c2": 2.0}, hour=by_hour)
    known = Turnarounds.learn(jobs, now=NOW)

    assert median(known, items=10_000) / median(known) == pytest.approx(10**0.6, rel=0.15)
    assert median(known, model=OTHER) / median(known) == pytest.approx(3, rel=0.15)
    assert median(known, class_id="c2") / median(known, class_id="c1") == pytest.approx(2, rel=0.2)
    night = NOW.replace(hour=2)
    assert 1.5 < median(known, at=NOW.replace(hour=13)) / median(known, at=night) < 2.5


@pytest.mark.parametrize("shared", [0.05, 0.95])
def test_jobs_sent_together_are_as_alike_as_they_were(shared: float) -> None:
    """The correlation is learned: jobs that end together are no independent chances to be in time."""
    known = Turnarounds.learn(history(4, waves=150, each=5, shared=shared), now=NOW)

    assert known.shared == pytest.approx(shared, abs=0.2)
    assert known.of(MODEL, 1_000, NOW).shared >= known.shared


def test_jobs_sent_together_say_less_than_as_many_apart() -> None:
    """A hundred jobs of one wave do not make a workspace well known."""
    together = Turnarounds.learn(history(5, waves=2, each=50, shared=0.9), now=NOW)
    apart = Turnarounds.learn(history(5, waves=100), now=NOW)

    assert together.observations < 10 < apart.observations


def test_newer_jobs_count_more() -> None:
    """Where the service became four times as slow a month ago, the last month is believed."""
    before = history(6, waves=60, seconds=60, days=30).with_columns(pl.col("submitted_at") - timedelta(days=60))
    known = Turnarounds.learn(pl.concat([before, history(7, waves=60, seconds=240, days=30)]), now=NOW)

    assert 130 < median(known) < 260


def test_one_stuck_job_moves_little() -> None:
    """A job that took 20 hours says that this happens, not that jobs take long."""
    jobs = history(8, waves=40)
    stuck = jobs.tail(1).with_columns(seconds=pl.lit(72_000.0))
    plain, known = Turnarounds.learn(jobs, now=NOW), Turnarounds.learn(pl.concat([jobs, stuck]), now=NOW)

    assert median(known) == pytest.approx(median(plain), rel=0.15)
    assert float(known.of(MODEL, 1_000, NOW).quantile(0.99)) > float(plain.of(MODEL, 1_000, NOW).quantile(0.99))


def test_expired_jobs_are_a_chance_of_their_own() -> None:
    """Ten jobs that expired together are one time in which things expired; no time of sending is learned from them."""
    jobs = history(9, waves=30)
    expired = pl.concat([jobs.tail(1).with_columns(seconds=pl.lit(86_400.0), expired=pl.lit(True))] * 10)
    known = Turnarounds.learn(pl.concat([jobs, expired]), now=NOW)

    assert 0.02 < known.expiry < 0.1
    assert median(known) == pytest.approx(median(Turnarounds.learn(jobs, now=NOW)), rel=0.02)


def test_a_quantile_is_known_the_better_the_more_jobs_there_are() -> None:
    """Its band holds the quantile, and narrows with evidence."""
    widths = []
    for jobs in (0, 20, 400):
        known = Turnarounds.learn(history(10, waves=jobs), now=NOW).of(MODEL, 1_000, NOW)
        low, high = known.band(0.95)
        assert low < float(known.quantile(0.95)) < high
        widths.append(np.log(high / low))

    assert widths[0] > widths[1] > widths[2]


def test_the_future_is_not_known() -> None:
    """What was known at a moment is what had been sent by then."""
    jobs = history(11, waves=40)
    moment = jobs["submitted_at"][20]

    assert median(Turnarounds.learn(jobs, now=moment)) == median(Turnarounds.learn(jobs[:21], now=moment))
