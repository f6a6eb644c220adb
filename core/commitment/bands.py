"""The commitment that costs least, in closed form: one rate, or bands in which a larger commitment earns more."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from core.commitment.payment import Floats, Rate, TermsContradict, pay

_EXACT = 1e-9
"""Of a rank: what floating point may add to a whole number."""


@dataclass(frozen=True, kw_only=True)
class Band:
    """What a commitment of at least `threshold` USD earns, on all of it."""

    threshold: float
    rate: Rate


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A commitment and what it costs in the mean over the futures, both in USD."""

    commit: float
    expected_pay: float


def ladder(bands: Sequence[Band]) -> tuple[Band, ...]:
    """The bands in order, beginning with none at 0 where none is. Raises `TermsContradict`."""
    ordered = sorted(bands, key=lambda band: band.threshold)
    thresholds = [band.threshold for band in ordered]
    if any(not math.isfinite(threshold) or threshold < 0 for threshold in thresholds):
        raise TermsContradict(thresholds=thresholds, why="a threshold is a number of dollars, 0 or more")
    if len(set(thresholds)) < len(thresholds):
        raise TermsContradict(thresholds=thresholds, why="two bands begin at the same commitment")
    if any(later.rate.discount < earlier.rate.discount for earlier, later in pairwise(ordered)):
        raise TermsContradict(bands=thresholds, why="a larger commitment earns a smaller discount")
    if not ordered or thresholds[0] > 0:
        ordered.insert(0, Band(threshold=0.0, rate=Rate(discount=0.0)))
    return tuple(ordered)


def band_of(bands: Sequence[Band], commit: float) -> Band:
    """The band that a commitment falls into; `bands` as `ladder` gives them."""
    return max((band for band in bands if band.threshold <= commit), key=lambda band: band.threshold)


def expected_pay(demand: Floats, commit: float, bands: Sequence[Band]) -> float:
    """Mean USD over equally likely totals of list value."""
    return float(pay(demand, commit, band_of(bands, commit).rate).mean())


def cheapest(demand: Floats, bands: Sequence[Band]) -> Choice:
    """The commitment of least expected payment; of equals the smallest. `bands` as `ladder` gives them.

    Within a band the payment is convex in the commitment, so only its floor and its newsvendor quantile come into
    question: K* is the ceil(r n)-th smallest of n equally likely totals, and C* = (1 - d) K*.
    """
    ceilings = [band.threshold for band in bands[1:]] + [math.inf]
    candidates = sorted(
        {commit for band, ceiling in zip(bands, ceilings, strict=True) for commit in _of_band(demand, band, ceiling)}
    )
    costs = [expected_pay(demand, commit, bands) for commit in candidates]
    # Sums of many paths differ in their last digits: the smaller commitment wins what is equal but for those.
    least = min(costs)
    place = next(index for index, cost in enumerate(costs) if cost <= least + _EXACT * max(abs(least), 1.0))
    return Choice(commit=candidates[place], expected_pay=costs[place])


def _of_band(demand: Floats, band: Band, ceiling: float) -> tuple[float, ...]:
    rank = math.ceil(band.rate.quantile * demand.size - _EXACT)
    if rank <= 0:
        return (band.threshold,)
    capacity = float(np.partition(demand, rank - 1)[rank - 1])
    commit = (1 - band.rate.discount) * capacity
    return (band.threshold, commit) if band.threshold < commit < ceiling else (band.threshold,)
