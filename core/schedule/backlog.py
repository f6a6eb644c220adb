"""The schedule of a whole backlog: many lots, several deadlines, one queue, one budget. Pure.

Each lot takes its cheapest size that can be in time, and goes as soon as the queue has room, in the order of latest
sending. Where that holds every deadline nothing can cost less. Otherwise sizes and order are chosen together, and what
cannot be held is named, with what would help.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from core.errors import LotwiseError
from core.schedule.deadlines import DeadlinePassed
from core.schedule.demand import Demand, Sending, Solution, solve
from core.schedule.fixes import Fix, fixes
from core.schedule.lots import Lot

Binding = Literal["least_cost", "window", "queue", "budget", "expiry"]


class OddBacklog(LotwiseError):
    """This backlog cannot be scheduled as stated. A confidence lies above 0 and below 1, the queue takes at least one
    item, the budget is not negative, and every lot has a name of its own."""


@dataclass(frozen=True, kw_only=True)
class ScheduledJob:
    """One job: a primer, or a body that follows it. Moments are aware UTC.

    `send_at`: not before; a body waits for its primer too. `ready_by`: when everything sent up to then of its lot is
    there with the confidence asked for, repairs included; None where that cannot be told.
    """

    key: str
    role: Literal["primer", "body"]
    items: int
    send_at: datetime
    ready_by: datetime | None
    predicted_usd: float


@dataclass(frozen=True, kw_only=True)
class Missed:
    """A deadline that is not met: by which lots, why, with which chance all due then is there, and what would help.

    `binding`: `window` where a lot is late even when it goes at once; `expiry` where the chance that items expire is
    too high by itself; `queue` where it waits too long; `budget` where it is left out. `deadline` is None for lots
    without one that the budget leaves out.
    """

    deadline: datetime | None
    keys: tuple[str, ...]
    binding: Binding
    probability: float
    fixes: tuple[Fix, ...]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The jobs in sending order, and how well they do what was asked.

    `on_time_probability`: that every deadline is met, None where there is none; `least_usd`: a bound below which no
    schedule of the same lots in time can cost; `unpaid`: keys of lots that the budget leaves out.
    """

    jobs: tuple[ScheduledJob, ...]
    predicted_usd: float
    least_usd: float
    on_time_probability: float | None
    missed: tuple[Missed, ...]
    unpaid: tuple[str, ...]
    binding: Binding

    @property
    def gap(self) -> float:
        """By which share it may cost more than the best schedule; the best may cost more than the bound too."""
        return max(self.predicted_usd / self.least_usd - 1, 0.0) if self.least_usd else 0.0

    @property
    def proven_optimal(self) -> bool:
        """Whether it certainly costs least: everything is in time at its lowest cost."""
        return not self.missed and self.predicted_usd <= self.least_usd * (1 + 1e-9)


def schedule(
    lots: Sequence[Lot],
    *,
    now: datetime,
    confidence: float,
    queue_limit: int | None = None,
    budget_usd: float | None = None,
) -> Schedule:
    """Schedule all lots so that each deadline holds with this confidence, at the least cost.

    `queue_limit`: items that may be in the queue at the same time; `budget_usd`: for everything. Where not all can be
    had, as few lots as can be found are late or left out. Raises `OddBacklog`, `DeadlinePassed`.
    """
    _check(lots, now, confidence, queue_limit, budget_usd)
    demand = Demand(lots=tuple(lots), now=now, confidence=confidence, queue_limit=queue_limit, budget_usd=budget_usd)
    solution = solve(demand)
    missed = tuple(
        Missed(
            deadline=deadline,
            keys=tuple(lot.key for lot in late),
            binding=_why(solution, late),
            probability=solution.in_time(deadline) if deadline else 0.0,
            fixes=tuple(fixes(solution, deadline, late)),
        )
        for deadline, late in sorted(
            solution.missed.items(), key=lambda one: one[0] or datetime.max.replace(tzinfo=UTC)
        )
    )
    jobs = sorted(_jobs(solution), key=lambda job: (job.send_at, job.role != "primer"))
    return Schedule(
        jobs=tuple(jobs),
        predicted_usd=solution.usd,
        least_usd=solution.least_usd,
        on_time_probability=solution.in_time() if any(lot.deadline for lot in lots) else None,
        missed=missed,
        unpaid=tuple(lot.key for lot in solution.unpaid),
        binding=_binding(solution, missed),
    )


def _check(
    lots: Sequence[Lot], now: datetime, confidence: float, queue_limit: int | None, budget_usd: float | None
) -> None:
    if not 0 < confidence < 1:
        raise OddBacklog(confidence=confidence)
    if queue_limit is not None and queue_limit < 1:
        raise OddBacklog(queue_limit=queue_limit)
    if budget_usd is not None and not budget_usd >= 0:
        raise OddBacklog(budget_usd=budget_usd)
    keys = [lot.key for lot in lots]
    if len(set(keys)) < len(keys):
        raise OddBacklog(twice=next(key for key in keys if keys.count(key) > 1))
    for lot in lots:
        if lot.deadline is not None and lot.deadline <= now:
            raise DeadlinePassed(lot=lot.key, deadline=lot.deadline.isoformat(), now=now.isoformat())


def _jobs(solution: Solution) -> Iterator[ScheduledJob]:
    demand = solution.demand
    for one in solution.sendings:
        item_usd = one.way.usd / one.lot.items
        if one.way.primer is not None:
            begin = one.offsets[0][0] - one.way.lead
            yield ScheduledJob(
                key=one.lot.key,
                role="primer",
                items=one.lot.primers,
                send_at=_at(demand, begin),
                ready_by=_at(demand, begin + float(one.way.primer.quantile(demand.confidence))),
                predicted_usd=one.lot.primers * item_usd,
            )
        left, larger = one.way.jobs, one.lot.body % one.way.jobs or one.way.jobs
        ready_by = _ready_by(demand, one)
        for offset, count in one.offsets:
            send_at, there_by = _at(demand, offset), ready_by(offset)
            for _ in range(count):
                items = one.way.items - (left <= one.way.jobs - larger)
                left -= 1
                yield ScheduledJob(
                    key=one.lot.key,
                    role="body",
                    items=items,
                    send_at=send_at,
                    ready_by=there_by,
                    predicted_usd=items * item_usd,
                )


def _ready_by(demand: Demand, one: Sending) -> Callable[[float], datetime | None]:
    """When what goes at an offset is there: between the first and the last jobs of the lot along a straight line."""
    begin, span = one.offsets[0][0], one.last - one.offsets[0][0]
    first = one.way.ready(begin, demand.confidence)
    slope = (one.way.ready(one.last, demand.confidence) - first) / span if span else 0.0

    def ready_by(offset: float) -> datetime | None:
        seconds = first + slope * (offset - begin)
        return _at(demand, seconds) if math.isfinite(seconds) else None

    return ready_by


def _at(demand: Demand, seconds: float) -> datetime:
    return demand.now + timedelta(seconds=seconds)


def _why(solution: Solution, late: Sequence[Lot]) -> Binding:
    """What keeps these lots from meeting their deadline."""
    if any(lot in solution.unpaid for lot in late):
        return "budget"
    keys = {lot.key for lot in late}
    sendings = [one for one in solution.sendings if one.lot.key in keys]
    demand = solution.demand
    alone = [demand.seconds(one.lot.deadline) for one in sendings]
    expiry = max(one.way.arrival.expiry for one in sendings)
    if min(alone) <= max(one.way.arrival.expires_seconds for one in sendings) and 1 - expiry <= demand.confidence:
        return "expiry"
    at_once = [one.way.arrival.on_time(seconds) for one, seconds in zip(sendings, alone, strict=True)]
    waits = any(one.last > one.way.lead for one in sendings)
    return "queue" if waits and min(at_once) >= demand.confidence else "window"


def _binding(solution: Solution, missed: Sequence[Missed]) -> Binding:
    """What keeps the backlog from being cheaper, or from being in time."""
    order: tuple[Binding, ...] = ("budget", "expiry", "window", "queue")
    for name in order:
        if any(one.binding == name for one in missed):
            return name
    if solution.usd > solution.least_usd * (1 + 1e-9):
        return "queue"
    ways = [(one.way, solution.demand.ways(one.lot)) for one in solution.sendings]
    return "window" if any(way.usd > known.of(known.best).usd for way, known in ways) else "least_cost"
