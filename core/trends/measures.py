"""The series that are watched: ratios of a line's daily sums."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.trends.change_points import MOST, levels, without_weekdays
from core.trends.factors import FACTORS
from core.trends.lines import units_of

DRAWS = 400
_SEED = 20_260_101
_NEAR = 2
"""Changes of several measures, so many days with work apart, are one."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A ratio of two sums, and the parts of the cost per unit that it moves."""

    name: str
    over: str
    under: str
    parts: frozenset[str]
    log: bool = True


MEASURES = (
    Measure(name="unit_cost", over="cost_usd", under="units", parts=frozenset(FACTORS)),
    Measure(name="hit_rate", over="read", under="cached", parts=frozenset({"hit_rate"}), log=False),
    Measure(name="input", over="prompt", under="billed", parts=frozenset({"own_input", "prefix"})),
    Measure(name="output", over="output", under="billed", parts=frozenset({"output"})),
    Measure(name="failures", over="billed", under="usable", parts=frozenset({"reruns"})),
)
UNIT_COST = MEASURES[0]


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A day from which on one or more measures have another level."""

    day: date
    measures: tuple[Measure, ...]


def sums(cells: pl.DataFrame, *by: str) -> pl.DataFrame:
    """What the measures are made of, summed by some columns, as floats; attempts without a known price left out."""
    written = pl.col("cache_write_5m_tokens") + pl.col("cache_write_1h_tokens")
    cached = written + pl.col("cache_read_tokens")
    billed = pl.when(pl.col("billed").fill_null(False))
    return (
        cells.lazy()
        .filter(pl.col("unpriced") == 0)
        .with_columns(units_of(cells))
        .group_by(by)
        .agg(
            pl.col("cost_usd").cast(pl.Float64).sum(),
            pl.col("units").cast(pl.Float64).sum(),
            pl.when(pl.col("usable").fill_null(False)).then("attempts").sum().cast(pl.Float64).alias("usable"),
            billed.then("attempts").sum().cast(pl.Float64).alias("billed"),
            billed.then("cache_read_tokens").sum().cast(pl.Float64).alias("read"),
            billed.then(cached).sum().cast(pl.Float64).alias("cached"),
            billed.then(cached + pl.col("input_tokens")).sum().cast(pl.Float64).alias("prompt"),
            billed.then("output_tokens").sum().cast(pl.Float64).alias("output"),
        )
        .sort(by)
        .collect()
    )


def candidates(days: pl.DataFrame) -> tuple[list[Candidate], frozenset[date]]:
    """Where the measures of a line change their level, and on which days what a unit cost was apart for a while.

    `days` as `sums` gives them, one row a day with work.
    """
    order = {day: position for position, day in enumerate(days["day"].to_list())}
    changed = [_changes(days, measure) for measure in MEASURES]
    found = sorted((order[day], which) for which, (starts, _) in enumerate(changed) for day in starts)
    told = [
        Candidate(
            day=days["day"][min(group, key=lambda one: one[1])[0]],
            measures=tuple(MEASURES[which] for which in sorted({which for _, which in group})),
        )
        for group in _near(found)
    ]
    return told, frozenset(changed[0][1])


def _near(found: list[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    group: list[tuple[int, int]] = []
    for one in found:
        if group and one[0] - group[0][0] > _NEAR:
            yield group
            group = []
        group.append(one)
    if group:
        yield group


def _changes(days: pl.DataFrame, measure: Measure) -> tuple[list[date], list[date]]:
    """The days from which on a measure has another level, and those on which it was apart for a while."""
    least = 0.0 if measure.log else -1.0
    over, under = (days[name].to_numpy() for name in (measure.over, measure.under))
    known = np.flatnonzero((under > 0) & (over > least))[-MOST:]
    if not known.size:
        return [], []
    values = over[known] / under[known]
    dates = days["day"].gather(known).to_list()
    found = levels(without_weekdays(dates, np.log(values) if measure.log else values))
    return [dates[start] for start in found.starts], [dates[position] for position in sorted(found.brief)]


def drawn(jobs: pl.DataFrame, measure: Measure) -> NDArray[np.float64]:
    """The measure over jobs drawn with replacement, `DRAWS` times; NaN where a draw has nothing to divide by."""
    rng = np.random.default_rng(_SEED)
    picks = rng.integers(0, jobs.height, size=(DRAWS, jobs.height))
    over, under = (jobs[name].to_numpy()[picks].sum(axis=1) for name in (measure.over, measure.under))
    ratios: NDArray[np.float64] = np.divide(over, under, out=np.full(DRAWS, np.nan), where=under > 0)
    return ratios
