"""Jobs into the room that the queue has: each at the earliest moment at which it fits, in a given order. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A lot as so many `jobs` of `items` each. Seconds count from the planning.

    `hold`: how long a job keeps its room; `earliest`, `latest`: when its jobs may go to be in time (`latest` is minus
    infinity where they cannot be); `usd`: cost of the lot.
    """

    jobs: int
    items: int
    usd: float
    hold: float
    earliest: float
    latest: float


@dataclass(frozen=True)
class Sent:
    """So many jobs of a lot that go at the same moment."""

    lot: int
    jobs: int
    at: float


class Room:
    """How many items the queue has room for, over time: steps that begin at `times`, each with what is `free`."""

    def __init__(self, items: int | None) -> None:
        self.times = [0.0]
        self.free = [float("inf") if items is None else float(items)]

    def put(self, items: int, hold: float, *, earliest: float, most: int) -> tuple[float, int]:
        """Place up to `most` jobs at the first moment at which one fits: when, and how many. One must fit at all."""
        place, start = bisect_right(self.times, earliest) - 1, earliest
        while True:
            end = max(bisect_left(self.times, start + hold, place), place + 1)
            within = self.free[place:end]
            least = min(within)
            if least >= items:
                break
            # Nothing fits before the last step that is too full.
            place = end
            while self.free[place - 1] >= items:
                place -= 1
            start = self.times[place]
        count = most if least == float("inf") else min(most, int(least // items))
        self._take(start, start + hold, items * count)
        return start, count

    def _take(self, begin: float, end: float, items: int) -> None:
        first, last = self._step_at(begin), self._step_at(end)
        for place in range(first, last):
            self.free[place] -= items

    def _step_at(self, time: float) -> int:
        place = bisect_left(self.times, time)
        if place == len(self.times) or self.times[place] != time:
            self.times.insert(place, time)
            self.free.insert(place, self.free[place - 1])
        return place


def pack(order: Iterable[tuple[int, int]], choices: Mapping[int, Choice], queue_limit: int | None) -> list[Sent]:
    """Place (lot, jobs) one after the other, without moving what is placed already.

    Every schedule that nothing can be moved forward in comes of some order (Kolisch 1996, the serial scheme), so with
    the right order this is a best schedule for its choices.
    """
    room, sent = Room(queue_limit), []
    for lot, jobs in order:
        choice, left = choices[lot], jobs
        at = choice.earliest
        while left:
            at, count = room.put(choice.items, choice.hold, earliest=at, most=left)
            sent.append(Sent(lot, count, at))
            left -= count
    return sent


def late_lots(sent: Iterable[Sent], choices: Mapping[int, Choice]) -> frozenset[int]:
    """The lots with a job that goes too late to be in time."""
    return frozenset(one.lot for one in sent if one.at > choices[one.lot].latest)
