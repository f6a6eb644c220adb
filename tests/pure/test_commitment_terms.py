"""A contract under all of its clauses: golden cases, what each is worth, and terms that contradict themselves."""

from dataclasses import replace
from datetime import date
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.commitment.bands import cheapest
from core.commitment.clauses import clause_prices
from core.commitment.outlook import alternatives, cheapest_commitment, curve, outlooks
from core.commitment.payment import Floats, Rate, TermsContradict
from core.commitment.stranded import stranded
from core.commitment.term_cost import term_cost
from core.commitment.terms import Terms

DAY = date(2026, 11, 1)
PLAIN = Terms(name="plain", as_of=DAY, first=date(2027, 1, 1), bands=((0, 0.2),))


def lognormal(mean: float = 1e6, spread: float = 0.3, count: int = 4_000) -> Floats:
    """Years of a lognormal demand at evenly spaced quantiles, spread over twelve months."""
    points = [NormalDist().inv_cdf((place + 0.5) / count) for place in range(count)]
    years = np.exp(spread * np.array(points)) * mean / np.exp(spread**2 / 2)
    return np.repeat(years[:, None] / 12, 12, axis=1)


@pytest.mark.parametrize(
    ("terms", "commit", "cost"),
    [
        ({"bands": ((0, 0.1),)}, 585_771.2, 943_124.01),
        ({"bands": ((0, 0.2),)}, 594_146.2, 873_194.25),
        ({"bands": ((0, 0.3),)}, 571_783.4, 795_143.99),
        ({"protection": 0.5}, 530_287.7, 842_242.45),
        ({"kept": 0.5}, 672_090.9, 860_516.28),
    ],
    ids=str,
)
def test_the_best_commitment_of_a_lognormal_demand(terms: dict[str, Any], commit: float, cost: float) -> None:
    """Golden: exact values of the closed form; the search under all clauses finds the same within half a percent."""
    demand, contract = lognormal(), replace(PLAIN, **terms)
    found = cheapest_commitment(demand, contract)

    assert found == pytest.approx(commit, rel=0.01)
    assert term_cost(demand, found, contract).expected == pytest.approx(cost, rel=5e-4)
    assert cheapest(demand.sum(axis=1), contract.ladder()).expected_pay == pytest.approx(cost, rel=5e-4)


@pytest.mark.parametrize(
    ("clause", "worth"),
    [
        ({"protection": 1.0}, 47_068.78),
        ({"protection": 0.5}, 23_534.39),
        ({"kept": 0.5}, 14_137.56),
        ({"protection": 1.0, "kept": 0.5}, 61_206.34),
    ],
    ids=str,
)
def test_what_a_clause_is_worth(clause: dict[str, Any], worth: float) -> None:
    """Golden: at a commitment of 640,000; protection and rollover add up, since they act in different futures."""
    demand = lognormal()
    saved = term_cost(demand, 640_000, PLAIN).expected - term_cost(demand, 640_000, replace(PLAIN, **clause)).expected

    assert saved == pytest.approx(worth, rel=2e-3)


@pytest.mark.parametrize(
    ("shares", "paid"), [((1.0,), 800), ((0.25,) * 4, 960), ((0.1, 0.2, 0.3, 0.4), 800)], ids=["pool", "floors", "ramp"]
)
def test_floors_by_quarter_cost_more_than_a_pool(shares: tuple[float, ...], paid: float) -> None:
    """Golden: a growing year of 1,000 against 800: equal quarters lose what the first ones do not use."""
    demand = np.repeat(np.array([[100.0, 200, 300, 400]]) / 3, 3, axis=1)

    assert term_cost(demand, 800, replace(PLAIN, protection=1.0, shares=shares)).expected == pytest.approx(paid)


@pytest.mark.parametrize(
    ("overage", "potential", "saved"), [(0.18, 442_800, 98_400), (0.0, 464_400, 120_000)], ids=["protected", "list"]
)
def test_a_gain_after_signing_is_stranded(overage: float, potential: float, saved: float) -> None:
    """Golden: 45 % fewer dollars a year after committing to cover 1.08 million; both sides agree to the cent."""
    rate = Rate(discount=0.18, overage_discount=overage)

    told = stranded(np.array([1_200_000.0]), np.array([660_000.0]), 885_600, rate)

    assert (round(told.potential, 2), round(told.saved, 2), round(told.stranded, 2)) == (potential, saved, 344_400)


@settings(max_examples=40)
@given(
    before=st.lists(st.floats(0, 1e6), min_size=1, max_size=8).map(np.array),
    gain=st.floats(0, 1),
    commit=st.floats(0, 1e6),
    discount=st.floats(0, 0.6),
    kept=st.floats(0, 1),
)
def test_a_potential_gain_is_saved_or_stranded(
    before: Floats, gain: float, commit: float, discount: float, kept: float
) -> None:
    """Nothing is lost between the two, and a gain never strands less than nothing."""
    told = stranded(before, (1 - gain) * before, commit, Rate(discount=discount, kept=kept))

    assert told.potential == pytest.approx(told.saved + told.stranded, abs=1e-5)
    assert told.stranded >= -1e-6


def test_a_true_down_looks_back_only() -> None:
    """A year that collapses in its seventh month was not foreseen in its sixth: nothing is lowered there."""
    steady, collapsing, low = np.full(12, 100.0), np.repeat([100.0, 10.0], 6), np.full(12, 40.0)
    terms = replace(PLAIN, protection=1.0, true_down_after=6, true_down_to=0.5)
    paid = term_cost(np.array([steady, collapsing, low]), 960, terms).paid

    assert paid[0] == pytest.approx(960)
    assert paid[1] == pytest.approx(960)
    # 240 used by June, a rest of 720 that the run rate (240) would not use: lowered to half of it.
    assert paid[2] == pytest.approx(192 + (960 - 192) / 2)


def test_prices_change_from_a_month_on_unless_they_are_locked() -> None:
    """Five percent more from July: half of the year costs five percent more."""
    demand, later = np.full((1, 12), 100.0), replace(PLAIN, bands=(), price_changes=((7, 1.05),))

    assert term_cost(demand, 0, later).expected == pytest.approx(1_230)
    assert term_cost(demand, 0, replace(later, locked=True)).expected == pytest.approx(1_200)


def test_prepaying_costs_what_the_money_would_have_earned() -> None:
    """Half a year early on average, at eight percent: nearly four percent of the prepaid dollars."""
    demand = np.full((1, 12), 100_000.0)
    prepaid = replace(PLAIN, prepaid=1.0, interest=0.08)
    more = term_cost(demand, 900_000, prepaid).expected - term_cost(demand, 900_000, PLAIN).expected

    assert more == pytest.approx(0.038 * 900_000, rel=0.02)
    assert term_cost(demand, 900_000, replace(prepaid, interest=0.0)).expected == pytest.approx(975_000)


def test_a_commitment_drawn_at_list_price_is_list_dollars() -> None:
    """A marketplace commitment of 1,000 list dollars at 20 % costs 800 in cash and covers 1,000."""
    terms = replace(PLAIN, drawn_at_list=True)

    assert term_cost(np.full((1, 12), 1_000 / 12), 1_000, terms).expected == pytest.approx(800)
    assert term_cost(np.full((1, 12), 1_100 / 12), 1_000, terms).expected == pytest.approx(900)


def test_the_alternatives_stand_beside_the_recommendation() -> None:
    """No commitment of them costs less in the mean; covering the median is a shortfall every other time."""
    demand = lognormal(count=1_000)
    terms = replace(PLAIN, bands=((0, 0.1), (500_000, 0.15), (900_000, 0.2)), ask=1_100_000)
    told = {one.name: one for one in outlooks(demand, terms, alternatives(demand, terms, trailing=80_000))}

    assert set(told) == {"recommended", "none", "lowest_band", "p10", "p50", "p90", "trailing_60_days", "ask"}
    assert told["recommended"].expected == pytest.approx(min(one.expected for one in told.values()))
    assert told["p50"].shortfall_chance == pytest.approx(0.5, abs=0.01)
    assert told["none"].shortfall_chance == 0
    assert told["none"].saving == pytest.approx(0)
    assert all(one.p10 <= one.p50 <= one.p90 and one.regret >= 0 <= one.worst_regret for one in told.values())
    assert told["ask"].regret > told["recommended"].regret


def test_the_curve_has_its_least_cost_where_the_recommendation_is() -> None:
    """The picture and the number say the same."""
    demand = lognormal(count=500)
    rows = curve(demand, PLAIN, steps=120)
    least = min(rows, key=lambda row: row[1])

    assert least[0] == pytest.approx(cheapest_commitment(demand, PLAIN), rel=0.03)
    assert all(low <= high for _, _, low, high in rows)
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)


def test_clauses_have_prices() -> None:
    """Protection is worth most, prepayment costs; what the terms have already is not priced again."""
    demand = lognormal(count=500)
    terms = replace(PLAIN, interest=0.08, kept=0.5)
    prices = {price.clause: price for price in clause_prices(demand, terms, 640_000, seed=1)}

    assert "rollover" not in prices
    assert prices["price_lock"].at_commitment == 0
    assert prices["protection"].at_commitment == pytest.approx(47_068.78, rel=0.02)
    assert prices["protection"].low < prices["protection"].at_commitment < prices["protection"].high
    assert prices["prepayment"].at_commitment < 0
    assert all(price.reoptimised >= -1e-6 for name, price in prices.items() if "protection" in name)


def test_terms_are_read_from_a_document() -> None:
    """The fields by name, bands as tables, price changes by month."""
    told = Terms.parse(
        {
            "name": "draft",
            "as_of": DAY,
            "first": date(2027, 1, 1),
            "currency": "USD",
            "band": [{"commit": 250_000, "discount": 0.1}],
            "shares": [0.25, 0.25, 0.25, 0.25],
            "price_changes": [{"month": 7, "factor": 1.05}],
        }
    )

    assert list(told.bands) == [(250_000, 0.1)]
    assert [band.threshold for band in told.ladder()] == [0, 250_000]
    assert (list(told.shares), list(told.price_changes), told.months) == ([0.25] * 4, [(7, 1.05)], 12)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"months": 0}, "1 to 60 months"),
        ({"shares": [0.5, 0.4]}, "sum to 1"),
        ({"shares": [0.2] * 5}, "do not part"),
        ({"prepaid": 2.0}, "between 0 and 1"),
        ({"protection": 1.5}, "more than the whole discount"),
        ({"true_down_after": 12}, "within the term"),
        ({"true_down_after": 6, "shares": [0.5, 0.5]}, "give one of them"),
        ({"price_changes": [{"month": 13, "factor": 1.1}]}, "a month of the term"),
        ({"price_changes": [{"month": 3}]}, "cannot be read"),
        ({"ask": -1.0}, "0 or more"),
        ({"band": [{"commit": 1, "discount": 1.0}]}, "below 1"),
        ({"band": [{"commit": 1, "discount": 0.2}, {"commit": 2, "discount": 0.1}]}, "smaller discount"),
        ({"currency": "EUR"}, "only USD"),
        ({"discount": 0.1}, "unknown"),
        ({"kept": 1.5, "band": [{"commit": 0, "discount": 0.1}]}, "between 0 and 1"),
    ],
    ids=str,
)
def test_terms_that_contradict_themselves_are_refused(change: dict[str, Any], why: str) -> None:
    """By name, before anything is computed."""
    with pytest.raises(TermsContradict) as refused:
        Terms.parse({"name": "draft", "as_of": DAY, "first": date(2027, 1, 1), **change})
    assert why in str(refused.value)
