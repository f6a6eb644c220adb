"""An opportunity: something that would save money, what it is worth a month, how sure that is, and who takes it how."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal

Confidence = Literal["measured", "estimated", "assumed"]
Effort = Literal["click", "hours", "days"]

WEIGHTS: Mapping[Confidence, Decimal] = {
    "measured": Decimal(1),
    "estimated": Decimal("0.7"),
    "assumed": Decimal("0.3"),
}
"""What an expected dollar counts for in the ranking: an assumed one may well not come."""

CENT, _MICRO = Decimal("0.01"), Decimal("0.000001")


class Kind(StrEnum):
    """What is to be done."""

    PREFIX = "prefix"
    """Something in the prompt changes from request to request: nothing that was written to the cache is read."""
    PRIME = "prime"
    """The class is sent without the small batch that writes its prefix first."""
    SEND_TIME = "send_time"
    """The body of a primed class goes when what was written for it is no longer there."""
    GROUP = "group"
    """Jobs of one prefix go apart, each with a write of its own, or with none that pays."""
    TOGETHER = "together"
    """Two classes that begin alike go apart, and each writes the head that they share."""
    TOP_UP = "top_up"
    """The prefix is just below the shortest that is cached."""
    MARKS = "marks"
    """Cache writes are paid for that nothing reads, and nothing would."""
    LIGHTER = "lighter"
    """A lighter model is proven."""
    TRIAL = "trial"
    """A lighter model is worth a trial."""
    RESIZE = "resize"
    """The jobs are larger or smaller than what costs least."""
    BATCH = "batch"
    """Work is sent at the price of an immediate answer."""
    DUPLICATES = "duplicates"
    """The same content is paid for more than once."""
    FAILURES = "failures"
    """Answers are billed that nobody can use."""
    TRUNCATED = "truncated"
    """Answers are billed that were cut off."""
    RISE = "rise"
    """A unit costs more than it did, beyond what the other entries of its class are about."""


CAUSES: Mapping[Kind, str] = {
    Kind.PREFIX: "cache",
    Kind.PRIME: "cache",
    Kind.SEND_TIME: "cache",
    Kind.GROUP: "cache",
    Kind.TOP_UP: "cache",
    Kind.MARKS: "cache",
    Kind.LIGHTER: "model",
    Kind.TRIAL: "model",
}
"""Kinds that are answers to one cause, of which only the best one is listed; any other kind is a cause of its own."""

EFFORTS: Mapping[Kind, Effort] = {
    Kind.PREFIX: "hours",
    Kind.PRIME: "click",
    Kind.SEND_TIME: "click",
    Kind.GROUP: "hours",
    Kind.TOGETHER: "hours",
    Kind.TOP_UP: "hours",
    Kind.MARKS: "hours",
    Kind.LIGHTER: "click",
    Kind.TRIAL: "days",
    Kind.RESIZE: "click",
    Kind.BATCH: "days",
    Kind.DUPLICATES: "hours",
    Kind.FAILURES: "hours",
    Kind.TRUNCATED: "hours",
    Kind.RISE: "hours",
}

PAGES: Mapping[Kind, tuple[str, str | None]] = {
    Kind.PREFIX: ("classes.py", "id"),
    Kind.PRIME: ("backlog.py", None),
    Kind.SEND_TIME: ("schedule.py", None),
    Kind.GROUP: ("schedule.py", None),
    Kind.TOGETHER: ("schedule.py", None),
    Kind.TOP_UP: ("classes.py", "id"),
    Kind.MARKS: ("classes.py", "id"),
    Kind.LIGHTER: ("routing.py", "class"),
    Kind.TRIAL: ("routing.py", "class"),
    Kind.RESIZE: ("sizing.py", None),
    Kind.BATCH: ("backlog.py", None),
    Kind.DUPLICATES: ("classes.py", "id"),
    Kind.FAILURES: ("jobs.py", "class"),
    Kind.TRUNCATED: ("jobs.py", "class"),
    Kind.RISE: ("trends.py", "class"),
}
"""The page that takes an opportunity, and the part of its address that names the class."""

_BY_NAME = ("jobs.py", "trends.py")


@dataclass(frozen=True, kw_only=True)
class Opportunity:
    """One next saving.

    `key`: the same as long as it is the same thing to do; `class_id`: None where it is about all work. `usd_month`:
    what it is expected to save in 30 days, None where that has no price; it lies between `low` and `high` four times
    of five, both None where too few jobs tell. `said`: what to do and why, in a sentence or two; `evidence`: the
    figures behind it, by name. `page`, `query`: where it is taken.
    """

    kind: Kind
    key: str
    class_id: str | None
    class_name: str
    usd_month: Decimal | None
    low: Decimal | None = None
    high: Decimal | None = None
    confidence: Confidence
    effort: Effort
    said: str
    evidence: Mapping[str, Any]
    page: str
    query: dict[str, str] = field(default_factory=dict)

    @property
    def cause(self) -> str:
        """What it is an answer to: two answers to one cause of a class save their dollars only once."""
        return CAUSES.get(self.kind, self.kind)

    @property
    def weight(self) -> Decimal:
        """Expected dollars a month times how sure they are, to rank by."""
        return (self.usd_month or Decimal(0)) * WEIGHTS[self.confidence]


def key_of(kind: Kind, class_id: str | None) -> str:
    """The stable name of an opportunity, short enough to be typed."""
    return f"{kind}:{class_id}" if class_id else str(kind)


def opportunity(
    kind: Kind,
    *,
    class_id: str | None,
    class_name: str,
    usd_month: Decimal | None,
    interval: tuple[Decimal, Decimal] | None,
    confidence: Confidence,
    said: str,
    evidence: Mapping[str, Any],
) -> Opportunity:
    """An opportunity with what follows from its kind: its key, its effort, and the page that takes it."""
    page, names = PAGES[kind]
    subject = class_name if page in _BY_NAME else class_id
    usd_month, low, high = (
        None if usd is None else usd.quantize(_MICRO) for usd in (usd_month, *(interval or (None, None)))
    )
    return Opportunity(
        kind=kind,
        key=key_of(kind, class_id),
        class_id=class_id,
        class_name=class_name,
        usd_month=usd_month,
        low=low,
        high=high,
        confidence=confidence,
        effort=EFFORTS[kind],
        said=said,
        evidence=evidence,
        page=page,
        query={names: subject} if names and subject else {},
    )
