"""What would make a missed deadline hold: later, more room in the queue, fewer items, more budget. Pure.

Each fix has been tried: the schedule was made again with it, and the deadline held in it.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from core.schedule.demand import Demand, Solution, solve
from core.schedule.lots import Lot

Means = Literal["later", "queue", "items", "budget"]

# Halvings in which the least is looked for, by the number of lots; a promise has margins anyway.
_TRIES, _TRIES_OF_MANY, _MANY = 5, 3, 50
_ALMOST_ALL = 0.999
_MINUTE = 60.0


@dataclass(frozen=True, kw_only=True)
class Fix:
    """One change by itself after which the deadline holds.

    `by`: the new deadline (means "later"); `amount`: items that the queue must have room for in all ("queue"), items
    to leave out ("items"), dollars in all ("budget").
    """

    means: Means
    by: datetime | None = None
    amount: float | None = None


def fixes(solution: Solution, deadline: datetime | None, lots: Sequence[Lot]) -> Iterator[Fix]:
    """What would let these lots meet their deadline (be paid for, where they have none), one change at a time."""
    keys = frozenset(lot.key for lot in lots)
    unpaid = [lot for lot in lots if lot in solution.unpaid]
    if unpaid:
        if usd := _budget(solution, keys):
            yield Fix(means="budget", amount=usd)
    elif deadline is not None:
        if by := _later(solution, deadline, keys):
            yield Fix(means="later", by=by)
        if room := _queue_room(solution, keys):
            yield Fix(means="queue", amount=float(room))
    if count := _fewer(solution, keys):
        yield Fix(means="items", amount=float(count))


def _holds(demand: Demand, keys: frozenset[str]) -> bool:
    """Whether nothing of these lots is missed any more."""
    return not any(lot.key in keys for lots in solve(demand, thorough=False).missed.values() for lot in lots)


def _later(solution: Solution, deadline: datetime, keys: frozenset[str]) -> datetime | None:
    """About the first time, to the minute, by which what is due at the deadline would be there."""
    demand = solution.demand
    due = frozenset(lot.key for lot in demand.lots if lot.deadline == deadline)
    ready = max(one.way.ready(one.last, demand.confidence) for one in solution.sendings if one.lot.key in keys | due)
    if not math.isfinite(ready):
        return None

    def moved(seconds: float) -> datetime:
        return demand.now + timedelta(seconds=math.ceil(seconds / _MINUTE) * _MINUTE)

    def holds(seconds: float) -> bool:
        by = moved(seconds)
        lots = tuple(replace(lot, deadline=by) if lot.key in due else lot for lot in demand.lots)
        return _holds(replace(demand, lots=lots), due)

    now = demand.seconds(deadline)
    enough = next(
        (seconds for seconds in (ready * 1.25**n for n in range(_TRIES_OF_MANY)) if holds(max(seconds, now))), None
    )
    return None if enough is None else moved(_least(now, max(enough, now), holds, demand))


def _queue_room(solution: Solution, keys: frozenset[str]) -> int | None:
    """The least room found, to two digits."""
    demand, limit = solution.demand, solution.demand.queue_limit
    if limit is None:
        return None

    def holds(ratio: float) -> bool:
        return _holds(replace(demand, queue_limit=_to_two_digits(limit * math.exp(ratio))), keys)

    most = math.log(max(sum(lot.items for lot in demand.lots) / limit, 1.0))
    return _to_two_digits(limit * math.exp(_least(0.0, most, holds, demand))) if holds(most) else None


def _fewer(solution: Solution, keys: frozenset[str]) -> int | None:
    """The least number of items of these lots found to be too many."""
    demand = solution.demand

    def without(share: float) -> Demand:
        return replace(demand, lots=tuple(_kept(lot, share) if lot.key in keys else lot for lot in demand.lots))

    def left_out(share: float) -> int:
        return sum(lot.items for lot in demand.lots) - sum(lot.items for lot in without(share).lots)

    def holds(share: float) -> bool:
        return _holds(without(share), keys)

    # What goes too late is about what is too much, unless nothing is early enough.
    late = sum(one.late_items for one in solution.sendings if one.lot.key in keys)
    share = 1.05 * late / sum(lot.items for lot in demand.lots if lot.key in keys)
    high = next((high for high in (share, _ALMOST_ALL) if 0 < high < 1 and holds(high)), None)
    return None if high is None else left_out(_least(0.0, high, holds, demand)) or None


def _kept(lot: Lot, share: float) -> Lot:
    """The lot without so large a share of its items, but with one besides those that go first."""
    return replace(lot, items=max(math.floor(lot.items * (1 - share)), lot.primers + 1))


def _budget(solution: Solution, keys: frozenset[str]) -> float | None:
    """Dollars for everything, rounded up to the cent."""
    demand = solution.demand
    whole = solve(replace(demand, budget_usd=None), thorough=False)
    usd = math.ceil(whole.usd * 100 + 1e-9) / 100
    return usd if _holds(replace(demand, budget_usd=usd), keys) else None


def _least(low: float, high: float, holds: Callable[[float], bool], demand: Demand) -> float:
    """About the least value that holds, from `low`, which does not, to `high`, which does."""
    for _ in range(_TRIES if len(demand.lots) < _MANY else _TRIES_OF_MANY):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _to_two_digits(value: float) -> int:
    """Rounded up."""
    unit: int = 10 ** max(len(str(int(value))) - 2, 0)
    return math.ceil(value / unit - 1e-9) * unit
