"""Forecasts of totals: whole sample paths, honest refusals, and histories that are not perfect."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from core.forecast.draws import Draws, Floats
from core.forecast.engine import engine
from core.forecast.events import EventUnusable, KnownEvent
from core.forecast.forecast import LEVELS, ForecastRefused, forecast
from core.forecast.naive import naive
from core.forecast.series import Series, SeriesUnusable, daily
from core.forecast.weekdays import profile

FIRST = date(2026, 1, 5)
WEEK = np.array([100.0, 110, 105, 100, 90, 40, 30])


def history(weeks: int, *, growth: float = 0.0, noise: float = 0.05, seed: int = 3) -> Floats:
    """Daily values with the rhythm of a working week, weekly growth and independent noise."""
    rng = np.random.default_rng(seed)
    level = (1 + growth) ** np.repeat(np.arange(weeks), 7)
    days: Floats = np.tile(WEEK, weeks) * level * np.exp(noise * rng.standard_normal(7 * weeks))
    return days


def series(values: Floats) -> Series:
    """A series from a Monday on."""
    return Series(first=FIRST, values=values)


def test_a_total_is_the_sum_of_each_path() -> None:
    """Quantiles of the total are narrower than sums of daily quantiles: days do not all go wrong together."""
    made = forecast(series(history(30, noise=0.2)), 28, seed=1)
    added = sum(high - low for _, (low, _, high) in made.daily())
    told = made.total_quantiles()

    assert np.allclose(made.paths.sum(axis=1), made.totals)
    assert told[0.9] - told[0.1] < 0.8 * added
    assert tuple(told) == LEVELS
    assert list(told.values()) == sorted(told.values())


def test_the_same_seed_gives_the_same_paths() -> None:
    """A number to commit to can be found again."""
    known = series(history(20))

    assert (forecast(known, 30, seed=5).paths == forecast(known, 30, seed=5).paths).all()
    assert (forecast(known, 30, seed=5).paths != forecast(known, 30, seed=6).paths).any()


def test_a_steady_rhythm_is_carried_on() -> None:
    """Weekends stay weekends, the level stays where it is, and the record says that it is known well."""
    made = forecast(series(history(40)), 28, seed=1)
    middle = np.median(made.paths, axis=0).reshape(4, 7)

    assert made.first == FIRST + timedelta(days=280)
    assert np.allclose(middle / WEEK, 1, atol=0.1)
    assert np.median(made.totals) == pytest.approx(4 * WEEK.sum(), rel=0.03)
    assert made.backtest is not None
    assert made.backtest.skill < 1
    assert made.backtest.cuts == 8


def test_growth_goes_on_for_a_while() -> None:
    """Three percent a week for a year: the weeks ahead lie above the last ones."""
    values = history(52, growth=0.03, noise=0.02)

    assert np.median(forecast(series(values), 28, seed=1).totals) > 1.02 * values[-28:].sum()


def test_days_without_work_stay_without() -> None:
    """True zeros are no missing values: nothing on weekends means nothing on weekends to come."""
    values = history(20)
    values.reshape(-1, 7)[:, 5:] = 0

    made = forecast(series(values), 21, seed=1)

    assert made.paths.reshape(-1, 3, 7)[:, :, 5:].max() == 0
    assert (made.paths >= 0).all()


def test_weeks_without_work_are_met() -> None:
    """Work in three weeks of four has no logarithm, and still a forecast."""
    values = history(40)
    values.reshape(-1, 4, 7)[:, 1] = 0

    made = forecast(series(values), 28, seed=1)

    assert 0.4 < np.median(made.totals) / (3 * WEEK.sum()) < 1.6


def test_a_forecast_scales_with_its_unit() -> None:
    """Thousands of items or items: the same picture."""
    values = history(25, noise=0.2)

    small, large = forecast(series(values), 40, seed=2), forecast(series(1000 * values), 40, seed=2)

    assert np.allclose(1000 * small.paths, large.paths)


def test_classes_share_their_random_choices() -> None:
    """Two classes that always moved together are as uncertain together as one: their paths may be added."""
    values = history(30, noise=0.2)
    one, other = forecast(series(values), 28, seed=4), forecast(series(3 * values), 28, seed=4)
    lone = one.total_quantiles()
    both = np.quantile(one.totals + other.totals, [0.1, 0.9])

    assert np.allclose(both, [4 * lone[0.1], 4 * lone[0.9]])


def test_without_skill_the_naive_forecast_stands_alone() -> None:
    """A random walk cannot be forecast better than by its last week; that is said and done."""
    rng = np.random.default_rng(0)
    walk = np.exp(np.cumsum(rng.normal(0, 0.45, 30))).repeat(7) * 100
    made = forecast(series(walk), 21, seed=1)

    assert made.engine_share == 0
    assert any("seasonal naive forecast on this history: that one is used" in said for said in made.said)


@pytest.mark.parametrize(
    ("values", "horizon", "why"),
    [
        (history(8)[:1], 28, "1 days of history; it takes 56"),
        (history(8)[:55], 28, "55 days of history; it takes 56 (eight weeks), 1 more"),
        (np.concatenate([np.zeros(70), history(8)]), 28, "10 of 18 weeks have no work"),
        (np.zeros(100), 28, "14 of 14 weeks"),
        (history(10), 0, "a horizon of 0 days"),
        (history(10), 2000, "it can be 1 to 1100"),
    ],
    ids=["one day", "55 days", "mostly idle", "never", "no horizon", "too far"],
)
def test_too_little_is_refused_with_what_is_needed(values: Floats, horizon: int, why: str) -> None:
    """No number is better than a made-up one."""
    with pytest.raises(ForecastRefused) as refused:
        forecast(series(values), horizon, seed=1)
    assert why in str(refused.value)


def test_what_was_never_tested_is_said() -> None:
    """Eight weeks carry a forecast, with the warning that nobody knows how good; so does a far horizon."""
    short = forecast(series(history(8)), 28, seed=1)
    far = forecast(series(history(20)), 100, seed=1)

    assert short.backtest is None
    assert any("too short to test" in said for said in short.said)
    assert any("longer than half of the history" in said for said in far.said)
    assert not any("longer than half" in said for said in forecast(series(history(40)), 28, seed=1).said)


def rows(*pairs: tuple[str, object]) -> pl.DataFrame:
    """A table as text, as a CSV file gives it."""
    return pl.DataFrame({"date": [day for day, _ in pairs], "value": [None if v is None else str(v) for _, v in pairs]})


def test_a_series_is_read_in_any_order() -> None:
    """Columns date and value; more columns are no fault."""
    read = daily(rows(("2026-01-06", 2), ("2026-01-05", 1.5), ("2026-01-07", 3)).with_columns(note=pl.lit("x")))

    assert (read.first, read.last, read.values.tolist()) == (FIRST, date(2026, 1, 7), [1.5, 2, 3])


def test_missing_days_are_filled_and_said() -> None:
    """A gap takes the mean of the same weekday before and after; a weekday that never occurs is one without work."""
    days = [(FIRST + timedelta(days=place)) for place in range(70)]
    working = [(str(day), place) for place, day in enumerate(days) if day.weekday() < 5 and place not in (30, 31)]
    read = daily(rows(*working))

    assert len(read.values) == 68  # up to the last working day
    assert read.values[30] == 30
    assert read.values[5] == read.values[6] == 0
    assert read.said == (
        "No value on any Saturday, Sunday: taken as days without work.",
        "2 missing days were filled with the mean of the same weekday before and after.",
    )


def test_empty_values_before_the_first_and_after_the_last_are_no_gaps() -> None:
    """A class that did not exist yet has no zeros behind it."""
    read = daily(rows(("2026-01-01", None), ("2026-01-05", 1), ("2026-01-06", 2), ("2026-02-01", "")))

    assert (read.first, read.values.tolist(), read.said) == (FIRST, [1, 2], ())


@pytest.mark.parametrize(
    ("table", "why"),
    [
        (rows(("2026-01-05", 1), ("2026-01-05", 2)), "1 day comes more than once"),
        (rows(("2026-01-05", 1), ("2026-01-06", -2)), "1 value is negative"),
        (rows(("2026-01-05", 1), ("yesterday", 2)), "no date like"),
        (rows(("2026-01-05", 1), ("2026-01-06", "many")), "no number"),
        (rows(("2026-01-05", 1), ("2026-01-06", "inf")), "not finite"),
        (rows(("2026-01-05", 1), ("2026-03-06", 2)), "days are missing"),
        (rows(("2026-01-05", None)), "no values"),
        (pl.DataFrame({"day": ["2026-01-05"], "value": ["1"]}), "no column date"),
    ],
    ids=["twice", "negative", "no date", "no number", "infinite", "gaps", "empty", "columns"],
)
def test_what_is_no_series_is_refused_by_name(table: pl.DataFrame, why: str) -> None:
    """The sentence names the fault, and the day or line where there is one."""
    with pytest.raises(SeriesUnusable) as refused:
        daily(table)
    assert why in str(refused.value)


def test_a_known_event_ahead_moves_its_days_alone() -> None:
    """A launch that doubles a week: that week and nothing else."""
    known = series(history(30))
    first = known.last + timedelta(days=8)
    launch = KnownEvent(name="launch", first=first, last=first + timedelta(days=6), factor=2)

    plain, moved = forecast(known, 28, seed=1), forecast(known, 28, seed=1, events=[launch])

    assert np.allclose(moved.paths[:, 7:14], 2 * plain.paths[:, 7:14])
    assert np.allclose(np.delete(moved.paths, range(7, 14), axis=1), np.delete(plain.paths, range(7, 14), axis=1))


def test_a_backfill_of_the_past_is_no_level() -> None:
    """Given as an event, a week with five times the work leaves the forecast where it was."""
    values = history(30)
    burst = values.copy()
    burst[-14:-7] *= 5
    first = FIRST + timedelta(days=len(values) - 14)
    backfill = KnownEvent(name="backfill", first=first, last=first + timedelta(days=6), factor=5)

    told = forecast(series(burst), 28, seed=1, events=[backfill])

    assert np.allclose(told.paths, forecast(series(values), 28, seed=1).paths)


def test_a_season_is_learned_from_its_last_time() -> None:
    """The same days of every year, without a figure: as much more as it was then."""
    values = history(60)
    start = FIRST + timedelta(days=56)
    values[56:63] *= 3
    season = KnownEvent(name="season", first=start, last=start + timedelta(days=6), yearly=True)

    made = forecast(series(values), 28, seed=1, events=[season])  # the same days come again from day 421 on
    plain = forecast(series(history(60)), 28, seed=1)
    ratio = np.median(made.paths, axis=0) / np.median(plain.paths, axis=0)

    assert ratio[1:8] == pytest.approx(np.full(7, 3), rel=0.15)
    assert np.delete(ratio, range(1, 8)) == pytest.approx(np.full(21, 1), rel=0.15)


def test_an_uncertain_event_comes_in_its_share_of_the_futures() -> None:
    """A backfill that is decided with one chance in four."""
    known = series(history(30))
    ahead = known.last + timedelta(days=1)
    maybe = KnownEvent(name="maybe", first=ahead, last=ahead, amount=1e6, certainty=0.25)

    made = forecast(known, 7, seed=1, events=[maybe])

    assert (made.totals > 1e6).mean() == pytest.approx(0.25, abs=0.05)


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ({"first": FIRST, "last": FIRST - timedelta(days=1), "factor": 2.0}, "ends before it begins"),
        ({"first": FIRST, "last": FIRST, "factor": 2.0, "amount": 1.0}, "give one of them"),
        ({"first": FIRST, "last": FIRST, "factor": -1.0}, "0 or more"),
        ({"first": FIRST, "last": FIRST, "factor": 1.0, "certainty": 0.0}, "above 0"),
        ({"first": FIRST, "last": FIRST, "times": 2}, "unknown: times"),
        ({"first": FIRST}, "last"),
    ],
    ids=["order", "both", "factor", "certainty", "unknown", "missing"],
)
def test_an_event_that_says_nothing_clear_is_refused(table: dict[str, object], why: str) -> None:
    """Named with its event, before anything is forecast."""
    with pytest.raises(EventUnusable) as refused:
        KnownEvent.parse({"name": "sale", **table})
    assert why in str(refused.value)


def test_an_event_without_an_effect_must_have_been_seen() -> None:
    """What the history never saw cannot be learned from it."""
    ahead = FIRST + timedelta(days=400)
    with pytest.raises(EventUnusable, match="has not seen it"):
        forecast(series(history(20)), 28, seed=1, events=[KnownEvent(name="fair", first=ahead, last=ahead)])


def test_the_shape_of_a_week_fades() -> None:
    """A new rhythm replaces the old one within weeks, not at once."""
    old, new = np.tile(WEEK, (20, 1)), np.tile(WEEK[::-1], (8, 1))
    told = profile(np.concatenate([old, new]))

    assert told.sum() == pytest.approx(1)
    assert abs(told - WEEK[::-1] / WEEK.sum()).max() < abs(told - WEEK / WEEK.sum()).max()
    assert (profile(np.zeros((3, 7))) == 1 / 7).all()


def test_the_naive_forecast_repeats_the_last_week() -> None:
    """Its middle is last week, its spread grows with every week."""
    values = history(20, noise=0.1)
    paths = naive(values, 28, Draws.make(4_000, 28, seed=1))

    assert np.median(paths, axis=0)[:7] == pytest.approx(values[-7:], rel=0.05)
    assert paths[:, 21].std() > 1.5 * paths[:, 0].std()


def test_no_path_runs_away() -> None:
    """An explosion in the last weeks does not multiply without end."""
    values = history(20)
    values[-14:] *= 40

    assert engine(values, 182, Draws.make(500, 182, seed=1)).max() < 25 * values.reshape(-1, 7).sum(axis=1).max()
