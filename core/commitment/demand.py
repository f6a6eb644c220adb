"""Demand for a term: volume times list cost per unit, joined on whole sample paths of every class, by month."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import polars as pl

from core.commitment.payment import Floats
from core.commitment.unit_paths import Gain, delivered_paths, drift, ratio, unit_paths
from core.errors import LotwiseError
from core.forecast.events import KnownEvent
from core.forecast.forecast import Forecast, ForecastRefused, forecast
from core.forecast.series import Series

RECENT_DAYS = 56
"""Jobs of the last eight weeks say what a unit costs now."""
_MOST_LEFT_OUT = 0.2


class NoDemand(LotwiseError):
    """There is too little work to forecast a term from. Wait for eight weeks of it; nothing is recommended before."""


@dataclass(frozen=True, kw_only=True)
class ClassDemand:
    """One class's part: its volume ahead and what a unit costs at list price."""

    name: str
    volume: Forecast
    unit_usd: float
    """List cost per unit, over the last eight weeks."""
    drift: float
    """Standard deviation of a week's change of its logarithm."""


@dataclass(frozen=True, kw_only=True)
class Demand:
    """Equally likely futures of a term, in USD at list price."""

    monthly: Floats
    """paths x months of the term"""
    classes: tuple[ClassDemand, ...]
    left_out: tuple[tuple[str, str], ...]
    """Classes that could not be forecast, and why."""
    shares: Mapping[str, float]
    """Of the variance of the total: volume, unit_cost, delivery; they sum to 1 where there is any."""

    @functools.cached_property
    def totals(self) -> Floats:
        """The term's total of every path."""
        sums: Floats = self.monthly.sum(axis=1)
        return sums


def demand(
    days: pl.DataFrame,
    *,
    today: date,
    first: date,
    months: int,
    seed: int,
    events: Sequence[KnownEvent] = (),
    gains: Sequence[Gain] = (),
    paths: int = 1_000,
) -> Demand:
    """Forecast a term of `months` from `first` on, from the work up to the day before `today`.

    Columns read of `days`: class_name, job_id, day, units, list_usd (float), one row a job and day. Raises `NoDemand`
    where classes with more than a fifth of the recent cost cannot be forecast.
    """
    last = _month_start(first, months) - timedelta(days=1)
    horizon = (last - today).days + 1
    found: list[ClassDemand] = []
    costs: list[tuple[Floats, Floats]] = []
    left_out: list[tuple[str, str]] = []
    rng, shape = np.random.default_rng([seed, 2]), (paths, horizon)
    for name, rows in sorted(days.partition_by("class_name", as_dict=True).items()):
        label = str(name[0])
        try:
            volume = forecast(_volume(rows, today), horizon, seed=seed, events=events, paths=paths)
            jobs = _recent(rows, today)
        except ForecastRefused as refused:
            left_out.append((label, str(refused.context.get("why", refused.message))))
            continue
        spread = drift(rows, today)
        found.append(ClassDemand(name=label, volume=volume, unit_usd=ratio(jobs), drift=spread))
        costs.append((unit_paths(jobs, spread, shape, rng), delivered_paths(label, gains, today, shape, seed=seed)))
    _enough(days, left_out, today)
    starts = [(_month_start(first, month) - today).days for month in range(months + 1)]

    def monthly(*, volumes: bool = True, units: bool = True, delivered: bool = True) -> Floats:
        total = np.zeros((paths, months))
        for one, (unit, gain) in zip(found, costs, strict=True):
            days_ahead = one.volume.paths if volumes else np.tile(one.volume.paths.mean(axis=0), (paths, 1))
            value = days_ahead * (unit if units else unit.mean(axis=0)) * (gain if delivered else gain.mean(axis=0))
            for month, (begin, end) in enumerate(pairwise(starts)):
                total[:, month] += value[:, max(begin, 0) : max(end, 0)].sum(axis=1)
        return total

    parts = {
        "volume": float(monthly(units=False, delivered=False).sum(axis=1).var()),
        "unit_cost": float(monthly(volumes=False, delivered=False).sum(axis=1).var()),
        "delivery": float(monthly(volumes=False, units=False).sum(axis=1).var()),
    }
    whole = sum(parts.values())
    return Demand(
        monthly=monthly(),
        classes=tuple(found),
        left_out=tuple(left_out),
        shares={name: part / whole if whole else 0.0 for name, part in parts.items()},
    )


def _month_start(first: date, months: int) -> date:
    """The day of the month on which the term began, so many months later (the last day where a month is shorter)."""
    month = first.month - 1 + months
    year, month = first.year + month // 12, month % 12 + 1
    following = date(year + month // 12, month % 12 + 1, 1)
    return date(year, month, min(first.day, (following - timedelta(days=1)).day))


def _volume(rows: pl.DataFrame, today: date) -> Series:
    """Units a day from the class's first day to yesterday; a day without a job is one without work."""
    begin = rows["day"].min()
    whole = pl.DataFrame({"day": pl.date_range(begin, today - timedelta(days=1), eager=True)})  # type: ignore[arg-type]
    daily = rows.group_by("day").agg(pl.col("units").sum())
    values = whole.join(daily, on="day", how="left")["units"].fill_null(0).to_numpy().astype(np.float64)
    return Series(first=today - timedelta(days=len(values)), values=values)


def _recent(rows: pl.DataFrame, today: date) -> pl.DataFrame:
    """Jobs of the last eight weeks with units. Raises `ForecastRefused` where there are none."""
    jobs = rows.filter(pl.col("day") >= today - timedelta(days=RECENT_DAYS), pl.col("units") > 0)
    if jobs.is_empty():
        raise ForecastRefused(why="no usable result in the last eight weeks")
    return jobs.group_by("job_id", maintain_order=True).agg(pl.col("units", "list_usd").sum())


def _enough(days: pl.DataFrame, left_out: Sequence[tuple[str, str]], today: date) -> None:
    recent = days.filter(pl.col("day") >= today - timedelta(days=RECENT_DAYS))
    whole = float(recent["list_usd"].sum())
    names = [name for name, _ in left_out]
    missing = float(recent.filter(pl.col("class_name").is_in(names))["list_usd"].sum())
    if not whole:
        raise NoDemand(why="no usable result in the last eight weeks")
    if missing > _MOST_LEFT_OUT * whole:
        name, why = left_out[0]
        raise NoDemand(why=f"{missing / whole:.0%} of the recent cost cannot be forecast", first=f"{name}: {why}")
