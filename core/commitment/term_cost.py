"""What a term costs under all of its clauses, path by path: the accounting that every figure of a contract rests on."""

from dataclasses import dataclass

import numpy as np

from core.commitment.bands import band_of
from core.commitment.payment import Floats, Rate, pay, unused
from core.commitment.terms import Terms

MONTHS = 12


@dataclass(frozen=True, kw_only=True)
class TermCost:
    """USD by path, worth what they are worth on the first day of the term."""

    paid: Floats
    unused: Floats
    """Of the commitment, at the end (or at the end of each period)."""
    list_value: Floats
    """The same consumption at list price, after price changes."""

    @property
    def expected(self) -> float:
        """Mean payment."""
        return float(self.paid.mean())


def term_cost(demand: Floats, commit: float, terms: Terms) -> TermCost:
    """Pay under `commit` USD for sample paths of list value by month: paths x months of the term, at today's prices."""
    value = priced(demand, terms)
    rate = band_of(terms.ladder(), commit).rate
    # Drawn at list price, the dollars that are committed to are list dollars: their cash is less by the discount.
    cash = commit * (1 - rate.discount) if terms.drawn_at_list else commit
    if terms.true_down_after is not None:
        floors = _trued_down(value, cash, rate, terms)
        totals = value.sum(axis=1)
        paid, left = pay(totals, floors, rate), unused(totals, floors, rate)
    else:
        periods = value.reshape(len(value), len(terms.shares), -1).sum(axis=2)
        parts = [(periods[:, place], share * cash) for place, share in enumerate(terms.shares)]
        paid = sum((pay(sums, floor, rate) for sums, floor in parts), np.zeros(len(value)))
        left = sum((unused(sums, floor, rate) for sums, floor in parts), np.zeros(len(value)))
    return TermCost(paid=paid + _money_cost(value, paid, cash, terms), unused=left, list_value=value.sum(axis=1))


def priced(demand: Floats, terms: Terms) -> Floats:
    """Demand after the price changes of the term, unless prices are locked."""
    factors = np.ones(demand.shape[1])
    for month, factor in () if terms.locked else terms.price_changes:
        factors[month - 1 :] *= factor
    return demand * factors


def _trued_down(value: Floats, cash: float, rate: Rate, terms: Terms) -> Floats:
    """The commitment of each path after the rest was lowered, where the run rate so far would not have used it.

    Seen from that day: the run rate of the months before it, never what came later.
    """
    after = terms.true_down_after or 0
    used = (1 - rate.discount) * value[:, :after].sum(axis=1)
    rest = np.maximum(cash - used, 0)
    projected = used / after * (value.shape[1] - after)
    lowered = np.maximum(projected, terms.true_down_to * rest)
    return np.where(projected < rest, np.minimum(used, cash) + np.minimum(lowered, rest), cash)


def _money_cost(value: Floats, paid: Floats, cash: float, terms: Terms) -> Floats:
    """What paying early costs: the prepaid share on the first day instead of as it is used over the term."""
    if not terms.interest or not terms.prepaid:
        return np.zeros(len(value))
    totals = value.sum(axis=1, keepdims=True)
    spread = np.divide(value, totals, out=np.full_like(value, 1 / value.shape[1]), where=totals > 0)
    years = (np.arange(value.shape[1]) + 0.5) / MONTHS
    waiting = 1 - (spread * (1 + terms.interest) ** -years).sum(axis=1)
    cost: Floats = np.minimum(terms.prepaid * cash, paid) * waiting
    return cost
