"""The policy that Lotwise would follow: primed where that pays, sized by the cost model, inside limits and window."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from core.caching.learned import SURELY_ALIVE
from core.caching.lifetimes import LIFE_SECONDS, Multipliers, choose_lifetime, least_items
from core.schedule.window import largest_alone, largest_in_time
from core.simulation.dispatch import Grouping, Policy, released
from core.simulation.twin import World
from core.simulation.work import Economics, Floats, Ints, Traffic
from core.sizing.constraints import Limits
from core.sizing.faults import repair_jobs
from core.sizing.job_costs import JobCosts
from core.sizing.recommendation import recommend
from core.sizing.turnaround import Turnaround

_MOST_RATE = 0.99
_RERUN_CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What jobs must keep to: the API's limits, what may be lost with one, and how surely results are to be in time.

    Without a `confidence` deadlines have no say in sizes.
    """

    requests: int
    bytes: int
    blast_usd: float | None = None
    blast_hours: float | None = None
    confidence: float | None = None


def advised(
    traffic: Traffic,
    economics: Economics,
    world: World,
    bounds: Bounds,
    *,
    grouping: Grouping = "class",
    every: float | None = None,
    phase: float = 0.0,
) -> Policy:
    """The advised policy at a cadence (see `Policy`): entries, primers and sizes from what a round usually carries."""
    at = released(traffic, every=every, phase=phase)
    usual, most = _a_round(at, traffic.of, len(economics.models))
    life, least = _lives(economics, usual, world, traffic)
    slack = traffic.due - at
    advice = _Advice(
        economics=economics,
        world=world,
        bounds=bounds,
        life=life,
        most=most,
        slack=float(slack.min()) if np.isfinite(slack).any() else None,
        turnaround=lambda model, items: world.turnaround(model, items, traffic.epoch + timedelta(seconds=float(at[0]))),
    )
    return Policy(
        grouping=grouping,
        size=advice.sizes(grouping, usual),
        life=life,
        primed=True,
        least=least,
        every=every,
        phase=phase,
    )


def _a_round(at: Floats, of: Ints, classes: int) -> tuple[Floats, Ints]:
    """Items of each class in a round that has any: their mean, and the most there ever are."""
    rounds = np.unique(at, return_inverse=True)[1]
    cells, items = np.unique(rounds * classes + of, return_counts=True)
    seen = np.maximum(np.bincount(cells % classes, minlength=classes), 1)
    most = np.zeros(classes, dtype=np.int64)
    np.maximum.at(most, cells % classes, items)
    return np.bincount(cells % classes, items, minlength=classes) / seen, most


def _lives(economics: Economics, usual: Floats, world: World, traffic: Traffic) -> tuple[Floats, Ints]:
    """By class, the seconds its entries should live (0: no marks), and the items from which a round primes it."""
    life, least = np.zeros(len(usual)), np.full(len(usual), 2, dtype=np.int64)
    alive: dict[tuple[str, float], float] = {}
    for number in np.flatnonzero(economics.cacheable & (usual > 0)):
        model = economics.models[number]
        for seconds in LIFE_SECONDS.values():
            if (model, seconds) not in alive:
                primer = world.turnaround(model, 1, traffic.epoch)
                alive[model, seconds] = float(primer.cdf(SURELY_ALIVE * seconds * world.life_scale))
        of = Multipliers(
            read=float(economics.read[number]),
            write_5m=float(economics.write_5m[number]),
            write_1h=float(economics.write_1h[number]),
        )
        known = {f"alive_{name}": alive[model, seconds] for name, seconds in LIFE_SECONDS.items()}
        chosen = choose_lifetime(max(round(usual[number]), 1), of, **known).lifetime
        if chosen is not None:
            life[number] = LIFE_SECONDS[chosen]
            least[number] = least_items(write=of.write(chosen), read=of.read)
    return life, least


@dataclass(frozen=True, kw_only=True, eq=False)
class _Advice:
    """What the size of a job depends on. `slack`: least seconds from a round to a deadline, None without deadlines."""

    economics: Economics
    world: World
    bounds: Bounds
    life: Floats
    most: Ints
    slack: float | None
    turnaround: Callable[[str, int], Turnaround]

    def sizes(self, grouping: Grouping, usual: Floats) -> Ints | int:
        """Items of a job at most: of every class its own, or one for all where classes share jobs."""
        if grouping != "class":
            return self._size(usual, once=False)
        sizes = np.full(len(usual), self._size(np.where(self.life > 0, 0.0, usual), once=False))
        for number in np.flatnonzero(self.life > 0):
            alone = np.where(np.arange(len(usual)) == number, usual, 0.0)
            sizes[number] = self._size(alone, once=True)
        return sizes

    def _size(self, weight: Floats, *, once: bool) -> int:
        """The recommended size of jobs that carry the classes in these proportions."""
        if not weight.sum():
            return self.bounds.requests
        costs, economics = self._costs(weight, once=once), self.economics
        model = economics.models[int(weight.argmax())]
        items, primed = int(self.most[weight > 0].sum()), bool(self.life[weight > 0].any())
        limits = Limits(
            requests=self.bounds.requests,
            bytes=self.bounds.bytes,
            item_bytes=float(np.average(economics.item_bytes, weights=weight)),
            queue_headroom=self.world.queue_limit,
            blast_usd=self.bounds.blast_usd,
            blast_hours=self.bounds.blast_hours,
            rerun_items=self._again(model),
            window_items=self._in_window(model, items, costs, primed=primed),
        )
        return recommend(costs, limits).items

    def _costs(self, weight: Floats, *, once: bool) -> JobCosts:
        economics = self.economics
        hot = np.where(self.life > 0, economics.hot_usd, economics.plain_usd)
        write = economics.write(self.life, np.arange(len(weight)))
        extra = np.where(self.life > 0, (write - economics.read) * economics.prefix_usd, 0.0)

        def mean(values: Floats) -> float:
            return float(np.average(values, weights=weight))

        failing = min(mean(economics.fault_rate + economics.unbilled_rate), _MOST_RATE)
        return JobCosts(
            hot_usd=mean(hot),
            once_usd=mean(extra) if once else 0.0,
            job_usd=self.world.job_usd * (1 + repair_jobs(float(weight.sum()), failing)),
            void_rate=min(mean(economics.void_rate), _MOST_RATE),
            fault_rate=min(mean(economics.fault_rate), _MOST_RATE),
            unbilled_fault_rate=0.0,
            canary=self.world.canary,
        )

    def _again(self, model: str) -> int | None:
        if self.bounds.blast_hours is None:
            return None
        alone = largest_alone(
            lambda items: self.turnaround(model, items),
            most=self.bounds.requests,
            seconds=self.bounds.blast_hours * 3600,
            confidence=self.bounds.confidence or _RERUN_CONFIDENCE,
        )
        return alone or 0

    def _in_window(self, model: str, items: int, costs: JobCosts, *, primed: bool) -> int | None:
        if self.slack is None or self.bounds.confidence is None:
            return None
        found = largest_in_time(
            lambda size: self.turnaround(model, size),
            items=items,
            most=self.bounds.requests,
            seconds=max(self.slack, 0.0),
            confidence=self.bounds.confidence,
            queue_room=self.world.queue_limit,
            primer=self.turnaround(model, 1) if primed else None,
            repair_of=lambda size: self.turnaround(model, size),
            fault_rate=costs.fault_rate,
        )
        return found or 0
