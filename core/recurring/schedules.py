"""Recurring schedules as they are stored: when each sends what, and what its last run did."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson

from core.errors import LotwiseError
from core.planning.identity import new_job_id
from core.roles import Actor, Role
from core.roles import Way as Hand
from core.schedule.rhythm import Rhythm, Way, parse_need, parse_recurring
from core.store import Store, Transaction

Row = dict[str, Any]
LONGEST_NAME = 60


class NameTaken(LotwiseError):
    """There is a schedule of this name already. Remove it first, or take another name."""


class NameInvalid(LotwiseError):
    """A schedule has a name of its own, on one line, that is not too long."""


class UnknownSchedule(LotwiseError):
    """There is no schedule of this name. `python -m core schedule list` shows them all."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run: what it sent, or why nothing; `state`: sent, empty (nothing waited), refused or failed.

    `missed_from`: it made up for earlier runs too, due from then on; `amount`: what a person has to confirm to send it
    all the same; `under_way`: jobs that are not over; `ready_at`: when the last results came in; `needed_by`: when they
    were to be there.
    """

    number: int
    due_at: datetime
    missed_from: datetime | None
    started_at: datetime
    started_by: str
    state: str
    reason: str | None
    amount: str | None
    plan_id: str | None
    items: int
    jobs: int
    predicted_usd: Decimal | None
    needed_by: datetime
    under_way: int
    succeeded: int
    ready_at: datetime | None

    @property
    def needs_person(self) -> bool:
        """Whether nothing was sent and somebody has to look at it."""
        return self.state in {"refused", "failed"}


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A recurring schedule and its last run; `class_ids`: what it sends, None for all that waits."""

    schedule_id: str
    name: str
    rhythm: Rhythm
    confidence: float
    class_ids: tuple[str, ...] | None
    created_at: datetime
    created_by: str
    paused_at: datetime | None
    next_due: datetime | None
    runs: int
    waits_for: str | None
    last: Run | None

    @property
    def actor(self) -> Actor:
        """In whose name its runs are recorded."""
        return Actor(name=f"schedule {self.name}", role=Role.OPERATOR, how=Hand.WORKER)


def schedule_state(schedule: Schedule) -> str:
    """Where a schedule stands: paused, needs a person, waits for an earlier run, running, or active."""
    if schedule.paused_at is not None:
        return "paused"
    if schedule.last is not None and schedule.last.needs_person:
        return "needs a person"
    if schedule.waits_for is not None:
        return "waits"
    return "running" if schedule.last is not None and schedule.last.under_way else "active"


def schedules(store: Store) -> tuple[Schedule, ...]:
    """Every schedule that was not removed, by name."""
    return tuple(_schedule(row) for row in store.query("schedules").iter_rows(named=True))


def schedule_named(store: Store, name: str) -> Schedule:
    """The schedule of that name. Raises `UnknownSchedule`."""
    for schedule in schedules(store):
        if schedule.name == name:
            return schedule
    raise UnknownSchedule(name=name)


def add_schedule(
    tx: Transaction,
    name: str,
    rhythm: Rhythm,
    *,
    confidence: float,
    class_ids: Sequence[str] | None,
    now: datetime,
    by: str,
) -> str:
    """Store a new schedule, due at the first moment after now; return its id. Raises `NameTaken`, `NameInvalid`."""
    if not name.isprintable() or not name.strip() or len(name) > LONGEST_NAME:
        raise NameInvalid(longest=LONGEST_NAME)
    added = tx.run(
        "add_schedule",
        schedule_id=new_job_id(),
        name=name,
        way=rhythm.way,
        times=[str(time) for time in rhythm.times],
        hours=rhythm.hours,
        items=rhythm.items,
        class_items=orjson.dumps(dict(rhythm.class_items)).decode(),
        need=str(rhythm.need),
        lead_seconds=rhythm.lead,
        confidence=confidence,
        class_ids=None if class_ids is None else list(class_ids),
        now=now,
        by=by,
        next_due=rhythm.next(now),
    )
    if not added:
        raise NameTaken(name=name)
    return str(added[0]["schedule_id"])


def pause_schedule(tx: Transaction, schedule: Schedule, *, paused: bool, now: datetime) -> None:
    """Have it send nothing until it is resumed; what was due in between is not made up for."""
    if paused:
        values = {"next_due": schedule.next_due, "paused_at": schedule.paused_at or now}
    else:
        values = {"next_due": schedule.rhythm.next(now), "paused_at": None}
    tx.run("set_next_due", schedule_id=schedule.schedule_id, **values)


def remove_schedule(tx: Transaction, schedule: Schedule, *, now: datetime) -> None:
    """Have it send nothing any more; what it sent stays."""
    tx.run("remove_schedule", schedule_id=schedule.schedule_id, now=now)


def _schedule(row: Row) -> Schedule:
    last = None if row["run"] is None else run_of(row | {"number": row["run"], "items": row["run_items"]})
    return Schedule(
        schedule_id=row["schedule_id"],
        name=row["name"],
        rhythm=Rhythm(
            way=Way(row["way"]),
            need=parse_need(row["need"]),
            lead=row["lead_seconds"],
            times=tuple(parse_recurring(text) for text in row["times"]),
            hours=row["hours"],
            items=row["items"],
            class_items=orjson.loads(row["class_items"]),
        ),
        confidence=row["confidence"],
        class_ids=None if row["class_ids"] is None else tuple(row["class_ids"]),
        created_at=row["created_at"],
        created_by=row["created_by"],
        paused_at=row["paused_at"],
        next_due=row["next_due"],
        runs=row["runs"],
        waits_for=row["waits_for"],
        last=last,
    )


def run_of(row: Row) -> Run:
    """A row of `recurring_run_status`."""
    return Run(**{name: row[name] for name in Run.__dataclass_fields__})
