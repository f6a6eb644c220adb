"""The schedule of a whole backlog: against brute force, against drawing, and what it says when not all can be had."""

import itertools
import math
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.schedule.backlog import Missed, OddBacklog, Schedule, schedule
from core.schedule.deadlines import DeadlinePassed
from core.schedule.demand import Demand, solve
from core.schedule.lots import Lot, OddLot, Way, Ways
from core.sizing.job_costs import JobCosts
from core.sizing.normal import normal_cdf
from core.sizing.turnaround import Turnaround

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = 3600.0
SCORES = np.linspace(-8.0, 8.0, 641)


def turnaround(median: float, sd: float = 0.4, shared: float = 0.5, expiry: float = 0.0) -> Turnaround:
    """A log-normal one."""
    seconds, shares = median * np.exp(sd * SCORES), normal_cdf(SCORES)
    return Turnaround(seconds=seconds, shares=shares, shared=shared, expiry=expiry, jobs=0, basis="assumed")


def lot(key: str = "a", *, items: int = 1_000, hours: float | None = 4.0, **more: Any) -> Lot:
    """A lot whose jobs take longer the larger they are; about 800 items a job are best."""
    ordinary: dict[str, Any] = {
        "costs": JobCosts(hot_usd=0.001, once_usd=0.01, job_usd=0.25, void_rate=1e-3, fault_rate=0.0),
        "most": 100_000,
        "turnaround": lambda size: turnaround(600 + 0.5 * size),
        "deadline": None if hours is None else NOW + timedelta(hours=hours),
    }
    return Lot(key=key, items=items, **(ordinary | more))


def planned(lots: Sequence[Lot], **more: Any) -> Schedule:
    """The schedule at a confidence of 90 %."""
    return schedule(lots, now=NOW, confidence=more.pop("confidence", 0.9), **more)


def small_case(seed: int) -> tuple[list[Lot], int]:
    """Few lots of few items, a deadline each, and a queue that is short of room."""
    rng = random.Random(seed)
    lots = []
    for number in range(rng.randint(2, 3)):
        items, median, power = rng.randint(2, 4), rng.uniform(300, 900), rng.uniform(0, 0.8)
        lots.append(
            lot(
                str(number),
                items=items,
                most=4,
                costs=JobCosts(
                    hot_usd=1.0,
                    once_usd=rng.uniform(0, 2),
                    job_usd=rng.uniform(0.1, 1),
                    void_rate=0.0,
                    fault_rate=0.0,
                ),
                turnaround=lambda size, median=median, power=power: turnaround(median * size**power),
                hours=(rng.uniform(1_000, 5_000) + number) / HOUR,
            )
        )
    return lots, rng.randint(3, 6)


def ways_in_time(one: Lot, limit: int) -> list[tuple[Way, float]]:
    """Every number of jobs, with the latest moment at which its last job may go."""
    ways = Ways(one, min(one.most, limit), {})
    seconds = (one.deadline - NOW).total_seconds() if one.deadline else math.inf
    every = [ways.of(jobs) for jobs in range(ways.fewest, one.items + 1)]
    return [(way, way.latest(seconds, 0.9)) for way in every if way.latest(seconds, 0.9) >= 0]


def starts(order: Sequence[tuple[int, Way]], limit: int) -> Iterator[tuple[int, float]]:
    """Each job as early as the jobs before it in the order let it go, found by trying every end of one of them."""
    placed: list[tuple[float, float, int]] = []
    for number, way in order:
        for at in sorted({0.0, *(end for _, end, _ in placed)}):
            moments = [at, *(begin for begin, _, _ in placed if at < begin < at + way.hold)]
            if all(sum(n for b, e, n in placed if b <= m < e) + way.items <= limit for m in moments):
                placed.append((at, at + way.hold, way.items))
                yield number, at
                break


def least_usd(lots: Sequence[Lot], limit: int) -> float | None:
    """The least cost at which all are in time: every size of every lot in every order of all jobs."""
    for combination in sorted(
        itertools.product(*(ways_in_time(one, limit) for one in lots)),
        key=lambda chosen: sum(way.usd for way, _ in chosen),
    ):
        jobs = [number for number, (way, _) in enumerate(combination) for _ in range(way.jobs)]
        for order in set(itertools.permutations(jobs)):
            sent = starts([(number, combination[number][0]) for number in order], limit)
            if all(at <= combination[number][1] for number, at in sent):
                return sum(way.usd for way, _ in combination)
    return None


# Seeds in which sizes or order have to be weighed; in the others nothing has to.
WEIGHED = (17, 51, 57, 58, 59, 60, 61, 67, 70, 74, 106, 107, 115, 139)


@pytest.mark.parametrize("seed", [*WEIGHED, 0, 2])
def test_small_backlogs_cost_within_two_percent_of_the_least(seed: int) -> None:
    """Against every size in every order; and what brute force can hold is held."""
    lots, limit = small_case(seed)
    least, found = least_usd(lots, limit), planned(lots, queue_limit=limit)

    assert least is not None
    assert not found.missed
    assert found.least_usd - 1e-9 <= least <= found.predicted_usd + 1e-9
    assert found.predicted_usd <= least * 1.02
    assert found.proven_optimal == (seed not in WEIGHED)


@pytest.mark.parametrize("seed", [1, 3, 14, 45, 88])
def test_where_not_all_can_be_in_time_as_few_as_possible_are_late(seed: int) -> None:
    """Brute force holds no more of the deadlines, and not all of them."""
    lots, limit = small_case(seed)
    found = planned(lots, queue_limit=limit)
    late = sum(len(missed.keys) for missed in found.missed)

    assert least_usd(lots, limit) is None
    assert late > 0
    assert not any(least_usd(few, limit) for few in itertools.combinations(lots, len(lots) - late + 1))


lots_of_any_kind = st.builds(
    lambda items, hours, primers, most, growth: (items, hours, min(primers, items - 1), most, growth),
    st.integers(1, 5_000),
    st.none() | st.floats(0.5, 12),
    st.integers(0, 3),
    st.integers(1, 4_000),
    st.floats(0, 1),
)


@given(
    st.lists(lots_of_any_kind, min_size=1, max_size=4), st.none() | st.integers(50, 6_000), st.none() | st.floats(0, 20)
)
@settings(max_examples=10, deadline=None)
def test_every_item_goes_once_or_is_named_as_left_out_within_every_limit(
    given: list[tuple[int, float | None, int, int, float]], queue_limit: int | None, budget_usd: float | None
) -> None:
    """Whatever is asked for: even jobs no larger than allowed, primers before bodies, the queue and budget kept."""
    lots = [
        lot(
            str(number),
            items=items,
            hours=hours,
            primers=primers,
            most=most,
            turnaround=lambda size, growth=growth: turnaround(600 + growth * size),
        )
        for number, (items, hours, primers, most, growth) in enumerate(given)
    ]
    found = planned(lots, queue_limit=queue_limit, budget_usd=budget_usd)
    gone = Counter[str]()
    for job in found.jobs:
        gone[job.key] += job.items

    assert {one.key: one.items for one in lots if one.key not in found.unpaid} == gone
    assert found.predicted_usd == pytest.approx(sum(job.predicted_usd for job in found.jobs))
    assert budget_usd is None or found.predicted_usd <= budget_usd
    assert {key for missed in found.missed for key in missed.keys} >= set(found.unpaid)
    assert bool(found.unpaid) == any(missed.binding == "budget" for missed in found.missed)
    for one in lots:
        bodies = [job for job in found.jobs if job.key == one.key and job.role == "body"]
        sizes = [job.items for job in bodies]
        assert not sizes or max(sizes) <= min(one.most, queue_limit or one.most)
        assert not sizes or max(sizes) - min(sizes) <= 1
        first = [job.send_at for job in found.jobs if job.key == one.key and job.role == "primer"]
        assert all(NOW <= send_at <= min(job.send_at for job in bodies) for send_at in first)
        assert all(job.ready_by is None or job.ready_by > job.send_at for job in bodies)
    if queue_limit is not None:
        _assert_room_is_kept(found, lots, queue_limit)


def _assert_room_is_kept(found: Schedule, lots: Sequence[Lot], queue_limit: int) -> None:
    """At every sending, what goes and what is still expected to run fit together."""
    hold = {one.key: one for one in lots}
    runs = []
    for job in found.jobs:
        if job.role == "body":
            way = Way(hold[job.key], sum(other.key == job.key and other.role == "body" for other in found.jobs))
            begin = (job.send_at - NOW).total_seconds()
            runs.append((begin, begin + way.hold, job.items))
    for begin, _, _ in runs:
        # Moments are kept to the microsecond.
        assert sum(items for b, e, items in runs if b <= begin + 1e-5 and begin + 1e-5 < e - 1e-5) <= queue_limit


def test_with_room_for_all_each_lot_costs_its_least_and_goes_at_once() -> None:
    """Where nothing has to wait there is nothing to weigh, and that is proven."""
    lots = [lot("a", items=3_000), lot("b", items=700, hours=None), lot("c", items=1, primers=0)]
    found = planned(lots)

    assert found.proven_optimal
    assert found.gap == 0
    assert found.binding == "least_cost"
    assert {job.send_at for job in found.jobs} == {NOW}
    assert found.on_time_probability is not None
    assert found.on_time_probability >= 0.9
    assert planned([lots[1]]).on_time_probability is None


def test_a_tight_window_makes_jobs_smaller_and_dearer() -> None:
    """The cheapest size in time is taken, and named as bound by the window."""
    free, tight = planned([lot(items=3_000, hours=8)]), planned([lot(items=3_000, hours=0.5)])

    assert not tight.missed
    assert tight.binding == "window"
    assert max(job.items for job in tight.jobs) < max(job.items for job in free.jobs)
    assert tight.predicted_usd > free.predicted_usd


def test_all_that_is_due_together_is_there_together_with_the_confidence() -> None:
    """Each lot by itself would be surer than asked; thirty at the same deadline need to be surer still."""
    hours = 0.65
    alone = planned([lot("a", hours=hours)])
    lots = [lot(str(number), hours=hours) for number in range(30)]
    together = planned(lots)

    assert not alone.missed
    assert not together.missed
    assert together.on_time_probability is not None
    assert together.on_time_probability >= 0.9
    assert min(job.items for job in together.jobs) < min(job.items for job in alone.jobs)


@pytest.mark.parametrize(("shared", "confidence"), [(0.0, 0.9), (0.5, 0.9), (0.8, 0.8)])
def test_the_chance_to_be_in_time_holds_when_drawn(shared: float, confidence: float) -> None:
    """Jobs drawn with what they have in common, none sent before its time or before there is room.

    The prediction may be cautious, not hopeful: an allowance of three hundredths for drawing and for the queue.
    """
    rng, runs = np.random.default_rng(3), 4_000
    kind = turnaround(900, sd=0.6, shared=shared)
    lots = [
        lot(str(number), items=900, most=300, hours=1.4 + 0.7 * number, turnaround=lambda _: kind)
        for number in range(4)
    ]
    found = planned(lots, queue_limit=1_200, confidence=confidence)
    z = rng.standard_normal(runs)
    room, in_time = np.zeros((runs, 4)), np.ones(runs, dtype=bool)
    for job in found.jobs:
        own = math.sqrt(shared) * z + math.sqrt(1 - shared) * rng.standard_normal(runs)
        first = room.argmin(axis=1)
        begin = np.maximum(room[np.arange(runs), first], (job.send_at - NOW).total_seconds())
        end = begin + kind.quantile(normal_cdf(own))
        room[np.arange(runs), first] = end
        in_time &= end <= (1.4 + 0.7 * int(job.key)) * HOUR

    assert not found.missed
    assert found.on_time_probability is not None
    assert found.on_time_probability <= in_time.mean() + 0.03
    assert found.on_time_probability >= in_time.mean() - 0.12


def _only_missed(found: Schedule) -> Missed:
    assert len(found.missed) == 1
    return found.missed[0]


def _holds(lots: Sequence[Lot], missed: Missed, **more: Any) -> bool:
    demand: dict[str, Any] = {"confidence": 0.9, "queue_limit": None, "budget_usd": None}
    found = solve(Demand(lots=tuple(lots), now=NOW, **(demand | more)))
    return not {lot.key for late in found.missed.values() for lot in late} & set(missed.keys)


def test_a_deadline_that_the_queue_forbids_is_named_with_what_would_help() -> None:
    """Later, more room, fewer items: each tried here once more from the outside, and a little less does not do."""
    lots = [lot("a", items=4_000, hours=2), lot("b", items=9_000, hours=2.5), lot("c", items=500, hours=9)]
    missed = _only_missed(planned(lots, queue_limit=1_500))
    help_by = {fix.means: fix for fix in missed.fixes}

    assert missed.binding == "queue"
    assert missed.keys == ("b",)
    assert missed.probability < 0.9
    assert set(help_by) == {"later", "queue", "items"}
    by, room, count = help_by["later"].by, help_by["queue"].amount, help_by["items"].amount
    assert by is not None
    assert room is not None
    assert count is not None
    assert _holds([lots[0], replace(lots[1], deadline=by), lots[2]], missed, queue_limit=1_500)
    assert _holds(lots, missed, queue_limit=int(room))
    assert _holds([lots[0], replace(lots[1], items=9_000 - int(count)), lots[2]], missed, queue_limit=1_500)
    sooner = NOW + (by - NOW) * 0.8
    assert not _holds([lots[0], replace(lots[1], deadline=sooner), lots[2]], missed, queue_limit=1_500)
    assert not _holds(lots, missed, queue_limit=int(room * 0.7))
    assert not _holds([lots[0], replace(lots[1], items=9_000 - int(count * 0.7)), lots[2]], missed, queue_limit=1_500)


def test_a_window_too_short_for_a_single_item_is_helped_by_time_alone() -> None:
    """Neither room nor fewer items make one job faster."""
    lots = [lot("a", hours=0.1), lot("b", hours=5)]
    missed = _only_missed(planned(lots, queue_limit=10_000))
    (fix,) = missed.fixes

    assert (missed.keys, missed.binding, fix.means) == (("a",), "window", "later")
    assert fix.by is not None
    assert _holds([replace(lots[0], deadline=fix.by), lots[1]], missed, queue_limit=10_000)


def test_a_budget_too_small_leaves_out_what_has_no_deadline_first_and_says_what_all_costs() -> None:
    """Then the dearest lots; the amount named is enough, a cent less is not."""
    lots = [lot("a", items=1_000), lot("b", items=4_000), lot("c", items=100, hours=None)]
    whole = planned(lots).predicted_usd
    some = planned(lots, budget_usd=whole * 0.5)
    fixes = {fix.means: fix.amount for missed in some.missed for fix in missed.fixes if missed.deadline}
    enough = fixes["budget"]

    assert some.binding == "budget"
    assert set(some.unpaid) == {"b", "c"}
    assert some.predicted_usd <= whole * 0.5
    assert enough is not None
    assert planned(lots, budget_usd=enough).unpaid == ()
    assert planned(lots, budget_usd=enough - 0.011).unpaid != ()


def test_no_budget_at_all_sends_nothing_and_names_the_price() -> None:
    """Zero is a clear answer, not an error."""
    found = planned([lot("a")], budget_usd=0.0)
    (missed,) = found.missed

    assert found.jobs == ()
    assert found.on_time_probability == 0
    assert [fix.means for fix in missed.fixes] == ["budget"]


def test_expiry_can_forbid_a_confidence_by_itself() -> None:
    """Where one sending in fifty expires, no plan within the day is 99 % sure; two days are."""
    lots = [lot(turnaround=lambda _: turnaround(600, expiry=0.02), hours=20)]
    missed = _only_missed(planned(lots, confidence=0.99))
    later = next(fix.by for fix in missed.fixes if fix.means == "later")

    assert missed.binding == "expiry"
    assert later is not None
    assert later > NOW + timedelta(hours=24)
    assert not planned(lots, confidence=0.97).missed
    assert not planned([replace(lots[0], deadline=later)], confidence=0.99).missed


def test_one_item_more_than_the_queue_takes_waits_its_turn() -> None:
    """A lot larger than the queue goes in parts."""
    found = planned([lot(items=1_001, hours=6)], queue_limit=1_000)

    assert not found.missed
    assert len({job.send_at for job in found.jobs}) > 1


@pytest.mark.parametrize(
    "wrong",
    [{"confidence": 0.0}, {"confidence": 1.0}, {"queue_limit": 0}, {"budget_usd": -1.0}, {"budget_usd": math.nan}],
)
def test_contradictions_are_refused(wrong: dict[str, Any]) -> None:
    """A queue for nothing, a debt, a certainty."""
    with pytest.raises(OddBacklog):
        planned([lot()], **wrong)


def test_lots_that_make_no_sense_are_refused() -> None:
    """A name twice, a deadline that is over, nothing but primers, jobs of no item."""
    with pytest.raises(OddBacklog, match="twice"):
        planned([lot("a"), lot("a")])
    with pytest.raises(DeadlinePassed, match="lot: a"):
        planned([lot("a", hours=0)])
    with pytest.raises(OddLot):
        lot(items=2, primers=2)
    with pytest.raises(OddLot):
        lot(most=0)


def test_nothing_to_send_is_a_schedule_without_jobs() -> None:
    """And without a cost."""
    found = planned([])

    assert (found.jobs, found.predicted_usd, found.gap, found.missed) == ((), 0, 0, ())
