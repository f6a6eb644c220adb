"""Demand for a term: volume times cost per unit on whole paths, by month, with what could not be forecast named."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from core.commitment.demand import Demand, NoDemand, demand
from core.commitment.payment import TermsContradict
from core.commitment.unit_paths import Gain

TODAY = date(2026, 11, 23)
FIRST = date(2026, 12, 1)


def work(
    name: str = "triage", *, days: int = 200, units: float = 100, unit_usd: float = 0.01, seed: int = 1
) -> pl.DataFrame:
    """One job a day up to yesterday, with a little noise in volume and in cost per unit."""
    rng = np.random.default_rng(seed)
    counts = np.maximum(1, np.round(units * np.exp(0.1 * rng.standard_normal(days))))
    costs = counts * unit_usd * np.exp(0.05 * rng.standard_normal(days))
    return pl.DataFrame(
        {
            "class_name": [name] * days,
            "job_id": [f"{name}-{place}" for place in range(days)],
            "day": [TODAY - timedelta(days=days - place) for place in range(days)],
            "units": counts.astype(np.int64),
            "list_usd": costs,
        }
    )


def asked(*frames: pl.DataFrame, months: int = 2, gains: tuple[Gain, ...] = (), seed: int = 1) -> Demand:
    """The demand of two months from December on."""
    return demand(pl.concat(frames), today=TODAY, first=FIRST, months=months, seed=seed, gains=gains, paths=300)


def test_a_month_is_its_days_times_what_a_unit_costs() -> None:
    """A steady hundred units a day at a cent each: 31 dollars in December, 31 in January."""
    told = asked(work())

    assert told.monthly.shape == (300, 2)
    assert np.median(told.monthly, axis=0) == pytest.approx([31.0, 31.0], rel=0.06)
    assert np.allclose(told.totals, told.monthly.sum(axis=1))
    assert told.classes[0].unit_usd == pytest.approx(0.01, rel=0.03)


def test_classes_are_joined_path_by_path() -> None:
    """The sum of two classes with one history is as uncertain as both together, not less."""
    one, both = asked(work("a")), asked(work("a"), work("b"))
    narrow, wide = (np.quantile(told.totals, 0.9) - np.quantile(told.totals, 0.1) for told in (one, both))

    assert wide == pytest.approx(2 * narrow, rel=0.25)
    assert asked(work("a"), seed=2).totals.tolist() != one.totals.tolist()
    assert asked(work("a")).totals.tolist() == one.totals.tolist()


def test_a_gain_that_may_come_splits_the_futures() -> None:
    """Half the cost with a chance of one half, shipped before the term: two heaps, and a share of the variance."""
    gain = Gain(name="prime", factor=0.5, probability=0.5, earliest=TODAY, likely=TODAY, latest=TODAY)
    plain, told = asked(work()), asked(work(), gains=(gain,))
    ratio = told.totals / plain.totals

    assert sorted({round(value, 6) for value in ratio}) == [0.5, 1.0]
    assert (ratio < 0.75).mean() == pytest.approx(0.5, abs=0.1)
    assert told.shares["delivery"] > 0.5
    assert sum(told.shares.values()) == pytest.approx(1)
    assert plain.shares["delivery"] == 0


def test_a_gain_may_name_its_classes_and_come_in_part() -> None:
    """Eight tenths of a halving on one of two classes, from a day within the term on."""
    begin = date(2027, 1, 1)
    gain = Gain(
        name="prime",
        factor=0.5,
        probability=1,
        earliest=begin,
        likely=begin,
        latest=begin,
        realised=0.8,
        classes=("b",),
    )
    alone, told = asked(work("b")), asked(work("b"), gains=(gain,))

    assert told.monthly[:, 0] == pytest.approx(alone.monthly[:, 0])
    assert told.monthly[:, 1] == pytest.approx(0.6 * alone.monthly[:, 1])
    assert asked(work("a"), gains=(gain,)).totals.tolist() == asked(work("a")).totals.tolist()


def test_what_cannot_be_forecast_is_named() -> None:
    """A class of three weeks is left out with its reason while it is small; where it is not, nothing is recommended."""
    told = asked(work("old"), work("new", days=21, units=10))
    assert [name for name, _ in told.left_out] == ["new"]
    assert "21 days of history; it takes 56" in told.left_out[0][1]

    with pytest.raises(NoDemand) as refused:
        asked(work("old"), work("new", days=21, units=100))
    assert "of the recent cost cannot be forecast, first: new: 21 days" in str(refused.value)
    with pytest.raises(NoDemand):
        asked(work().filter(pl.col("day") < date(2026, 1, 1)))


def test_a_term_that_runs_already_counts_only_what_is_ahead() -> None:
    """Months before today are no forecast: they are nothing."""
    told = demand(work(), today=TODAY, first=date(2026, 11, 1), months=2, seed=1, paths=100)

    assert np.median(told.monthly[:, 0]) == pytest.approx(8.0, rel=0.1)  # 23 to 30 November


def test_a_gain_that_says_nothing_clear_is_refused() -> None:
    """A chance above one, or days in the wrong order."""
    table = {"name": "x", "factor": 0.5, "probability": 0.5, "earliest": "2026-12-01", "likely": "2026-12-02"}
    assert Gain.parse({**table, "latest": "2026-12-03"}).latest == date(2026, 12, 3)
    for change in ({"latest": "2026-11-01"}, {"latest": "2026-12-03", "probability": 2}, {}, {"latest": "soon"}):
        with pytest.raises(TermsContradict):
            Gain.parse({**table, **change})
