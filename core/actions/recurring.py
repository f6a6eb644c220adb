"""Recurring schedules: what a user can do with them; pages and the command line call the same functions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isfinite

from core.actions.writing import allowance_of, perform
from core.audit import recorded
from core.errors import LotwiseError
from core.jobs.journal import Recorded
from core.jobs.predictions import known_of
from core.recurring.learning import Expected, at_stated_rate, learn_work
from core.recurring.runs import Due, Runs
from core.recurring.schedules import (
    Run,
    Schedule,
    add_schedule,
    pause_schedule,
    remove_schedule,
    run_of,
    schedule_named,
    schedules,
)
from core.schedule.cadence import Advice, NeededSooner, NothingRecurs, advise
from core.schedule.deadlines import Recurring
from core.schedule.lead import Lead, lead_of
from core.schedule.rhythm import Need, Rhythm, Way
from core.sizing.evidence import Evidence
from core.workspace import Workspace

CONFIDENCE = 0.95
_LOOKS = 3


class UnknownClass(LotwiseError):
    """There is no class of this id or name, or several have the name. The Classes page and `route list` show them."""


@dataclass(frozen=True, kw_only=True)
class Recommended:
    """The cadence for recurring work, and what it rests on: the days that were looked at, what has no price."""

    advice: Advice
    class_ids: tuple[str, ...] | None
    days: float
    unpriced: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Added:
    """A schedule that was added: its id and name, and when it sends for the first time."""

    schedule_id: str
    name: str
    next_due: datetime | None


def list_schedules(workspace: Workspace) -> tuple[Schedule, ...]:
    """Every recurring schedule with its last run, by name."""
    return schedules(workspace.store)


def schedule_runs(workspace: Workspace, name: str | None = None, *, limit: int = 50) -> tuple[tuple[str, Run], ...]:
    """The newest runs of all schedules, or of one: its name and the run. Raises `UnknownSchedule`."""
    schedule_id = None if name is None else schedule_named(workspace.store, name).schedule_id
    rows = workspace.store.query("schedule_runs", schedule_id=schedule_id, limit=limit).iter_rows(named=True)
    return tuple((row["name"], run_of(row)) for row in rows)


def recommend_cadence(
    workspace: Workspace,
    *,
    need: Need,
    now: datetime,
    confidence: float = CONFIDENCE,
    classes: Sequence[str] | None = None,
    items_a_day: float | None = None,
    zone: str = "UTC",
) -> Recommended:
    """How often, how big and when to send recurring work, so that its results are there in time at the least cost.

    `classes`: ids or names, None for all; `items_a_day`: the rate where what came in so far does not show it.
    Raises `NothingRecurs`, `NeededSooner` and `UnknownClass`.
    """
    class_ids = _class_ids(workspace, classes)
    evidence = _evidence(workspace, now)
    expected = _expected(workspace, evidence, now, class_ids)
    if not expected.work.streams:
        raise NothingRecurs(unpriced=", ".join(expected.unpriced) or None)
    if items_a_day is not None:
        expected = at_stated_rate(expected, items_a_day)
    lead = _lead(workspace, expected, evidence, need=need, confidence=confidence, now=now)
    advice = advise(expected.work, need=need, lead=lead.seconds, confidence=confidence, zone=zone, chance=lead.chance)
    return Recommended(advice=advice, class_ids=class_ids, days=expected.days, unpriced=expected.unpriced)


def rhythm_for(
    workspace: Workspace,
    *,
    way: Way,
    need: Need,
    now: datetime,
    lead: float | None = None,
    confidence: float = CONFIDENCE,
    classes: Sequence[str] | None = None,
    times: Sequence[Recurring] = (),
    hours: int | None = None,
    items: int | None = None,
) -> Rhythm:
    """The rhythm that somebody asks for; without a `lead` (seconds) the one that what came in lately needs.

    Raises `RhythmInvalid`, `NeededSooner` and `UnknownClass`.
    """
    class_ids = _class_ids(workspace, classes)
    if lead is None:
        evidence = _evidence(workspace, now)
        expected = _expected(workspace, evidence, now, class_ids)
        lead = _lead(workspace, expected, evidence, need=need, confidence=confidence, now=now).seconds
    if not isfinite(lead):
        raise NeededSooner(need=str(need), confidence=confidence)
    return Rhythm(way=way, need=need, lead=lead, times=tuple(times), hours=hours, items=items)


@recorded("add-schedule", "name", "schedule_id")
def add_recurring(
    workspace: Workspace,
    name: str,
    rhythm: Rhythm,
    *,
    now: datetime,
    confidence: float = CONFIDENCE,
    classes: Sequence[str] | None = None,
) -> Added:
    """Have the worker send what waits (or what is of these classes: ids or names) in that rhythm from now on.

    Raises `NameTaken`, `NameInvalid` and `UnknownClass`.
    """
    class_ids, by = _class_ids(workspace, classes), workspace.actor.name
    schedule_id = perform(
        workspace,
        lambda tx: add_schedule(tx, name, rhythm, confidence=confidence, class_ids=class_ids, now=now, by=by),
    )
    return Added(schedule_id=schedule_id, name=name, next_due=rhythm.next(now))


@recorded("pause-schedule", "name", "paused")
def pause_recurring(workspace: Workspace, name: str, *, paused: bool, now: datetime) -> None:
    """Have a schedule send nothing until it is resumed. Raises `UnknownSchedule`."""
    schedule = schedule_named(workspace.store, name)
    perform(workspace, lambda tx: pause_schedule(tx, schedule, paused=paused, now=now))


@recorded("remove-schedule", "name")
def remove_recurring(workspace: Workspace, name: str, *, now: datetime) -> None:
    """Have a schedule send nothing any more; what it sent stays. Raises `UnknownSchedule`."""
    schedule = schedule_named(workspace.store, name)
    perform(workspace, lambda tx: remove_schedule(tx, schedule, now=now))


@recorded("run-schedule", "name", "plan_id", "jobs", "confirmed")
def run_recurring(
    workspace: Workspace, name: str, *, now: datetime, confirmed: str | None = None, dry_run: bool = False
) -> Recorded:
    """Send what waits for a schedule now, in the name of who asks for it; `confirmed` as for `submit`.

    Raises `UnknownSchedule`, `RunTaken`, `NothingToPlan`, `OverBudget` and `SendingStopped`.
    """
    schedule = schedule_named(workspace.store, name)
    runs = Runs(
        store=workspace.store,
        folder=workspace.folder,
        gateway=workspace.gateway,
        book=workspace.book,
        settings=workspace.settings,
    )
    needed_by = runs.needed_by(schedule, now, now=now)
    due = Due(at=now, missed_from=None, class_ids=schedule.class_ids, needed_by=needed_by)
    allowance = allowance_of(workspace, now=now, confirmed=confirmed, dry_run=dry_run)
    made = runs.send(schedule, due, allowance, person=workspace.actor)
    workspace.worker.wake()
    return made


def _class_ids(workspace: Workspace, classes: Sequence[str] | None) -> tuple[str, ...] | None:
    """The classes that are meant by ids or names; None for all. Raises `UnknownClass`."""
    if not classes:
        return None
    found: list[str] = []
    for text in classes:
        named = workspace.store.query("class_named", text=text)["class_id"].to_list()
        if not named:
            raise UnknownClass(name=text)
        found += named
    return tuple(dict.fromkeys(found))


def _evidence(workspace: Workspace, now: datetime) -> Evidence:
    return known_of(workspace.store, workspace.gateway, workspace.settings, now=now)


def _expected(workspace: Workspace, evidence: Evidence, now: datetime, class_ids: tuple[str, ...] | None) -> Expected:
    return learn_work(
        workspace.store,
        workspace.book,
        workspace.settings,
        evidence,
        now=now,
        hour=workspace.gateway.cache_lifetime,
        class_ids=class_ids,
    )


def _lead(
    workspace: Workspace, expected: Expected, evidence: Evidence, *, need: Need, confidence: float, now: datetime
) -> Lead:
    """The lead, with a margin for the looks at which the worker sends, sees the primer's end and fetches results."""
    margin = _LOOKS * workspace.worker.poll_seconds
    return lead_of(expected.work, evidence, need=need, confidence=confidence, now=now, margin=margin)
