"""What past jobs teach: nearest history first, the documented assumption where there is none."""

from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.caching.learned import HISTORY_SCHEMA, Learned, alive_after_priming

HOUR = timedelta(hours=1)
names, models = st.sampled_from("abcdef"), st.sampled_from("mno")


def jobs(*rows: tuple[str, str, float]) -> Learned:
    """Primed jobs of 50 items that ended just now: class, model, hit rate."""
    history = [
        {"class_id": class_id, "model": model, "hit_rate": rate, "items": 50, "age_days": 0.0}
        for class_id, model, rate in rows
    ]
    return Learned(history=pl.DataFrame(history, schema=HISTORY_SCHEMA))


def test_without_any_history_nine_of_ten_are_assumed_to_read() -> None:
    """The assumption is named as one, and no job stands behind it."""
    known = Learned().reads("a", "m")

    assert (known.basis, known.jobs, known.rate.mean) == ("assumed", 0, 0.9)


def test_own_jobs_come_before_those_of_the_model_and_of_the_workspace() -> None:
    """A class's own jobs are measured; what others did is an estimate for it."""
    learned = jobs(("a", "m", 1.0), ("b", "m", 0.5), ("c", "n", 0.0))

    assert [(learned.reads(*of).basis, learned.reads(*of).jobs) for of in (("a", "m"), ("x", "m"), ("x", "y"))] == [
        ("measured", 1),
        ("estimated", 2),
        ("estimated", 3),
    ]
    assert learned.reads("a", "m").rate.mean == pytest.approx(19 / 20)
    assert learned.reads("x", "m").rate.mean == pytest.approx((9 + 15) / 30)


@given(history=st.lists(st.tuples(names, models, st.floats(0, 1)), max_size=12), asked=st.dictionaries(names, models))
def test_many_classes_at_once_learn_what_each_would_alone(
    history: list[tuple[str, str, float]], asked: dict[str, str]
) -> None:
    """Plans ask for ten thousand classes in one go."""
    learned = jobs(*history)

    assert learned.reads_of(asked.items()) == {of: learned.reads(of, model) for of, model in asked.items()}


def test_a_class_on_another_model_is_not_its_own_history() -> None:
    """Entries are kept by model: what was read on one says little of another."""
    assert jobs(("a", "m", 1.0)).reads("a", "n").basis == "estimated"


def test_entries_of_an_hour_mostly_outlive_an_unknown_primer_and_those_of_five_minutes_do_not() -> None:
    """Assumed turnarounds: half within a quarter of an hour, 95 % within an hour; five sixths of a life count."""
    assumed = alive_after_priming([], HOUR)

    assert assumed["1h"] == pytest.approx(0.923, abs=0.001)
    assert assumed["5m"] == pytest.approx(0.064, abs=0.001)


def test_own_turnarounds_replace_the_assumption() -> None:
    """Twenty jobs of one's own weigh as much as it; a thousand quick ones leave nothing of it."""
    half = alive_after_priming([60.0] * 20, HOUR)["5m"]

    assert half == pytest.approx((1 + 0.064) / 2, abs=0.001)
    assert alive_after_priming([60.0] * 1_000, HOUR)["5m"] > 0.98
    assert alive_after_priming([4_000.0] * 1_000, HOUR)["1h"] < 0.02


def test_a_server_that_runs_faster_than_life_is_measured_in_its_own_hours() -> None:
    """Forty times faster, an hour is ninety seconds: a minute is then late for the short life and not for the long."""
    fast = alive_after_priming([60.0] * 1_000, HOUR / 40)

    assert fast["5m"] < 0.01
    assert fast["1h"] > 0.99
