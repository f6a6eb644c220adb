"""When the jobs of a plan go and when their results are there. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from core.planning.class_size import Sizing
from core.planning.groups import Group, Kind
from core.schedule.window import arrival, repair_needed


@dataclass(frozen=True, kw_only=True)
class JobTimes:
    """When a job is expected to go, to end, and to be repaired, as surely as was asked for."""

    send_at: datetime
    ends_by: datetime | None
    ready_by: datetime | None


@dataclass(frozen=True, kw_only=True)
class Timing:
    """The times of all jobs by number, and how surely all results are there by their deadlines."""

    jobs: tuple[JobTimes, ...]
    on_time_probability: float | None
    latest_send_at: datetime | None = None
    binding: str | None = None
    reasons: tuple[str, ...] = ()


def time_jobs(items: pl.DataFrame, groups: Sequence[Group], sizing: Sizing) -> Timing:
    """All jobs are sent at once, bodies behind their primers."""
    rows = items.group_by("job", maintain_order=True).agg(pl.first("place"), items=pl.len())
    jobs: list[JobTimes] = []
    chance = 1.0
    for _, place, count in rows.iter_rows():
        group = groups[place]
        body = sizing.turnaround(group, count)
        primed = group.kind == Kind.PRIMED
        primer = sizing.turnaround(group, 1) if primed else None
        fault_rate = sizing.fault_rate(group)
        whole = arrival(
            body,
            chains={1: 1},
            primer=primer,
            repair=sizing.turnaround(group, max(round(count * fault_rate), 1)),
            repair_chance=repair_needed(count, fault_rate),
        )
        begin = sizing.now + timedelta(seconds=float(primer.quantile(0.5)) if primer else 0.0)
        confidence = sizing.needs.confidence
        ends = begin + timedelta(seconds=float(body.quantile(confidence)))
        seconds = whole.needed(confidence)
        ready = None if seconds == float("inf") else sizing.now + timedelta(seconds=seconds)
        if group.deadline is not None:
            chance = min(chance, whole.on_time((group.deadline - sizing.now).total_seconds()))
        jobs.append(JobTimes(send_at=begin, ends_by=ends, ready_by=ready))
    asked = any(group.deadline is not None for group in groups)
    return Timing(jobs=tuple(jobs), on_time_probability=chance if asked else None)
