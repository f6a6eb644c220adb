"""Where a movement stands: open, resolved with a note, open again, or known to its people beforehand."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal

from core.trends.movement import Movement

SAME_DAYS = 3
"""More data may move the day of a movement by so many."""

GROWN = Decimal("1.5")
"""A resolved movement opens again once it is so many times what it was."""

State = Literal["open", "resolved", "known"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What somebody said when a movement was dealt with."""

    key: str
    class_name: str | None
    kind: str
    since: date
    usd_month: Decimal
    note: str
    resolved_at: datetime
    resolved_by: str

    def about(self, movement: Movement) -> bool:
        """Whether it is the same movement, seen again."""
        same = (self.class_name, self.kind) == (movement.class_name, movement.kind)
        return same and abs(self.since - movement.since) <= timedelta(days=SAME_DAYS)

    def outgrown(self, movement: Movement) -> bool:
        """Whether it has become half as much again since, or turned round."""
        return movement.usd_month / self.usd_month >= GROWN or movement.usd_month * self.usd_month < 0


@dataclass(frozen=True, kw_only=True)
class KnownEvent:
    """Days (UTC, both included) on which something is known to happen; `class_name` is None for all work."""

    event_id: str
    class_name: str | None
    first_day: date
    last_day: date
    said: str
    added_by: str

    def covers(self, movement: Movement) -> bool:
        """Whether it was to be expected that this moves."""
        about = self.class_name in {None, movement.class_name}
        return about and self.first_day <= movement.since and movement.last <= self.last_day


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A movement and what was said about it; `reopened`: it was resolved once, and has grown since."""

    movement: Movement
    state: State
    said: str | None = None
    by: str | None = None
    reopened: bool = False


def standings(
    movements: Iterable[Movement], findings: Iterable[Finding], known: Iterable[KnownEvent]
) -> tuple[Standing, ...]:
    """Where each movement stands, in the same order; of several findings about one, the first counts."""
    said, dated = tuple(findings), tuple(known)
    return tuple(_standing(movement, said, dated) for movement in movements)


def _standing(movement: Movement, findings: tuple[Finding, ...], known: tuple[KnownEvent, ...]) -> Standing:
    event = next((event for event in known if event.covers(movement)), None)
    if event is not None:
        return Standing(movement=movement, state="known", said=event.said, by=event.added_by)
    finding = next((finding for finding in findings if finding.about(movement)), None)
    if finding is None:
        return Standing(movement=movement, state="open")
    grown = finding.outgrown(movement)
    return Standing(
        movement=movement,
        state="open" if grown else "resolved",
        said=finding.note,
        by=finding.resolved_by,
        reopened=grown,
    )
