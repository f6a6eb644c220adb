"""Promises: savings that were taken up, and what came of each, from the ledger against the baseline it was taken at."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

import polars as pl

from core.opportunities.monthly import FOUR_OF_FIVE
from core.opportunities.opportunity import Confidence, Kind
from core.opportunities.waste import AT_ONCE, CUT_OFF, USELESS
from core.opportunities.workload import Workload
from core.prices.repricing import reprice
from core.trends.attribution import attribute_unit_cost
from core.trends.lines import units_of
from core.trends.movement import MONTH_DAYS

State = Literal["early", "kept", "partly", "not kept"]
How = Literal["taken", "seen"]

LEAST_JOBS, LEAST_DAYS = 5, 3
"""Before so many jobs on so many days it is too early to say what came of a promise."""

_AT_CACHE = frozenset({"hit_rate", "prefix", "own_input"})
CLAIMS: Mapping[Kind, frozenset[str]] = {
    Kind.PREFIX: _AT_CACHE,
    Kind.PRIME: _AT_CACHE,
    Kind.SEND_TIME: _AT_CACHE,
    Kind.GROUP: _AT_CACHE,
    Kind.TOGETHER: _AT_CACHE,
    Kind.TOP_UP: _AT_CACHE,
    Kind.MARKS: _AT_CACHE,
    Kind.LIGHTER: frozenset({"tier"}),
    Kind.TRIAL: frozenset({"tier"}),
    Kind.RESIZE: frozenset({"hit_rate", "reruns"}),
    Kind.RISE: frozenset({"reruns", "own_input", "prefix", "output", "searches", "hit_rate", "tier"}),
}
"""The parts of a difference in cost that a promise may claim, by what was to be done: what only happened meanwhile, and
what prices and contracts did, is nobody's doing. (What is tokens of the items' own without caching is the prefix's with
it.) Of any other kind the ledger shows what was still paid in vain."""

NEARLY = Decimal("0.9")
"""A promise is kept from this share of it on."""

_MICRO = Decimal("0.000001")
_UNIT = Decimal("1e-12")


@dataclass(frozen=True, kw_only=True)
class Promise:
    """A saving that was taken up: `usd_month` was expected in 30 days at `units_month`, against `baseline_unit_usd`,
    the cost per unit from `baseline_first` to `baseline_last`. `how`: by somebody, or seen in the ledger afterwards."""

    promise_id: str
    key: str
    kind: Kind
    class_id: str
    class_name: str
    said: str
    confidence: Confidence
    usd_month: Decimal
    low: Decimal | None
    high: Decimal | None
    baseline_first: date
    baseline_last: date
    baseline_unit_usd: Decimal
    units_month: float
    taken_at: datetime
    taken_by: str | None
    how: How = "taken"


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What came of a promise so far.

    `units`, `days`, `jobs`: since it was taken. `promised_usd`: what was expected of as many units; `realised_usd`:
    what they cost less than at the baseline by the parts that it may claim, which lies between `low` and `high` four
    times of five; all three None while it is too early to say. `unit_usd`: the cost per unit since. `parts`: where the
    whole difference comes from, in USD, above zero where it saved; those in `CLAIMS` count.
    """

    promise: Promise
    state: State
    units: float
    days: int
    jobs: int
    promised_usd: Decimal
    realised_usd: Decimal | None = None
    low: Decimal | None = None
    high: Decimal | None = None
    unit_usd: Decimal | None
    parts: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """What a class costs a unit in these days, and how many units it does in 30 days."""

    first: date
    last: date
    unit_usd: Decimal
    units_month: float


def baseline(work: Workload, class_name: str, kind: Kind, *, first: date, last: date) -> Baseline | None:
    """What a class cost a unit from `first` to `last`, both included; None where it had no units or no price."""
    cells = _of(work, class_name).filter(pl.col("day").is_between(first, last))
    units, usd = _totals(_jobs(work, cells.with_columns(units_of(cells)), kind))
    if not units or not usd:
        return None
    month = MONTH_DAYS / ((last - first).days + 1)
    return Baseline(
        first=first,
        last=last,
        unit_usd=(usd / Decimal(units)).quantize(_UNIT),
        units_month=units * month,
    )


def kept(work: Workload, promise: Promise, *, now: datetime, job_usd: Decimal = Decimal(0)) -> Kept:
    """What came of a promise up to `now`, from the cells of `work`, which must reach back to its baseline.

    Realised are the parts that it may claim of units times (baseline cost per unit - cost per unit since), as the exact
    attribution of core/trends tells them apart. Where something was paid in vain: what would have been so at the rate
    of the baseline, to each dollar that was not, beyond what still was. `job_usd`: what a job costs besides its items;
    it counts where the size of jobs was promised to save it.
    """
    mine = _of(work, promise.class_name)
    mine = mine.with_columns(units_of(mine))
    extra = job_usd if promise.kind is Kind.RESIZE else Decimal(0)
    before = mine.filter(pl.col("day").is_between(promise.baseline_first, promise.baseline_last))
    since = mine.filter(pl.col("submitted_at") >= promise.taken_at, pl.col("submitted_at") <= now)
    old, new = (_jobs(work, cells, promise.kind, extra) for cells in (before, since))
    (units0, _), (units, usd) = _totals(old), _totals(new)
    soon = Kept(
        promise=promise,
        state="early",
        units=units,
        days=(now - promise.taken_at).days,
        jobs=new.height,
        promised_usd=_expected(promise, units, units0),
        unit_usd=(usd / Decimal(units)).quantize(_UNIT) if units else None,
    )
    if soon.jobs < LEAST_JOBS or soon.days < LEAST_DAYS or not units or not units0:
        return soon
    parts = _parts(work, promise, before, since)
    if promise.kind in CLAIMS:
        jobs = extra * (Decimal(units) * old.height / Decimal(units0) - new.height)
        realised = sum((parts.get(name, Decimal(0)) for name in CLAIMS[promise.kind]), jobs)
    else:
        old, new = (_in_vain(work, cells, promise.kind) for cells in (before, since))
        (well0, vain0), (units, vain) = _totals(old), _totals(new)
        realised = Decimal(units) * vain0 / Decimal(well0) - vain if well0 else Decimal(0)
    half = Decimal(FOUR_OF_FIVE * units * math.hypot(_error(old), _error(new)))
    low, high = ((realised + by).quantize(_MICRO) for by in (-half, half))
    return replace(
        soon,
        state="not kept" if low <= 0 else "kept" if high >= NEARLY * soon.promised_usd else "partly",
        realised_usd=realised.quantize(_MICRO),
        low=low,
        high=high,
        parts=parts,
    )


def _expected(promise: Promise, units: float, units0: float) -> Decimal:
    """What was promised of as many units as were done; `units0`: those of the baseline, as they are counted now."""
    month = units0 * MONTH_DAYS / ((promise.baseline_last - promise.baseline_first).days + 1)
    return (promise.usd_month * Decimal(units) / Decimal(month)).quantize(_MICRO) if month else Decimal(0)


def _of(work: Workload, class_name: str) -> pl.DataFrame:
    """The priced cells of a class, whatever models it went to."""
    return work.cells.filter(pl.col("class_name") == class_name, pl.col("unpriced") == 0)


def _jobs(work: Workload, cells: pl.DataFrame, kind: Kind, extra: Decimal = Decimal(0)) -> pl.DataFrame:
    """Units and dollars of every job; where sending content once was promised, what was answered before is no unit."""
    jobs = cells.group_by("job_id").agg(pl.sum("units"), pl.col("cost_usd").sum() + extra)
    if kind is not Kind.DUPLICATES:
        return jobs
    again = work.duplicates.group_by("job_id").agg(again=pl.col("attempts").sum())
    return jobs.join(again, on="job_id", how="left").select(
        "job_id", (pl.col("units") - pl.col("again").fill_null(0)).clip(0), "cost_usd"
    )


def _in_vain(work: Workload, cells: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Dollars of every job that were paid in vain, beside (as its units) all others."""
    if kind is Kind.DUPLICATES:
        again = work.duplicates.group_by("job_id").agg(vain=pl.col("cost_usd").sum())
        jobs = cells.group_by("job_id").agg(pl.col("cost_usd").sum()).join(again, on="job_id", how="left")
    elif kind is Kind.BATCH:
        as_batch = cells["cost_usd"] - reprice(cells, work.book, batch=True)
        jobs = cells.with_columns(vain=pl.when(AT_ONCE).then(as_batch).otherwise(0))
    else:
        useless = USELESS & (CUT_OFF if kind is Kind.TRUNCATED else ~CUT_OFF)
        jobs = cells.with_columns(vain=pl.when(useless).then("cost_usd").otherwise(0))
    sums = jobs.group_by("job_id").agg(pl.sum("cost_usd"), pl.col("vain").fill_null(0).sum())
    return sums.select("job_id", units=(pl.col("cost_usd") - pl.col("vain")).cast(pl.Float64), cost_usd="vain")


def _totals(jobs: pl.DataFrame) -> tuple[float, Decimal]:
    return float(jobs["units"].sum()), Decimal(jobs["cost_usd"].sum() or 0)


def _error(jobs: pl.DataFrame) -> float:
    """Standard error of the cost per unit over jobs: that of a ratio of sums (Cochran 1977, "Sampling Techniques")."""
    units, count = float(jobs["units"].sum()), jobs.height
    if count < 2 or not units:
        return 0.0
    usd = jobs["cost_usd"].cast(pl.Float64)
    off = usd - float(usd.sum()) / units * jobs["units"]
    return math.sqrt(count / (count - 1) * float((off * off).sum())) / units


def _parts(work: Workload, promise: Promise, before: pl.DataFrame, since: pl.DataFrame) -> dict[str, Decimal]:
    """What saved how many dollars on what was done since, by the parts of the exact attribution."""
    moved = attribute_unit_cost(before, since, book=work.book)
    if moved is None or promise.kind is Kind.DUPLICATES:
        return {}
    units = Decimal(int(since.select(units_of(before, since))["units"].sum()))
    return {part.name: (-part.amount * units).quantize(_MICRO) for part in moved.parts}
