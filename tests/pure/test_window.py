"""The window: chances against drawing, and what can only make them better or worse."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.schedule.window import (
    OddWindow,
    arrival,
    in_chains,
    largest_alone,
    largest_in_time,
    on_time,
    repair_needed,
    splits,
    time_needed,
)
from core.sizing.normal import Floats, normal_cdf
from core.sizing.turnaround import Turnaround

HOUR = 3600.0
SCORES = np.linspace(-8.0, 8.0, 641)


def turnaround(median: float, sd: float = 0.84, shared: float = 0.5, expiry: float = 0.0) -> Turnaround:
    """A log-normal one."""
    return Turnaround(
        seconds=median * np.exp(sd * SCORES),
        shares=normal_cdf(SCORES),
        shared=shared,
        expiry=expiry,
        jobs=0,
        basis="assumed",
    )


def growing(items: int) -> Turnaround:
    """That of a job of so many items."""
    return turnaround(600 + 2.0 * items, sd=0.5)


BODY, PRIMER, REPAIR = turnaround(900), turnaround(300), turnaround(400)


def drawn(kind: Turnaround, z: Floats, rng: np.random.Generator) -> Floats:
    """One turnaround a z, where z is what all jobs of a run have in common."""
    own = math.sqrt(kind.shared) * z + math.sqrt(1 - kind.shared) * rng.standard_normal(len(z))
    return kind.quantile(normal_cdf(own))


@pytest.mark.parametrize(
    ("jobs", "at_once", "shared", "primed", "repair_chance"),
    [
        (1, None, 0.5, False, 0.0),
        (1, None, 0.0, True, 0.3),
        (12, None, 0.5, True, 0.9),
        (40, None, 0.9, True, 0.2),
        (40, None, 0.0, False, 1.0),
        (7, 3, 0.5, True, 0.5),
        (9, 3, 0.2, False, 0.0),
    ],
)
def test_the_chance_is_that_of_drawing(
    jobs: int, at_once: int | None, shared: float, primed: bool, repair_chance: float
) -> None:
    """Within a hundredth of 20,000 runs drawn job by job, at every deadline from far too early to safe."""
    rng, runs = np.random.default_rng(7), 20_000
    body, primer, repair = (
        turnaround(900, shared=shared),
        turnaround(300, shared=shared),
        turnaround(400, shared=shared),
    )
    z = rng.standard_normal(runs)
    last = np.zeros(runs)
    for length, count in in_chains(jobs, at_once).items():
        for _ in range(count):
            ends = sum((drawn(body, z, rng) for _ in range(length)), np.zeros(runs))
            repaired = rng.random(runs) < 1 - (1 - repair_chance) ** length
            last = np.maximum(last, ends + repaired * drawn(repair, z, rng))
    whole = last + primed * drawn(primer, z, rng)

    for seconds in (0.25 * HOUR, 0.5 * HOUR, HOUR, 2 * HOUR, 4 * HOUR):
        chance = on_time(
            body,
            jobs=jobs,
            seconds=seconds,
            at_once=at_once,
            primer=primer if primed else None,
            repair=repair,
            repair_chance=repair_chance,
        )
        assert chance == pytest.approx(float((whole <= seconds).mean()), abs=0.01)


kinds = st.builds(
    turnaround, st.floats(10, 7200), st.floats(0.1, 1.2), st.sampled_from([0.0, 0.5, 0.9]), st.sampled_from([0, 0.005])
)
windows = st.fixed_dictionaries(
    {
        "body": kinds,
        "jobs": st.integers(1, 300),
        "at_once": st.none() | st.integers(1, 40),
        "primer": st.none() | kinds,
        "repair": st.none() | kinds,
        "repair_chance": st.floats(0, 1),
    }
)


@given(windows, st.floats(0, 48), st.floats(0, 24))
@settings(max_examples=25, deadline=None)
def test_more_time_never_lowers_the_chance(given: dict[str, Any], hours: float, more: float) -> None:
    """A later deadline, or an earlier sending, is never worse, and the chance is one."""
    found = arrival(
        given["body"],
        chains=in_chains(given["jobs"], given["at_once"]),
        primer=given["primer"],
        repair=given["repair"],
        repair_chance=given["repair_chance"],
    )

    assert 0 <= found.on_time(hours * HOUR) <= found.on_time((hours + more) * HOUR) <= 1
    assert found.on_time(0.0) == 0


@given(windows, st.floats(0.1, 30), st.integers(1, 100))
@settings(max_examples=25, deadline=None)
def test_more_jobs_never_raise_the_chance(given: dict[str, Any], hours: float, more: int) -> None:
    """Every further job may be the late one; more jobs are laid on a wider grid, hence the tolerance."""
    fewer = on_time(**given, seconds=hours * HOUR)

    assert on_time(**(given | {"jobs": given["jobs"] + more}), seconds=hours * HOUR) <= fewer + 0.005


@given(windows, st.floats(0.05, 0.97), st.floats(0.001, 0.02))
@settings(max_examples=25, deadline=None)
def test_more_confidence_never_takes_less_time_and_the_time_gives_the_confidence(
    given: dict[str, Any], confidence: float, more: float
) -> None:
    """Latest safe sending and chance are one curve read in both directions."""
    needed = time_needed(**given, confidence=confidence)

    assert needed <= time_needed(**given, confidence=confidence + more)
    if math.isfinite(needed):
        assert on_time(**given, seconds=needed) == pytest.approx(confidence, abs=1e-6)


def test_what_happens_before_and_after_the_body_takes_time() -> None:
    """A primer, a repair, a chance of one, and waiting for room each lower the chance."""
    seconds = HOUR
    plain = on_time(BODY, jobs=6, seconds=seconds)
    chances = [
        on_time(BODY, jobs=6, seconds=seconds, primer=PRIMER),
        on_time(BODY, jobs=6, seconds=seconds, repair=REPAIR, repair_chance=0.5),
        on_time(BODY, jobs=6, seconds=seconds, at_once=3),
    ]

    assert all(chance < plain - 0.02 for chance in chances)
    assert on_time(BODY, jobs=6, seconds=seconds, repair=REPAIR, repair_chance=0.9) < chances[1]
    assert on_time(BODY, jobs=6, seconds=seconds, at_once=6) == plain


def test_jobs_that_are_slow_together_are_also_in_time_together() -> None:
    """Of many jobs the slowest decides, and fewer independent ones make it less slow."""
    seconds = 2 * HOUR
    apart = on_time(turnaround(900, shared=0.0), jobs=50, seconds=seconds)
    together = on_time(turnaround(900, shared=0.9), jobs=50, seconds=seconds)

    assert together > apart + 0.2


def test_expiry_takes_a_day_and_then_everything_again() -> None:
    """Its chance is missing from every deadline within the day, and from no much later one."""
    body = turnaround(900, expiry=0.02)

    assert on_time(body, jobs=1, seconds=20 * HOUR) == pytest.approx(0.98, abs=0.001)
    assert on_time(body, jobs=1, seconds=44 * HOUR) == pytest.approx(1.0, abs=0.001)
    assert time_needed(body, jobs=1, confidence=0.97) < 24 * HOUR < time_needed(body, jobs=1, confidence=0.99)


@given(st.floats(0.3, 12), st.floats(0, 6), st.integers(1, 20_000), st.none() | st.integers(1, 5_000))
@settings(max_examples=25, deadline=None)
def test_a_tighter_window_never_asks_for_larger_jobs(
    hours: float, more: float, items: int, queue_room: int | None
) -> None:
    """And the size found is in time, within what is allowed."""
    given: dict[str, Any] = {"items": items, "most": 4_000, "confidence": 0.9, "queue_room": queue_room}
    tight = largest_in_time(growing, seconds=hours * HOUR, primer=PRIMER, **given)
    loose = largest_in_time(growing, seconds=(hours + more) * HOUR, primer=PRIMER, **given)

    assert (tight or 0) <= (loose or 0) <= 4_000
    if tight is not None and tight < 4_000:
        at_once = None if queue_room is None else max(queue_room // tight, 1)
        jobs = -(-items // tight)
        chance = on_time(growing(tight), jobs=jobs, seconds=hours * HOUR, primer=PRIMER, at_once=at_once)
        assert chance >= 0.9


def test_the_largest_job_by_itself() -> None:
    """The last size whose own quantile is in time, every size in a long window, none in a short one."""
    found = largest_alone(growing, most=100_000, seconds=2 * HOUR, confidence=0.9)

    assert found is not None
    assert growing(found).quantile(0.9) <= 2 * HOUR < growing(found + 1).quantile(0.9)
    assert largest_alone(growing, most=10, seconds=2 * HOUR, confidence=0.9) == 10
    assert largest_alone(growing, most=10, seconds=1.0, confidence=0.9) is None


def test_a_window_that_does_not_bind_allows_every_size() -> None:
    """All items at once, or in the fewest jobs there may be: then it is not the window that limits the size."""
    assert largest_in_time(growing, items=10, most=4_000, seconds=8 * HOUR, confidence=0.9) == 4_000
    assert largest_in_time(growing, items=10, most=4_000, seconds=1.0, confidence=0.9) is None
    assert largest_in_time(growing, items=10, most=4_000, seconds=8 * HOUR, confidence=0.9, queue_room=0) is None


def test_repairs_become_likely_with_size() -> None:
    """The chance that at least one of the items fails."""
    assert repair_needed(1, 0.1) == pytest.approx(0.1)
    assert repair_needed(10, 0.1) == pytest.approx(1 - 0.9**10)
    assert repair_needed(5, 0.0) == 0
    assert repair_needed(5, 1.0) == pytest.approx(1.0)


def test_splits_go_from_the_fewest_jobs_to_single_items() -> None:
    """Each a little finer, none left out at the ends."""
    found = splits(1_000, 3)

    assert found[0] == 3
    assert found[-1] == 1_000
    assert all(1 < after / before <= 4 / 3 for before, after in pairwise(found))


@pytest.mark.parametrize(
    "wrong",
    [{"jobs": 0}, {"jobs": 5, "at_once": 0}, {"jobs": 1, "repair_chance": 1.5}, {"jobs": 1, "repair_chance": -0.1}],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    """No jobs, no room, chances that are none."""
    with pytest.raises(OddWindow):
        on_time(BODY, seconds=HOUR, **wrong)


@pytest.mark.parametrize("confidence", [0.0, 1.0, -1.0, math.nan])
def test_certainty_is_refused(confidence: float) -> None:
    """Nothing is certain, and anything is possible: neither says when to send."""
    with pytest.raises(OddWindow):
        time_needed(BODY, jobs=1, confidence=confidence)
    with pytest.raises(OddWindow):
        largest_in_time(growing, items=1, most=1, seconds=HOUR, confidence=confidence)
