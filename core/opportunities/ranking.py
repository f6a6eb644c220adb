"""The ranked list: one entry a cause, the most expected dollars first, nothing that is not worth a look."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from core.opportunities.opportunity import Opportunity

LEAST_USD = Decimal(1)
"""Dollars a month below which nothing is worth anybody's minute."""

GROWN = Decimal("1.5")
"""What was dismissed comes back once it is worth so many times what it was."""


@dataclass(frozen=True, kw_only=True)
class Dismissal:
    """An opportunity that nobody wants to hear of, and what it was worth then."""

    key: str
    usd_month: Decimal | None

    def covers(self, found: Opportunity) -> bool:
        """Whether it still is what was dismissed."""
        return self.usd_month is None or found.usd_month is None or found.usd_month <= GROWN * self.usd_month


def ranked(
    found: Iterable[Opportunity], *, dismissed: Iterable[Dismissal] = (), taken: Iterable[str] = ()
) -> tuple[Opportunity, ...]:
    """The opportunities worth a look, by expected dollars a month times how sure they are.

    Of several answers to one cause of a class the best is kept; work keeps its name when its prompt or model changes,
    so classes of one name are one. `taken`: keys of those that somebody took up, as long as nothing speaks against it.
    """
    hidden = {each.key: each for each in dismissed}
    gone = frozenset(taken)
    worth = [each for each in found if each.usd_month is not None and each.usd_month >= LEAST_USD]
    kept = [
        each
        for each in _one_a_cause(worth)
        if each.key not in gone and not (each.key in hidden and hidden[each.key].covers(each))
    ]
    return tuple(sorted(kept, key=lambda each: (-each.weight, each.key)))


def _one_a_cause(found: Iterable[Opportunity]) -> list[Opportunity]:
    best: dict[tuple[str, str], Opportunity] = {}
    for each in sorted(found, key=lambda each: (-each.weight, each.key)):
        best.setdefault((each.class_name, each.cause), each)
    return list(best.values())
