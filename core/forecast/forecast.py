"""A forecast of the days ahead with its own record beside it; refused where the history is too thin."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from core.errors import LotwiseError
from core.forecast.backtest import Backtest, record_of
from core.forecast.draws import Draws, Floats
from core.forecast.events import KnownEvent, learned, with_events, without
from core.forecast.pooling import pooled, share
from core.forecast.series import Series

LEAST_DAYS = 56
"""Eight weeks: before that neither the rhythm of a week nor the size of an error is known."""
LONGEST_HORIZON = 1_100
PATHS = 1_000
LEVELS = (0.01, 0.025, *(round(0.05 * step, 2) for step in range(1, 20)), 0.975, 0.99)
"""The quantiles of a total that are reported."""
_TESTED = 0.5
"""Horizons up to this share of the history were scored on public series."""
_FEW_CUTS = 3


class ForecastRefused(LotwiseError):
    """There is too little to forecast from. Wait for what is named, or plan with the run rate so far."""


class HorizonInvalid(ForecastRefused):
    """Nobody can forecast so many days. Give another horizon."""


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """Whole sample paths; sums of days are taken path by path, never of quantiles."""

    first: date
    """The first day ahead."""
    paths: Floats
    """paths x days"""
    engine_share: float
    """Share of the paths that are more than the seasonal naive forecast; 0 = it stands alone."""
    backtest: Backtest | None
    """None where the history is too short to have forecast so far ahead before."""
    said: tuple[str, ...]
    """What a reader should know, in sentences."""

    @functools.cached_property
    def totals(self) -> Floats:
        """The total of every path."""
        sums: Floats = self.paths.sum(axis=1)
        return sums

    def total_quantiles(self) -> dict[float, float]:
        """The total over all days, by `LEVELS`."""
        return dict(zip(LEVELS, (float(value) for value in np.quantile(self.totals, LEVELS)), strict=True))

    def daily(self, levels: Sequence[float] = (0.1, 0.5, 0.9)) -> tuple[tuple[date, tuple[float, ...]], ...]:
        """Quantiles of each day: for a picture, not to be added up."""
        rows = np.quantile(self.paths, levels, axis=0).T
        return tuple(
            (self.first + timedelta(days=place), tuple(float(value) for value in row)) for place, row in enumerate(rows)
        )


def forecast(
    series: Series, horizon: int, *, seed: int, events: Sequence[KnownEvent] = (), paths: int = PATHS
) -> Forecast:
    """Forecast `horizon` days after a series. Raises `ForecastRefused` and `EventUnusable`.

    The same series, events and seed give the same paths; classes that are forecast with one seed and one horizon
    share their random choices, so that their paths can be added one by one.
    """
    _refuse(series, horizon)
    known = [learned(event, series) for event in events]
    days = without(series, known)
    record, past = record_of(days, horizon, seed=seed)
    of_engine = share(record)
    first = series.last + timedelta(days=1)
    drawn = pooled(days, horizon, Draws.make(paths, horizon, seed=seed), of_engine)
    return Forecast(
        first=first,
        paths=with_events(drawn, first, known, seed=seed),
        engine_share=of_engine,
        backtest=past,
        said=(*series.said, *_said(series, horizon, of_engine, past)),
    )


def _refuse(series: Series, horizon: int) -> None:
    count = len(series.values)
    if not 1 <= horizon <= LONGEST_HORIZON:
        raise HorizonInvalid(why=f"a horizon of {horizon} days; it can be 1 to {LONGEST_HORIZON}")
    if count < LEAST_DAYS:
        rate = float(series.values.mean())
        raise ForecastRefused(
            why=f"{count} days of history; it takes {LEAST_DAYS} (eight weeks), {LEAST_DAYS - count} more",
            run_rate=f"{rate:.6g} a day so far",
        )
    idle = int((series.weeks.sum(axis=1) == 0).sum())
    if 2 * idle > len(series.weeks):
        raise ForecastRefused(
            why=f"{idle} of {len(series.weeks)} weeks have no work at all; it takes work in half of them"
        )


def _said(series: Series, horizon: int, of_engine: float, past: Backtest | None) -> list[str]:
    said = []
    if past is None:
        said.append(
            f"The history is too short to test a forecast over {horizon} days: nobody knows how good this one is."
        )
    elif not of_engine:
        said.append("No skill over the seasonal naive forecast on this history: that one is used instead.")
    elif past.skill >= 1:
        said.append("On this history the forecast did no better than the seasonal naive one.")
    if past is not None and past.cuts < _FEW_CUTS:
        said.append(f"Its record rests on {past.cuts} earlier forecast{'s' if past.cuts > 1 else ''} only.")
    if horizon > _TESTED * len(series.values):
        said.append("The horizon is longer than half of the history: such forecasts were never tested.")
    return said
