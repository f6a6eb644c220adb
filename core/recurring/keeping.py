"""Keeping recurring schedules: which runs are due, which wait for an earlier one, and what the clock did meanwhile."""

import logging
from datetime import datetime

from core.errors import LotwiseError
from core.jobs.journal import PlanOutdated
from core.jobs.spending import Allowance, OverBudget
from core.jobs.states import JobState
from core.planning.plan import NothingToPlan
from core.recurring.runs import Due, Runs, RunTaken
from core.recurring.schedules import Schedule, schedules
from core.schedule.rhythm import Way

_log = logging.getLogger(__name__)
_OVER = (JobState.DONE, JobState.GONE, JobState.FAILED, JobState.CANCELED)


class Keeping:
    """The worker's part in recurring schedules; all that it knows is in the store, so any process may go on with it.

    A run that was missed, however often, is made up for once. One that is due while an earlier run of the same work
    is under way waits for that. Setting the clock makes no moment come twice: one that had its run is passed over.
    """

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._looked: tuple[int, datetime] | None = None
        self._look_at: datetime | None = None

    def keep(self, *, now: datetime) -> None:
        """Make every run that is due; costs nothing while nothing was written and nothing is due."""
        version = self._runs.store.version
        if self._nothing_new(version, now):
            return
        looks = [self._look(schedule, now) for schedule in schedules(self._runs.store) if schedule.paused_at is None]
        # What was written by now, this look's own runs included, is seen by the next look.
        self._looked, self._look_at = (version, now), min((at for at in looks if at is not None), default=None)

    def _nothing_new(self, version: int, now: datetime) -> bool:
        """Whether nothing was written since the last look, nothing is due, and the clock was not set back."""
        if self._looked is None or self._looked[0] != version or now < self._looked[1]:
            return False
        return self._look_at is None or now < self._look_at

    def _look(self, schedule: Schedule, now: datetime) -> datetime | None:
        """Make the run of a schedule that is due, if one is; when to look again, None where only a write can matter."""
        if schedule.next_due is not None and schedule.next_due > now:
            return self._after_clock_was_set(schedule, now)
        return self._queue(schedule, now) if schedule.rhythm.way is Way.QUEUE else self._clock(schedule, now)

    def _clock(self, schedule: Schedule, now: datetime) -> datetime | None:
        missed_from = schedule.next_due or now
        if under_way := self._under_way(schedule):
            self._wait(schedule, under_way)
            return None
        newest = schedule.rhythm.newest(missed_from, now)
        due = Due(
            at=newest,
            missed_from=None if newest == missed_from else missed_from,
            class_ids=schedule.class_ids,
            needed_by=self._runs.needed_by(schedule, newest, now=now),
        )
        self._run(schedule, due, now)
        return schedule.rhythm.next(now)

    def _queue(self, schedule: Schedule, now: datetime) -> datetime | None:
        """Send the classes of which enough waits, or whose oldest item has to go; the others wait on."""
        rhythm, waiting = schedule.rhythm, self._runs.waiting(schedule)
        latest = {class_id: rhythm.latest_send(oldest) for class_id, (_, oldest) in waiting.items()}
        ready = {name for name, (items, _) in waiting.items() if items >= rhythm.enough(name) or latest[name] <= now}
        under_way = {name: jobs for name, jobs in self._under_way(schedule).items() if name in ready}
        if going := sorted(ready - under_way.keys()):
            oldest = min(waiting[name][1] for name in going)
            needed = rhythm.needed(oldest)
            needed_by = needed if needed > now else rhythm.needed(now)
            self._run(schedule, Due(at=now, missed_from=None, class_ids=tuple(going), needed_by=needed_by), now)
        elif under_way:
            self._wait(schedule, under_way)
        return min((at for name, at in latest.items() if name not in ready), default=None)

    def _run(self, schedule: Schedule, due: Due, now: datetime) -> None:
        try:
            self._send(schedule, due, now)
        except (RunTaken, PlanOutdated):
            _log.info("schedule %s moved on meanwhile", schedule.name)

    def _send(self, schedule: Schedule, due: Due, now: datetime) -> None:
        runs = self._runs
        allowance = Allowance(settings=runs.settings, now=now, by=schedule.actor.name)
        try:
            runs.send(schedule, due, allowance)
        except (RunTaken, PlanOutdated):
            raise
        except NothingToPlan:
            runs.not_sent(schedule, due, now=now, state="empty", reason=None)
        except OverBudget as error:
            amount = error.check.confirm
            runs.not_sent(schedule, due, now=now, state="refused", reason=error.message, amount=amount)
        except LotwiseError as error:
            runs.not_sent(schedule, due, now=now, state="refused", reason=str(error))
        except Exception as error:  # a schedule that cannot be planned must not be planned at every look
            _log.exception("schedule %s met something unexpected", schedule.name)
            runs.not_sent(
                schedule,
                due,
                now=now,
                state="failed",
                reason=f"Lotwise met something unexpected: {type(error).__name__}",
            )

    def _after_clock_was_set(self, schedule: Schedule, now: datetime) -> datetime | None:
        """The next moment that had no run: earlier than it was stored where the clock ran ahead and was set back."""
        known = schedule.created_at if schedule.last is None else schedule.last.started_at
        if known <= now:
            return schedule.next_due
        ran = set(self._runs.store.query("runs_due", schedule_id=schedule.schedule_id, since=now)["due_at"])
        following = next((at for at in schedule.rhythm.moments(now) if at not in ran), now)
        if schedule.next_due is None or following >= schedule.next_due:
            return schedule.next_due
        values = {"next_due": following, "paused_at": None}
        self._runs.store.write(lambda tx: tx.run("set_next_due", schedule_id=schedule.schedule_id, **values))
        return following

    def _under_way(self, schedule: Schedule) -> dict[str, tuple[int, int]]:
        """By class, how many jobs of earlier runs are not over, and how many of them a person holds up."""
        rows = self._runs.store.query("schedule_under_way", schedule_id=schedule.schedule_id, over=list(_OVER))
        return {class_id: (jobs, held) for class_id, jobs, held in rows.iter_rows()}

    def _wait(self, schedule: Schedule, under_way: dict[str, tuple[int, int]]) -> None:
        """Say why a run that is due has not begun."""
        if any(held for _, held in under_way.values()):
            reason = "A job of an earlier run is held: release it or call it off"
        else:
            reason = "An earlier run is still under way"
        if schedule.waits_for != reason:
            values = {"schedule_id": schedule.schedule_id, "reason": reason}
            self._runs.store.write(lambda tx: tx.run("set_waits_for", **values))
