"""What a commitment means: cost and its range, the chance of a shortfall, regret, and the alternatives beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.commitment.payment import Floats
from core.commitment.term_cost import TermCost, priced, term_cost
from core.commitment.terms import Terms

_GRID = 160
_REFINED = 40
_TAIL = 0.9
_ASK = 1.25
_SAME = 1e-9


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """One commitment over all futures, in USD."""

    name: str
    commit: float
    covers: float
    """Share of the futures whose demand, discounted, is no more than the commitment: its percentile."""
    expected: float
    p10: float
    p50: float
    p90: float
    saving: float
    """Mean saving against list price."""
    shortfall_chance: float
    shortfall: float
    """Mean of what is left unused where something is."""
    regret: float
    """Mean of what hindsight would have saved, over the commitments compared."""
    worst_regret: float
    """The same in the tenth of the futures where it is most (CVaR 90)."""


def cheapest_commitment(demand: Floats, terms: Terms) -> float:
    """The commitment of least expected cost under all clauses, in USD: a grid, then a finer one around its best.

    The cost is convex within a band: what lies between two steps of the finer grid differs by less than they do.
    """
    thresholds = [band.threshold for band in terms.ladder()]
    most = float(priced(demand, terms).sum(axis=1).max())
    step = most / _GRID
    coarse = [*thresholds, *np.linspace(0, most, _GRID + 1)]
    best = _least(demand, terms, coarse)
    return _least(demand, terms, [best, *thresholds, *np.linspace(max(best - step, 0), best + step, _REFINED + 1)])


def outlooks(demand: Floats, terms: Terms, commitments: Mapping[str, float]) -> tuple[Outlook, ...]:
    """Each of the named commitments over the same futures, in their order."""
    costs = {name: term_cost(demand, commit, terms) for name, commit in commitments.items()}
    hindsight = np.min([cost.paid for cost in costs.values()], axis=0)
    return tuple(_outlook(name, commitments[name], cost, hindsight) for name, cost in costs.items())


def alternatives(demand: Floats, terms: Terms, *, trailing: float | None) -> dict[str, float]:
    """The commitments that a buyer would be shown, in USD; `trailing`: list value a month of the last sixty days."""
    totals = priced(demand, terms).sum(axis=1)
    best = cheapest_commitment(demand, terms)
    floors = [band.threshold for band in terms.ladder() if band.threshold > 0]
    told = {"recommended": best, "none": 0.0}
    if floors:
        told["lowest_band"] = min(floors)
    for name, level in (("p10", 0.1), ("p50", 0.5), ("p90", 0.9)):
        told[name] = discounted(float(np.quantile(totals, level)), terms)
    if trailing is not None:
        told["trailing_60_days"] = discounted(trailing * terms.months, terms)
    told["ask"] = terms.ask if terms.ask is not None else _ASK * told["p50"]
    if terms.signed is not None:
        told["signed"] = terms.signed
    return told


def discounted(list_value: float, terms: Terms) -> float:
    """The commitment whose capacity is a list value: in the band that it earns itself, the highest that it reaches."""
    if terms.drawn_at_list:
        return list_value
    reached = [
        (1 - band.rate.discount) * list_value
        for band in terms.ladder()
        if (1 - band.rate.discount) * list_value >= band.threshold
    ]
    return reached[-1]


def curve(demand: Floats, terms: Terms, steps: int = 60) -> list[tuple[float, float, float, float]]:
    """Commitment, mean cost, P10 and P90 from no commitment to one and a half times the median demand."""
    most = 1.5 * float(np.median(priced(demand, terms).sum(axis=1)))
    thresholds = [band.threshold for band in terms.ladder() if band.threshold <= most]
    rows = []
    for commit in sorted({*np.linspace(0, most, steps), *thresholds}):
        paid = term_cost(demand, float(commit), terms).paid
        low, high = np.quantile(paid, [0.1, 0.9])
        rows.append((float(commit), float(paid.mean()), float(low), float(high)))
    return rows


def _least(demand: Floats, terms: Terms, candidates: Sequence[float]) -> float:
    ordered = sorted({float(candidate) for candidate in candidates})
    costs = [term_cost(demand, candidate, terms).expected for candidate in ordered]
    least = min(costs)
    return next(commit for commit, cost in zip(ordered, costs, strict=True) if cost <= least + _SAME * max(least, 1.0))


def _outlook(name: str, commit: float, cost: TermCost, hindsight: Floats) -> Outlook:
    regret = cost.paid - hindsight
    short = cost.unused > 0
    p10, p50, p90 = (float(value) for value in np.quantile(cost.paid, [0.1, 0.5, 0.9]))
    return Outlook(
        name=name,
        commit=commit,
        covers=float(short.mean()),
        expected=cost.expected,
        p10=p10,
        p50=p50,
        p90=p90,
        saving=float((cost.list_value - cost.paid).mean()),
        shortfall_chance=float(short.mean()),
        shortfall=float(cost.unused[short].mean()) if short.any() else 0.0,
        regret=float(regret.mean()),
        worst_regret=float(np.sort(regret)[int(_TAIL * regret.size) :].mean()),
    )
