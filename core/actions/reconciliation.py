"""Reconciliation: read the account's reports, compare them with the ledger, take over the discount they show."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import polars as pl

from core.actions.prices import Agreed, add_price
from core.audit import recorded
from core.errors import LotwiseError
from core.gateway.reports import DAYS_BACK, FIRST_DAY
from core.jobs.states import JobState
from core.reconciliation import Discount, Pending, Reconciliation, compare, learned_discounts
from core.reconciliation.discounts import as_contract
from core.store import Transaction
from core.workspace import Workspace

READ_DAYS = 31
"""Days that are read again by default, up to today: what one call may be about."""
_UNDER_WAY = (JobState.RUNNING, JobState.ENDED)
_DAY = timedelta(days=1)


class NothingReported(LotwiseError):
    """No report of these days can be read: reports go back a year, to 2026-01-01 at most. Choose later days."""


class NoDiscountLearned(LotwiseError):
    """The reports read so far show no discount that the price book lacks. Read them again, or choose other days."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What was read of the account's reports: how many rows, and what they come to in USD."""

    first: date
    last: date
    usage_rows: int
    cost_rows: int
    reported_usd: Decimal
    refreshed_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Reconciled:
    """The comparison of some days, UTC and both included, and how current the reports are that it rests on."""

    first: date
    last: date
    found: Reconciliation
    discounts: tuple[Discount, ...]
    unread: tuple[date, ...]
    """Days without a report: they are not compared."""
    incomplete: tuple[date, ...]
    """Days that the account had not counted to their end when it was asked."""
    read_at: datetime | None
    """When the oldest of these reports was read."""
    refreshed_at: datetime | None
    simulated: bool


@recorded("read-reports", "first", "last", "usage_rows", "cost_rows", "reported_usd")
def read_reports(
    workspace: Workspace, *, now: datetime, first: date | None = None, last: date | None = None
) -> Reading:
    """Read the account's usage and cost reports of some days, by default of the last 31, in place of earlier readings.

    Raises `NothingReported`, `KeyMissing`, `ReportsRefused`, `ReportsUnread` or `GatewayDown`; then what was read
    before stays.
    """
    today = now.astimezone(UTC).date()
    last = min(last or today, today)
    first = max(first or last - timedelta(days=READ_DAYS - 1), FIRST_DAY, today - timedelta(days=DAYS_BACK))
    if first > last:
        raise NothingReported(first=first, last=last)
    reports = workspace.gateway.reports(first, last)
    # A day that is over for us may not be for the account; what it has of days that were not asked for is left.
    usage, cost = (frame.filter(pl.col("day").is_between(first, last)) for frame in (reports.usage, reports.cost))

    def keep(tx: Transaction) -> None:
        tx.run("forget_report_days", first=first, last=last)
        tx.run("forget_reported_usage", first=first, last=last)
        tx.run("forget_reported_cost", first=first, last=last)
        tx.run("add_report_days", first=first, last=last, now=now, refreshed_at=reports.refreshed_at)
        tx.merge("add_reported_usage", usage)
        tx.merge("add_reported_cost", cost)

    workspace.store.write(keep)
    return Reading(
        first=first,
        last=last,
        usage_rows=usage.height,
        cost_rows=cost.height,
        reported_usd=sum(cost["amount_usd"].to_list(), Decimal(0)),
        refreshed_at=reports.refreshed_at,
    )


def reconcile(workspace: Workspace, *, first: date, last: date, workspaces: tuple[str, ...] = ()) -> Reconciled:
    """Compare the reports that were read of these days with the ledger; nothing is asked of the account.

    `workspaces`: the account's workspaces that Lotwise sends from, by their ids; none = all.
    """
    store = workspace.store
    # The days beside them tell late tokens from missing ones.
    around = {"first": first - _DAY, "last": last + _DAY}
    read = store.query("report_days", **around)
    days = {
        day: (refreshed_at or read_at) >= datetime.combine(day + _DAY, time(), UTC)
        for day, read_at, refreshed_at in read.iter_rows()
    }
    pending = store.query("pending_work", first=first - _DAY, last=last, states=list(_UNDER_WAY))
    found = compare(
        store.query("reported_usage", **around),
        store.query("reported_cost", **around),
        store.query("billed_cells", **around),
        book=workspace.book,
        days=days,
        shown=(first, last),
        pending=[Pending(**row) for row in pending.iter_rows(named=True)],
        known_models=store.query("sent_models")["model"].to_list(),
        workspaces=workspaces,
    )
    inside = read.filter(pl.col("day").is_between(first, last))
    every = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    return Reconciled(
        first=first,
        last=last,
        found=found,
        discounts=learned_discounts(found.rows, workspace.book),
        unread=tuple(day for day in every if day not in days),
        incomplete=tuple(day for day in every if not days.get(day, True)),
        read_at=inside["read_at"].min(),  # type: ignore[arg-type]
        refreshed_at=inside["refreshed_at"].min(),  # type: ignore[arg-type]
        simulated=workspace.gateway.simulated,
    )


@recorded("take-over-discount", "models", "attempts", "change_usd")
def take_over_discount(
    workspace: Workspace, *, now: datetime, first: date, last: date, models: tuple[str, ...] = (), dry_run: bool = False
) -> Agreed:
    """Add the discounts that the reports of these days show, and the price book lacks, as contract prices.

    They hold from the first day on which they were seen; `models`: only of these. Raises `NoDiscountLearned`.
    """
    found = reconcile(workspace, first=first, last=last)
    learned = tuple(each for each in found.discounts if not models or each.model in models)
    source = f"cost report {first:%Y-%m-%d} to {last:%Y-%m-%d}"
    terms = as_contract(learned, workspace.book, source=source)
    if not terms:
        raise NoDiscountLearned(first=first, last=last)
    return add_price(workspace, terms, now=now, dry_run=dry_run)
