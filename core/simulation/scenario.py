"""What if: a replay under other sizes, cadences, models, faults and widths, beside how it was or would be sent."""

from dataclasses import dataclass, replace
from datetime import datetime

from core.caching.lifetimes import LIFE_SECONDS
from core.errors import LotwiseError
from core.prices import PriceBook
from core.simulation.advice import Bounds, advised
from core.simulation.dispatch import Dispatch, Grouping, Policy, dispatch
from core.simulation.outcome import Outcome
from core.simulation.replay import Replay
from core.simulation.twin import World, simulate
from core.simulation.work import Economics

_HOUR = 3600.0
_MOST_HOURS = 31 * 24.0


class BadScenario(LotwiseError):
    """This cannot be simulated. A job has one item or more, a cadence is more than 0 and at most 744 hours, a width is
    1 or more, and a share of failing items is below 1."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """What to try; what is None stays as it is.

    `grouping`: "class" and "packed" are primed, "arrival" is not (see `Grouping`); `size`: items of a job at most, None
    = as advised; `every_hours`: between two rounds of sending; `model`: for all of it; `fault_rate`: share of items
    that fail; `width`: items of a job in flight at once.
    """

    grouping: Grouping = "packed"
    size: int | None = None
    every_hours: float | None = None
    model: str | None = None
    fault_rate: float | None = None
    width: float | None = None

    def __post_init__(self) -> None:
        kept = {
            "size": self.size is None or self.size >= 1,
            "every_hours": self.every_hours is None or 0 < self.every_hours <= _MOST_HOURS,
            "fault_rate": self.fault_rate is None or 0 <= self.fault_rate < 1,
            "width": self.width is None or self.width >= 1,
        }
        if wrong := {name: getattr(self, name) for name, well in kept.items() if not well}:
            raise BadScenario(None, **wrong)


@dataclass(frozen=True, kw_only=True, eq=False)
class Setting:
    """What a replay is simulated with: the service, the limits, and today's prices."""

    replay: Replay
    world: World
    bounds: Bounds
    book: PriceBook
    now: datetime

    @property
    def economics(self) -> Economics:
        """Prices of the replay's classes on the models that they have."""
        return Economics.of(self.replay.classes, book=self.book, now=self.now)

    def baseline(self, *, replicates: int, seed: int) -> Outcome:
        """The jobs as they were sent; where nothing was sent yet, as they would be on advice."""
        jobs, world = self.replay.jobs, self.world
        if jobs is None:
            jobs = dispatch(self.replay.traffic, self.economics, self._policy(Scenario(), self.economics, world))
        return self._simulated(jobs, self.economics, world, replicates, seed)

    def outcome(self, scenario: Scenario, *, replicates: int, seed: int) -> Outcome:
        """The replay under the scenario, in the same weather as the baseline. Raises `UnknownModel`."""
        classes = self.replay.classes
        if scenario.model is not None:
            classes = tuple(one.on(scenario.model, self.book) for one in classes)
        if scenario.fault_rate is not None:
            classes = tuple(one.failing(scenario.fault_rate) for one in classes)
        world = self.world if scenario.width is None else replace(self.world, width=scenario.width)
        economics = Economics.of(classes, book=self.book, now=self.now)
        jobs = dispatch(self.replay.traffic, economics, self._policy(scenario, economics, world))
        return self._simulated(jobs, economics, world, replicates, seed)

    def _policy(self, scenario: Scenario, economics: Economics, world: World) -> Policy:
        every = None if scenario.every_hours is None else scenario.every_hours * _HOUR
        policy = advised(self.replay.traffic, economics, world, self.bounds, grouping=scenario.grouping, every=every)
        if scenario.grouping == "arrival":
            policy = replace(policy, primed=False, life=LIFE_SECONDS["5m"])
        return policy if scenario.size is None else replace(policy, size=min(scenario.size, self.bounds.requests))

    def _simulated(self, jobs: Dispatch, economics: Economics, world: World, replicates: int, seed: int) -> Outcome:
        return simulate(self.replay.traffic, economics, jobs, world, replicates=replicates, seed=seed)
