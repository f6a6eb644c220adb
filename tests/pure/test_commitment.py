"""The commitment that costs least: golden cases, brute force, and what holds whatever the demand."""

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.commitment.bands import Band, cheapest, expected_pay, ladder
from core.commitment.payment import Rate, TermsContradict, pay, pay_as_used, unused
from core.commitment.problem import Problem

CASES = tomllib.loads((Path(__file__).parent / "cases" / "commitments.toml").read_text("utf-8"))
UNIFORM = [[float(value)] for value in range(500_000, 1_500_001, 10_000)]

shares = st.floats(0, 0.6)
demands = st.lists(st.floats(0, 1e6), min_size=1, max_size=40).map(np.array)


@st.composite
def rates(draw: st.DrawFn) -> Rate:
    """A discount, an overage discount below or at it, and what is kept of an unused dollar."""
    discount = draw(shares)
    return Rate(discount=discount, overage_discount=draw(st.floats(-0.2, discount)), kept=draw(st.floats(0, 0.9)))


def solved(**problem: Any) -> tuple[float, str]:
    """Commitment and mean payment, to a hundredth of a cent."""
    choice = Problem.parse(problem).solve()
    return round(choice.commit, 4), f"{choice.expected_pay:.4f}"


@pytest.mark.parametrize("case", CASES["uniform"], ids=str)
def test_the_best_commitment_of_a_uniform_demand(case: dict[str, Any]) -> None:
    """Golden: with list overage and nothing kept, a discount d justifies covering the d-quantile and no more."""
    terms = {name: case[name] for name in ("d", "d_o", "rho") if name in case}

    assert solved(demand=UNIFORM, **terms) == (case["commit"], case["pay"])


@pytest.mark.parametrize("case", CASES["single"], ids=str)
def test_the_payment_of_one_known_year(case: dict[str, Any]) -> None:
    """Golden: overage at list, half and wholly protected; an unused rest forfeited or half kept."""
    terms = {name: case[name] for name in ("d", "d_o", "rho", "commit") if name in case}

    assert solved(demand=[[case["demand"]]], **terms) == (case["commit"], case["pay"])


def test_with_protected_overage_only_the_floors_of_bands_are_candidates() -> None:
    """Golden: go up a band while the better rate outweighs what its floor may leave unused."""
    told = CASES["bands"]
    floors = [solved(demand=UNIFORM, bands=told["bands"], protected=1, commit=start)[1] for start, _ in told["bands"]]

    assert solved(demand=UNIFORM, bands=told["bands"], protected=1) == (told["commit"], told["protected"])
    assert solved(demand=UNIFORM, bands=told["bands"]) == (told["commit"], told["listed"])
    assert floors == told["floors"]


def test_the_periods_of_a_path_are_one_pool() -> None:
    """What is not used in one quarter is used in the next: a path counts by its sum."""
    assert solved(demand=[[100, 200, 300, 400]], d=0.2, protected=1, commit=800) == (800, "800.0000")
    assert solved(demand=[[1, 2], [3, 4]], d=0.2) == solved(demand=[[3], [7]], d=0.2) == solved(demand=[3, 7], d=0.2)


@settings(max_examples=40)
@given(demand=demands, rate=rates())
def test_no_commitment_of_a_fine_grid_is_better_than_the_closed_form(demand: np.ndarray, rate: Rate) -> None:
    """The newsvendor quantile is the optimum: brute force finds nothing below it."""
    bands = ladder([Band(threshold=0.0, rate=rate)])
    grid = np.linspace(0, 1.2 * demand.max() + 1, 200)

    best = cheapest(demand, bands)

    assert best.expected_pay <= min(expected_pay(demand, float(commit), bands) for commit in grid) * (1 + 1e-8) + 1e-6


@settings(max_examples=40)
@given(demand=demands, discounts=st.lists(shares, min_size=2, max_size=5), kept=st.floats(0, 0.9))
def test_nor_with_bands(demand: np.ndarray, discounts: list[float], kept: float) -> None:
    """Among bands the best of each and their floors are all that can be cheapest."""
    steps = [place * 1e5 for place in range(len(discounts))]
    bands = ladder(
        [
            Band(threshold=start, rate=Rate(discount=discount, kept=kept))
            for start, discount in zip(steps, sorted(discounts), strict=True)
        ]
    )
    grid = np.linspace(0, 1.2 * demand.max() + steps[-1], 200)

    best = cheapest(demand, bands)

    assert best.expected_pay <= min(expected_pay(demand, float(commit), bands) for commit in grid) * (1 + 1e-8) + 1e-6


@settings(max_examples=40)
@given(demand=demands, commit=st.floats(0, 1e6), rate=rates())
def test_a_payment_is_the_used_part_and_the_forfeited_rest(demand: np.ndarray, commit: float, rate: Rate) -> None:
    """Pay = pay as used + (1 - kept) x unused, and the two-line form of the same contract agrees."""
    paid = pay(demand, commit, rate)
    steeper = (1 - rate.overage_discount) / (1 - rate.discount) - 1
    lines = np.maximum(
        (1 - rate.overage_discount) * demand - steeper * commit,
        (1 - rate.kept) * commit + rate.kept * (1 - rate.discount) * demand,
    )

    assert np.allclose(paid, lines, atol=1e-6)
    assert np.allclose(paid, pay_as_used(demand, commit, rate) + (1 - rate.kept) * unused(demand, commit, rate))


@settings(max_examples=40)
@given(demand=demands, commit=st.floats(0, 1e6), rate=rates(), more=st.floats(0, 1), factor=st.floats(0.1, 10))
def test_better_terms_never_cost_more(
    demand: np.ndarray, commit: float, rate: Rate, more: float, factor: float
) -> None:
    """Payment never rises with overage protection, rollover or discount, and scales with money."""
    protected = Rate(
        discount=rate.discount,
        overage_discount=rate.overage_discount + more * (rate.discount - rate.overage_discount),
        kept=rate.kept,
    )
    rolled = Rate(
        discount=rate.discount, overage_discount=rate.overage_discount, kept=rate.kept + more * (1 - rate.kept)
    )
    dearer = Rate(
        discount=rate.discount + more * (0.9 - rate.discount), overage_discount=rate.overage_discount, kept=rate.kept
    )
    before = pay(demand, commit, rate) + 1e-6

    assert (pay(demand, commit, protected) <= before).all()
    assert (pay(demand, commit, rolled) <= before).all()
    assert (pay(demand, commit, dearer) <= before).all()
    assert np.allclose(pay(factor * demand, factor * commit, rate), factor * pay(demand, commit, rate), atol=1e-4)


@settings(max_examples=40)
@given(paths=st.lists(st.lists(st.floats(0, 1e5), min_size=4, max_size=4), min_size=1, max_size=10), rate=rates())
def test_floors_by_period_cost_at_least_the_pool(paths: list[list[float]], rate: Rate) -> None:
    """Four quarters with a quarter of the commitment each are never cheaper than one year."""
    demand = np.array(paths)
    commit = 0.7 * float(demand.sum(axis=1).mean())

    quarters = sum(pay(demand[:, quarter], commit / 4, rate) for quarter in range(4))

    assert (quarters >= pay(demand.sum(axis=1), commit, rate) - 1e-6).all()


def test_full_protection_leaves_no_reason_to_commit_beyond_a_floor() -> None:
    """Where overage keeps the whole discount, the newsvendor quantile is 0."""
    assert Rate(discount=0.2, overage_discount=0.2).quantile == 0
    assert Rate(discount=0.2).quantile == pytest.approx(0.2)
    assert Rate(discount=0.2, kept=0.5).quantile == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("problem", "why"),
    [
        ([], "one JSON object"),
        ({"demand": [[1]], "d": 1.0}, "below 1"),
        ({"demand": [[1]], "d": 0.1, "d_o": 0.2}, "more than the discount"),
        ({"demand": [[1]], "d": 0.1, "rho": 2}, "between 0 and 1"),
        ({"demand": [[1]], "d": 0.1, "d_o": 0.1, "protected": 0.5}, "both d_o and protected"),
        ({"demand": [[1]], "d": "much"}, "not a number"),
        ({"demand": [[1]], "d": True}, "not a number"),
        ({"demand": [[1]], "d": 0.1, "commit": -5}, "0 or more"),
        ({"demand": [[1]], "bands": [[0, 0.1], [0, 0.2]]}, "same commitment"),
        ({"demand": [[1]], "bands": [[0, 0.2], [10, 0.1]]}, "smaller discount"),
        ({"demand": [[1]], "bands": [[-1, 0.2]]}, "0 or more"),
        ({"demand": [[1]], "bands": [[1, 2, 3]]}, "pairs"),
        ({"demand": [[1]], "discount": 0.1}, "unknown"),
        ({"demand": [[1, 2], [3]], "d": 0.1}, "as many numbers"),
        ({"demand": [[-1]], "d": 0.1}, "0 or more"),
        ({"demand": [], "d": 0.1}, "at least one path"),
        ({"d": 0.1}, "at least one path"),
    ],
    ids=str,
)
def test_terms_that_contradict_themselves_are_refused(problem: Any, why: str) -> None:
    """Each refusal names what is wrong; nothing is computed from half-understood terms."""
    with pytest.raises(TermsContradict) as refused:
        Problem.parse(problem).solve()
    assert why in str(refused.value)
