"""What is known of single days: launches, seasons, backfills; taken out of the history and put into the forecast."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Self

import numpy as np

from core.errors import LotwiseError
from core.forecast.draws import Floats
from core.forecast.series import Series


class EventUnusable(LotwiseError):
    """This known event says too little or contradicts itself. Give it a first and a last day, and one effect."""


@dataclass(frozen=True, kw_only=True)
class KnownEvent:
    """Days on which more, or less, is done than usual: `factor` times as much, or `amount` more a day.

    With neither, the factor is learned from the last time it came.
    """

    name: str
    first: date
    last: date
    factor: float | None = None
    amount: float | None = None
    yearly: bool = False
    """Whether it comes on the same days of every year."""
    certainty: float = 1.0
    """The chance, above 0 up to 1, that it comes ahead."""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.last < self.first:
            raise EventUnusable(event=self.name, why="it ends before it begins")
        if self.factor is not None and self.amount is not None:
            raise EventUnusable(event=self.name, why="a factor and an amount: give one of them")
        if self.factor is not None and not 0 <= self.factor < float("inf"):
            raise EventUnusable(event=self.name, why="its factor must be 0 or more")
        if not 0 < self.certainty <= 1:
            raise EventUnusable(event=self.name, why="its certainty must be above 0 and at most 1")

    @classmethod
    def parse(cls, table: Mapping[str, Any]) -> Self:
        """An event from a table of a TOML file. Raises `EventUnusable`."""
        known = set(cls.__dataclass_fields__)
        if unknown := sorted(set(table) - known):
            raise EventUnusable(event=table.get("name"), why=f"unknown: {', '.join(unknown)}", known=sorted(known))
        try:
            days = {name: day_of(table[name]) for name in ("first", "last") if name in table}
            return cls(**{**table, **days})
        except (TypeError, ValueError) as error:
            raise EventUnusable(event=table.get("name"), why=str(error).split("() ")[-1]) from None

    def days(self, first: date, count: int) -> np.ndarray:
        """Which of `count` days from `first` on it touches."""
        days = (first + timedelta(days=place) for place in range(count))
        return np.array([self._touches(day) for day in days], dtype=bool)

    def _touches(self, day: date) -> bool:
        if not self.yearly:
            return self.first <= day <= self.last
        start, end, here = ((one.month, one.day) for one in (self.first, self.last, day))
        return start <= here <= end if start <= end else here >= start or here <= end


def day_of(value: Any) -> date:
    """A date as TOML gives it, or as its ISO text. Raises `ValueError` or `TypeError`."""
    return value if isinstance(value, date) else date.fromisoformat(value)


def learned(event: KnownEvent, series: Series) -> KnownEvent:
    """The event with the effect that it had in the history, where none was given. Raises `EventUnusable`."""
    if event.factor is not None or event.amount is not None:
        return event
    touched = event.days(series.first, len(series.values))
    expected = _usual(series.values, touched)
    if not touched.any() or touched.all() or expected[touched].sum() <= 0:
        raise EventUnusable(event=event.name, why="the history has not seen it: say its factor or its amount")
    return KnownEvent(**{**vars(event), "factor": float(series.values[touched].sum() / expected[touched].sum())})


def without(series: Series, events: Sequence[KnownEvent]) -> Floats:
    """The history as it would have been without the events."""
    values = series.values.copy()
    for event in events:
        touched = event.days(series.first, len(values))
        if event.amount is not None:
            values[touched] = np.maximum(values[touched] - event.amount, 0)
        elif event.factor:
            values[touched] /= event.factor
        elif touched.any() and not touched.all():
            values = np.where(touched, _usual(values, touched), values)
    return values


def with_events(paths: Floats, first: date, events: Sequence[KnownEvent], *, seed: int) -> Floats:
    """Sample paths (paths x days from `first`) with what the events ahead will do; uncertain ones in some of them."""
    rng = np.random.default_rng([seed, 1])
    for event in events:
        touched = event.days(first, paths.shape[1])
        comes = rng.random(len(paths)) < event.certainty
        changed = paths + event.amount if event.amount is not None else paths * (event.factor or 0.0)
        paths = np.where(comes[:, None] & touched, np.maximum(changed, 0), paths)
    return paths


def _usual(values: Floats, touched: np.ndarray) -> Floats:
    """Every day as the same weekday of untouched weeks around it."""
    usual = values.copy()
    for start in range(7):
        part, out = usual[start::7], touched[start::7]
        places = np.arange(len(part))
        if out.any() and not out.all():
            part[out] = np.interp(places[out], places[~out], part[~out])
    return usual
