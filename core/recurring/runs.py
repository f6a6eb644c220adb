"""One run of a recurring schedule: sent and recorded in one transaction, or not sent and the reason kept."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from core.audit import note
from core.errors import LotwiseError
from core.gateway import Gateway
from core.jobs.drafting import draft_backlog
from core.jobs.journal import Recorded, record_plan
from core.jobs.spending import Allowance
from core.planning.needs import Needs
from core.prices import PriceBook
from core.recurring.schedules import Schedule
from core.roles import Actor
from core.schedule.rhythm import Way, Within
from core.settings import Settings
from core.store import Store, Transaction

# A queue that may not be sent stays long enough: it is tried again after this, not at every look.
_QUEUE_REST = timedelta(hours=1)


class RunTaken(LotwiseError):
    """This schedule ran, was paused or was removed just now, so nothing was sent. Look at its last run."""


@dataclass(frozen=True, kw_only=True)
class Due:
    """A run to be made: due `at` (and for earlier ones, from `missed_from` on), of these classes (None: all)."""

    at: datetime
    missed_from: datetime | None
    class_ids: tuple[str, ...] | None
    needed_by: datetime


@dataclass(frozen=True, kw_only=True)
class Runs:
    """Makes runs of schedules on a workspace."""

    store: Store
    folder: Path
    gateway: Gateway
    book: PriceBook
    settings: Settings

    def send(self, schedule: Schedule, due: Due, allowance: Allowance, *, person: Actor | None = None) -> Recorded:
        """Plan and send what waits, in the name of the schedule or of a person; a rehearsal keeps nothing of it.

        Raises what planning and the budgets raise, and `RunTaken`; then nothing is sent or recorded.
        """
        plan = draft_backlog(
            self.store,
            self.folder,
            self.gateway,
            self.book,
            self.settings,
            now=allowance.now,
            needs=Needs(deadline=due.needed_by, confidence=schedule.confidence),
            class_ids=due.class_ids,
        )

        def record(tx: Transaction, made: Recorded) -> None:
            of_plan = {"items": plan.items, "predicted_usd": plan.predicted_usd}
            sent = {"plan_id": made.plan_id, "jobs": len(made.jobs), **of_plan}
            _record(tx, schedule, due, "sent", sent, now=allowance.now, person=person)

        return record_plan(
            self.store, plan, now=allowance.now, simulated=self.gateway.simulated, allowance=allowance, then=record
        )

    def not_sent(
        self, schedule: Schedule, due: Due, *, now: datetime, state: str, reason: str | None, amount: str | None = None
    ) -> None:
        """Write down that a run sent nothing, and why. Raises `RunTaken`."""
        why = {"reason": reason, "amount": amount}
        self.store.write(lambda tx: _record(tx, schedule, due, state, why, now=now, person=None))

    def waiting(self, schedule: Schedule) -> dict[str, tuple[int, datetime]]:
        """What waits of each of its classes, and since when."""
        ids = None if schedule.class_ids is None else list(schedule.class_ids)
        rows = self.store.query("waiting_by_class", class_ids=ids).iter_rows()
        return {class_id: (items, oldest) for class_id, items, oldest in rows}

    def needed_by(self, schedule: Schedule, due_at: datetime, *, now: datetime) -> datetime:
        """When the results of a run due then are needed; where that has passed, those of one that is due now."""
        rhythm = schedule.rhythm
        came = due_at
        if isinstance(rhythm.need, Within):
            came = min((oldest for _, oldest in self.waiting(schedule).values()), default=now)
        needed = rhythm.needed(came)
        return needed if needed > now else rhythm.needed(now)


def _record(
    tx: Transaction,
    schedule: Schedule,
    due: Due,
    state: str,
    what: dict[str, Any],
    *,
    now: datetime,
    person: Actor | None,
) -> None:
    """Claim the next run of the schedule as it was read, and write down what it did. Raises `RunTaken`."""
    rests = schedule.rhythm.way is Way.QUEUE and state != "sent"
    claimed = tx.run(
        "claim_run",
        schedule_id=schedule.schedule_id,
        runs=schedule.runs,
        next_due=now + _QUEUE_REST if rests else schedule.rhythm.next(now),
        by_person=person is not None,
    )
    if not claimed:
        raise RunTaken(name=schedule.name)
    by = person or schedule.actor
    nothing = {"reason": None, "amount": None, "plan_id": None, "items": 0, "jobs": 0, "predicted_usd": None}
    tx.run(
        "add_run",
        schedule_id=schedule.schedule_id,
        number=claimed[0]["runs"],
        due_at=due.at,
        missed_from=due.missed_from,
        now=now,
        by=by.name,
        needed_by=due.needed_by,
        state=state,
        **nothing | what,
    )
    if person is None:  # what a person does is recorded as their action
        note(tx, "run-schedule", by=by, schedule=schedule.name, state=state, **what)
