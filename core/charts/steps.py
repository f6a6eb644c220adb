"""The step in cost per unit that a chart names: of the movements that were found, the one that moved the most money."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import polars as pl

from core.trends.movement import MONTH_DAYS, Movement

_WEEK = 7


@dataclass(frozen=True, kw_only=True)
class Step:
    """Cost per unit (USD) of a class before a day and from it on."""

    class_name: str
    day: date
    before_usd: float
    after_usd: float
    weekly_usd: float
    """What the step costs (or, below zero, saves) in a week."""

    @property
    def factor(self) -> str:
        """How many times more or less: ×6.4 or ÷4.2."""
        ratio = self.after_usd / self.before_usd
        return f"×{ratio:.2g}" if ratio >= 1 else f"÷{1 / ratio:.2g}"


def steps_of(movements: Iterable[Movement]) -> tuple[Step, ...]:
    """The steps among these movements, as a chart takes them: those of a class, from one cost to another."""
    return tuple(
        Step(
            class_name=one.class_name,
            day=one.since,
            before_usd=float(one.before_usd),
            after_usd=float(one.after_usd),
            weekly_usd=float(one.usd_month) / MONTH_DAYS * _WEEK,
        )
        for one in movements
        if one.kind == "step" and one.class_name is not None and one.before_usd > 0 and one.after_usd > 0
    )


def largest_step(steps: Iterable[Step], series: pl.DataFrame) -> Step | None:
    """The step worth the most dollars a week, up or down, of those within the days of a line that is drawn."""
    drawn = series.group_by("class_name").agg(pl.col("day").min().alias("first"), pl.col("day").max().alias("last"))
    spans = {name: (first, last) for name, first, last in drawn.iter_rows()}
    within = [
        step
        for step in steps
        if step.class_name in spans and spans[step.class_name][0] < step.day <= spans[step.class_name][1]
    ]
    return max(within, key=lambda step: (abs(step.weekly_usd), step.class_name, step.day), default=None)
