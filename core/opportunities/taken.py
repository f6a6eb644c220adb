"""Savings that were taken without a click: what the ledger shows was there to be had, and is no more."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import polars as pl

from core.opportunities.monthly import Monthly, monthly
from core.opportunities.opportunity import Kind, key_of
from core.opportunities.prefixes import leaks
from core.opportunities.promises import Promise, baseline
from core.opportunities.ranking import LEAST_USD
from core.opportunities.workload import WEEKS, Workload, pace_of
from core.prices.repricing import reprice

_SPAN = timedelta(days=7 * WEEKS - 1)
_SAID = {
    Kind.PREFIX: "Its prompt stopped changing from request to request.",
    Kind.PRIME: "It is primed.",
    Kind.SEND_TIME: "Its body goes while what was written for it is there.",
    Kind.GROUP: "Its jobs go together.",
    Kind.TOP_UP: "Its prefix is long enough to be cached.",
    Kind.MARKS: "It is sent without cache marks that nothing reads.",
}


@dataclass(frozen=True, kw_only=True)
class Switch:
    """A class whose work goes to another model since a moment."""

    class_id: str
    class_name: str
    from_model: str
    to: str
    at: datetime


def seen(work: Workload, switches: Iterable[Switch], promised: Iterable[Promise]) -> tuple[Promise, ...]:
    """What was taken without a click, newest first; what somebody promised before is no news."""
    known = {(each.key, each.class_name) for each in promised}
    found = [*_mended(work), *_switched(work, switches)]
    fresh = [each for each in found if (each.key, each.class_name) not in known and each.usd_month >= LEAST_USD]
    return tuple(sorted(fresh, key=lambda each: (each.taken_at, each.key), reverse=True))


def _mended(work: Workload) -> Iterator[Promise]:
    """Classes that met the cache badly once, and do not any more."""
    for leak in leaks(work, work.cells):
        if leak.run.ended is None or leak.class_id not in work.names:
            continue
        days = max(leak.run.first, leak.run.last - _SPAN), leak.run.last
        sends = leak.sends.filter(pl.col("day").is_between(*days))
        month = monthly(sends, pace_of(sends, *days))
        name = work.names[leak.class_id][0]
        yield from _promise(
            work,
            leak.kind,
            leak.class_id,
            name,
            days,
            since=_midnight(leak.run.ended),
            month=month,
            said=_SAID[leak.kind],
        )


def _switched(work: Workload, switches: Iterable[Switch]) -> Iterator[Promise]:
    """Classes that were moved to another model, against what their tokens cost before."""
    for switch in switches:
        last = switch.at.date() - timedelta(days=1)
        days = last - _SPAN, last
        cells = work.cells.filter(
            pl.col("class_name") == switch.class_name,
            pl.col("model") == switch.from_model,
            pl.col("day").is_between(*days),
        )
        saving = cells["cost_usd"] - reprice(cells, work.book, model=pl.lit(switch.to))
        if cells.is_empty() or saving.null_count():
            continue
        month = monthly(cells.with_columns(saving_usd=saving), pace_of(cells, *days))
        said = f"Its work goes to {switch.to} instead of {switch.from_model}."
        yield from _promise(
            work, Kind.LIGHTER, switch.class_id, switch.class_name, days, since=switch.at, month=month, said=said
        )


def _promise(
    work: Workload,
    kind: Kind,
    class_id: str,
    class_name: str,
    days: tuple[date, date],
    *,
    since: datetime,
    month: Monthly,
    said: str,
) -> Iterator[Promise]:
    """What would have been promised, had somebody taken it up; nothing where there is no cost per unit to go by."""
    before = baseline(work, class_name, kind, first=days[0], last=days[1])
    if before is None:
        return
    low, high = month.interval or (None, None)
    key = key_of(kind, class_id)
    yield Promise(
        promise_id=f"{key}@{since:%Y-%m-%d}",
        key=key,
        kind=kind,
        class_id=class_id,
        class_name=class_name,
        said=said,
        confidence="estimated",
        usd_month=month.usd,
        low=low,
        high=high,
        baseline_first=before.first,
        baseline_last=before.last,
        baseline_unit_usd=before.unit_usd,
        units_month=before.units_month,
        taken_at=since,
        taken_by=None,
        how="seen",
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
