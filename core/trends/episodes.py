"""Days on which a line of work cost more or less than usual, and which passed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.trends.anomalies import LEVEL_DAYS, usual
from core.trends.attribution import Attribution, attribute_listed, attribute_listed_unit_cost
from core.trends.change_points import MOST
from core.trends.movement import LEAST_SHARE, LineCells, Movement, times, total

_TOGETHER = 4
"""Flagged days that are not further apart are one movement."""


@dataclass(frozen=True, kw_only=True)
class _Series:
    """What is judged, one value a day; a value times its weight is so many dollars."""

    days: list[date]
    values: NDArray[np.float64]
    weights: NDArray[np.float64]


def unit_days(line: LineCells, steps: Sequence[Movement]) -> list[Movement]:
    """The days on which a unit of a line cost more or less than usual; steps that are known are no surprise."""
    frame = _calendar(line)
    days = frame["day"].to_list()
    unit = frame.select(pl.when(pl.col("units") > 0).then(pl.col("cost_usd") / pl.col("units"))).to_series()
    level, units = _level(days, steps), frame["units"].fill_null(0).to_numpy()
    series = _Series(days=days, values=unit.fill_null(np.nan).to_numpy() / level, weights=units * level)
    return list(_told(line, "unit_cost", series, steps))


def spend_days(whole: LineCells, lines: Sequence[LineCells], told: Sequence[Movement]) -> list[Movement]:
    """The days on which all work together cost more or less than usual, where nothing told of a line says so.

    Spend is restated at what a unit of each line costs now: a step does not make the days before it unusual.
    """
    days = _calendar(whole)["day"]
    spend = restated(days, {str(line.name): line.days for line in lines}, told)
    episodes = [one for one in told if one.kind == "days"]
    steps = [one for one in told if one.kind == "step"]
    series = _Series(days=days.to_list(), values=spend, weights=np.ones(len(days)))
    found = _told(whole, "spend", series, steps)
    return [one for one in found if not any(one.since <= other.last and other.since <= one.last for other in episodes)]


def restated(days: pl.Series, lines: Mapping[str, pl.DataFrame], told: Sequence[Movement]) -> NDArray[np.float64]:
    """Spend by day of all lines at what a unit of each costs at the end; `lines`: by name, `day` and `cost_usd`."""
    spend = np.zeros(len(days))
    for name, line in lines.items():
        own = pl.DataFrame({"day": days}).join(line, on="day", how="left", maintain_order="left")["cost_usd"]
        level = _level(days.to_list(), [one for one in told if one.kind == "step" and one.class_name == name])
        spend += own.fill_null(0).to_numpy() / level * level[-1]
    return spend


def _calendar(line: LineCells) -> pl.DataFrame:
    """The sums of a line for every day since its first one, null where it had no work."""
    every = pl.date_range(line.days["day"][0], line.today, closed="left", eager=True).tail(MOST)
    return pl.DataFrame({"day": every}).join(line.days, on="day", how="left", maintain_order="left")


def _level(days: Sequence[date], steps: Sequence[Movement]) -> NDArray[np.float64]:
    """How many times as dear as at first a unit is on each day, as far as steps say."""
    level = np.ones(len(days))
    ordinals = np.array([day.toordinal() for day in days])
    for step in steps:
        level[ordinals >= step.since.toordinal()] *= float(step.after_usd / step.before_usd)
    return level


def _told(line: LineCells, measure: str, series: _Series, steps: Sequence[Movement]) -> Iterator[Movement]:
    found = usual(series.values)
    flagged = np.flatnonzero(found.flagged(series.values)).tolist()
    surprises = {series.days[position] for position in flagged}
    usd = (series.values - found.expected) * series.weights
    for positions in _together(series.days, flagged, found.scores(series.values)):
        if abs(usd[positions].sum()) >= line.floor:
            episode = [series.days[position] for position in positions]
            movement = _episode(line, measure, episode, _usual_days(line, measure, episode, surprises, steps))
            if movement is not None:
                yield movement


def _together(days: Sequence[date], flagged: Sequence[int], scores: NDArray[np.float64]) -> Iterator[list[int]]:
    """The positions of flagged days, those near each other together, dearer and cheaper ones apart."""
    episode: list[int] = []
    for position in flagged:
        far = episode and days[position] - days[episode[-1]] > timedelta(days=_TOGETHER)
        if episode and (far or (scores[position] > 0) != (scores[episode[-1]] > 0)):
            yield episode
            episode = []
        episode.append(position)
    if episode:
        yield episode


def _episode(line: LineCells, measure: str, episode: list[date], usual_days: list[date]) -> Movement | None:
    """The flagged days beside usual ones, where the difference is worth telling."""
    before, after = line.on(usual_days), line.on(episode)
    split, many = _difference(line, measure, (before, after), (len(usual_days), len(episode)))
    if split is None:
        return None
    parts = times(split.parts, many)
    usd = total(parts)
    if abs(usd) < line.floor or abs(split.after_usd - split.before_usd) < LEAST_SHARE * split.before_usd:
        return None
    return Movement(
        key=line.key("days", measure, episode[0]),
        kind="days",
        measure=measure,
        class_name=line.name,
        class_id=line.class_id(episode[0] if after.height else usual_days[-1]),
        since=episode[0],
        until=episode[-1],
        before_usd=split.before_usd,
        after_usd=split.after_usd,
        usd_month=usd,
        low=None,
        high=None,
        parts=parts,
    )


def _difference(
    line: LineCells, measure: str, cells: tuple[pl.DataFrame, pl.DataFrame], days: tuple[int, int]
) -> tuple[Attribution | None, Decimal]:
    """What differs per unit, or per day, and how many of those the days had."""
    before, after = cells
    if before.is_empty():
        return None, Decimal(0)
    if measure == "unit_cost":
        split = attribute_listed_unit_cost(before, after, book=line.book)
        units = line.days.filter(pl.col("day").is_in(after["day"].unique().to_list()))["units"].sum()
        return split, Decimal(round(units))
    return attribute_listed(before, after, book=line.book, days=days), Decimal(days[1])


def _usual_days(
    line: LineCells, measure: str, episode: list[date], surprises: set[date], steps: Sequence[Movement]
) -> list[date]:
    """The days of the four weeks before that it is held against, without surprises.

    The same weekdays since the last step; else what a unit costs against any days since it, and spend against the same
    weekdays since an earlier step.
    """
    begin = episode[0] - timedelta(days=LEVEL_DAYS)
    weekdays = {day.weekday() for day in episode}
    calm = [day for day in line.days["day"].to_list() if begin <= day < episode[0] and day not in surprises]
    alike = [day for day in calm if day.weekday() in weekdays]
    stretches = [*sorted((step.since for step in steps if begin < step.since <= episode[0]), reverse=True), begin]
    if measure == "unit_cost":
        latest = stretches[0]
        return [day for day in alike if day >= latest] or [day for day in calm if day >= latest]
    since = next((since for since in stretches if any(day >= since for day in alike)), begin)
    return [day for day in alike if day >= since]
