"""Prices that a contract changes: a share off the list, or prices of its own, from one day to another."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

EVERY_MODEL = "*"
"""In place of a model: whatever has no terms of its own."""

KINDS = ("input", "output", "cache_write_5m", "cache_write_1h", "cache_read", "web_search")
"""What has a price: the kinds of tokens, in USD per million, and web searches, in USD per thousand."""


@dataclass(frozen=True, kw_only=True)
class ContractPrice:
    """What was agreed for a model, or for every one that has no terms of its own, between two days.

    Either `discount` or `prices` is given. Prices are those of standard requests below any cliff: the batch and geo
    factors, and the step at a cliff, apply to them as to list prices; a kind that is not named keeps its list price.
    """

    number: int = 0
    """In the order in which they were added: of two that hold on one day for one model, the later one counts."""
    model: str = EVERY_MODEL
    discount: Decimal | None = None
    """The share taken off every list price, 0 to 1."""
    prices: Mapping[str, Decimal] = field(default_factory=dict)
    first_day: date
    last_day: date | None = None
    """The last day (UTC) on which it holds; None while no end was agreed."""
    listed: bool = False
    """Whether these are list prices that the price book lacks, rather than agreed ones."""
    source: str = ""
    note: str = ""
    added_on: date | None = None
    """The day on which it was written down; None before."""

    @property
    def valid_from(self) -> datetime:
        """The first instant at which it holds."""
        return datetime.combine(self.first_day, time(), UTC)

    @property
    def valid_to(self) -> datetime | None:
        """The first instant at which it no longer holds."""
        return None if self.last_day is None else datetime.combine(self.last_day + timedelta(1), time(), UTC)

    def holds(self, at: datetime) -> bool:
        """Whether it holds at that instant."""
        return self.valid_from <= at and (self.valid_to is None or at < self.valid_to)

    @property
    def never_held(self) -> bool:
        """Whether it was ended before its first day: taken back."""
        return self.last_day is not None and self.last_day < self.first_day

    def competes(self, other: "ContractPrice") -> bool:
        """Whether on some day one of the two counts because the other one was added before."""
        alike = (self.model, self.listed) == (other.model, other.listed)
        return alike and not other.never_held and self.overlaps(other.valid_from, other.valid_to)

    def overlaps(self, start: datetime, end: datetime | None) -> bool:
        """Whether it holds at any instant from `start` to before `end`."""
        return (self.valid_to is None or start < self.valid_to) and (end is None or self.valid_from < end)

    @property
    def said(self) -> str:
        """What was agreed, in words."""
        terms = (
            "contract price" if self.discount is None else f"{(self.discount * 100).normalize():f} % off by contract"
        )
        return f"{terms} from {self.first_day:%Y-%m-%d}" + (f" ({self.source})" if self.source else "")

    def price(self, kind: str, listed: Decimal, below: Decimal) -> Decimal:
        """What is paid for a kind whose list price is `listed`, or `below` in a request under the cliff."""
        if self.discount is not None:
            return listed * (1 - self.discount)
        if kind not in self.prices:
            return listed
        return self.prices[kind] * (listed / below if below else 1)
