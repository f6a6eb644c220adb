"""Drift: noticed soon, rarely in vain, and told with what was and what is."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from core.sizing.drift import FALSE_ALARM_AFTER, SERIES_SCHEMA, changed_at, drifts
from core.sizing.normal import Floats

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
CHANGE = 100


def series(values: Floats, *, every: timedelta = timedelta(hours=6), end: datetime = NOW) -> pl.DataFrame:
    """One series whose last value comes at the end."""
    at = [end - every * (len(values) - 1 - place) for place in range(len(values))]
    return pl.DataFrame(
        {"measure": "faults", "subject": "c1", "name": "Triage", "at": at, "value": values}, schema=SERIES_SCHEMA
    )


@pytest.mark.parametrize("kind", ["normal", "heavy tails", "mostly zero", "always the same"])
def test_false_alarms_are_as_rare_as_promised(kind: str) -> None:
    """Looked at again and again in 50 steady series, alarms come no more often than one in so many values."""
    rng = np.random.default_rng(7)
    draws: dict[str, Callable[[], Floats]] = {
        "normal": lambda: rng.normal(size=200),
        "heavy tails": lambda: rng.standard_t(2, size=200),
        "mostly zero": lambda: rng.binomial(50, 0.005, size=200) / 50,
        "always the same": lambda: np.ones(200),
    }

    steady = [draws[kind]() for _ in range(50)]
    alarmed = sum(any(changed_at(values[:look]) is not None for look in range(20, 201, 45)) for values in steady)

    assert alarmed <= 2 * 50 * 200 / FALSE_ALARM_AFTER


@pytest.mark.parametrize(("shift", "soon"), [(1.0, 50), (2.0, 15), (4.0, 8)])
def test_a_change_is_noticed_soon_and_dated(shift: float, soon: int) -> None:
    """The larger the change, the fewer values it takes; where it began is found within a few."""
    rng = np.random.default_rng(3)
    found = [
        changed_at(np.concatenate([rng.normal(size=CHANGE), sign * shift + rng.normal(size=soon)]))
        for sign in (-1, 1) * 15
    ]

    noticed = [place for place in found if place is not None]
    assert len(noticed) >= 0.85 * len(found)
    assert abs(float(np.median(noticed)) - CHANGE) <= 3


def test_a_drift_says_what_was_and_what_is() -> None:
    """A hit rate that fell from 98 to 5 % is told with its date and the jobs that showed it."""
    rng = np.random.default_rng(1)
    values = np.concatenate([0.98 + 0.01 * rng.random(40), 0.05 + 0.02 * rng.random(12)])

    (drift,) = drifts(series(values), now=NOW)

    assert drift.before == pytest.approx(0.985, abs=0.01)
    assert drift.after < 0.15
    assert (drift.name, drift.measure) == ("Triage", "faults")
    assert drift.values in (12, 13)
    assert drift.since == NOW - timedelta(hours=6) * (drift.values - 1)


def test_what_changed_long_ago_has_been_learned() -> None:
    """A change of two months ago is no news: what is learned has followed it."""
    values = np.concatenate([np.linspace(0, 1, 40), 10 + np.linspace(0, 1, 12)])

    assert drifts(series(values, end=NOW - timedelta(days=40)), now=NOW) == ()
    assert len(drifts(series(values), now=NOW)) == 1


def test_few_values_have_nothing_to_leave() -> None:
    """Where next to nothing was learned, nothing can drift from it."""
    assert changed_at(np.array([0.0, 0, 0, 0, 9, 9, 9, 9, 9])) is None
    assert drifts(series(np.zeros(0)), now=NOW) == ()
