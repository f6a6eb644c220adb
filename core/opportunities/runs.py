"""Whether something is still so: the days of a class told apart by whether a saving was there to be had."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

PRESENT = Decimal("0.02")
"""The share of a day's cost from which on a saving is there; below, it is what even a class in order leaves."""

_ENDS = 2
"""So many days of work in a row without it, and it is over: one may be a small day."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """Days on which a saving was there, from `first` to `last`; `ended`: the first day of work without it since, None
    as long as it is there."""

    first: date
    last: date
    ended: date | None


def latest_run(days: Iterable[tuple[date, Decimal, Decimal]]) -> Run | None:
    """The latest run in the days of work of a class (day, cost, saving), oldest first; None where there was none."""
    runs: list[tuple[date, date]] = []
    without: list[date] = []
    for day, cost, saving in days:
        if saving <= PRESENT * cost or not saving:
            without.append(day)
            continue
        if runs and len(without) < _ENDS:
            runs[-1] = (runs[-1][0], day)
        else:
            runs.append((day, day))
        without = []
    if not runs:
        return None
    first, last = runs[-1]
    return Run(first=first, last=last, ended=without[0] if len(without) >= _ENDS else None)
