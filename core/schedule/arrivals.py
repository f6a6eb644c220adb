"""Recurring work: when items of each class come in, learned from what came in or as somebody states it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.caching.lifetimes import Lifetime
from core.errors import LotwiseError
from core.sizing.job_costs import JobCosts

Floats = NDArray[np.float64]
HOUR = 3600.0
DAY = 86_400.0
DAYS_A_WEEK = 7
WEEK_HOURS = 168
_DAY_HOURS = 24
_MOST_AN_HOUR = 10_000_000.0
# An hour of the week counts as if it had been seen once more, with what that hour of the day brings on any day.
_PRIOR_WEEKS = 1.0


class TooMuchStated(LotwiseError):
    """More items an hour are stated than all queues of the API take in one. State fewer."""


@dataclass(frozen=True, kw_only=True)
class Stream:
    """What comes in of one class, and what its jobs cost.

    `seconds`: when, ascending, since the start of the work; `items`: how many then. `plain`: unmarked jobs; `primed`:
    jobs that write an entry of that life once and read it, where the class can be cached.
    """

    class_id: str
    name: str
    model: str
    seconds: Floats
    items: Floats
    plain: JobCosts
    primed: Mapping[Lifetime, JobCosts]


@dataclass(frozen=True, kw_only=True)
class Work:
    """Recurring work over some days: what is expected to come again.

    `hour`: seconds that an entry written for an hour lives, less on a local server that runs faster than life.
    """

    start: datetime
    days: float
    streams: tuple[Stream, ...]
    hour: float = HOUR

    @property
    def items_a_week(self) -> float:
        """Items of all classes in a mean week."""
        return sum(float(stream.items.sum()) for stream in self.streams) * DAYS_A_WEEK / self.days

    def week(self, zone: ZoneInfo) -> Floats:
        """Items expected in each hour of the week, from Monday 00:00 on clocks of `zone`; shape (168,).

        Hours of the week that were seen seldom lean on what that hour brings on any day of the week.
        """
        seconds = np.concatenate([stream.seconds for stream in self.streams] or [np.zeros(0)])
        items = np.concatenate([stream.items for stream in self.streams] or [np.zeros(0)])
        came = np.bincount(hours_of_week(self.start, seconds, zone), weights=items, minlength=WEEK_HOURS)
        seen = _hours_seen(self.start, self.days, zone)
        by_day = came.reshape(DAYS_A_WEEK, _DAY_HOURS).sum(axis=0) / np.maximum(
            seen.reshape(DAYS_A_WEEK, _DAY_HOURS).sum(axis=0), 1.0
        )
        leaning: Floats = (came + _PRIOR_WEEKS * np.tile(by_day, DAYS_A_WEEK)) / (seen + _PRIOR_WEEKS)
        return leaning


def hours_of_week(start: datetime, seconds: Floats, zone: ZoneInfo) -> NDArray[np.int64]:
    """The hour of the week (0: Monday 00:00 to 01:00) of instants, `seconds` after `start`, on clocks of `zone`."""
    at = pl.Series(seconds * 1e6).cast(pl.Int64).cast(pl.Duration("us")) + start
    local = at.cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(zone.key)
    return ((local.dt.weekday().cast(pl.Int64) - 1) * _DAY_HOURS + local.dt.hour().cast(pl.Int64)).to_numpy()


def steady(items_an_hour: Sequence[float], start: datetime, *, weeks: int) -> tuple[Floats, Floats]:
    """When single items come in at a stated rate: (seconds, items).

    `items_an_hour`: one rate for every hour, 24 from midnight or 168 from Monday 00:00 on, at the clock of `start`;
    items come as evenly as the rate allows. Raises `TooMuchStated`.
    """
    if (busiest := float(max(items_an_hour))) > _MOST_AN_HOUR:
        raise TooMuchStated(items_an_hour=busiest, most=_MOST_AN_HOUR)
    hours = weeks * WEEK_HOURS
    first = start.weekday() * _DAY_HOURS + start.hour
    rates = np.resize(np.roll(np.resize(np.asarray(items_an_hour, dtype=float), WEEK_HOURS), -first), hours)
    due = np.concatenate([[0.0], np.cumsum(rates)])
    wanted = np.arange(0.5, due[-1])
    seconds: Floats = np.interp(wanted, due, np.arange(hours + 1) * HOUR)
    return seconds, np.ones_like(seconds)


def _hours_seen(start: datetime, days: float, zone: ZoneInfo) -> Floats:
    """How often each hour of the week went by."""
    hours = np.arange(max(1, round(days * _DAY_HOURS)), dtype=float) * HOUR
    return np.bincount(hours_of_week(start, hours, zone), minlength=WEEK_HOURS).astype(float)
