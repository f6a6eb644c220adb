"""When results are needed: at one moment, or again and again at a time of day somewhere.

Clocks that change are read early rather than late. A time that the clocks skip means the moment at which they jump; a
time that comes twice means the first of the two.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from core.errors import LotwiseError

_FULL_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
DAYS = tuple(day[:3] for day in _FULL_DAYS)
"""Days of the week as deadlines name them, in the order of `datetime.weekday`."""

_EVERY_DAY = frozenset(range(7))
_RECURRING = re.compile(r"(?:(?P<days>[A-Za-z][A-Za-z,\s-]*?)\s+)?(?P<time>\d{1,2}:\d{2})(?:\s+(?P<zone>\S+))?")
_MOMENT = re.compile(r"(?P<moment>\d{4}-\d{2}-\d{2}(?:[T ]\d\S*)?)(?:\s+(?P<zone>\S+))?")
_SECOND = timedelta(seconds=1)


class UnclearDeadline(LotwiseError):
    """This deadline cannot be understood. Write one moment (2026-11-23T07:00+01:00, or 2026-11-23 07:00 Europe/Berlin),
    a time of every day (07:00 Europe/Berlin), or of some days (Mon 09:00 America/New_York, Mon-Fri 07:00 UTC)."""


class DeadlinePassed(LotwiseError):
    """The deadline is not in the future, so nothing can be ready by then. Name a later one."""


@dataclass(frozen=True)
class Moment:
    """A deadline that comes once, in UTC."""

    at: datetime

    def next(self, after: datetime) -> datetime:
        """The moment itself; raises `DeadlinePassed` unless it lies after `after`."""
        if self.at <= after:
            raise DeadlinePassed(deadline=self.at.isoformat(), now=after.astimezone(UTC).isoformat(timespec="seconds"))
        return self.at

    def __str__(self) -> str:
        return self.at.isoformat()


@dataclass(frozen=True)
class Recurring:
    """A deadline that comes again: at a time of some days of the week (0 is Monday), in a zone by its IANA name."""

    at: time
    zone: str
    days: frozenset[int] = _EVERY_DAY

    def next(self, after: datetime) -> datetime:
        """The first one after this moment, in UTC."""
        return next(moment for moment in self.from_day(after) if moment > after)

    def from_day(self, day: datetime) -> Iterator[datetime]:
        """All of them in order, in UTC, from the day of this moment on as the zone counts days, without an end."""
        zone = ZoneInfo(self.zone)
        local = day.astimezone(zone).date()
        while True:
            if local.weekday() in self.days:
                yield in_utc(local, self.at, zone)
            local += timedelta(days=1)

    def __str__(self) -> str:
        days = "" if self.days == _EVERY_DAY else ",".join(DAYS[day] for day in sorted(self.days)) + " "
        return f"{days}{self.at:%H:%M} {self.zone}"


Deadline = Moment | Recurring


def parse(text: str, *, zone: str | None = None) -> Deadline:
    """Read a deadline as a person writes it; `zone`: the one meant where the text names none.

    Raises `UnclearDeadline`; `str` of what comes out reads back as the same.
    """
    given = text.strip()
    if found := _MOMENT.fullmatch(given):
        return Moment(_moment(given, found["moment"], found["zone"] or zone))
    if found := _RECURRING.fullmatch(given):
        days = _days(given, found["days"]) if found["days"] else _EVERY_DAY
        return Recurring(at=_time(given, found["time"]), zone=_zone(given, found["zone"] or zone).key, days=days)
    raise UnclearDeadline(deadline=given)


def in_utc(day: date, at: time, zone: ZoneInfo) -> datetime:
    """The moment of a local time: the jump where the clocks skip it, the first one where it comes twice."""
    early = datetime.combine(day, at, tzinfo=zone)
    first, second = early.astimezone(UTC), early.replace(fold=1).astimezone(UTC)
    if second >= first:
        return first
    # Skipped (PEP 495: fold=1 lies before the jump, fold=0 after it): the offset changes somewhere between the two.
    low, high = second, first
    offset = low.astimezone(zone).utcoffset()
    while high - low > _SECOND:
        middle = (low + (high - low) / 2).replace(microsecond=0)
        low, high = (middle, high) if middle.astimezone(zone).utcoffset() == offset else (low, middle)
    return high


def _moment(text: str, moment: str, zone: str | None) -> datetime:
    try:
        read = datetime.fromisoformat(moment)
        if read.tzinfo is not None:
            return read.astimezone(UTC)
        return in_utc(read.date(), read.time(), _zone(text, zone))
    except (ValueError, OverflowError):  # not a date, or at the end of all dates
        raise UnclearDeadline(deadline=text) from None


def _time(text: str, clock: str) -> time:
    hours, minutes = (int(part) for part in clock.split(":"))
    if hours > 23 or minutes > 59:
        raise UnclearDeadline(deadline=text, time=clock)
    return time(hours, minutes)


def _zone(text: str, name: str | None) -> ZoneInfo:
    if name is None:
        raise UnclearDeadline(
            "This deadline names no time zone. Add one, such as Europe/Berlin or UTC, or an offset: 07:00+01:00.",
            deadline=text,
        )
    if name == "Z":
        name = "UTC"
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # unknown, not a name at all, a folder of zones
        raise UnclearDeadline("There is no such time zone. Name one like Europe/Berlin or UTC.", zone=name) from None


def _days(text: str, names: str) -> frozenset[int]:
    found: set[int] = set()
    for part in re.sub(r"\s", "", names).split(","):
        first, dash, last = part.partition("-")
        begin, end = _day(text, first), _day(text, last if dash else first)
        found.update(day % 7 for day in range(begin, end + 1 if end >= begin else end + 8))
    return frozenset(found)


def _day(text: str, name: str) -> int:
    for number, full in enumerate(_FULL_DAYS):
        if name.capitalize() in {full, full[:3]}:
            return number
    raise UnclearDeadline(
        "There is no such day of the week. Write Mon, Tue, Wed, Thu, Fri, Sat or Sun.", deadline=text, day=name
    )
