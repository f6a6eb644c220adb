"""Recommended sizes: the cheapest that every limit allows, what decided it, what each limit costs, and why."""

import json
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.errors import LotwiseError
from core.sizing.constraints import Limits, UnusableLimits
from core.sizing.job_costs import LARGEST, JobCosts
from core.sizing.recommendation import recommend
from tests.pure.sizing import job_costs, limits

REASONS = json.loads((Path(__file__).parent / "cases" / "size_reasons.json").read_text("utf-8"))
ORDINARY = JobCosts(hot_usd=0.002, once_usd=0.01, job_usd=0.25, void_rate=1e-5, fault_rate=0.005)
API = Limits(requests=100_000, bytes=256_000_000, item_bytes=2_000)
# All that only ever makes jobs smaller.
CEILINGS = ("requests", "bytes", "queue_headroom", "blast_usd", "rerun_items", "window_items")


@pytest.mark.parametrize("case", REASONS, ids=lambda case: case["why"])
def test_a_recommendation_explains_itself_in_a_sentence(case: dict[str, Any]) -> None:
    """What decided, and the words of it, for every constraint there is."""
    found = recommend(replace(ORDINARY, **case.get("costs", {})), replace(API, **case.get("limits", {})))

    assert found.binding == case["binding"]
    assert list(found.unkept) == case.get("unkept", [])
    assert found.reason() == case["reason"]


@given(job_costs(), limits(least=0))
def test_no_limit_is_exceeded_but_those_that_no_size_keeps(costs: JobCosts, given: Limits) -> None:
    """Nor is there a job without an item, or one larger than the backlog."""
    found = recommend(costs, given)

    assert found.items >= 1
    for bound in found.constraints:
        kept = found.items <= bound.items or bound.name in {"amortise", *found.unkept}
        assert kept, bound
    assert all(bound.items >= 1 or bound.name in found.unkept for bound in found.constraints)


@given(job_costs(), limits())
def test_no_other_size_within_the_limits_is_cheaper_by_more_than_amortising_costs(
    costs: JobCosts, given: Limits
) -> None:
    """Brute force over the sizes that the limits allow; amortising the prefix may cost 2 % of an item's price."""
    found = recommend(costs, given)
    most = min(bound.items for bound in found.constraints if bound.name != "amortise")
    allowed = np.unique(np.geomspace(1, most, 2_000).round())

    assert costs.usd_at(found.items) <= costs.item_usd(allowed).min() + 0.02 * costs.hot_usd * (1 + 1e-9)
    assert found.item_usd == costs.usd_at(found.items)


@given(job_costs(), limits())
def test_what_binds_is_what_decided(costs: JobCosts, given: Limits) -> None:
    """Without the binding limit jobs would be larger; where none binds, the cost alone decided."""
    found = recommend(costs, given)
    field = {"queue": "queue_headroom", "window": "window_items", "blast_hours": "rerun_items"}.get(
        found.binding, found.binding
    )

    if found.binding == "least_cost":
        assert found.items == found.unconstrained_items
    elif found.binding == "amortise":
        assert found.unconstrained_items < found.items <= math.ceil(costs.amortising(0.05))
    else:
        lifted: Any = {"requests": LARGEST, "bytes": 10**18}.get(found.binding)
        loose = recommend(costs, replace(given, **{field: lifted}))
        others = [bound.items for bound in found.constraints if bound.name not in {found.binding, "amortise"}]
        assert loose.items > found.items or found.items in others


@given(job_costs(), limits())
def test_every_limit_has_the_price_it_would_have_alone(costs: JobCosts, given: Limits) -> None:
    """Dollars an item more than at the best size, and for the whole backlog; never less than nothing."""
    found = recommend(costs, given)

    for bound in found.constraints:
        best = found.unconstrained_items
        alone = max(best, bound.items) if bound.name == "amortise" else min(best, bound.items)
        extra = costs.usd_at(alone) - found.unconstrained_usd
        assert bound.extra_usd_per_item == pytest.approx(extra, abs=1e-12)
        assert bound.extra_usd_per_item >= 0
        if given.backlog is None:
            assert bound.extra_usd is None
        else:
            assert bound.extra_usd == pytest.approx(extra * given.backlog, abs=1e-6)


@given(job_costs(), limits(), st.floats(1, 100))
def test_more_faults_never_make_larger_jobs(costs: JobCosts, given: Limits, factor: float) -> None:
    """Whichever limit binds, and whichever kind of fault it is."""
    for name in ("void_rate", "fault_rate", "unbilled_fault_rate"):
        worse = replace(costs, **{name: min(getattr(costs, name) * factor, 0.45)})

        assert recommend(worse, given).items <= recommend(costs, given).items


@given(job_costs(), limits(), st.floats(0, 1))
def test_idempotent_repair_and_a_canary_never_make_smaller_jobs(costs: JobCosts, given: Limits, share: float) -> None:
    """What limits the damage of a fault allows larger jobs, whichever limit binds."""
    warned = replace(costs, canary=costs.canary + share * (1 - costs.canary))
    safe, unsafe = (recommend(replace(costs, idempotent=is_safe), given).items for is_safe in (True, False))

    assert safe >= unsafe
    assert recommend(warned, given).items >= recommend(costs, given).items


@given(job_costs(), limits(), st.floats(1, 100))
def test_a_dearer_prefix_and_a_larger_fixed_cost_never_make_smaller_jobs(
    costs: JobCosts, given: Limits, factor: float
) -> None:
    """What is paid once a job is spread over more items, whichever limit binds."""
    for name in ("once_usd", "job_usd"):
        dearer = replace(costs, **{name: getattr(costs, name) * factor})

        assert recommend(dearer, given).items >= recommend(costs, given).items


@given(job_costs(), limits(), st.sampled_from(CEILINGS), st.floats(0.01, 1))
def test_a_tighter_window_or_any_tighter_limit_never_makes_larger_jobs(
    costs: JobCosts, given: Limits, name: str, share: float
) -> None:
    """As long as some size keeps it; and no limit makes larger jobs than none."""
    value = getattr(given, name) or 1_000
    tight: Any = max(type(value)(value * share), 1)

    assert (
        recommend(costs, replace(given, **{name: tight})).items
        <= recommend(costs, replace(given, **{name: value})).items
    )
    if name not in {"requests", "bytes"}:
        without: Any = None
        assert recommend(costs, given).items <= recommend(costs, replace(given, **{name: without})).items


@given(job_costs(), limits(), st.sampled_from(["window_items", "rerun_items", "queue_headroom"]))
def test_a_time_that_no_size_meets_does_not_make_larger_jobs(costs: JobCosts, given: Limits, name: str) -> None:
    """It is named; the job is at most as large as if there were no such limit, as sizes cannot help."""
    none: Any = None
    without, never = replace(given, **{name: none}), replace(given, **{name: 0})

    assert len(recommend(costs, never).unkept) == 1
    assert recommend(costs, never).items <= recommend(costs, without).items


@given(job_costs(), limits(), st.integers(1, 1_000_000))
@example(  # two jobs of six and five cost less than three, although six is more than amortising would ask for
    costs=JobCosts(
        hot_usd=0.25,
        once_usd=0,
        job_usd=1,
        void_rate=1 / 32,
        fault_rate=0,
        unbilled_fault_rate=1 / 16,
        idempotent=False,
    ),
    given=Limits(requests=6, bytes=1_000_000, item_bytes=100),
    backlog=11,
)
def test_a_backlog_is_cut_evenly_within_the_limits_and_as_cheaply_as_it_can_be(
    costs: JobCosts, given: Limits, backlog: int
) -> None:
    """Of all even cuts that the limits allow none is cheaper by more than amortising the prefix may cost."""
    found = recommend(costs, replace(given, backlog=backlog))
    assert found.jobs is not None
    assert found.even_items is not None
    most = min(bound.items for bound in found.constraints if bound.name != "amortise")
    jobs = np.unique(np.ceil(backlog / np.unique(np.geomspace(1, most, 1_000).round())))

    assert (found.jobs - 1) * found.even_items < backlog <= found.jobs * found.even_items
    assert found.even_items <= most
    least = costs.item_usd(backlog / jobs).min()
    assert costs.usd_at(backlog / found.jobs) <= (least + 0.02 * costs.hot_usd) * (1 + 1e-9)


@given(job_costs(), limits(), st.integers(1, 1_000_000))
def test_no_job_is_too_small_to_earn_back_its_prefix_unless_it_has_to_be(
    costs: JobCosts, given: Limits, backlog: int
) -> None:
    """With a job less, jobs would exceed a limit or cost more than amortising is worth."""
    found = recommend(costs, replace(given, backlog=backlog))
    assert found.jobs is not None
    least, *ceilings = found.constraints

    if found.jobs > 1 and backlog // found.jobs < least.items:
        larger = math.ceil(backlog / (found.jobs - 1))
        too_dear = costs.usd_at(larger) > found.unconstrained_usd + 0.02 * costs.hot_usd
        assert larger > min(bound.items for bound in ceilings) or too_dear


def test_an_even_cut_takes_the_cheaper_of_two_numbers_of_jobs() -> None:
    """Just over the best size one job is cheaper than two, half as much again two are cheaper than one."""
    costs = replace(ORDINARY, job_usd=0.99, void_rate=1e-4)
    best = recommend(costs, API).items

    just_over, half_more = (replace(API, backlog=round(best * share)) for share in (1.1, 1.6))
    assert (1, round(best * 1.1)) == (recommend(costs, just_over).jobs, recommend(costs, just_over).even_items)
    assert recommend(costs, half_more).jobs == 2


def test_the_first_of_two_equal_limits_binds() -> None:
    """Limits are applied in a fixed order; what holds all there is limits nothing."""
    found = recommend(ORDINARY, replace(API, queue_headroom=500, window_items=500, blast_usd=1.0))

    assert (found.items, found.binding) == (500, "queue")
    names = [bound.name for bound in found.constraints]
    assert names == ["amortise", "requests", "bytes", "queue", "blast_usd", "window"]
    assert recommend(ORDINARY, replace(API, window_items=500, backlog=500)).binding == "backlog"


def test_amortising_never_costs_more_than_it_is_worth() -> None:
    """Where faults are frequent, jobs stay small although the prefix is dear."""
    costs = replace(ORDINARY, once_usd=0.5, job_usd=0.0, void_rate=0.01)
    found = recommend(costs, API)

    assert found.unconstrained_items < found.items < costs.amortising(0.05)
    assert found.item_usd <= found.unconstrained_usd + 0.02 * costs.hot_usd


def test_an_empty_backlog_makes_no_job_and_still_has_a_size() -> None:
    """The size is that of the class; there is only nothing to cut."""
    found = recommend(ORDINARY, replace(API, backlog=0))

    assert (found.jobs, found.even_items) == (0, None)
    assert found.items == recommend(ORDINARY, API).items


def test_what_costs_nothing_and_weighs_nothing_is_bounded_by_the_api_alone() -> None:
    """No price, no risk to weigh, and nothing to save."""
    free = JobCosts(hot_usd=0.0, once_usd=0.0, job_usd=0.0, void_rate=0.01, fault_rate=0.0)
    found = recommend(free, replace(API, item_bytes=0, blast_usd=0.0))

    assert (found.items, found.binding, found.saving) == (100_000, "requests", 0.0)
    assert found.unkept == ()


@pytest.mark.parametrize("wrong", [{"requests": 0}, {"blast_usd": -1.0}, {"item_bytes": math.nan}, {"backlog": -1}])
def test_limits_that_mean_nothing_are_refused_with_the_value(wrong: dict[str, Any]) -> None:
    """A sentence with the name of what is wrong."""
    with pytest.raises(UnusableLimits, match="one request or more") as refused:
        Limits(**{**asdict(API), **wrong})
    assert isinstance(refused.value, LotwiseError)
    assert set(refused.value.context) == set(wrong)
