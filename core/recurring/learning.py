"""What comes in again and again, learned from what came in: when, how much, and what its items cost."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from core.caching.lifetimes import Lifetime
from core.prices import PriceBook, Rates, UnknownModel, UnpricedModel
from core.schedule.arrivals import Stream, Work, steady
from core.settings import Settings
from core.sizing.evidence import Evidence
from core.sizing.job_costs import JobCosts
from core.store import Store
from core.tokens.counting import prefix_tokens

LOOK_BACK = timedelta(days=28)
_DAY = timedelta(days=1)
_WEEKS = 4
_HOURS_A_DAY = 24
Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Expected:
    """Recurring work, the days from which it was learned, and the names of classes left out for want of a price."""

    work: Work
    days: float
    unpriced: tuple[str, ...]


def learn_work(
    store: Store,
    book: PriceBook,
    settings: Settings,
    evidence: Evidence,
    *,
    now: datetime,
    hour: timedelta,
    class_ids: Sequence[str] | None = None,
) -> Expected:
    """What came in during the last four weeks, or the whole days since the first item, taken to come again.

    `hour`: how long an entry written for an hour lives, less on a local server that runs faster than life.
    """
    since, ids = now - LOOK_BACK, None if class_ids is None else list(class_ids)
    came = store.query("arrivals", since=since, now=now, class_ids=ids)
    first: Any = came["came_at"].min()
    days = 1 if first is None else min(LOOK_BACK.days, max(1, math.ceil((now - first) / _DAY)))
    since = now - days * _DAY
    by_class = {str(key[0]): part for key, part in came.group_by("class_id", maintain_order=True)}
    streams, unpriced = [], []
    for row in store.query("recurring_classes", since=since, class_ids=ids).iter_rows(named=True):
        rates = _rates(row, book, now)
        if rates is None:
            unpriced.append(row["name"])
        elif (arrived := by_class.get(row["class_id"])) is not None:
            streams.append(_stream(row, arrived, since, rates=rates, book=book, settings=settings, evidence=evidence))
    return Expected(
        work=Work(start=since, days=float(days), streams=tuple(streams)), days=float(days), unpriced=tuple(unpriced)
    )


def at_stated_rate(expected: Expected, items_a_day: float) -> Expected:
    """The same classes, in the shares that they had, coming in evenly at a stated rate."""
    total = sum(float(stream.items.sum()) for stream in expected.work.streams)
    start = expected.work.start.replace(minute=0, second=0, microsecond=0)
    streams = []
    for stream in expected.work.streams:
        rate = items_a_day / _HOURS_A_DAY * float(stream.items.sum()) / total
        seconds, items = steady([rate], start, weeks=_WEEKS)
        if len(seconds):
            streams.append(replace(stream, seconds=seconds, items=items))
    return replace(expected, work=replace(expected.work, start=start, days=_WEEKS * 7.0, streams=tuple(streams)))


def _rates(row: Row, book: PriceBook, now: datetime) -> Rates | None:
    try:
        return book.rates(row["model"], at=now, total_input_tokens=round(_prompt_tokens(row, book)))
    except (UnknownModel, UnpricedModel):
        return None


def _stream(
    row: Row,
    came: pl.DataFrame,
    since: datetime,
    *,
    rates: Rates,
    book: PriceBook,
    settings: Settings,
    evidence: Evidence,
) -> Stream:
    prompt = _prompt_tokens(row, book)
    prefix = min(float(row["prefix_tokens"]), prompt) if row["cacheable"] else 0.0
    answer = row["max_tokens"] * settings.output_share if row["output_tokens"] is None else row["output_tokens"]
    inputs, read = float(rates.input), float(rates.cache_read)
    rest_usd = inputs * (prompt - prefix) + float(rates.output) * answer
    faults = evidence.faults(row["class_id"], row["model"])

    def costs(hot_usd: float, once_usd: float) -> JobCosts:
        return JobCosts(
            hot_usd=hot_usd,
            once_usd=once_usd,
            job_usd=float(settings.job_cost_usd),
            void_rate=faults.void_rate.mean,
            fault_rate=faults.fault_rate.mean,
            unbilled_fault_rate=faults.unbilled_rate.mean,
        )

    writes: dict[Lifetime, float] = {"5m": float(rates.cache_write_5m), "1h": float(rates.cache_write_1h)}
    primed = {}
    for life, write in writes.items():
        # An entry that died between primer and body is written by every item.
        alive = evidence.learned.alive[life]
        hot = alive * read + (1 - alive) * write
        primed[life] = costs(hot * prefix + rest_usd, (write - hot) * prefix)
    return Stream(
        class_id=row["class_id"],
        name=row["name"],
        model=row["model"],
        seconds=np.maximum((came["came_at"] - since).dt.total_seconds().to_numpy().astype(float), 0.0),
        items=came["items"].to_numpy(),
        plain=costs(inputs * prefix + rest_usd, 0.0),
        primed=primed if prefix else {},
    )


def _prompt_tokens(row: Row, book: PriceBook) -> float:
    """Tokens of a mean prompt: as billed, or estimated from its length."""
    if row["prompt_tokens"] is not None:
        return float(row["prompt_tokens"])
    return float(max(1, prefix_tokens(book, row["model"], round(row["chars"]))[0]))
