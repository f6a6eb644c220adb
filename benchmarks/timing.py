"""Timing in pairs: the thing and its floor take turns in one run, so that a noisy machine slows both."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """Median seconds (or another unit) of a thing and of its floor or peer, and the median of the paired ratios."""

    name: str
    seconds: float
    against: str
    against_seconds: float
    ratio: float
    goal: str
    unit: str = "s"

    def line(self) -> str:
        """One line for people."""
        return (
            f"{self.name}: {self.seconds:.3f} {self.unit}; {self.against}: {self.against_seconds:.3f} {self.unit}; "
            f"ratio {self.ratio:.2f} (goal {self.goal})"
        )


def seconds(run: Callable[[], object]) -> float:
    """Wall seconds of one run."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def compare(
    name: str, run: Callable[[], object], against: str, floor: Callable[[], object], *, goal: str, rounds: int = 5
) -> Ratio:
    """Time both in turn after one warm-up each; the ratio is run / floor, pair by pair."""
    run(), floor()
    pairs = [(seconds(run), seconds(floor)) for _ in range(rounds)]
    return Ratio(
        name=name,
        seconds=statistics.median(pair[0] for pair in pairs),
        against=against,
        against_seconds=statistics.median(pair[1] for pair in pairs),
        ratio=statistics.median(first / second for first, second in pairs),
        goal=goal,
    )
