"""The cost of an item by the size of its job: against faults thrown one by one, brute force, and published sizes."""

import json
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import LotwiseError
from core.sizing.job_costs import JobCosts, UnusableCosts
from core.sizing.normal import Floats
from tests.pure.sizing import job_costs

# An independent search over a grid of sizes whose steps are a quarter of a percent.
SIZES = json.loads((Path(__file__).parent / "cases" / "job_sizes.json").read_text("utf-8"))
GRID = 0.004
MOST = 3_000
EVERY_SIZE = np.arange(1, MOST + 1)


def costs_of(case: dict[str, Any]) -> JobCosts:
    """The case as costs: what begins a job in one sum, no item faults."""
    return JobCosts(
        hot_usd=case["hot_usd"], once_usd=case["begin_usd"], job_usd=0.0, void_rate=case["void_rate"], fault_rate=0.0
    )


def played(costs: JobCosts, *, items: int, jobs: int, seed: int) -> float:
    """Dollars per finished item of so many jobs, item by item, every start paid for, until each job is done."""
    chance = np.random.default_rng(seed)
    spoil = 0.0 if costs.idempotent else costs.fault_rate + costs.unbilled_fault_rate
    paid = jobs * items * costs.hot_usd * costs.fault_rate / (1 - costs.fault_rate) if costs.idempotent else 0.0
    left = jobs
    while left:
        until = chance.geometric(costs.void_rate * (1 - costs.canary), size=left)
        spoiled = chance.random((left, items)).min(axis=1) < spoil
        paid += left * costs.begin_usd + costs.hot_usd * np.minimum(until, items).sum()
        left = int(((until <= items) | spoiled).sum())
    return paid / (jobs * items)


@pytest.mark.parametrize("case", SIZES, ids=lambda case: case["why"])
def test_published_sizes_are_found(case: dict[str, Any]) -> None:
    """The exact optimum and the range within 2 % of it, for prices and faults of four kinds."""
    costs = costs_of(case)

    assert case["exact"] == pytest.approx(costs.best(100_000), rel=GRID)
    assert tuple(case["range"]) == pytest.approx(costs.flat_range(100_000), rel=GRID)
    assert case["rule"] == pytest.approx(math.sqrt(2 * costs.begin_usd / (costs.void_rate * costs.hot_usd)), abs=1)


@pytest.mark.parametrize("idempotent", [True, False])
def test_the_formula_is_what_jobs_cost_that_begin_anew_at_every_fault(idempotent: bool) -> None:
    """Thirty thousand jobs, played with a fixed seed, cost what the formula says within 1 %."""
    costs = JobCosts(
        hot_usd=0.002,
        once_usd=0.01,
        job_usd=0.05,
        void_rate=0.008,
        fault_rate=0.003,
        unbilled_fault_rate=0.002,
        canary=0.5,
        idempotent=idempotent,
    )

    assert played(costs, items=120, jobs=30_000, seed=7) == pytest.approx(costs.usd_at(120), rel=0.01)


@given(job_costs())
def test_the_best_size_is_the_cheapest_of_all(costs: JobCosts) -> None:
    """Brute force over every size finds none that costs less."""
    least = costs.item_usd(EVERY_SIZE).min()

    assert costs.usd_at(costs.best(MOST)) == pytest.approx(least, rel=1e-12)


@given(job_costs(), st.sampled_from([0.02, 0.1]))
def test_the_flat_range_holds_every_size_within_its_share_and_no_other(costs: JobCosts, share: float) -> None:
    """Both ends are exact, which brute force confirms."""
    low, high = costs.flat_range(MOST, share)
    usd = costs.item_usd(EVERY_SIZE)
    inside = np.flatnonzero(usd <= usd.min() * (1 + share) * (1 + 1e-12)) + 1

    assert inside[0] <= low <= costs.best(MOST) <= high <= inside[-1]
    assert (low, high) == pytest.approx((inside[0], inside[-1]), abs=1)


@given(job_costs(), st.lists(st.integers(1, 10**9), min_size=1, max_size=5))
def test_the_three_terms_add_up_to_the_cost(costs: JobCosts, sizes: list[int]) -> None:
    """Price, fixed cost and reruns are apart, none is less than nothing, and one size costs what an array says."""
    parts, usd = costs.parts(sizes), costs.item_usd(sizes)

    assert [costs.usd_at(size) for size in sizes] == pytest.approx(usd.tolist(), rel=1e-9)
    assert usd == pytest.approx(parts.price_usd + parts.fixed_usd + parts.rerun_usd)
    assert all((term >= 0).all() for term in (parts.price_usd, parts.fixed_usd, parts.rerun_usd))


def test_each_term_is_what_its_name_says() -> None:
    """Without faults nothing is rerun; a billed fault repeats one item; F is spread over the items."""
    sound = JobCosts(hot_usd=0.01, once_usd=0.1, job_usd=1.0, void_rate=0.0, fault_rate=0.0)
    failing = replace(sound, fault_rate=0.2, unbilled_fault_rate=0.3)

    assert sound.parts([1, 100]).price_usd == pytest.approx([0.11, 0.011])
    assert sound.parts([1, 100]).fixed_usd == pytest.approx([1.0, 0.01])
    assert sound.parts([1, 100]).rerun_usd == pytest.approx([0.0, 0.0])
    # Of five that are sent one fails, so an item is sent 1.25 times; errored and expired items are not billed.
    assert failing.parts([1, 100]).rerun_usd == pytest.approx([0.0025, 0.0025])
    assert failing.at_risk_usd([1, 100]) == pytest.approx([0.01, 1.0])


@given(job_costs(), st.floats(1, 100))
def test_more_faults_never_make_larger_jobs(costs: JobCosts, factor: float) -> None:
    """What fails more often is sent in smaller pieces, whichever kind of fault it is."""
    for name in ("void_rate", "fault_rate", "unbilled_fault_rate"):
        worse = replace(costs, **{name: min(getattr(costs, name) * factor, 0.45)})

        assert worse.best(MOST) <= costs.best(MOST)


@given(job_costs(), st.floats(0, 1))
def test_idempotent_repair_and_a_canary_never_make_smaller_jobs(costs: JobCosts, share: float) -> None:
    """What limits the damage of a fault allows larger jobs."""
    warned = replace(costs, canary=costs.canary + share * (1 - costs.canary))

    assert replace(costs, idempotent=True).best(MOST) >= replace(costs, idempotent=False).best(MOST)
    assert warned.best(MOST) >= costs.best(MOST)


@given(job_costs(), st.floats(1, 100))
def test_a_dearer_prefix_and_a_larger_fixed_cost_never_make_smaller_jobs(costs: JobCosts, factor: float) -> None:
    """What is paid once a job is spread over more items."""
    assert replace(costs, once_usd=costs.once_usd * factor).best(MOST) >= costs.best(MOST)
    assert replace(costs, job_usd=costs.job_usd * factor).best(MOST) >= costs.best(MOST)


@pytest.mark.parametrize(("faults", "within"), [(0.1, 0.002), (0.3, 0.002), (0.5, 0.009), (1.0, 0.07)])
def test_the_square_root_rule_is_good_where_faults_in_a_job_are_rare(faults: float, within: float) -> None:
    """At the rule's size an item costs hardly more than at the exact one, until a fault a job is the usual thing."""
    void_rate, hot_usd = 1e-4, 0.001
    items = round(faults / void_rate)
    costs = JobCosts(
        hot_usd=hot_usd, once_usd=items**2 * void_rate * hot_usd / 2, job_usd=0, void_rate=void_rate, fault_rate=0
    )

    assert costs.usd_at(items) <= costs.usd_at(costs.best(100_000)) * (1 + within)
    assert costs.best(100_000) < items


def cost_of_job(costs: JobCosts, items: int) -> float:
    """Expected dollars of a whole job."""
    return items * costs.usd_at(items)


@given(job_costs(), job_costs(), st.integers(1, 500), st.integers(1, 500))
def test_merging_two_classes_that_share_nothing_never_lowers_cost(
    one: JobCosts, other: JobCosts, items: int, more: int
) -> None:
    """Both prefixes are written either way, and a fault voids both; only a fixed cost a job could be saved."""
    one, other = (
        replace(of, job_usd=0.0, void_rate=one.void_rate, canary=0, fault_rate=0, idempotent=True)
        for of in (one, other)
    )
    mean_usd = (items * one.hot_usd + more * other.hot_usd) / (items + more)
    merged = replace(one, hot_usd=mean_usd, once_usd=one.once_usd + other.once_usd)

    apart = cost_of_job(one, items) + cost_of_job(other, more)
    assert cost_of_job(merged, items + more) >= apart * (1 - 1e-9)


def test_without_voiding_faults_larger_is_always_better() -> None:
    """Nothing is lost with a job, so its fixed costs are spread as far as they go."""
    costs = JobCosts(hot_usd=0.001, once_usd=0.01, job_usd=0.25, void_rate=0.0, fault_rate=0.01)

    assert costs.best(10**9) == 10**9
    assert replace(costs, void_rate=0.01, canary=1.0).best(10**9) == 10**9


def test_what_is_free_to_begin_is_sent_one_by_one_and_what_costs_nothing_all_at_once() -> None:
    """The two ends of the balance."""
    costs = JobCosts(hot_usd=0.001, once_usd=0.0, job_usd=0.0, void_rate=1e-5, fault_rate=0.0)

    assert costs.best(100_000) == 1
    assert replace(costs, hot_usd=0.0).best(100_000) == 100_000
    assert replace(costs, hot_usd=0.0, job_usd=0.25).best(10**9) == pytest.approx(100_000, rel=1e-4)


def test_a_job_that_never_gets_done_costs_infinitely_much_and_warns_of_nothing() -> None:
    """Sizes far beyond the faults are legal points of a curve."""
    costs = JobCosts(hot_usd=0.001, once_usd=0.0, job_usd=0.25, void_rate=0.1, fault_rate=0.0)
    curve: Floats = costs.item_usd([1, 10**9])

    assert curve[0] < curve[1] == costs.usd_at(10**9) == math.inf
    assert costs.parts([10**9]).rerun_usd == [math.inf]
    assert costs.flat_range(10**9)[1] < 100


@pytest.mark.parametrize(
    "wrong",
    [
        {"hot_usd": -0.001},
        {"once_usd": math.nan},
        {"job_usd": math.inf},
        {"void_rate": 1.0},
        {"fault_rate": 0.6, "unbilled_fault_rate": 0.4},
        {"canary": 1.1},
    ],
)
def test_costs_that_mean_nothing_are_refused_with_the_value(wrong: dict[str, float]) -> None:
    """A sentence with the name of what is wrong, not a size made of it."""
    sound = JobCosts(hot_usd=0.001, once_usd=0.01, job_usd=0.25, void_rate=1e-5, fault_rate=0.01)

    with pytest.raises(UnusableCosts, match="from zero to below one") as refused:
        JobCosts(**{**asdict(sound), **wrong})
    assert isinstance(refused.value, LotwiseError)
    assert set(refused.value.context) <= {*wrong, "faults_together"}
