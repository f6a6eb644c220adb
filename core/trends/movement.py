"""One movement of cost, and the cells that it is looked for in."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import cached_property
from hashlib import blake2b
from typing import Literal

import polars as pl

from core.prices import PriceBook
from core.prices.rates import RATE_DECIMALS
from core.trends.attribution import Part
from core.trends.events import Linked
from core.trends.measures import sums

Kind = Literal["step", "days"]

MONTH_DAYS = 30
LEAST_SHARE = Decimal("0.10")
"""A smaller change of what a unit costs is weather."""

_QUANTUM = Decimal(1).scaleb(-RATE_DECIMALS)


@dataclass(frozen=True, kw_only=True)
class Movement:
    """Something that moved the cost of a line of work.

    `kind`: a step stays; days pass. `measure`: what it was seen on (`core/trends/measures.py`, or `spend`).
    `before_usd`, `after_usd`: USD per unit, or spend a day where the measure is spend. `usd_month`: what a step comes
    to in 30 days, and what days came to altogether; `low` and `high` bound that of a step nine times of ten. `parts`
    sum to it.
    """

    key: str
    kind: Kind
    measure: str
    class_name: str | None
    """None where it is the spend of all work together."""
    class_id: str | None
    since: date
    until: date | None
    """The last of the days; None for a step."""
    before_usd: Decimal
    after_usd: Decimal
    usd_month: Decimal
    low: Decimal | None
    high: Decimal | None
    parts: tuple[Part, ...]
    events: tuple[Linked, ...] = ()

    @property
    def last(self) -> date:
        """The last day on which it began, or was."""
        return self.until or self.since


@dataclass(frozen=True, kw_only=True)
class LineCells:
    """The cells of one line of work up to today, and from how many dollars on a movement of it is told.

    All work together is a line without a name.
    """

    name: str | None
    cells: pl.DataFrame
    """As `core.trends.lines.listed` gives them, all counted alike (`in_one_unit`)."""
    book: PriceBook
    today: date
    floor: Decimal

    @cached_property
    def days(self) -> pl.DataFrame:
        """Its sums by day with work."""
        return sums(self.cells, "day")

    def on(self, days: Iterable[date]) -> pl.DataFrame:
        """The cells of these days."""
        return self.cells.filter(pl.col("day").is_in(list(days)))

    def without(self, days: Iterable[date]) -> "LineCells":
        """The line without its cells of these days."""
        return replace(self, cells=self.cells.filter(~pl.col("day").is_in(list(days))))

    def class_id(self, day: date) -> str | None:
        """The class that most of its attempts were in from that day on."""
        if self.name is None:
            return None
        later = self.cells.filter(pl.col("day") >= day).group_by("class_id").agg(pl.col("attempts").sum())
        return str(later.sort("attempts", "class_id", descending=[True, False])["class_id"][0])

    def key(self, kind: Kind, measure: str, since: date) -> str:
        """What a movement of the line is known by."""
        return blake2b(f"{kind}/{measure}/{self.name or ''}/{since}".encode(), digest_size=6).hexdigest()


def times(parts: Iterable[Part], many: Decimal) -> tuple[Part, ...]:
    """The parts so many times over."""
    return tuple(Part(name=part.name, amount=(part.amount * many).quantize(_QUANTUM)) for part in parts)


def total(parts: Iterable[Part]) -> Decimal:
    """What the parts come to."""
    return sum((part.amount for part in parts), Decimal(0))


def money(amount: float) -> Decimal:
    """An estimate as an amount."""
    return Decimal(str(amount)).quantize(_QUANTUM)
