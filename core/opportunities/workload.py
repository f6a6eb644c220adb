"""The work that opportunities are looked for in: the cost cells of some weeks, the jobs and the classes behind them."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

import polars as pl

from core.prices import PriceBook
from core.prices.book import MONEY
from core.trends.movement import MONTH_DAYS

WEEKS = 4
"""Weeks that a month is reckoned from: recent enough to be today's work, whole so that each weekday counts alike."""

IDLE_DAYS = 14
"""A class that did nothing for so long is over: there is nothing left to save."""

_WEEK = 7
_WORDS = (
    "job_id",
    "class_id",
    "class_name",
    "model",
    "role",
    "outcome",
    "cause",
    "service_tier",
    "inference_geo",
    "unit",
)
_COUNTS = (
    "above_tokens",
    "attempts",
    "input_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "cache_read_tokens",
    "output_tokens",
    "web_searches",
    "unpriced",
    "uncounted",
)
CELLS: dict[str, Any] = {
    **dict.fromkeys(_WORDS, pl.String),
    "submitted_at": pl.Datetime("us", "UTC"),
    "day": pl.Date,
    **dict.fromkeys(("usable", "billed", "rerun"), pl.Boolean),
    **dict.fromkeys(_COUNTS, pl.Int64),
    "units": pl.Float64,
    "cost_usd": MONEY,
}
"""One row per job and all that tells its finished attempts apart, as the view `work_cell` has them."""

JOBS: dict[str, Any] = {
    "job_id": pl.String,
    "send": pl.String,
    "pipeline": pl.String,
    "cold_seconds": pl.Float64,
    "life_seconds": pl.Float64,
}
"""One row a job: `send`, the primer that it waits for, or itself; `pipeline`: the schedule that sent it, or who else;
`cold_seconds`: from the end of its primer to its start, null without one; `life_seconds`: how long its entries live,
null where nothing is marked."""

CLASSES: dict[str, Any] = {
    "class_id": pl.String,
    "class_name": pl.String,
    "model": pl.String,
    "prefix_tokens": pl.Int64,
    "first_day": pl.Date,
    "reads": pl.Float64,
}
"""One row a class that ever worked: the tokens of its shared prefix (null where what its requests share is not known),
the first day of its work, and the share of its cached tokens that its primed jobs read, null where they do not tell."""

DUPLICATES: dict[str, Any] = {
    "class_id": pl.String,
    "job_id": pl.String,
    "day": pl.Date,
    "attempts": pl.Int64,
    "cost_usd": MONEY,
}
"""Attempts at content that had a usable answer already, by class and job, with what they cost."""


HEADS: dict[str, Any] = {"class_id": pl.String, "head_id": pl.String, "tokens": pl.Int64}
"""The beginnings of prompts that several classes share, one row a class and head, with the tokens of the head."""


@dataclass(frozen=True, kw_only=True)
class Workload:
    """Finished work up to `last`, the last day that is over; frames of `CELLS`, `JOBS`, `CLASSES`, `DUPLICATES` and
    `HEADS`.

    `cells` may reach further back than the four weeks that a month is reckoned from.
    """

    cells: pl.DataFrame
    jobs: pl.DataFrame
    classes: pl.DataFrame
    duplicates: pl.DataFrame
    book: PriceBook
    last: date
    heads: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=HEADS))

    @property
    def first(self) -> date:
        """The first of the four weeks."""
        return self.last - timedelta(days=WEEKS * _WEEK - 1)

    @cached_property
    def recent(self) -> pl.DataFrame:
        """The cells of the four weeks."""
        return self.cells.filter(pl.col("day").is_between(self.first, self.last))

    @cached_property
    def names(self) -> dict[str, tuple[str, str]]:
        """Name and model of every class, by its id."""
        return {row[0]: (row[1], row[2]) for row in self.classes.select("class_id", "class_name", "model").iter_rows()}

    @cached_property
    def paces(self) -> dict[str, "Pace"]:
        """How much each class does in a month, by its id; those that are over are left out."""
        born = dict(self.classes.select("class_id", "first_day").iter_rows())
        idle = self.last - timedelta(days=IDLE_DAYS)
        alive = self.recent.filter(pl.col("day").max().over("class_id") > idle, pl.col("class_id").is_in(list(born)))
        return {str(of): pace_of(rows, born[str(of)], self.last) for (of,), rows in alive.group_by("class_id")}

    def pace(self, class_id: str, rows: pl.DataFrame) -> "Pace | None":
        """How much of what these rows (day, attempts) count a class does in a month: a rate per row's attempt goes with
        it, and with no other. None for one that is over."""
        if class_id not in self.paces:
            return None
        born = self.classes.filter(pl.col("class_id") == class_id)["first_day"].to_list()[0]
        return pace_of(rows, born, self.last)


@dataclass(frozen=True, kw_only=True)
class Pace:
    """What a class does in a month of 30 days, reckoned from so many `days`; `spread`: the standard error of
    `attempts_month`, as a share of it, with each weekday compared to itself."""

    days: int
    attempts_month: Decimal
    spread: float


def last_day(now: datetime, newest: date | None) -> date:
    """The last day that is over and has work before it; today, where all work is of today."""
    today = now.date()
    return today if newest is None or newest >= today else max(newest, today - timedelta(days=1))


def pace_of(cells: pl.DataFrame, born: date, last: date) -> Pace:
    """The pace of a class up to `last`: over as many whole weeks as it has worked since `born`, up to four; over all
    days where that is not one week yet."""
    alive = (last - born).days + 1
    weeks = min(WEEKS, alive // _WEEK)
    days = weeks * _WEEK or max(alive, 1)
    taken = cells.filter(pl.col("day") > last - timedelta(days=days)).group_by("day").agg(pl.sum("attempts"))
    attempts = int(taken["attempts"].sum())
    return Pace(
        days=days,
        attempts_month=attempts * Decimal(MONTH_DAYS) / days,
        spread=_spread(taken, attempts, last, weeks),
    )


def _spread(taken: pl.DataFrame, attempts: int, last: date, weeks: int) -> float:
    """The standard error of the sum of so many weeks as a share of it; 0 where nothing tells."""
    if weeks < 2 or not attempts:
        return 0.0
    every = pl.DataFrame({"day": pl.date_range(last - timedelta(days=weeks * _WEEK - 1), last, eager=True)})
    filled = every.join(taken, on="day", how="left").with_columns(pl.col("attempts").fill_null(0))
    by_weekday = filled.group_by(pl.col("day").dt.weekday()).agg(pl.col("attempts").var().alias("variance"))
    return float((weeks * float(by_weekday["variance"].sum())) ** 0.5) / attempts
