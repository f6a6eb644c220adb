"""What is asked of a schedule, and its solution: lots in ways that are in time together, within queue and budget. Pure.

Every deadline is to be met with the confidence asked for by all lots that are due then, taken together. What they have
in common makes them late together, so a lot by itself needs at least that confidence, and at most the one that would
do if all were independent (Bonferroni); in between it is tried out.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

import numpy as np

from core.schedule.choosing import Chosen, choose
from core.schedule.lots import Lot, Way, Ways
from core.schedule.packing import Choice
from core.schedule.window import WEIGHTS
from core.sizing.normal import Floats

# Steps from the confidence asked for to the one that would do if lots were independent.
_RISES = 5
# In all ways of all lots together.
_MOST_WAYS, _FEWEST_WAYS = 600, 3


@dataclass(frozen=True, kw_only=True)
class Demand:
    """The lots, and what they have to share."""

    lots: tuple[Lot, ...]
    now: datetime
    confidence: float
    queue_limit: int | None
    budget_usd: float | None
    known: dict[tuple[str, int], dict[int, Way]] = field(default_factory=dict)

    def seconds(self, deadline: datetime | None) -> float:
        """From now to a deadline; infinite where there is none."""
        return math.inf if deadline is None else (deadline - self.now).total_seconds()

    def ways(self, lot: Lot) -> Ways:
        """The ways of a lot, worked out once for all demands that differ in deadlines, budget or other lots."""
        room = lot.most if self.queue_limit is None else min(lot.most, self.queue_limit)
        return Ways(lot, room, self.known.setdefault((lot.key, lot.items), {}))


@dataclass(frozen=True, kw_only=True)
class Sending:
    """A lot in its way: how many jobs go at which offsets (seconds from now), and how many items of them too late."""

    lot: Lot
    way: Way
    offsets: tuple[tuple[float, int], ...]
    late_items: int
    late: bool

    @property
    def last(self) -> float:
        """When its last jobs go."""
        return max(offset for offset, _ in self.offsets)


@dataclass(frozen=True, kw_only=True)
class Solution:
    """What goes when. `unpaid`: lots that the budget leaves out; `least_usd`: what those that go cost at least."""

    demand: Demand
    sendings: tuple[Sending, ...]
    unpaid: tuple[Lot, ...]
    least_usd: float

    @property
    def usd(self) -> float:
        """What all that goes should cost."""
        return sum(sending.way.usd for sending in self.sendings)

    @property
    def rank(self) -> tuple[int, int, float]:
        """Less left out is better, then less that is not in time, then fewer dollars."""
        return len(self.unpaid), sum(len(lots) for lots in self.missed.values()), self.usd

    def in_time(self, deadline: datetime | None = None) -> float:
        """Chance that all lots due at a deadline are there by then; of all deadlines where none is named."""
        every = deadline is None
        if any(every or lot.deadline == deadline for lot in self.unpaid if lot.deadline is not None):
            return 0.0
        due = [one for one in self.sendings if one.lot.deadline is not None and (every or one.lot.deadline == deadline)]
        if not due:
            return 1.0
        expiry = max(one.way.arrival.expiry for one in due)
        there, after_expiry = self._all_there(due, 0.0), 0.0
        expires = max(one.way.arrival.expires_seconds for one in due)
        if all(self.demand.seconds(one.lot.deadline) > expires for one in due):
            after_expiry = self._all_there(due, expires)
        return (1 - expiry) * there + expiry * after_expiry

    @cached_property
    def missed(self) -> Mapping[datetime | None, Sequence[Lot]]:
        """The deadlines that are not met, with the lots that miss them; lots without one, where they are left out."""
        found: dict[datetime | None, list[Lot]] = {}
        for lot in [*(one.lot for one in self.sendings if one.late), *self.unpaid]:
            found.setdefault(lot.deadline, []).append(lot)
        for deadline in sorted({one.lot.deadline for one in self.sendings if one.lot.deadline}):
            if deadline not in found and self.in_time(deadline) < self.demand.confidence:
                found[deadline] = [one.lot for one in self.sendings if one.lot.deadline == deadline]
        return found

    def _all_there(self, due: Iterable[Sending], expired_seconds: float) -> float:
        chances: Floats = np.ones_like(WEIGHTS)
        for one in due:
            seconds = self.demand.seconds(one.lot.deadline) - expired_seconds
            chances = chances * one.way.chance(seconds, one.last)
        return float(WEIGHTS @ chances)


def solve(demand: Demand, *, thorough: bool = True) -> Solution:
    """Find the schedule; `thorough`: with the solver where plain orders make something late or dearer."""
    levels = {deadline: _Level(demand, deadline) for deadline in {lot.deadline for lot in demand.lots} - {None}}
    found = _sure(demand, levels, thorough=False)
    if not thorough or (found.usd <= found.least_usd * (1 + 1e-9) and not found.missed):
        return found
    return min(found, _sure(demand, levels, thorough=True), key=lambda solution: solution.rank)


def _sure(demand: Demand, levels: Mapping[datetime | None, "_Level"], thorough: bool) -> Solution:
    """The best schedule at rising levels, until the lots of each deadline are in time together, or one is late."""
    tried = []
    while True:
        solution = _solve_at(demand, levels, thorough)
        tried.append(solution)
        late = {one.lot.deadline for one in solution.sendings if one.late} | {lot.deadline for lot in solution.unpaid}
        unsure = [levels[deadline] for deadline in solution.missed if deadline not in late]
        rising = [level for level in unsure if level.can_rise]
        if not rising:
            return min(tried, key=lambda solution: solution.rank)
        for level in rising:
            level.rise()


class _Level:
    """The confidence that each lot due at a deadline needs by itself, where nothing expires."""

    def __init__(self, demand: Demand, deadline: datetime | None) -> None:
        due = [lot for lot in demand.lots if lot.deadline == deadline]
        expiry, expires = 0.0, math.inf
        for lot in due:
            arrival = demand.ways(lot).of(demand.ways(lot).best).arrival
            expiry, expires = max(expiry, arrival.expiry), min(expires, arrival.expires_seconds)
        wanted = demand.confidence
        if demand.seconds(deadline) <= expires:
            wanted = wanted / (1 - expiry)
        self._steps = [len(due) ** (step / _RISES) for step in range(_RISES + 1)] if len(due) > 1 else [1.0]
        self._wanted = wanted

    @property
    def value(self) -> float:
        """Above one where expiry alone leaves too little."""
        return 1 - (1 - self._wanted) / self._steps[0]

    @property
    def can_rise(self) -> bool:
        """Whether a higher one is left."""
        return len(self._steps) > 1

    def rise(self) -> None:
        """Ask more of each lot."""
        self._steps.pop(0)


def _solve_at(demand: Demand, levels: Mapping[datetime | None, _Level], thorough: bool) -> Solution:
    """The schedule of what the budget pays: of the lots with a deadline as many as it can, then of the others."""
    lots, unpaid = list(demand.lots), list[Lot]()
    while True:
        chosen, ways = _chosen(demand, lots, levels, thorough)
        if demand.budget_usd is None or chosen.usd <= demand.budget_usd or not lots:
            break
        over, by_need = chosen.usd - demand.budget_usd, range(len(lots))
        left_out = set[int]()
        for lot in sorted(by_need, key=lambda lot: (lots[lot].deadline is not None, -chosen.choices[lot].usd)):
            if over <= 0:
                break
            left_out.add(lot)
            over -= chosen.choices[lot].usd
        unpaid += [lots[lot] for lot in sorted(left_out)]
        lots = [lot for place, lot in enumerate(lots) if place not in left_out]
    return _solution(demand, lots, unpaid, chosen, ways)


def _chosen(
    demand: Demand, lots: Sequence[Lot], levels: Mapping[datetime | None, _Level], thorough: bool
) -> tuple[Chosen, list[dict[int, Way]]]:
    """The choice, and the way behind each lot's numbers of jobs."""
    ways = [[_cheapest(demand, lot, levels)] for lot in lots]
    # All jobs of a way take the room of its largest.
    taken = sum(found[0].jobs * found[0].items for found in ways)
    scarce = demand.queue_limit is not None and demand.queue_limit < taken
    choices = [[_choice(demand, lot, found[0], levels, scarce)] for lot, found in zip(lots, ways, strict=True)]
    chosen = choose(choices, demand.queue_limit, thorough=False)
    hopeless = {place for place, found in enumerate(choices) if found[0].latest == -math.inf}
    if scarce and chosen.late - hopeless:
        each = max(_MOST_WAYS // len(lots), _FEWEST_WAYS)
        for place, lot in enumerate(lots):
            known = {way.jobs for way in ways[place]}
            more = [way for way in demand.ways(lot).others(each) if way.jobs not in known]
            ways[place] += [way for way in more if way.usd >= ways[place][0].usd]
            choices[place] = sorted(
                (_choice(demand, lot, way, levels, scarce) for way in ways[place]), key=lambda choice: choice.usd
            )
        chosen = min(chosen, choose(choices, demand.queue_limit, thorough=thorough), key=lambda one: one.rank)
    return chosen, [{way.jobs: way for way in found} for found in ways]


def _cheapest(demand: Demand, lot: Lot, levels: Mapping[datetime | None, _Level]) -> Way:
    """The cheapest way in time where nothing waits, or the cheapest of all where none is."""
    ways = demand.ways(lot)
    if lot.deadline is None or levels[lot.deadline].value >= 1:
        return ways.of(ways.best)
    return ways.cheapest(demand.seconds(lot.deadline), levels[lot.deadline].value) or ways.of(ways.best)


def _choice(demand: Demand, lot: Lot, way: Way, levels: Mapping[datetime | None, _Level], scarce: bool) -> Choice:
    """The way as numbers for packing."""
    latest = math.inf
    if lot.deadline is not None:
        seconds, level = demand.seconds(lot.deadline), levels[lot.deadline].value
        # Where nothing waits it is enough to know whether it is in time at once.
        soon = level < 1 and way.at_once(seconds) >= level
        latest = -math.inf if not soon else way.latest(seconds, level) if scarce else way.lead
    return Choice(jobs=way.jobs, items=way.items, usd=way.usd, hold=way.hold, earliest=way.lead, latest=latest)


def _solution(
    demand: Demand, lots: Sequence[Lot], unpaid: Sequence[Lot], chosen: Chosen, ways: Sequence[Mapping[int, Way]]
) -> Solution:
    offsets: dict[int, list[tuple[float, int]]] = {place: [] for place in range(len(lots))}
    for one in chosen.sent:
        offsets[one.lot].append((one.at, one.jobs))
    sendings = tuple(
        Sending(
            lot=lot,
            way=ways[place][chosen.choices[place].jobs],
            offsets=tuple(sorted(offsets[place])),
            late_items=sum(
                jobs * chosen.choices[place].items for at, jobs in offsets[place] if at > chosen.choices[place].latest
            ),
            late=place in chosen.late,
        )
        for place, lot in enumerate(lots)
    )
    return Solution(
        demand=demand,
        sendings=sendings,
        unpaid=tuple(unpaid),
        least_usd=chosen.least_usd,
    )
