"""Public daily series and the backtests that forecasts are scored on: totals over a horizon, from past days."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from core.forecast.draws import Floats
from core.forecast.forecast import Forecast, forecast
from core.forecast.scores import crps, within
from core.forecast.series import Series, daily

SHARED = Path(os.environ.get("LOTWISE_SHARED_DATA", Path(__file__).parent.parent.parent / "shared" / "data"))
_MIXED = ("madrid_metro", "madrid_road", "bicimad_users", "uk_daily_flights", "wiki_peyton_manning", "births_us")
_LONG = 1_500
"""Days from which a mixed series is forecast from twelve origins, else from six."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Which series, how much history each forecast sees and how far it looks, in days."""

    files: tuple[str, ...]
    history: int
    horizon: int


GROUPS = {
    "A": Group(files=(*_MIXED, "nyc_taxi_daily"), history=120, horizon=28),
    "B": Group(files=_MIXED, history=365, horizon=91),
    "C": Group(files=("nn5_odd_wide",), history=365, horizon=91),
    "D": Group(files=("nn5_odd_wide",), history=90, horizon=28),
    "E": Group(files=("nn5_odd_wide", *_MIXED, "shavedice_region_wide"), history=365, horizon=182),
}


@dataclass(frozen=True, kw_only=True)
class Task:
    """One forecast to make: what is known, and what came."""

    name: str
    known: Series
    came: Floats


@dataclass(frozen=True, kw_only=True)
class Score:
    """How one forecast of a total did; scores relative to what came."""

    name: str
    crps: float
    in_80: bool
    in_95: bool


def tasks(name: str, data: Path = SHARED) -> Iterator[Task]:
    """Every forecast of a group, in order of file, series and day."""
    group = GROUPS[name]
    for file in group.files:
        wide = pl.read_csv(data / "series" / f"{file}.csv")
        for column in wide.columns[1:]:
            series = daily(wide.select("date", pl.col(column).alias("value")), longest=None)
            for cut in _origins(name, file, len(series.values)):
                known = series.values[cut - group.history : cut]
                yield Task(
                    name=file if column == "value" else column,
                    known=Series(first=date.fromordinal(series.first.toordinal() + cut - group.history), values=known),
                    came=series.values[cut : cut + group.horizon],
                )


def _origins(name: str, file: str, count: int) -> list[int]:
    group = GROUPS[name]
    last = count - group.horizon
    if name in "AB":
        return [int(day) for day in np.linspace(group.history, last, 12 if count > _LONG else 6)]
    if name in "CD":
        return [last, last - 120]
    return list(range(group.history, last + 1, 122 if file.startswith("nn5") else 91))[:12]


def made(task: Task, *, seed: int = 7) -> Forecast:
    """Lotwise's forecast for a task."""
    return forecast(task.known, len(task.came), seed=seed)


def score(task: Task, totals: Floats) -> Score:
    """How a sample of the total did."""
    came = float(task.came.sum())
    return Score(
        name=task.name,
        crps=crps(totals, came) / came,
        in_80=within(totals, came, 0.1, 0.9),
        in_95=within(totals, came, 0.025, 0.975),
    )
