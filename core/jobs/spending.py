"""Spending: a budget for a job, a day and a month, and the typed confirmation that what goes over one needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from typing import Any

from core.errors import LotwiseError
from core.jobs.halt import refuse_while_halted
from core.jobs.states import JobState
from core.settings import Settings
from core.store import Store, Transaction

_OVER = (JobState.DONE, JobState.FAILED, JobState.CANCELED)
_CENT = Decimal("0.01")
_UNPRICED = "unpriced"
Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Budget:
    """One budget, in USD, and what there is of it.

    `period`: job, day or month; days and months are those of UTC. `spent_usd`: measured, of what was sent in it.
    `committed_usd`: predicted, of jobs that are not finished. `adds_usd`: predicted, of what is to be sent now; for
    the job it is the dearest of these jobs.
    """

    period: str
    limit_usd: Decimal
    spent_usd: Decimal
    committed_usd: Decimal
    adds_usd: Decimal

    @property
    def total_usd(self) -> Decimal:
        """Spent, committed and to be added."""
        return self.spent_usd + self.committed_usd + self.adds_usd

    @property
    def over(self) -> bool:
        """Whether what is to be added does not fit."""
        return self.adds_usd > 0 and self.total_usd > self.limit_usd


@dataclass(frozen=True, kw_only=True)
class Check:
    """How jobs that are to be sent meet the budgets.

    `unpriced`: their items without a known price, which go over every budget. `amount`: what they come to, rounded up
    to the cent, as a person would type it.
    """

    budgets: tuple[Budget, ...]
    unpriced: int
    amount: str

    @property
    def confirm(self) -> str | None:
        """What a person has to type before they are sent; None where everything fits."""
        return self.amount if self.unpriced or self.over else None

    @property
    def over(self) -> tuple[Budget, ...]:
        """The budgets that do not suffice."""
        return tuple(budget for budget in self.budgets if budget.over)


class OverBudget(LotwiseError):
    """This goes over a budget, so nothing was sent. Type the predicted amount to send it all the same."""

    def __init__(self, check: Check, confirmed: str | None) -> None:
        self.check = check
        wrong = f"The confirmation {confirmed} is not for this amount. " if confirmed else ""
        why = "".join(f"{one}. " for one in [*map(_why, check.over), *_why_unpriced(check.unpriced)])
        if check.confirm is None:
            needless = f"Nothing was sent. It needs no confirmation: leave it out, or give {check.amount}."
            super().__init__(wrong + needless)
            return
        what = f"Nothing was sent. All of it comes to {check.amount}, rounded up to the cent: confirm that to send it"
        super().__init__(f"{wrong}{why}{what} (on the command line: --confirm {check.amount}).")


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """What somebody may spend by one action: the budgets, and what they typed to go over them.

    A rehearsal is told what would have to be typed; the real thing is refused until it is.
    """

    settings: Settings
    now: datetime
    by: str
    confirmed: str | None = None
    rehearsal: bool = False

    def check(self, tx: Transaction, jobs: Sequence[Row]) -> Check:
        """Check new jobs (rows of `job`) against the budgets, inside the transaction that records them.

        The store has one writer, so two submissions at once cannot both find the same money free. A confirmation is
        for one amount: where the plan changed meanwhile, it does not fit. Raises `OverBudget` or `SendingStopped`.
        """
        refuse_while_halted(tx)
        made = [job["job_id"] for job in jobs]
        (spent,) = tx.run("spending", **_periods(self.now), over=list(_OVER), leaving_out=made)
        check = _check(spent, self.settings, [(job["predicted_usd"], job["item_count"]) for job in jobs])
        if not fits(check, self.confirmed) and (self.confirmed or not self.rehearsal):
            raise OverBudget(check, self.confirmed)
        if check.confirm is None or self.rehearsal:
            return check
        of_plan = jobs[0].get("plan_id")
        tx.run(
            "add_confirmation",
            now=self.now,
            by=self.by,
            plan_id=of_plan,
            job_id=None if of_plan else made[0],
            amount=check.confirm,
            budgets=[budget.period for budget in check.over],
        )
        return check


def check_prices(
    store: Store, settings: Settings, prices: Sequence[tuple[Decimal | None, int]], *, now: datetime
) -> Check:
    """How jobs of these predicted prices and items would meet the budgets right now; none: how the budgets stand."""
    spent = store.query("spending", **_periods(now), over=list(_OVER), leaving_out=[]).row(0, named=True)
    return _check(spent, settings, prices)


def fits(check: Check, typed: str | None) -> bool:
    """Whether everything fits, or this is what has to be typed; who types an amount means that one."""
    return _plain(typed) == check.amount if typed else check.confirm is None


def _periods(now: datetime) -> dict[str, datetime]:
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return {"now": now, "day": day, "month": day.replace(day=1)}


def _check(spent: Row, settings: Settings, prices: Sequence[tuple[Decimal | None, int]]) -> Check:
    known = [usd for usd, _ in prices if usd is not None]
    unpriced = sum(items for usd, items in prices if usd is None)
    total, dearest, none = sum(known, Decimal(0)), max(known, default=Decimal(0)), Decimal(0)
    budgets = (
        _budget("job", settings.job_budget_usd, none, none, dearest),
        _budget("day", settings.day_budget_usd, spent["day_spent_usd"], spent["day_committed_usd"], total),
        _budget("month", settings.month_budget_usd, spent["month_spent_usd"], spent["month_committed_usd"], total),
    )
    words = ([str(_cents(total))] if known else []) + ([_UNPRICED] if unpriced else [])
    return Check(budgets=budgets, unpriced=unpriced, amount="+".join(words))


def _budget(period: str, limit: Decimal, spent: Decimal, committed: Decimal, adds: Decimal) -> Budget:
    return Budget(period=period, limit_usd=limit, spent_usd=spent, committed_usd=committed, adds_usd=adds)


def _cents(usd: Decimal) -> Decimal:
    """The amount as it is shown and typed: whole cents, never fewer than what it is."""
    return usd.quantize(_CENT, ROUND_CEILING)


def _plain(text: str) -> str:
    """What a person typed, without what people put around an amount."""
    return "".join(text.lower().replace("$", "").replace(",", "").split())


def _why(budget: Budget) -> str:
    if budget.period == "job":
        return (
            f"A job may cost ${_cents(budget.limit_usd)}, and one of these is predicted at ${_cents(budget.adds_usd)}"
        )
    return (
        f"The budget of the {budget.period} is ${_cents(budget.limit_usd)}: ${_cents(budget.spent_usd)} spent and"
        f" ${_cents(budget.committed_usd)} committed, and this adds ${_cents(budget.adds_usd)}"
    )


def _why_unpriced(items: int) -> list[str]:
    return [f"Items without a known price, which may cost anything: {items:,}"] if items else []
