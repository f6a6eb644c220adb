"""How long before a need recurring work has to be sent: a cycle's jobs together, primer and one repair round. Pure."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from core.schedule.arrivals import DAYS_A_WEEK, Stream, Work
from core.schedule.rhythm import Need, Within
from core.schedule.window import Arrival, arrival, in_chains, repair_needed
from core.sizing.evidence import Evidence

_HOURS_A_WEEK = 168.0
_MINUTE = 60.0


@dataclass(frozen=True, kw_only=True)
class Lead:
    """Seconds that a cycle's work needs from sending to results, at a confidence; and the chance of any other time."""

    seconds: float
    chance: Callable[[float], float]


def lead_of(
    work: Work, evidence: Evidence, *, need: Need, confidence: float, now: datetime, margin: float = 0.0
) -> Lead:
    """The lead of sending all of a mean cycle at once, the slowest that a rhythm can do; without work, of a small job.

    Whole minutes; infinite where no time is enough at that confidence. `margin`: seconds that are added for what is not
    in the turnaround of jobs: sending them, and noticing that they ended.
    """
    cycle = _whole_cycle(work, evidence, need, now)
    needed = cycle.needed(confidence) + margin
    seconds = math.ceil(needed / _MINUTE) * _MINUTE if math.isfinite(needed) else math.inf
    return Lead(seconds=seconds, chance=lambda slack: cycle.on_time(slack - margin))


def _whole_cycle(work: Work, evidence: Evidence, need: Need, now: datetime) -> Arrival:
    if not work.streams:
        return arrival(evidence.turnaround("", 1, now), chains={1: 1})
    share = _cycles_a_week(need)
    sizes = [_jobs(stream, float(stream.items.sum()) * DAYS_A_WEEK / work.days / share) for stream in work.streams]
    (largest, _), stream = max(zip(sizes, work.streams, strict=True), key=lambda pair: pair[0][0])
    failing = min(stream.plain.fault_rate + stream.plain.unbilled_fault_rate, 1.0)
    body = evidence.turnaround(stream.model, largest, now, stream.class_id)
    return arrival(
        body,
        chains=in_chains(sum(jobs for _, jobs in sizes), None),
        primer=evidence.turnaround(stream.model, len(work.streams), now) if stream.primed else None,
        repair=evidence.turnaround(stream.model, max(1, math.ceil(largest * failing)), now, stream.class_id),
        repair_chance=repair_needed(largest, failing),
    )


def _jobs(stream: Stream, items: float) -> tuple[int, int]:
    """Items of one job, and the number of jobs, when so many items are sent at once."""
    whole = max(1, math.ceil(items))
    jobs = math.ceil(whole / stream.plain.best(whole))
    return math.ceil(whole / jobs), jobs


def _cycles_a_week(need: Need) -> float:
    return _HOURS_A_WEEK / need.hours if isinstance(need, Within) else float(len(need.days))
