"""The recommended size of a class's jobs, what decided it, and what every constraint costs. Pure."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from core.sizing.constraints import AMORTISED, Bound, Constraint, Limits, ceilings
from core.sizing.job_costs import FLAT, LARGEST, JobCosts

Binding = Constraint | Literal["least_cost"]

# A saving that would be printed as 0.0 %.
_NOTHING = 0.0005

# Why a job has no more items than it has, by what decided.
_NO_MORE: dict[Constraint, str] = {
    "requests": "the API takes no more in one",
    "bytes": "the API takes no more than {megabytes} in one",
    "queue": "the queue has room for only {queue} now",
    "blast_usd": "a failure would put more than your {dollars} at risk",
    "blast_hours": "running a failed one again would take longer than {hours}",
    "window": "their results would too often be late",
    "backlog": "there are no more items",
}
# Why even the smallest job is too large.
_UNKEPT: dict[Constraint, str] = {
    "bytes": "even one item is larger than the {megabytes} that the API takes",
    "queue": "the queue has no room now, so they have to wait",
    "blast_usd": "even one item puts more than your {dollars} at risk",
    "blast_hours": "no size can be run again in {hours}",
    "window": "no size has its results in time as surely as you ask",
}


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """How many items a job should carry, and why.

    `items`: the recommended size; `item_usd`: expected dollars an item at it. `low`, `high`: the flat range, all sizes
    that cost within 2 % of the best one, whatever the constraints. `unconstrained_items`: the best size if only cost
    counted, at most `LARGEST`; `unconstrained_usd`: dollars an item at it. `binding`: the constraint that decided, or
    "least_cost". `constraints`: what each asks for and costs, in the order applied. `unkept`: those that no size keeps.
    `jobs`, `even_items`: into how many jobs the backlog is best cut evenly, and the size of the larger of them; None
    where it is endless.
    """

    items: int
    item_usd: float
    low: int
    high: int
    unconstrained_items: int
    unconstrained_usd: float
    binding: Binding
    constraints: tuple[Bound, ...]
    unkept: tuple[Constraint, ...]
    jobs: int | None
    even_items: int | None
    limits: Limits

    @property
    def saving(self) -> float:
        """Share of an item's cost that the best size would save, were there no constraints."""
        return 1 - self.unconstrained_usd / self.item_usd if self.item_usd else 0.0

    def reason(self) -> str:
        """One plain sentence on the size, and one more for every further constraint that no size keeps."""
        items, figures = self.even_items or self.items, _figures(self.limits)
        size = f"{items:,} {'item' if items == 1 else 'items'} a job"
        further = [_UNKEPT[name].format(**figures) for name in self.unkept if name != self.binding]
        return " ".join([f"{size}: {self._why(figures)}.", *(f"{why[0].upper()}{why[1:]}." for why in further)])

    def _why(self, figures: Mapping[str, str]) -> str:
        if self.binding == "least_cost":
            return "smaller ones would pay their fixed costs more often, larger ones would repeat more after a failure"
        if self.binding == "amortise":
            return "smaller ones would hardly earn back what it costs to write their shared prefix"
        if self.binding in self.unkept:
            return _UNKEPT[self.binding].format(**figures)
        why = _NO_MORE[self.binding].format(**figures)
        if self.saving < _NOTHING:
            return f"larger ones would save next to nothing, and {why}"
        return f"larger ones would save {100 * self.saving:.1f} % an item, but {why}"


def recommend(costs: JobCosts, limits: Limits) -> Recommendation:
    """The size at which an item costs least, moved no further than the constraints ask for.

    A constraint that no size keeps is named in `unkept`. Then a job has one item where that comes nearest to keeping
    it, the surest size (else the least of the flat range) where it is about time, and what the others allow where it
    waits for the queue.
    """
    best = costs.best(LARGEST)
    best_usd = costs.usd_at(best)
    low, high = costs.flat_range(LARGEST)
    # Amortising is worth so much and no more: where faults are frequent, small jobs are right.
    widest = costs.largest_within(best_usd + FLAT * costs.hot_usd, best, LARGEST)
    least = min(math.ceil(min(costs.amortising(AMORTISED), LARGEST)), widest)
    asked = dict(ceilings(costs, limits))
    near = _nearest(limits, low)
    most = {name: items if items >= 1 else near.get(name, 1) for name, items in asked.items()}
    items, binding = _within(most, max(best, least), "amortise" if least > best else "least_cost")
    amortised = range(least, widest + 1)
    jobs = None if limits.backlog is None else _even_jobs(costs, limits.backlog, items, amortised, min(most.values()))
    return Recommendation(
        items=items,
        item_usd=costs.usd_at(items),
        low=low,
        high=high,
        unconstrained_items=best,
        unconstrained_usd=best_usd,
        binding=binding,
        constraints=tuple(
            _bound(name, asked.get(name, size), costs.usd_at(alone) - best_usd, limits.backlog)
            for name, size, alone in _alone(best, least, most)
        ),
        unkept=tuple(name for name, size in asked.items() if size < 1),
        jobs=jobs,
        even_items=math.ceil(limits.backlog / jobs) if limits.backlog and jobs else None,
        limits=limits,
    )


def _nearest(limits: Limits, low: int) -> dict[Constraint, int]:
    """The size that comes nearest to keeping a constraint that no size keeps; one item for those not named."""
    return {"queue": LARGEST, "blast_hours": low, "window": limits.window_nearest or low}


def _within(most: Mapping[Constraint, int], items: int, binding: Binding) -> tuple[int, Binding]:
    """The size and what decides it; of equal limits the first, but none where all there is fits into one job."""
    name, size = min(most.items(), key=lambda bound: (bound[1], bound[0] != "backlog"))
    return (size, name) if size < items else (items, binding)


def _alone(best: int, least: int, most: Mapping[Constraint, int]) -> Iterator[tuple[Constraint, int, int]]:
    """Each constraint, what it asks for, and the best size if it were the only one."""
    yield "amortise", least, max(best, least)
    for name, size in most.items():
        yield name, size, min(best, size)


def _bound(name: Constraint, items: int, extra_usd: float, backlog: int | None) -> Bound:
    # Sizes next to each other cost the same but for rounding.
    extra_usd = max(extra_usd, 0.0)
    return Bound(
        name=name,
        items=items,
        extra_usd_per_item=extra_usd,
        extra_usd=None if backlog is None else extra_usd * backlog,
    )


def _even_jobs(costs: JobCosts, backlog: int, items: int, amortised: range, most: int) -> int:
    """Into how many jobs a backlog is cut: what `items` asks for, rounded up or down, whichever costs less.

    Down also where that makes jobs of `amortised` sizes of ones too small; never where jobs would exceed `most`.
    """
    if not backlog:
        return 0
    more, fewer = (_filled(backlog, jobs) for jobs in (-(-backlog // items), max(backlog // items, 1)))
    larger = -(-backlog // fewer)
    if larger > most:
        return more
    cheaper = costs.usd_at(backlog / fewer) <= costs.usd_at(backlog / more)
    return fewer if cheaper or (backlog // more < amortised.start and larger in amortised) else more


def _filled(backlog: int, jobs: int) -> int:
    """So many jobs, or as many of the same size as there are items for: nine items in jobs of three are three."""
    return -(-backlog // -(-backlog // jobs))


def _figures(limits: Limits) -> dict[str, str]:
    usd, hours = limits.blast_usd or 0.0, limits.blast_hours
    return {
        "megabytes": f"{limits.bytes / 1e6:,.0f} MB",
        "queue": f"{limits.queue_headroom or 0:,}",
        "dollars": (f"${usd:,.2f}" if usd == round(usd, 2) else f"${usd:,.4g}").removesuffix(".00"),
        "hours": "the time there is" if hours is None else f"the {hours:,.4g} h there are",
    }
