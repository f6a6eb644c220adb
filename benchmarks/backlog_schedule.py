"""The schedule of a whole backlog against its goal: with room for all, with a queue that is short, with a budget."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from benchmarks.timing import Ratio, seconds
from core.schedule.backlog import Schedule, schedule
from core.schedule.lots import Lot
from core.sizing.job_costs import JobCosts
from core.sizing.turnaround import Turnaround, Turnarounds

_NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
_CLASSES, _ITEMS = 200, 1_000_000
_MOST_SECONDS = 5.0
# What the queue takes, the hours to the deadlines, and the budget as a share of what all costs.
_CASES: dict[str, tuple[int | None, tuple[float, ...], float | None]] = {
    "with room for all": (None, (6, 12, 24), None),
    "with a queue for a fifth": (200_000, (6, 12, 23), None),
    "with a deadline that the queue forbids": (200_000, (4, 8, 12), None),
    "with half the budget": (500_000, (8, 16, 23), 0.5),
}


def measure() -> Iterator[Ratio]:
    """Seconds for 200 classes and a million items against the goal, with whatever would help worked out."""
    whole = _planned(_lots((6, 12, 24)), None, None)
    for name, (queue_limit, hours, share) in _CASES.items():
        lots = _lots(hours)
        budget_usd = None if share is None else share * whole.predicted_usd
        spent = seconds(lambda lots=lots, limit=queue_limit, usd=budget_usd: _planned(lots, limit, usd))  # type: ignore[misc]
        yield Ratio(
            name=f"schedule {_CLASSES} classes, {_ITEMS:,} items, {name}",
            seconds=spent,
            against="goal",
            against_seconds=_MOST_SECONDS,
            ratio=spent / _MOST_SECONDS,
            goal="<= 1",
        )


def _planned(lots: list[Lot], queue_limit: int | None, budget_usd: float | None) -> Schedule:
    return schedule(lots, now=_NOW, confidence=0.9, queue_limit=queue_limit, budget_usd=budget_usd)


def _lots(hours: tuple[float, ...]) -> list[Lot]:
    rng = random.Random(1)
    weights = [rng.random() + 0.05 for _ in range(_CLASSES)]
    assumed = Turnarounds()

    def turnaround(items: int) -> Turnaround:
        return assumed.of("claude-haiku-5-5", items, _NOW)

    return [
        Lot(
            key=str(number),
            items=round(_ITEMS * weight / sum(weights)),
            costs=JobCosts(
                hot_usd=rng.choice([0.0005, 0.001, 0.01]),
                once_usd=0.01,
                job_usd=0.25,
                void_rate=1e-5,
                fault_rate=0.003,
                unbilled_fault_rate=0.002,
            ),
            most=100_000,
            turnaround=turnaround,
            deadline=_NOW + timedelta(hours=rng.choice(hours)),
            primers=1,
        )
        for number, weight in enumerate(weights)
    ]
