"""When a recurring schedule sends: at times of the day, every few hours, before each need, or when enough waits."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from core.errors import LotwiseError
from core.schedule.deadlines import Moment, Recurring, parse

_WITHIN = re.compile(r"within\s+(\d+(?:\.\d+)?)\s*(?:h|hours?)")
_TICK = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 5, tzinfo=UTC)
"""A Monday: where steps that no deadline fixes are counted from."""
LONGEST_HOURS = 744
"""A schedule sends once in a month of 31 days at least, and goes no earlier than that before the need."""

_LONGEST_CYCLE = timedelta(days=8)
"""A week and what a change of the clocks adds: every such stretch holds a moment of any rhythm."""


class NeededOnce(LotwiseError):
    """That comes only once, and a schedule recurs. Name a time of day, as in 07:00 Europe/Berlin or Mon 09:00 UTC."""


class RhythmInvalid(LotwiseError):
    """A schedule sends in one way: at times, every so many hours, before each deadline, or when enough items wait."""


class RhythmTooLong(LotwiseError):
    """A schedule sends every 744 hours at least, and goes at most 744 hours before the need."""


@dataclass(frozen=True)
class Within:
    """Every item is needed so many hours after it came in."""

    hours: float

    def __str__(self) -> str:
        return f"within {self.hours:g} h"


Need = Recurring | Within


def parse_need(text: str, *, zone: str | None = None) -> Need:
    """Read a need as `str` writes it: `within 8 h` of coming in, or a deadline that comes again.

    Raises `UnclearDeadline`, `RhythmTooLong`, and `NeededOnce` for one that does not.
    """
    if found := _WITHIN.fullmatch(text.strip()):
        if not 0 < float(found[1]) <= LONGEST_HOURS:
            raise RhythmTooLong(need=text)
        return Within(float(found[1]))
    return parse_recurring(text, zone=zone)


def parse_recurring(text: str, *, zone: str | None = None) -> Recurring:
    """Read a time of every day or of some days. Raises `UnclearDeadline`, and `NeededOnce` for a single moment."""
    deadline = parse(text, zone=zone)
    if isinstance(deadline, Moment):
        raise NeededOnce(deadline=text)
    return deadline


class Way(StrEnum):
    """What sets a schedule off."""

    AT = "at"
    EVERY = "every"
    BEFORE = "before"
    QUEUE = "queue"


@dataclass(frozen=True, kw_only=True)
class Rhythm:
    """When recurring work is sent.

    `need`: when its results are needed; `lead`: how long before that it has to be sent, in seconds. Of the rest only
    what belongs to `way` counts: the `times` of AT, the `hours` between two sends of EVERY (counted back from `lead`
    before each need, so that one of them is the last that is in time), and for QUEUE the `items` of a class that are
    enough (`class_items` for the classes named there; None: no number is, its oldest item's need sets it off).
    """

    way: Way
    need: Need
    lead: float
    times: tuple[Recurring, ...] = ()
    hours: int | None = None
    items: int | None = None
    class_items: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        has_all = {
            Way.AT: bool(self.times),
            Way.EVERY: self.hours is not None and self.hours >= 1,
            Way.BEFORE: not isinstance(self.need, Within),
            Way.QUEUE: self.items is None or self.items >= 1,
        }
        if not has_all[self.way]:
            raise RhythmInvalid(way=self.way)
        lead_hours = self.lead / 3600
        if not 0 <= lead_hours <= LONGEST_HOURS or (self.hours or 0) > LONGEST_HOURS:
            raise RhythmTooLong(lead_hours=lead_hours, hours=self.hours)

    def __str__(self) -> str:
        match self.way:
            case Way.AT:
                return f"at {', '.join(str(time) for time in self.times)}"
            case Way.BEFORE:
                return f"{self.lead / 60:.0f} min before {self.need}"
            case Way.EVERY if isinstance(self.need, Within):
                return f"every {self.hours} h"
            case Way.EVERY:
                return f"every {self.hours} h, counted back from {self.lead / 60:.0f} min before {self.need}"
            case Way.QUEUE:
                enough = [*self.class_items.values(), *([] if self.items is None else [self.items])]
                least = f"when {_range(enough)} of a class wait, or " if enough else ""
                return f"{least}when the oldest has to go: {self.lead / 60:.0f} min before it is needed"

    def moments(self, after: datetime) -> Iterator[datetime]:
        """The moments after `after` at which it sends, without an end; none where what waits decides."""
        following = self.next(after)
        while following is not None:
            yield following
            following = self.next(following)

    def next(self, after: datetime) -> datetime | None:
        """The first of them."""
        match self.way:
            case Way.AT:
                return min(time.next(after) for time in self.times)
            case Way.BEFORE:
                return self.latest_send(after + _TICK)
            case Way.EVERY:
                return self._step(after)
            case Way.QUEUE:
                return None

    def newest(self, since: datetime, now: datetime) -> datetime:
        """The newest moment up to `now`; `since`, which is one itself, where none came after it."""
        newest = since
        for moment in self.moments(max(since, now - _LONGEST_CYCLE)):
            if moment > now:
                break
            newest = moment
        return newest

    def needed(self, arrived: datetime) -> datetime:
        """When an item that came in then is needed: the first need for which it can be sent in time."""
        if isinstance(self.need, Within):
            return arrived + timedelta(hours=self.need.hours)
        return self.need.next(arrived + timedelta(seconds=self.lead) - _TICK)

    def latest_send(self, arrived: datetime) -> datetime:
        """The last moment to send an item that came in then, so that it is there when it is needed."""
        return self.needed(arrived) - timedelta(seconds=self.lead)

    def enough(self, class_id: str) -> float:
        """How many items of a class set it off; infinity where no number does."""
        return self.class_items.get(class_id, math.inf if self.items is None else self.items)

    def _step(self, after: datetime) -> datetime:
        step = timedelta(hours=self.hours or 1)
        if isinstance(self.need, Within):
            return _EPOCH + ((after - _EPOCH) // step + 1) * step
        end = self.latest_send(after + _TICK)
        return end - (-(-(end - after) // step) - 1) * step


def _range(items: list[int]) -> str:
    low, high = min(items), max(items)
    return f"{low:,} items" if low == high else f"{low:,} to {high:,} items"
