"""Savings by a lighter model: where one is proven and not used, and where a trial is worth running."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from core.opportunities.monthly import FOUR_OF_FIVE
from core.opportunities.opportunity import Kind, Opportunity, opportunity
from core.opportunities.workload import Workload


@dataclass(frozen=True, kw_only=True)
class Lighter:
    """A class that would cost less on another model: `usd_month`, on as many items as in the last 30 days.

    `proven`: whether a trial has shown that its answers clear the bar there; then the price of an item was measured
    too, else it is reckoned from the tokens of the month.
    """

    class_id: str
    class_name: str
    model: str
    to: str
    usd_month: Decimal
    items_month: int
    proven: bool
    trial_id: str | None


def model_savings(work: Workload, lighter: Iterable[Lighter]) -> Iterator[Opportunity]:
    """What moving classes to lighter models would save, or a trial might turn out to."""
    for one in lighter:
        pace = work.paces.get(one.class_id)
        if one.usd_month <= 0 or pace is None:
            continue
        half = one.usd_month * Decimal(FOUR_OF_FIVE * pace.spread)
        kind = Kind.LIGHTER if one.proven else Kind.TRIAL
        yield opportunity(
            kind,
            class_id=one.class_id,
            class_name=one.class_name,
            usd_month=one.usd_month,
            interval=(max(Decimal(0), one.usd_month - half), one.usd_month + half) if one.proven and half else None,
            confidence="measured" if one.proven else "assumed",
            said=_said(one, work),
            evidence={
                "model": one.model,
                "to": one.to,
                "items_month": one.items_month,
                "proven": one.proven,
                "trial_id": one.trial_id,
            },
        )


def _said(one: Lighter, work: Workload) -> str:
    to = work.book.model(one.to).display_name
    if one.proven:
        return f"Move it to {to}: a trial proves that its answers clear the bar."
    return f"Try {to} on it: its tokens cost less there; whether its answers are good enough is for a trial to say."
