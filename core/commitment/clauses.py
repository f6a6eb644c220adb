"""What each clause is worth to a buyer, in dollars: the same futures with it and without it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from core.commitment.outlook import cheapest_commitment
from core.commitment.payment import Floats
from core.commitment.term_cost import term_cost
from core.commitment.terms import Terms

_ROUNDS = 400
_SURE = 0.9

CLAUSES: Mapping[str, Mapping[str, Any]] = {
    "protection": {"protection": 1.0},
    "half_protection": {"protection": 0.5},
    "rollover": {"kept": 0.5},
    "quarterly_floors": {"shares": (0.25, 0.25, 0.25, 0.25), "true_down_after": None},
    "true_down": {"true_down_after": 6, "true_down_to": 0.7, "shares": (1.0,)},
    "price_lock": {"locked": True},
    "prepayment": {"prepaid": 1.0},
}
"""Clauses to put a price on, each as what it changes in the terms; negative prices are what a clause costs a buyer."""


@dataclass(frozen=True, kw_only=True)
class ClausePrice:
    """What a clause saves in the mean, in USD, with the range of the mean over so many futures (90 %)."""

    clause: str
    at_commitment: float
    low: float
    high: float
    reoptimised: float
    """With the best commitment of each side instead of the same one."""


def clause_prices(demand: Floats, terms: Terms, commit: float, *, seed: int) -> tuple[ClausePrice, ...]:
    """Every clause that would change something, dearest first; `demand` is paths x months of list value."""
    plain_best = term_cost(demand, cheapest_commitment(demand, terms), terms).expected
    found = []
    for clause, change in CLAUSES.items():
        other = _with(terms, change)
        if other is None:
            continue
        saved = term_cost(demand, commit, terms).paid - term_cost(demand, commit, other).paid
        best = term_cost(demand, cheapest_commitment(demand, other), other).expected
        low, high = _range(saved, seed)
        found.append(
            ClausePrice(
                clause=clause,
                at_commitment=float(saved.mean()),
                low=low,
                high=high,
                reoptimised=plain_best - best,
            )
        )
    return tuple(sorted(found, key=lambda price: -price.at_commitment))


def _with(terms: Terms, change: Mapping[str, Any]) -> Terms | None:
    """The terms with a clause; None where it cannot be had with this term or is there already."""
    after = change.get("true_down_after")
    if after is not None and after >= terms.months:
        return None
    if terms.months % len(change.get("shares", (1.0,))):
        return None
    other = replace(terms, **change)
    return None if other == terms else other


def _range(saved: Floats, seed: int) -> tuple[float, float]:
    """Bootstrap of the mean over futures."""
    rng = np.random.default_rng([seed, 3])
    means = saved[rng.integers(0, saved.size, (_ROUNDS, saved.size))].mean(axis=1)
    low, high = np.quantile(means, [(1 - _SURE) / 2, (1 + _SURE) / 2])
    return float(low), float(high)
