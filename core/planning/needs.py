"""What a plan has to meet: by when, how surely, through how much of the queue, for how much money. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Self

from core.errors import LotwiseError
from core.schedule.deadlines import parse


class BadNeeds(LotwiseError):
    """This cannot be asked of a plan. A confidence is a share above 0 and under 1, a budget more than nothing."""


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a plan has to meet, and what a person knows better; nothing by itself.

    `deadline`: when the results are needed, one repair round included; `deadlines`: other moments for some classes, by
    id; `confidence`: how surely they are to be there; `queue_room`: requests that the queue of the API takes just now;
    `budget_usd`: what all jobs together may cost. The others stand for settings (`blast_usd`, `blast_hours`, `job_usd`)
    and for what was learned (`void_rate`, `fault_rate`: chances per item) where they are given.
    """

    deadline: datetime | None = None
    deadlines: Mapping[str, datetime] = field(default_factory=dict)
    confidence: float = 0.95
    queue_room: int | None = None
    budget_usd: Decimal | None = None
    blast_usd: Decimal | None = None
    blast_hours: float | None = None
    job_usd: Decimal | None = None
    void_rate: float | None = None
    fault_rate: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.confidence < 1:
            raise BadNeeds(confidence=self.confidence)
        if self.budget_usd is not None and self.budget_usd <= 0:
            raise BadNeeds(budget_usd=self.budget_usd)

    @classmethod
    def stated(
        cls,
        *,
        now: datetime,
        deadline: str | None = None,
        class_deadlines: Mapping[str, str] | None = None,
        confidence: float | None = None,
        budget: str | None = None,
    ) -> Self:
        """Needs as a person states them: deadlines (in UTC where they name no zone) and dollars as text.

        Raises `UnclearDeadline`, `DeadlinePassed` and `BadNeeds`.
        """
        try:
            budget_usd = None if budget is None else Decimal(budget)
        except InvalidOperation:
            raise BadNeeds(budget_usd=budget) from None
        if budget_usd is not None and not budget_usd.is_finite():
            raise BadNeeds(budget_usd=budget)
        return cls(
            deadline=None if deadline is None else parse(deadline, zone="UTC").next(now),
            deadlines={of: parse(text, zone="UTC").next(now) for of, text in (class_deadlines or {}).items()},
            confidence=cls.confidence if confidence is None else confidence,
            budget_usd=budget_usd,
        )

    def deadline_of(self, class_id: str | None) -> datetime | None:
        """When the results of a class are needed."""
        return self.deadlines.get(class_id, self.deadline) if class_id else self.deadline
