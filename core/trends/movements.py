"""What moved: steps in what a unit costs and days that were not as usual, with their dollars, parts and events."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import polars as pl

from core.prices import PriceBook
from core.trends.episodes import spend_days, unit_days
from core.trends.events import Event, linked
from core.trends.lines import in_one_unit, listed
from core.trends.movement import MONTH_DAYS, LineCells, Movement
from core.trends.steps import steps_of

FLOOR_USD = Decimal(1)
FLOOR_SHARE = Decimal("0.005")
"""A movement is told from so many dollars on, or from this share of the last 30 days' spend, whichever is more."""

SPEND_SHARE = Decimal("0.02")
"""The same for days on which all work cost more or less: more items are no news until they weigh something."""


def movements(
    cells: pl.DataFrame, *, book: PriceBook, today: date, events: Sequence[Event] = ()
) -> tuple[Movement, ...]:
    """Everything that moved before `today` (which is not judged: its results are still coming), most dollars first.

    `cells`: rows of `work_cell`, of as many days as there are: a line's days are judged from its fifth week on. What
    changed a unit's cost by less than a tenth, or is worth less than the floor, is not told.
    """
    past = cells.filter(pl.col("day") < today)
    past = listed(past.with_columns(pl.coalesce("class_name", "class_id").alias("class_name")), book.listed())
    month = Decimal(past.filter(pl.col("day") >= today - timedelta(days=MONTH_DAYS))["cost_usd"].sum() or 0)
    floor = max(FLOOR_USD, FLOOR_SHARE * month)
    lines = [
        LineCells(name=str(name), cells=in_one_unit(rows), book=book, today=today, floor=floor)
        for (name,), rows in past.sort("day").group_by("class_name", maintain_order=True)
    ]
    found: list[Movement] = []
    for line in lines:
        steps = steps_of(line)
        found += [*steps, *unit_days(line, steps)]
    if lines:
        least = max(FLOOR_USD, SPEND_SHARE * month)
        whole = LineCells(name=None, cells=in_one_unit(past), book=book, today=today, floor=least)
        found += spend_days(whole, lines, found)
    beside = [
        replace(one, events=linked(events, one.parts, class_name=one.class_name, since=one.since, until=one.last))
        for one in found
    ]
    return tuple(sorted(beside, key=lambda one: (-abs(one.usd_month), one.class_name or "", one.since)))
