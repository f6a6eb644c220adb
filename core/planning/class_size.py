"""The size of a class's jobs: its costs and limits from its cache plan and what was learned of it. Pure."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.planning.envelope import BODY_FRAME_BYTES
from core.planning.groups import Group, Kind
from core.planning.needs import Needs
from core.schedule.window import largest_alone, largest_in_time, on_time, surest_in_time
from core.settings import Settings
from core.sizing.constraints import Limits
from core.sizing.evidence import Evidence
from core.sizing.faults import repair_jobs
from core.sizing.job_costs import FLAT, LARGEST, JobCosts
from core.sizing.recommendation import Recommendation, recommend
from core.sizing.turnaround import Turnaround

# Even a job that nobody looks at is one more to follow: were it free, each item might have its own.
_LEAST_JOB_USD = 0.01
# A queue that is nearly full empties again: no job is made smaller for it than this share of its limit.
_LEAST_ROOM = 0.1


@dataclass(frozen=True, kw_only=True)
class ClassSize:
    """How large the jobs of a group of items should be, and why; costs and advice are None where it has no price."""

    group: Group
    costs: JobCosts | None
    limits: Limits
    recommendation: Recommendation | None

    @property
    def items(self) -> int:
        """Items that one job should carry at most."""
        if self.recommendation is None:
            return min(self.limits.requests, self.limits.queue_headroom or self.limits.requests)
        return self.recommendation.even_items or self.recommendation.items

    @property
    def decided_by(self) -> str:
        """What decided that: a constraint, "least_cost", or that there is no price to go by."""
        return "unpriced" if self.recommendation is None else self.recommendation.binding


@dataclass(frozen=True, kw_only=True)
class Sizing:
    """What the size of every job of a plan depends on."""

    settings: Settings
    evidence: Evidence
    needs: Needs
    now: datetime

    def size(self, group: Group) -> ClassSize:
        """The size of the jobs of a group of bodies."""
        costs = None if group.item_usd is None else self._costs(group, group.item_usd)
        limits = self._limits(group)
        return ClassSize(
            group=group,
            costs=costs,
            limits=limits,
            recommendation=None if costs is None else recommend(costs, limits),
        )

    def is_small(self, group: Group) -> bool:
        """Whether one job takes all of a group, and costs noticeably more an item than one of the best size would."""
        costs = None if group.item_usd is None else self._costs(group, group.item_usd)
        if costs is None or not self._fits_one_job(group, costs):
            return False
        # What another size costs bounds what the best one does; that mostly settles it.
        alone, near = costs.usd_at(group.items), costs.young()
        if group.items < near and alone > (1 + FLAT) * costs.usd_at(near):
            return True
        best = costs.best(LARGEST)
        return group.items < best and alone > (1 + FLAT) * costs.usd_at(best)

    def turnaround(self, group: Group, items: int) -> Turnaround:
        """How long a job of so many items of a group takes."""
        return self.evidence.turnaround(group.model, items, self.now, group.class_id)

    def fault_rate(self, group: Group) -> float:
        """Chance that an item has to be sent again, billed or not."""
        faults = self.evidence.faults(group.class_id, group.model)
        billed = faults.fault_rate.mean if self.needs.fault_rate is None else self.needs.fault_rate
        return min(billed + faults.unbilled_rate.mean, 1.0)

    def _fits_one_job(self, group: Group, costs: JobCosts) -> bool:
        return (
            group.items <= min(self.settings.max_job_requests, self.queue_room)
            and group.bytes <= self.settings.max_job_bytes - BODY_FRAME_BYTES
            and costs.hot_usd * group.items <= self._blast_usd
        )

    def _costs(self, group: Group, item_usd: float) -> JobCosts:
        """What canaries catch never reaches a job, so the faults that were seen are those that get past them."""
        faults, needs = self.evidence.faults(group.class_id, group.model), self.needs
        job_usd = self.settings.job_cost_usd if needs.job_usd is None else needs.job_usd
        return JobCosts(
            hot_usd=item_usd,
            # Where classes share jobs, larger ones carry more prefixes, and spread no prefix over more items.
            once_usd=group.once_usd if group.kind == Kind.PRIMED and group.class_id else 0.0,
            job_usd=max(float(job_usd), _LEAST_JOB_USD) * (1 + repair_jobs(group.items, self.fault_rate(group))),
            void_rate=faults.void_rate.mean if needs.void_rate is None else needs.void_rate,
            fault_rate=faults.fault_rate.mean if needs.fault_rate is None else needs.fault_rate,
            unbilled_fault_rate=faults.unbilled_rate.mean,
        )

    def _limits(self, group: Group) -> Limits:
        needs, settings = self.needs, self.settings
        blast_hours = settings.blast_radius_hours if needs.blast_hours is None else needs.blast_hours
        rerun_items = largest_alone(
            lambda items: self.turnaround(group, items),
            most=settings.max_job_requests,
            seconds=timedelta(hours=blast_hours).total_seconds(),
            confidence=needs.confidence,
        )
        in_time = (None, None) if group.deadline is None else self._in_window(group, group.deadline)
        return Limits(
            requests=settings.max_job_requests,
            bytes=settings.max_job_bytes - BODY_FRAME_BYTES,
            item_bytes=group.bytes / group.items,
            queue_headroom=self.queue_room,
            blast_usd=self._blast_usd,
            blast_hours=blast_hours,
            rerun_items=rerun_items or 0,
            window_items=in_time[0],
            window_nearest=in_time[1],
            backlog=group.items,
        )

    @property
    def _blast_usd(self) -> float:
        return float(self.settings.blast_radius_usd if self.needs.blast_usd is None else self.needs.blast_usd)

    @property
    def queue_room(self) -> int:
        """Requests that a job may have for the queue's sake: what is free, but never next to nothing."""
        limit, room = self.settings.queue_limit, self.needs.queue_room
        return limit if room is None else max(room, math.ceil(_LEAST_ROOM * limit))

    def _in_window(self, group: Group, deadline: datetime) -> tuple[int, int | None]:
        """The largest size with which all of the group is there in time, repaired once; else 0 and the surest."""
        primer = self.turnaround(group, 1) if group.kind == Kind.PRIMED else None
        most, seconds = self.settings.max_job_requests, (deadline - self.now).total_seconds()
        found = largest_in_time(
            lambda items: self.turnaround(group, items),
            items=group.items,
            most=most,
            seconds=seconds,
            confidence=self.needs.confidence,
            queue_room=self.queue_room,
            primer=primer,
            repair_of=lambda items: self.turnaround(group, items),
            fault_rate=self.fault_rate(group),
        )
        if found is not None:
            return found, None

        def chance(size: int) -> float:
            jobs = math.ceil(group.items / size)
            at_once = max(self.queue_room // size, 1)
            return on_time(self.turnaround(group, size), jobs=jobs, seconds=seconds, at_once=at_once, primer=primer)

        return 0, surest_in_time(chance, items=group.items, most=min(most, self.queue_room))
