"""The twin on a month of a million items, against drawing one random number for every item of every replicate."""

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np

from benchmarks.timing import Ratio, compare
from core.prices import PriceBook
from core.simulation.dispatch import Policy, dispatch
from core.simulation.outcome import Outcome
from core.simulation.twin import World, simulate
from core.simulation.work import ClassOfWork, Economics, Traffic
from core.sizing.turnaround import Turnarounds

_EPOCH = datetime(2026, 11, 2, tzinfo=UTC)
_ITEMS, _CLASSES, _DAYS = 1_000_000, 100, 30
_REPLICATES = 20
_MOST_SECONDS = 10.0
_DAY = 86_400.0


def measure() -> Iterator[Ratio]:
    """Seconds for jobs of one class each night, and for mixed ones every hour, replicates and all."""
    for name, policy in {
        "nightly, primed, one class a job": Policy(grouping="class", size=20_000, life=3600.0, primed=True, every=_DAY),
        "hourly, unprimed, as they came": Policy(
            grouping="arrival", size=5_000, life=300.0, primed=False, every=3600.0
        ),
    }.items():
        yield _month(name, policy)


def _month(name: str, policy: Policy) -> Ratio:
    traffic, economics = _traffic(), _economics()
    world = World(turnaround=Turnarounds().of, job_usd=0.25)

    def run() -> Outcome:
        return simulate(traffic, economics, dispatch(traffic, economics, policy), world, replicates=_REPLICATES)

    def draw() -> None:
        for number in range(_REPLICATES):
            np.random.default_rng(number).random(_ITEMS)

    return compare(
        f"simulate {_ITEMS:,} items of a month {_REPLICATES} times ({name})",
        run,
        "draw a number for each of them",
        draw,
        goal=f"<= {_MOST_SECONDS:.0f} s, <= 20 times the draws",
        rounds=2,
    )


def _traffic() -> Traffic:
    rng = np.random.default_rng(1)
    at = np.sort(rng.random(_ITEMS) * _DAYS * _DAY)
    return Traffic(epoch=_EPOCH, at=at, of=rng.integers(0, _CLASSES, _ITEMS), due=at + 2 * _DAY, sent=at)


def _economics() -> Economics:
    return Economics.of(
        [
            ClassOfWork(
                key=str(number),
                model="claude-sonnet-5-5",
                prefix_tokens=600.0 + 50 * number,
                suffix_tokens=150.0,
                output_tokens=60.0,
                void_rate=1e-5,
                fault_rate=0.005,
                unbilled_rate=0.01,
            )
            for number in range(_CLASSES)
        ],
        book=PriceBook.load(),
        now=_EPOCH,
    )
