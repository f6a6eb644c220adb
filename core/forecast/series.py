"""One value a day: read, checked and made whole, so that what is wrong is said before anything is forecast."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from core.errors import LotwiseError
from core.forecast.draws import Floats
from core.wording import count

LONGEST_DAYS = 728
"""Two years in whole weeks: what is older says little of the level and takes time."""
_MOST_MISSING = 0.1
_SAMPLE = 3


class SeriesUnusable(LotwiseError):
    """This series is not one value a day. Correct what is named and try again; nothing was forecast."""


@dataclass(frozen=True, kw_only=True)
class Series:
    """Daily values without gaps."""

    first: date
    values: Floats
    said: tuple[str, ...] = ()
    """What was assumed to make it whole, in sentences."""

    @property
    def last(self) -> date:
        """The day of the last value."""
        return self.first + timedelta(days=len(self.values) - 1)

    @property
    def weeks(self) -> Floats:
        """Whole weeks up to the last day, weeks x 7."""
        return self.values[len(self.values) % 7 :].reshape(-1, 7)


def daily(frame: pl.DataFrame, *, longest: int | None = LONGEST_DAYS) -> Series:
    """A series from columns `date` (ISO) and `value` (none negative; empty = not known), in any order.

    A weekday that never occurs is one without work; other missing days, up to a tenth, take the mean of the same
    weekday before and after. Of a longer one the last `longest` days are kept (None: all). Raises `SeriesUnusable`.
    """
    known = _typed(frame).drop_nulls("value").sort("date")
    if known.is_empty():
        raise SeriesUnusable(why="it has no values")
    _check(known)
    first, last = known["date"][0], known["date"][-1]
    days = pl.DataFrame({"date": pl.date_range(first, last, eager=True)}).join(known, on="date", how="left")
    values = days["value"].to_numpy().astype(np.float64)
    values, said = _whole(values, first)
    kept = values if longest is None else values[-longest:]
    return Series(first=last - timedelta(days=len(kept) - 1), values=kept, said=said)


def _typed(frame: pl.DataFrame) -> pl.DataFrame:
    missing = [name for name in ("date", "value") if name not in frame.columns]
    if missing:
        raise SeriesUnusable(why=f"it has no column {' and no column '.join(missing)}", columns=frame.columns)
    text = frame.select(pl.col("date", "value").cast(pl.String).str.strip_chars()).with_columns(
        pl.when(pl.col("value") != "").then("value")
    )
    typed = text.with_columns(
        pl.col("date").str.to_date("%Y-%m-%d", strict=False), pl.col("value").cast(pl.Float64, strict=False)
    )
    bad = (typed["date"].is_null() | (typed["value"].is_null() & text["value"].is_not_null())).arg_true()
    if len(bad):
        row = text.row(int(bad[0]))
        raise SeriesUnusable(line=int(bad[0]) + 2, why="no date like 2026-11-02, or no number", found=row)
    return typed


def _check(known: pl.DataFrame) -> None:
    twice = known.filter(pl.col("date").is_duplicated())["date"].unique(maintain_order=True)
    if len(twice):
        raise SeriesUnusable(why=f"{count(len(twice), 'day comes', 'days come')} more than once", days=_some(twice))
    negative = known.filter(pl.col("value") < 0)["date"]
    if len(negative):
        raise SeriesUnusable(why=f"{count(len(negative), 'value is', 'values are')} negative", days=_some(negative))
    if not known["value"].is_finite().all():
        raise SeriesUnusable(why="a value is not finite")


def _whole(values: Floats, first: date) -> tuple[Floats, tuple[str, ...]]:
    """Fill what is missing, and say how."""
    gaps = np.isnan(values)
    if not gaps.any():
        return values, ()
    values, said = values.copy(), []
    weekday = (first.weekday() + np.arange(len(values))) % 7
    idle = [day for day in range(7) if (weekday == day).any() and gaps[weekday == day].all()]
    if idle:
        names = ", ".join((date(2024, 1, 1) + timedelta(days=day)).strftime("%A") for day in idle)
        said.append(f"No value on any {names}: taken as days without work.")
        values[gaps & np.isin(weekday, idle)] = 0
        gaps = np.isnan(values)
    missing = int(gaps.sum())
    if missing > _MOST_MISSING * len(values):
        raise SeriesUnusable(
            why=f"{missing} of {count(len(values), 'day')} {'is' if missing == 1 else 'are'} missing",
            most=f"{_MOST_MISSING:.0%}",
        )
    if missing:
        were = count(missing, "missing day was", "missing days were")
        said.append(f"{were} filled with the mean of the same weekday before and after.")
        _fill(values, gaps)
    return values, tuple(said)


def _fill(values: Floats, gaps: np.ndarray) -> None:
    """Straight lines through the same weekday of other weeks."""
    for start in range(7):
        part, gap = values[start::7], gaps[start::7]
        if gap.any() and not gap.all():
            places = np.arange(len(part))
            part[gap] = np.interp(places[gap], places[~gap], part[~gap])
    values[np.isnan(values)] = float(np.nanmean(values))


def _some(days: pl.Series) -> str:
    shown = ", ".join(str(day) for day in days.head(_SAMPLE))
    return shown if len(days) <= _SAMPLE else f"{shown} and {len(days) - _SAMPLE} more"
