"""Faults: assumed rates that give way to what jobs show, for a class first, then its model, then the workspace."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from core.caching.widths import beta_cdf
from core.sizing.evidence import Evidence, outputs_of
from core.sizing.faults import FAULT_SCHEMA, FaultHistory, Rate

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
MODEL, OTHER = "claude-haiku-5-5", "claude-opus-5-5"


def jobs(count: int, *, days: float = 1.0, **row: Any) -> pl.DataFrame:
    """So many jobs alike; what a test does not name is ordinary."""
    usual = {
        "class_id": "c1",
        "model": MODEL,
        "items": 1_000,
        "billed_faults": 0,
        "unbilled_faults": 0,
        "voided": False,
    }
    one = usual | {"submitted_at": NOW - timedelta(days=days)} | row
    return pl.DataFrame([one] * count, schema=FAULT_SCHEMA)


def learned(*frames: pl.DataFrame) -> FaultHistory:
    """What these jobs teach."""
    return FaultHistory.learn(pl.concat(frames), now=NOW)


def test_before_any_job_the_documented_rates_hold() -> None:
    """One void in a hundred thousand items, half a percent of items to repeat: assumed, and said to be."""
    faults = Evidence().faults("c1", MODEL)

    assert (faults.void_rate.faults, faults.void_rate.rest) == pytest.approx((0.5, 50_000))
    assert faults.fault_rate == faults.unbilled_rate == Rate(faults=1, rest=200)
    assert faults.void_rate.mean == pytest.approx(1e-5, rel=1e-3)
    assert (faults.jobs, faults.basis) == (0, "assumed")


def test_a_rate_stays_under_its_upper_bound_as_surely_as_was_asked() -> None:
    """The bound is the quantile of the Beta distribution."""
    for rate in (Rate(faults=0.5, rest=50_000), Rate(faults=3, rest=500)):
        assert rate.mean < rate.upper(0.8) < rate.upper(0.95)
        assert beta_cdf(rate.upper(0.8), rate.faults, rate.rest) == pytest.approx(0.8, abs=1e-6)


def test_the_assumed_void_rate_is_a_setting() -> None:
    """Whoever assumes ten times the rate is taken at their word until jobs show otherwise; and none means none."""
    empty = pl.DataFrame(schema=FAULT_SCHEMA)
    assert FaultHistory.learn(empty, now=NOW, void_rate=1e-4).of("c1", MODEL).void_rate.mean == pytest.approx(
        1e-4, rel=1e-3
    )
    assert FaultHistory.learn(empty, now=NOW, void_rate=0.0).of("c1", MODEL).void_rate.mean < 1e-8


def test_a_class_is_believed_before_its_model_and_its_model_before_the_rest() -> None:
    """Three percent of one class's items fail: its own rate rises most, that of its model less, of others least."""
    history = learned(jobs(50, billed_faults=30), jobs(5, class_id="c2"), jobs(50, class_id="c3", model=OTHER))
    own, sibling, new, far = (
        history.of(*of).fault_rate.mean for of in (("c1", MODEL), ("c2", MODEL), ("c9", MODEL), ("c3", OTHER))
    )

    assert own == pytest.approx(0.03, rel=0.1)
    assert own > new > sibling > far
    assert [history.of(*of).basis for of in (("c1", MODEL), ("c9", MODEL))] == ["measured", "estimated"]
    assert (history.of("c1", MODEL).jobs, history.of("c9", MODEL).jobs) == (50, 0)


def test_what_others_show_weighs_no_more_than_the_assumption() -> None:
    """However many jobs others had, a few hundred items of its own show what a class is like."""
    history = learned(jobs(10_000, class_id="c2", billed_faults=100), jobs(10, billed_faults=0))

    assert history.of("c1", MODEL).fault_rate.mean < 0.012


def test_a_void_job_is_a_fault_of_the_job_and_not_of_its_items() -> None:
    """A wrong schema made all of one job useless: it says nothing of how often items fail."""
    history = learned(jobs(99), jobs(1, billed_faults=1_000, voided=True))
    faults = history.of("c1", MODEL)

    assert faults.void_rate.mean == pytest.approx(1.5 / 150_000, rel=0.1)
    assert faults.fault_rate.mean < 0.001


def test_billed_and_unbilled_faults_are_apart() -> None:
    """Items that were not billed cost time: they must not make a job look dearer."""
    faults = learned(jobs(20, unbilled_faults=50)).of("c1", MODEL)

    assert faults.unbilled_rate.mean == pytest.approx(0.05, rel=0.1)
    assert faults.fault_rate.mean < 0.001


def test_old_faults_fade() -> None:
    """What failed five months ago counts a thirty-second of what fails now."""
    then, now = (learned(jobs(10, days=days, billed_faults=100)).of("c1", MODEL).fault_rate for days in (150, 0))

    assert then.faults - 1 == pytest.approx((now.faults - 1) / 32, rel=0.01)


def test_output_tokens_are_a_mean_and_a_spread() -> None:
    """Jobs are put together as if all their items were one list, newer ones counting more."""
    names = ("class_id", "model", "submitted_at", "items", "mean", "variance")
    rows = [("c1", MODEL, NOW, 100, 50.0, 25.0), ("c1", MODEL, NOW, 300, 90.0, 25.0)]
    (found,) = outputs_of(pl.DataFrame(rows, schema=names, orient="row"), now=NOW).values()
    assert (found.mean, found.items) == (80, 400)
    assert found.sd == pytest.approx((25 + 300) ** 0.5)

    old = (*rows[0][:2], NOW - timedelta(days=60), *rows[0][3:])
    (newer,) = outputs_of(pl.DataFrame([old, rows[1]], schema=names, orient="row"), now=NOW).values()
    assert newer.mean > found.mean
    assert Evidence().output("c1", MODEL) is None
