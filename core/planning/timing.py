"""When the jobs of a plan go, when their results are there, and which deadlines cannot be met. Pure."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from core.planning.class_size import ClassSize, Sizing
from core.planning.groups import Group, Kind
from core.schedule.backlog import Missed, Schedule, ScheduledJob, schedule
from core.schedule.fixes import Fix
from core.schedule.lots import Lot
from core.sizing.job_costs import JobCosts

# Of items without a price only the time counts.
_FREE = JobCosts(hot_usd=0.0, once_usd=0.0, job_usd=0.0, void_rate=0.0, fault_rate=0.0)
_CAUSES = {
    "window": "even jobs sent at once take longer",
    "expiry": "the chance that requests expire is higher than that",
    "queue": "jobs wait too long for room in the queue of the API",
    "budget": "the budget does not reach that far",
}
_BOUND = ("window", "queue", "budget", "expiry")


@dataclass(frozen=True, kw_only=True)
class JobTimes:
    """When a job is expected to go, and by when it has ended and been repaired as surely as was asked for."""

    send_at: datetime
    ends_by: datetime
    ready_by: datetime | None


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How the groups of a plan are scheduled: `bodies` by the place of the group, in sending order.

    `on_time_probability`: that every deadline is met; `latest_send_at`: when the first job has to go at the latest;
    both None without a deadline. `missed`: deadlines that cannot be met and what would help; `binding`: what kept
    the plan from being cheaper or in time, None where nothing but the sizes of jobs did. `gap`: by which share at most
    another schedule of the same could be cheaper; 0 is proven to be the cheapest.
    """

    bodies: Mapping[int, tuple[ScheduledJob, ...]]
    on_time_probability: float | None
    latest_send_at: datetime | None
    missed: tuple[Missed, ...]
    binding: str | None
    gap: float
    reasons: tuple[str, ...]


def time_groups(groups: Sequence[Group], sizes: Mapping[int, ClassSize], sizing: Sizing) -> Timing:
    """Schedule all groups of bodies together. Raises `DeadlinePassed`."""
    primed = {component for group in groups if group.kind == Kind.PRIMER for component in group.components}
    lots = [_lot(size, primed, sizing) for size in sizes.values()]
    needs = sizing.needs
    found = schedule(
        lots,
        now=sizing.now,
        confidence=needs.confidence,
        queue_limit=sizing.queue_room,
        budget_usd=None if needs.budget_usd is None else float(needs.budget_usd),
    )
    names = {str(group.place): group.class_name for group in groups}
    return Timing(
        bodies={place: tuple(_bodies(found, place)) for place in sizes},
        on_time_probability=found.on_time_probability,
        latest_send_at=_latest(found, lots, sizing),
        missed=found.missed,
        binding=found.binding if found.binding in _BOUND else None,
        gap=found.gap,
        reasons=tuple(_reason(missed, names, needs.confidence) for missed in found.missed),
    )


def job_times(items: pl.DataFrame, groups: Sequence[Group], timing: Timing, sizing: Sizing) -> list[JobTimes]:
    """The times of all jobs by number; `items`: with the place of their group and the number of their job."""
    rows = items.group_by("job", maintain_order=True).agg(pl.first("place"), items=pl.len())
    times, seen = [], dict.fromkeys(timing.bodies, 0)
    for _, place, count in rows.iter_rows():
        group = groups[place]
        takes = timedelta(seconds=float(sizing.turnaround(group, count).quantile(sizing.needs.confidence)))
        bodies = timing.bodies.get(place, ())
        if not bodies:
            primes = group.kind == Kind.PRIMER
            ends = sizing.now + takes
            times.append(JobTimes(send_at=sizing.now, ends_by=ends, ready_by=ends if primes else None))
            continue
        # Bytes may make one job more of them than there were scheduled: it goes with the last one.
        body = bodies[min(seen[place], len(bodies) - 1)]
        seen[place] += 1
        times.append(JobTimes(send_at=body.send_at, ends_by=body.send_at + takes, ready_by=body.ready_by))
    return times


def _lot(size: ClassSize, primed: Set[int], sizing: Sizing) -> Lot:
    group = size.group
    first = len(primed & set(group.components)) if group.kind == Kind.PRIMED else 0
    return Lot(
        key=str(group.place),
        items=group.items + first,
        costs=size.costs or _FREE,
        most=size.items,
        turnaround=lambda items: sizing.turnaround(group, items),
        deadline=group.deadline,
        primers=first,
    )


def _bodies(found: Schedule, place: int) -> Iterator[ScheduledJob]:
    return (job for job in found.jobs if job.role == "body" and job.key == str(place))


def _latest(found: Schedule, lots: Sequence[Lot], sizing: Sizing) -> datetime | None:
    """The whole schedule may be put off by what the tightest deadline leaves."""
    deadlines = {lot.key: lot.deadline for lot in lots if lot.deadline is not None}
    bodies = [job for job in found.jobs if job.key in deadlines and job.role == "body"]
    spare = [deadlines[job.key] - job.ready_by for job in bodies if job.ready_by is not None]
    return sizing.now + min(spare) if spare and len(spare) == len(bodies) else None


def _reason(missed: Missed, names: Mapping[str, str], confidence: float) -> str:
    """Which deadline is not met, why, and what would help, as a sentence."""
    which = ", ".join(names[key] for key in missed.keys[:3])
    more = f" and {len(missed.keys) - 3} more" if len(missed.keys) > 3 else ""
    if missed.deadline is None:
        head = f"{which}{more} cannot be paid for"
    else:
        head = (
            f"{which}{more} will not all be there by {missed.deadline:%Y-%m-%d %H:%M}Z with a confidence of "
            f"{confidence:.6g} (the chance is {missed.probability:.2g})"
        )
    cure = " or ".join(_cure(fix) for fix in missed.fixes)
    return f"{head}: {_CAUSES[missed.binding]}." + (f" It would do to {cure}." if cure else "")


def _cure(fix: Fix) -> str:
    amount = fix.amount or 0.0
    match fix.means:
        case "later":
            return f"have them by {fix.by:%Y-%m-%d %H:%M}Z"
        case "queue":
            return f"have room for {amount:,.0f} requests in the queue"
        case "items":
            return f"leave {amount:,.0f} items out"
        case "budget":
            return f"allow ${amount:,.2f} in all, with reruns and what every job costs besides"
