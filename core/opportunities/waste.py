"""Money that bought nothing: answers nobody can use, the same content paid for twice, prices of answers at once."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from core.opportunities.monthly import monthly
from core.opportunities.opportunity import Confidence, Kind, Opportunity, opportunity
from core.opportunities.workload import IDLE_DAYS, Workload
from core.prices.book import MONEY
from core.prices.repricing import reprice

CUT_OFF = pl.col("cause").is_in(["max_tokens", "model_context_window_exceeded"]).fill_null(False)
"""Answers that were cut off."""
USELESS = pl.col("billed") & ~pl.col("usable").fill_null(True)
"""Answers that are billed and of no use."""
AT_ONCE = pl.col("service_tier").is_not_null() & (pl.col("service_tier") != "batch")
"""Answers at the price of immediate ones."""

_CAUSES = 3


def waste_savings(work: Workload) -> Iterator[Opportunity]:
    """What would be saved if nothing were paid for in vain, class by class."""
    yield from _failures(work, Kind.TRUNCATED, USELESS & CUT_OFF)
    yield from _failures(work, Kind.FAILURES, USELESS & ~CUT_OFF)
    yield from _duplicates(work)
    yield from _at_once(work)


def _failures(work: Workload, kind: Kind, which: pl.Expr) -> Iterator[Opportunity]:
    """What billed answers cost that are not usable.

    Of those that were cut off only what was paid again: with room enough the rest would have cost no less.
    """
    bad = work.recent.filter(which)
    saving = pl.when(which).then("cost_usd").otherwise(0)
    for class_id, rows in _by_class(work.recent.with_columns(saving_usd=saving), bad):
        mine = bad.filter(pl.col("class_id") == class_id)
        again = _sent_again(rows) if kind is Kind.TRUNCATED else Decimal(1)
        in_vain = (pl.col("saving_usd") * (again or Decimal(1))).cast(MONEY)
        causes = mine.group_by(pl.col("cause").fill_null("unknown")).agg(pl.sum("attempts", "cost_usd"))
        counted = causes.sort("cost_usd", "cause", descending=[True, False]).head(_CAUSES)
        figures = {
            "answers": int(mine["attempts"].sum()),
            "requests": int(rows["attempts"].sum()),
            "causes": dict(counted.select("cause", "attempts").iter_rows()),
            "paid_usd": mine["cost_usd"].sum(),
        }
        if kind is Kind.TRUNCATED:
            figures["sent_again"] = float(again)
        confidence: Confidence = "estimated" if again else "assumed"
        yield from _one(work, kind, rows.with_columns(saving_usd=in_vain), figures, confidence)


def _sent_again(rows: pl.DataFrame) -> Decimal:
    """The share of the attempts without a usable answer that another attempt followed, as far as the ledger tells."""
    failed = int(rows.filter(~pl.col("usable").fill_null(True))["attempts"].sum())
    return min(Decimal(1), Decimal(int(rows.filter("rerun")["attempts"].sum())) / failed)


def _duplicates(work: Workload) -> Iterator[Opportunity]:
    """What was paid for content that had its usable answer already."""
    paid = work.duplicates.filter(pl.col("day").is_between(work.first, work.last))
    per_day = paid.group_by("class_id", "day").agg(saving_usd=pl.col("cost_usd").sum())
    days = work.recent.group_by("class_id", "day").agg(pl.sum("attempts"))
    rows = days.join(per_day, on=["class_id", "day"], how="left").with_columns(pl.col("saving_usd").fill_null(0))
    for class_id, mine in _by_class(rows, paid):
        again = paid.filter(pl.col("class_id") == class_id)
        figures = {
            "answers": int(again["attempts"].sum()),
            "requests": int(mine["attempts"].sum()),
            "paid_usd": again["cost_usd"].sum(),
        }
        yield from _one(work, Kind.DUPLICATES, mine, figures)


def _at_once(work: Workload) -> Iterator[Opportunity]:
    """What work costs more because it was not sent as a batch."""
    synchronous = pl.col("billed") & AT_ONCE & (pl.col("unpriced") == 0)
    cells = work.recent.with_columns(batch_usd=reprice(work.recent, work.book, batch=True))
    saving = pl.when(synchronous).then(pl.col("cost_usd") - pl.col("batch_usd")).otherwise(0)
    for _, rows in _by_class(cells.with_columns(saving_usd=saving), cells.filter(synchronous)):
        mine = rows.filter(synchronous)
        figures = {
            "answers": int(mine["attempts"].sum()),
            "requests": int(rows["attempts"].sum()),
            "paid_usd": mine["cost_usd"].sum(),
            "would_have_cost_usd": mine["batch_usd"].sum(),
        }
        yield from _one(work, Kind.BATCH, rows, figures)


def _by_class(rows: pl.DataFrame, found: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """All rows of each class of which something was found lately: what was not is part of the rate."""
    if found.is_empty():
        return
    newest = found.group_by("class_id").agg(pl.max("day")).sort("class_id")
    for class_id in newest["class_id"]:
        yield str(class_id), rows.filter(pl.col("class_id") == class_id)


def _one(
    work: Workload,
    kind: Kind,
    rows: pl.DataFrame,
    figures: dict[str, Any],
    confidence: Confidence = "measured",
) -> Iterator[Opportunity]:
    class_id = str(rows["class_id"][0])
    pace = work.paces.get(class_id)
    found = rows.filter(pl.col("saving_usd") > 0)
    lately = pl.col("day") > work.last - timedelta(days=IDLE_DAYS)
    if pace is None or found.filter(lately).is_empty():
        return
    month = monthly(rows, pace)
    yield opportunity(
        kind,
        class_id=class_id,
        class_name=work.names[class_id][0],
        usd_month=month.usd,
        interval=month.interval,
        confidence=confidence,
        said=_said(kind, figures),
        evidence=figures | {"model": work.names[class_id][1], "pace_days": pace.days},
    )


def _said(kind: Kind, figures: dict[str, Any]) -> str:
    """What to do and why."""
    answers, of = f"{figures['answers']:,}", f"of {figures['requests']:,}"
    match kind:
        case Kind.TRUNCATED:
            if figures["sent_again"]:
                return f"Ask for shorter answers, or raise max_tokens: {answers} {of} were cut off and paid for again."
            return f"Ask for shorter answers: {answers} {of} were cut off, are billed, and were not sent again."
        case Kind.DUPLICATES:
            return f"Send each content once: {answers} {of} requests had their answer already."
        case Kind.BATCH:
            return f"Send it as batches, where answers may take a day: {answers} {of} were asked for at once."
    causes = " and ".join(cause.replace("_", " ") for cause in figures["causes"])
    return f"Look into {causes}: {answers} {of} answers are billed and of no use."
