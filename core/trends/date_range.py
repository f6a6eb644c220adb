"""Stretches of days, and those that they are compared with."""

from dataclasses import dataclass
from datetime import date, timedelta

_WEEK = 7
_MONTHS_OF_QUARTER = 3


@dataclass(frozen=True, kw_only=True)
class DateRange:
    """Whole days in UTC, both ends included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.last - self.first).days + 1

    def previous(self) -> "DateRange":
        """As many days, right before it."""
        return self._earlier(self.days)

    def weeks_earlier(self) -> "DateRange":
        """As many days as many whole weeks earlier as it takes not to overlap: weekdays meet the same weekdays."""
        return self._earlier(-(-self.days // _WEEK) * _WEEK)

    def comparable(self, known: date, *, by_week: bool = False) -> "DateRange | None":
        """It, or as many days at its end as leave as many earlier ones from `known` on; None where there are none.

        `by_week`: earlier by whole weeks, so that what is left of it is whole weeks.
        """
        if (self.weeks_earlier() if by_week else self.previous()).first >= known:
            return self
        room = ((self.last - known).days + 1) // 2
        days = min(self.days, room // _WEEK * _WEEK if by_week else room)
        return last_days(days, self.last) if days > 0 else None

    def _earlier(self, days: int) -> "DateRange":
        return DateRange(first=self.first - timedelta(days=days), last=self.last - timedelta(days=days))


def last_days(count: int, today: date) -> DateRange:
    """So many days up to today."""
    return DateRange(first=today - timedelta(days=count - 1), last=today)


def quarter_to_date(today: date) -> DateRange:
    """From the first day of today's calendar quarter."""
    month = (today.month - 1) // _MONTHS_OF_QUARTER * _MONTHS_OF_QUARTER + 1
    return DateRange(first=today.replace(month=month, day=1), last=today)
