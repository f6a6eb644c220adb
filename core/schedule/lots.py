"""A lot: the items of one class that go out as jobs of one size; and the ways to split it. Pure."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

import numpy as np

from core.errors import LotwiseError
from core.schedule.window import WEIGHTS, Arrival, Z, arrival, repair_needed
from core.sizing.job_costs import JobCosts
from core.sizing.normal import Floats, normal_cdf
from core.sizing.turnaround import Turnaround

# Three nodes stand for a normal distribution up to its fifth moment (Gauss and Hermite).
_WAITS, _WAIT_WEIGHTS = np.array([-math.sqrt(3), 0.0, math.sqrt(3)]), np.array([1 / 6, 2 / 3, 1 / 6])
_GRID = 65


class OddLot(LotwiseError):
    """This lot cannot be scheduled as stated. It needs at least one item besides those that go first, and a largest
    job of at least one item."""


@dataclass(frozen=True, kw_only=True)
class Lot:
    """Items of one class, and how they may go.

    `most`: items in its largest job (of the API's limits, the blast radius and so on); `primers`: of its items, how
    many go first; `turnaround`: of a job of so many items; `repair`: of a repair of so many, as `turnaround` where it
    is None. No deadline: whenever there is room. Raises `OddLot`.
    """

    key: str
    items: int
    costs: JobCosts
    most: int
    turnaround: Callable[[int], Turnaround]
    deadline: datetime | None = None
    primers: int = 0
    repair: Callable[[int], Turnaround] | None = None

    def __post_init__(self) -> None:
        if self.most < 1 or not 0 <= self.primers < self.items:
            raise OddLot(lot=self.key, items=self.items, primers=self.primers, most=self.most)

    @property
    def body(self) -> int:
        """Items that do not go first."""
        return self.items - self.primers


@dataclass(frozen=True, eq=False)
class Way:
    """A lot in so many jobs of equal size (but for one item). Seconds count from the planning."""

    lot: Lot
    jobs: int
    _latest: dict[tuple[float, float], float] = field(default_factory=dict)
    _at_once: dict[float, float] = field(default_factory=dict)

    @cached_property
    def items(self) -> int:
        """Items of its largest job."""
        return -(-self.lot.body // self.jobs)

    @cached_property
    def usd(self) -> float:
        """Expected cost of the lot, reruns included."""
        return self.lot.items * self.lot.costs.usd_at(self.lot.items / self.jobs)

    @cached_property
    def primer(self) -> Turnaround | None:
        """Of what goes first."""
        return self.lot.turnaround(self.lot.primers) if self.lot.primers else None

    @cached_property
    def lead(self) -> float:
        """Seconds that the primer is expected to take."""
        return 0.0 if self.primer is None else float(WEIGHTS @ _moments(self.primer)[0])

    @cached_property
    def hold(self) -> float:
        """Seconds that a job is expected to keep its room in the queue."""
        return float(WEIGHTS @ self._moments[0])

    @cached_property
    def arrival(self) -> Arrival:
        """When all of it is there, counted from sending the primer (or all jobs)."""
        rate = self.lot.costs.fault_rate + self.lot.costs.unbilled_fault_rate
        repaired = max(round(self.items * rate), 1)
        return arrival(
            self._body,
            chains={1: self.jobs},
            primer=self.primer,
            repair=(self.lot.repair or self.lot.turnaround)(repaired) if rate else None,
            repair_chance=repair_needed(self.items, rate),
        )

    def chance(self, seconds: float, offset: float = 0.0) -> Floats:
        """Chance at each node of z that all is there by then where nothing expires, the last jobs sent at `offset`.

        What a job waits for is other jobs, which z slows down as it does this one: the wait stretches with the time
        that a job is expected to take at z, and varies as a chain of such jobs does.
        """
        chances: Floats = self._chances(np.array([seconds]), np.array([offset]))[0]
        return chances

    def at_once(self, seconds: float) -> float:
        """Chance that all is there by then where nothing waits and nothing expires."""
        if seconds not in self._at_once:
            self._at_once[seconds] = float(WEIGHTS @ self.chance(seconds, self.lead))
        return self._at_once[seconds]

    def latest(self, seconds: float, level: float) -> float:
        """The latest offset at which the last jobs may go to be there by then; minus infinity where none is early
        enough. `level`: the chance wanted where nothing expires."""
        asked = (seconds, level)
        if asked not in self._latest:
            self._latest[asked] = self._found_latest(seconds, level)
        return self._latest[asked]

    def ready(self, offset: float, confidence: float) -> float:
        """Seconds within which all is there with this confidence; infinite where that cannot be told."""
        known = self.arrival
        if offset <= self.lead:
            return known.needed(confidence)
        low, high = 0.0, float(known.step * known.given.shape[1] + 4 * offset + known.expires_seconds)
        for _ in range(3):
            ends, sent = np.linspace(low, high, _GRID), np.full(_GRID, offset)
            in_time = (self._chances(end, sent) @ WEIGHTS for end in (ends, ends - known.expires_seconds))
            enough = (1 - known.expiry) * next(in_time) + known.expiry * next(in_time) >= confidence
            if not enough.any():
                return math.inf
            place = int(np.argmax(enough))
            low, high = float(ends[max(place - 1, 0)]), float(ends[place])
        return high

    def _found_latest(self, seconds: float, level: float) -> float:
        low, high = self.lead, max(seconds, self.lead)
        if self.at_once(seconds) < level:
            return -math.inf
        for _ in range(2):
            offsets = np.linspace(low, high, _GRID)
            enough = self._chances(np.full(_GRID, seconds), offsets) @ WEIGHTS >= level
            if enough.all():
                return high
            place = int(np.argmin(enough))
            low, high = float(offsets[max(place - 1, 0)]), float(offsets[place])
        return low

    @cached_property
    def _body(self) -> Turnaround:
        return self.lot.turnaround(self.items)

    @cached_property
    def _moments(self) -> tuple[Floats, Floats]:
        return _moments(self._body)

    def _chances(self, seconds: Floats, offsets: Floats) -> Floats:
        """One row an entry, one column a node of z."""
        if (offsets <= self.lead).all():
            return self.arrival.at(seconds[:, None])
        mean, variance = self._moments
        waits = np.maximum(offsets - self.lead, 0.0)[:, None]
        spread = np.sqrt(waits / self.hold * variance)
        # No job goes before its time, however soon there is room.
        waited = np.maximum((waits * mean / self.hold)[None] + _WAITS[:, None, None] * spread[None], waits)
        chances: Floats = np.tensordot(_WAIT_WEIGHTS, self.arrival.at(seconds[:, None] - waited), axes=1)
        return chances


@dataclass(frozen=True, eq=False)
class Ways:
    """All ways to split a lot into jobs that fit into `room` items; each is worked out once, when it is asked for.

    `known`: those that were, by their number of jobs.
    """

    lot: Lot
    room: int
    known: dict[int, Way]

    @property
    def fewest(self) -> int:
        """The least number of jobs that fit."""
        return -(-self.lot.body // min(self.lot.most, self.room))

    @cached_property
    def best(self) -> int:
        """The number of jobs that costs least."""
        size = self.lot.costs.best(min(self.lot.items, self.lot.most, self.room))
        near = {self._within(self.lot.items // size), self._within(-(-self.lot.items // size))}
        return min(near, key=lambda jobs: (self.of(jobs).usd, jobs))

    def of(self, jobs: int) -> Way:
        """The way with so many jobs."""
        return self.known.setdefault(jobs, Way(self.lot, jobs))

    def cheapest(self, seconds: float, level: float) -> Way | None:
        """The cheapest way that is in time when nothing has to wait; None where none is.

        Cost only grows away from the best number of jobs, so the nearest way in time on either side is enough.
        """
        if self._in_time(self.best, seconds, level):
            return self.of(self.best)
        found = [self.of(jobs) for jobs in (self._nearest(s, seconds, level) for s in (1, -1)) if jobs is not None]
        return min(found, key=lambda way: way.usd, default=None)

    def others(self, most: int) -> list[Way]:
        """Further ways worth weighing where room is scarce: all of a small lot, else finer ones, and those that fill
        the room."""
        if self.lot.body - self.fewest < most:
            return [self.of(jobs) for jobs in range(self.fewest, self.lot.body + 1)]
        filling = [-(-self.lot.body // max(self.room // count, 1)) for count in range(1, 5)]
        finer = [self.best * 2**power for power in range(4)]
        numbers = dict.fromkeys(self._within(jobs) for jobs in [*finer, *filling])
        return [self.of(jobs) for jobs in list(numbers)[:most]]

    def _nearest(self, sign: int, seconds: float, level: float) -> int | None:
        """The nearest number of jobs in time above (1) or below (-1) the best one."""
        tried = [self.best]
        while tried[-1] != (self.lot.body if sign > 0 else self.fewest):
            tried.append(self._within(max(tried[-1] + 1, tried[-1] * 2) if sign > 0 else tried[-1] // 2))
            if self._in_time(tried[-1], seconds, level):
                late, good = tried[-2], tried[-1]
                while abs(good - late) > 1 + good // 16:
                    middle = (good + late) // 2
                    late, good = (late, middle) if self._in_time(middle, seconds, level) else (middle, good)
                return good
        return None

    def _in_time(self, jobs: int, seconds: float, level: float) -> bool:
        return self.of(jobs).at_once(seconds) >= level

    def _within(self, jobs: int) -> int:
        return min(max(jobs, self.fewest), self.lot.body)


def _moments(turnaround: Turnaround) -> tuple[Floats, Floats]:
    """Mean and variance of a turnaround at each node of z, in seconds."""
    shared = min(turnaround.shared, 0.999)
    scores = math.sqrt(shared) * Z[:, None] + math.sqrt(1 - shared) * Z[None, :]
    seconds = np.minimum(turnaround.quantile(normal_cdf(scores)), turnaround.expires_seconds)
    mean: Floats = seconds @ WEIGHTS
    return mean, np.square(seconds - mean[:, None]) @ WEIGHTS
