"""Savings by the size of jobs: classes whose jobs of a day are more, or fewer, than what costs least."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from core.errors import LotwiseError
from core.opportunities.monthly import monthly
from core.opportunities.opportunity import Kind, Opportunity, opportunity
from core.opportunities.workload import Workload
from core.prices.book import MONEY
from core.sizing.faults import Faults, repair_jobs
from core.sizing.job_costs import FLAT, JobCosts

_FRESH = ("body", "history")
_SUMS = ("saving_usd", "cost_usd", "jobs", "better_jobs")


@dataclass(frozen=True, kw_only=True)
class SizeRules:
    """What the size of jobs depends on besides their work: the limits in force, what a job costs besides its items,
    and the faults of a class on its model."""

    most_requests: int
    blast_usd: float
    job_usd: float
    faults: Callable[[str, str], Faults]


def size_savings(work: Workload, rules: SizeRules) -> Iterator[Opportunity]:
    """What other sizes of the same day's jobs would save: a class is never made to wait for the next day's work."""
    fresh = work.recent.filter(pl.col("role").is_in(_FRESH), pl.col("unpriced") == 0)
    jobs = fresh.group_by("class_id", "day", "job_id").agg(pl.sum("attempts", "cost_usd"))
    for (class_id,), sent in jobs.sort("day", "job_id").group_by("class_id", maintain_order=True):
        if (pace := work.pace(str(class_id), sent)) is None:
            continue
        costs = _costs(work, str(class_id), sent, rules)
        if costs is None:
            continue
        days = _resized(sent, costs, _best(costs, rules))
        month = monthly(days, pace)
        saved, paid, number, better = (_sum(days, name) for name in _SUMS)
        if saved <= FLAT * paid:
            continue
        figures = {
            "model": work.names[str(class_id)][1],
            "jobs": round(number),
            "jobs_better": round(better),
            "requests_a_job": round(_sum(days, "attempts") / number),
            "requests_a_job_better": round(_sum(days, "attempts") / better),
            "job_usd": rules.job_usd,
            "void_rate": costs.void_rate,
            "fault_rate": costs.fault_rate,
            "pace_days": pace.days,
        }
        larger = better < number
        yield opportunity(
            Kind.RESIZE,
            class_id=str(class_id),
            class_name=work.names[str(class_id)][0],
            usd_month=month.usd,
            interval=month.interval,
            confidence="assumed",
            said=(
                f"Send {'larger' if larger else 'smaller'} jobs: {_sum(days, 'attempts') / better:,.0f} requests each "
                f"instead of {_sum(days, 'attempts') / number:,.0f}, at {rules.job_usd:.2f} dollars of "
                "somebody's time a job."
            ),
            evidence=figures,
        )


def _costs(work: Workload, class_id: str, rows: pl.DataFrame, rules: SizeRules) -> JobCosts | None:
    """What an item of the class costs by the size of its job; None where it cannot be sized."""
    attempts = int(rows["attempts"].sum())
    faults = rules.faults(class_id, work.names[class_id][1])
    again = min(faults.fault_rate.mean + faults.unbilled_rate.mean, 1.0)
    typical = max(round(attempts / rows.height), 1)
    try:
        return JobCosts(
            hot_usd=float(rows["cost_usd"].sum() or 0) / attempts,
            once_usd=0.0,
            job_usd=rules.job_usd * (1 + repair_jobs(typical, again)),
            void_rate=faults.void_rate.mean,
            fault_rate=faults.fault_rate.mean,
            unbilled_fault_rate=faults.unbilled_rate.mean,
        )
    except LotwiseError:
        return None


def _sum(days: pl.DataFrame, name: str) -> float:
    return float(days[name].sum())


def _best(costs: JobCosts, rules: SizeRules) -> int:
    """The size that costs least within the limits."""
    affordable = rules.blast_usd / costs.hot_usd if costs.hot_usd else math.inf
    return costs.best(max(1, int(min(rules.most_requests, affordable))))


def _resized(rows: pl.DataFrame, costs: JobCosts, best: int) -> pl.DataFrame:
    """Day by day: the jobs that were sent, those of the best size, and what these would cost less."""
    by_job = rows.with_columns(usd=pl.lit(costs.item_usd(rows["attempts"].to_numpy())) * pl.col("attempts"))
    days = by_job.group_by("day", maintain_order=True).agg(
        pl.sum("attempts", "cost_usd", "usd"), jobs=pl.len().cast(pl.Int64)
    )
    better = np.ceil(days["attempts"].to_numpy() / best)
    usd = costs.item_usd(days["attempts"].to_numpy() / better) * days["attempts"].to_numpy()
    saving = pl.when(pl.col("usd") > pl.col("better_usd")).then(pl.col("usd") - pl.col("better_usd")).otherwise(0.0)
    return days.with_columns(better_jobs=pl.Series(better).cast(pl.Int64), better_usd=pl.Series(usd)).with_columns(
        saving_usd=pl.when(saving.is_finite()).then(saving).otherwise(0.0).round(6).cast(MONEY)
    )
