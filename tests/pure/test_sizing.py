"""Job sizes: the first rule with its clamps, and even parts within both limits."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.planning.sizing import job_size, split_evenly

ORDINARY: dict[str, Any] = {
    "item_usd": 0.002,
    "once_usd": 0.01,
    "job_usd": 0.25,
    "fault_rate": 1e-5,
    "blast_usd": 25.0,
    "most": 100_000,
}
costs = st.floats(1e-7, 10)
inputs = st.fixed_dictionaries(
    {
        "item_usd": costs,
        "once_usd": st.floats(0, 10),
        "job_usd": st.floats(0, 10),
        "fault_rate": st.floats(0, 0.1),
        "blast_usd": st.floats(0, 1_000),
        "most": st.integers(1, 100_000),
    }
)


@given(inputs)
def test_a_job_has_at_least_one_item_and_never_more_than_the_limits(given: dict[str, Any]) -> None:
    """Neither the API's limit nor the dollars at risk are exceeded, unless one item alone does."""
    size = job_size(**given)

    assert 1 <= size.items <= given["most"]
    assert size.items == 1 or size.items * given["item_usd"] <= given["blast_usd"] * (1 + 1e-9)


@given(inputs, st.floats(1, 100))
def test_more_faults_never_make_larger_jobs(given: dict[str, Any], factor: float) -> None:
    """What fails more often is sent in smaller pieces."""
    worse = given | {"fault_rate": min(given["fault_rate"] * factor, 1.0)}

    assert job_size(**worse).items <= job_size(**given).items


@given(inputs, st.sampled_from(["once_usd", "job_usd", "blast_usd", "most"]), st.integers(1, 100))
def test_larger_fixed_costs_and_larger_limits_never_make_smaller_jobs(
    given: dict[str, Any], name: str, factor: int
) -> None:
    """What costs more to begin is spread over more items."""
    more = given | {name: given[name] * factor}

    assert job_size(**more).items >= job_size(**given).items


@given(inputs)
def test_the_size_is_the_least_of_its_bounds_and_says_which(given: dict[str, Any]) -> None:
    """The classic interval, computed anew, is what an unclamped job has."""
    size = job_size(**given)
    fixed, hot = given["once_usd"] + given["job_usd"], given["item_usd"]
    lost = given["fault_rate"] * hot
    best = math.sqrt(2 * fixed / lost) if lost > 0 else math.inf

    bounds = {
        "amortised fixed costs against rerun costs": max(best, given["once_usd"] / (0.05 * hot)),
        "affordable blast radius": given["blast_usd"] / hot,
        "limit of the API": given["most"],
    }
    assert max(1, int(min(bounds.values()))) == size.items
    assert min(bounds.values()) == bounds[size.decided_by]


def test_the_ordinary_case_is_near_the_least_cost() -> None:
    """Twice or half as large costs more per item."""

    def per_item(items: float) -> float:
        fixed, hot = ORDINARY["once_usd"] + ORDINARY["job_usd"], ORDINARY["item_usd"]
        return float(hot + fixed / items + ORDINARY["fault_rate"] * items * hot / 2)

    items = job_size(**ORDINARY).items

    assert per_item(items) < min(per_item(items * 2), per_item(items / 2))


def test_free_items_go_into_jobs_of_the_apis_limit() -> None:
    """No price, no risk to weigh."""
    size = job_size(**ORDINARY | {"item_usd": 0.0})

    assert (size.items, size.decided_by) == (100_000, "limit of the API")


@given(st.lists(st.integers(1, 100), max_size=200), st.integers(1, 50), st.integers(100, 2_000))
def test_parts_are_even_ordered_and_within_both_limits(sizes: list[int], items: int, most: int) -> None:
    """Every request is in one part, parts follow the order and differ by one request at most."""
    part = split_evenly(np.array(sizes, dtype=np.int64), items=items, most_bytes=most)

    assert len(sizes) == len(part)
    assert sorted(part.tolist()) == part.tolist()
    if sizes:
        counts = np.bincount(part)
        assert counts.max() - counts.min() <= 1
        assert counts.min() >= 1
        assert counts.max() <= items
        assert np.bincount(part, weights=sizes).max() <= most


@given(st.lists(st.integers(1, 100), min_size=1, max_size=60), st.integers(1, 50), st.integers(100, 2_000))
def test_parts_are_as_few_as_even_parts_can_be(sizes: list[int], items: int, most: int) -> None:
    """One part fewer would break a limit."""
    parts = int(split_evenly(np.array(sizes, dtype=np.int64), items=items, most_bytes=most).max()) + 1
    fewer = np.arange(len(sizes)) * (parts - 1) // len(sizes)

    assert (
        parts == 1
        or np.bincount(fewer).max() > items
        or np.bincount(fewer, weights=sizes).max() > most
        or parts == math.ceil(sum(sizes) / most)
    )


def test_a_request_over_the_limit_is_told_and_not_split() -> None:
    """It can go into no job at all."""
    with pytest.raises(ValueError, match="101 bytes is over the limit of 100"):
        split_evenly(np.array([5, 101]), items=10, most_bytes=100)
