"""The verb `forecast` on a file: a series in, one document out; it needs no workspace."""

import argparse
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from core.forecast.events import EventUnusable, KnownEvent
from core.forecast.forecast import Forecast, ForecastRefused, forecast
from core.forecast.series import SeriesUnusable, daily
from core.intake.tables import DuplicateColumns, NoRows, NotATable, read_table
from core.requests.files import NoSuchFile

Document = dict[str, Any]
Add = Callable[[str, str, Callable[[argparse.Namespace], Document]], argparse.ArgumentParser]
_DIGITS = 6
_REFUSALS = (ForecastRefused, SeriesUnusable, EventUnusable)


def add_forecast_verb(verb: Add) -> None:
    """The verb and its options."""
    asked = verb(
        "forecast", "forecast the total of the days ahead from one value a day, with its own record", _forecast
    )
    asked.add_argument("series", type=Path, metavar="SERIES.csv|.parquet", help="columns date (2026-11-02) and value")
    asked.add_argument("--horizon", type=int, required=True, metavar="DAYS", help="days ahead")
    asked.add_argument("--seed", type=int, default=0, metavar="N", help="of the sample paths (0)")
    asked.add_argument(
        "--events", type=Path, metavar="EVENTS.toml", help="known events: [[event]] with name, first, last, factor"
    )


def _forecast(arguments: argparse.Namespace) -> Document:
    """What a program gets is an answer even where it is refused; a person gets the sentence."""
    try:
        series = daily(_table(arguments.series))
        events = _events(arguments.events) if arguments.events else ()
        return _document(forecast(series, arguments.horizon, seed=arguments.seed, events=events))
    except _REFUSALS as error:
        if not arguments.json:
            raise
        return {"refused": True, "reason": str(error), "problems": [error.message]}


def _document(made: Forecast) -> Document:
    past = made.backtest
    return {
        "quantiles": {f"{level:g}": round(value, _DIGITS) for level, value in made.total_quantiles().items()},
        "mean": round(float(made.totals.mean()), _DIGITS),
        "daily": [
            {
                "date": day.isoformat(),
                "p10": round(low, _DIGITS),
                "p50": round(mid, _DIGITS),
                "p90": round(high, _DIGITS),
            }
            for day, (low, mid, high) in made.daily()
        ],
        "skill": None if past is None else round(past.skill, _DIGITS),
        "coverage": None if past is None else round(past.coverage, _DIGITS),
        "past_forecasts": 0 if past is None else past.cuts,
        "fallback": not made.engine_share,
        "notes": list(made.said),
    }


def _table(path: Path) -> pl.DataFrame:
    """Raises `NoSuchFile` or `SeriesUnusable`."""
    if not path.is_file():
        raise NoSuchFile(path=path)
    try:
        return read_table(path)
    except (NoRows, NotATable, DuplicateColumns) as error:
        raise SeriesUnusable(file=path.name, why=error.message) from error


def _events(path: Path) -> tuple[KnownEvent, ...]:
    """Raises `NoSuchFile` or `EventUnusable`."""
    if not path.is_file():
        raise NoSuchFile(path=path)
    try:
        return events_of(tomllib.loads(path.read_text("utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise EventUnusable(file=path.name, why=f"not TOML: {error}") from error


def events_of(document: Mapping[str, Any]) -> tuple[KnownEvent, ...]:
    """The known events of a TOML document. Raises `EventUnusable`."""
    return tuple(KnownEvent.parse(table) for table in document.get("event", []))
