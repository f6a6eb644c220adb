"""What the sends of recurring work cost, with entries that die between them or form a chain. Pure.

A 5-minute entry never outlives the send that wrote it. A 1-hour entry lives an hour from each use, so sends at most an
hour apart form a chain: one write, then only reads (platform.claude.com, Prompt caching: a read refreshes the entry).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.caching.lifetimes import Lifetime
from core.schedule.arrivals import Floats, Stream, Work
from core.schedule.sends import Sends
from core.sizing.faults import repair_jobs
from core.sizing.job_costs import JobCosts

_ROUNDING = 1e-9
# The API's limit of a batch (Message Batches documentation).
_MOST_ITEMS = 100_000


@dataclass(frozen=True, kw_only=True)
class SendCosts:
    """Dollars and jobs of all sends together; `chained`: whether some of them read what an earlier one wrote."""

    lifetime: Lifetime
    usd: float
    jobs: float
    chained: bool


def send_costs(work: Work, sends: Sequence[Sends], life: Lifetime) -> SendCosts:
    """What all sends cost with entries of that life. Classes that go together share jobs, repairs and one primer."""
    moments, number = np.unique(np.concatenate([one.at for one in sends]), return_inverse=True)
    items = np.bincount(number, weights=np.concatenate([one.items for one in sends]))
    usd, chained, parts, primed = 0.0, False, [], []
    for stream, one in zip(work.streams, sends, strict=True):
        priced = _priced(stream, one, life, work.hour)
        usd, chained = usd + priced.usd, chained or priced.chained
        parts.append(priced.parts)
        primed.append(priced.primed)
    bodies = np.ceil(np.bincount(number, weights=np.concatenate(parts)) - _ROUNDING)
    primers = np.bincount(number, weights=np.concatenate(primed), minlength=len(moments)) > 0
    rate = sum(_failing(stream) * float(stream.items.sum()) for stream in work.streams) / float(items.sum())
    repairs = sum(many * repair_jobs(size, rate) for many, size in zip(bodies, items / bodies, strict=True))
    jobs = float(bodies.sum() + primers.sum() + repairs)
    fixed = jobs * max(stream.plain.job_usd for stream in work.streams)
    return SendCosts(lifetime=life, usd=usd + fixed, jobs=jobs, chained=chained)


def _failing(stream: Stream) -> float:
    """The share of items that are sent again."""
    return stream.plain.fault_rate + stream.plain.unbilled_fault_rate


@dataclass(frozen=True, kw_only=True)
class _Priced:
    """The sends of a class: dollars without what a job costs besides its items, which parts of a job of the best size
    they fill, and which of them are primed."""

    usd: float
    parts: Floats
    primed: NDArray[np.bool_]
    chained: bool


def _priced(stream: Stream, sends: Sends, life: Lifetime, hour: float) -> _Priced:
    """Each send in the cheapest way that is open to it."""
    plain, parts = _cost(stream.plain, sends.items)
    if life not in stream.primed:
        return _Priced(usd=float(plain.sum()), parts=parts, primed=np.zeros(len(plain), dtype=bool), chained=False)
    costs = stream.primed[life]
    writing, parts_primed = _cost(costs, sends.items)
    reading, _ = _cost(replace(costs, once_usd=0.0), sends.items)
    alive = _alive(sends.at, writing < plain, hour) if life == "1h" else np.zeros(len(plain), dtype=bool)
    primed_usd = np.where(alive, reading, writing)
    primed = primed_usd < plain
    return _Priced(
        usd=float(np.where(primed, primed_usd, plain).sum()),
        parts=np.where(primed, parts_primed, parts),
        primed=primed,
        chained=bool(alive.any()),
    )


def _cost(costs: JobCosts, items: Floats) -> tuple[Floats, Floats]:
    """Dollars of sends of so many items, each cut evenly into jobs of about the best size; and such jobs they fill."""
    parts = items / costs.best(_MOST_ITEMS)
    return items * replace(costs, job_usd=0.0).item_usd(items / np.ceil(parts)), parts


def _alive(at: Floats, writes: NDArray[np.bool_], life: float) -> NDArray[np.bool_]:
    """Which sends find the entry alive: some send before wrote it, and from there to here no gap outlasts it."""
    number = np.arange(len(at))
    breaks = np.diff(at, prepend=-math.inf) > life
    begin = np.maximum.accumulate(np.where(breaks, number, 0))
    written = np.maximum.accumulate(np.where(writes, number, -1))
    before = np.concatenate([[-1], written[:-1]])
    return before >= begin
