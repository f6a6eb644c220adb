"""Why cost moved: two periods compared, what moved by itself, what happened beside it, and what people say of that."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl

from core.audit import recorded
from core.errors import LotwiseError
from core.jobs.states import JobState
from core.trends import records
from core.trends.attribution import Attribution, attribute, attribute_unit_cost
from core.trends.date_range import DateRange
from core.trends.events import Event
from core.trends.expected import expected
from core.trends.movements import movements as found_movements
from core.trends.standing import SAME_DAYS, Finding, KnownEvent, Standing, standings
from core.trends.traces import traces
from core.trials.homes import NoSuchClass
from core.workspace import Workspace

SEARCHED = timedelta(days=400)
"""How far back movements are looked for: more points than that are not split exactly."""

_LINES = 100
"""Of each request file that are looked at for its class and its cap: all of them would be the whole store."""

_STUCK = timedelta(days=2)
"""A job that was sent so long ago is waited for no longer."""

_UNDER_WAY = (JobState.SENDING, JobState.UNKNOWN, JobState.RUNNING, JobState.ENDED)


class DaysReversed(LotwiseError):
    """The first of these days lies after the last one. Give them the other way round."""


class NoSuchMovement(LotwiseError):
    """There is no movement of this key, or new results changed what is known since it was listed. List them again."""


class NoteMissing(LotwiseError):
    """Whoever comes after you wants to know why: say in a few words what it was."""


class NoSuchKnownEvent(LotwiseError):
    """This known event was removed already."""


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Why the spend of some days differs from that of others, and the cost per unit.

    `spend` is in USD, by day where the two are not equally long (`by_day`); `unit_cost` is None where one of them has
    no usable item. `movements` are those within either.
    """

    days: DateRange
    against: DateRange
    class_name: str | None
    by_day: bool
    spend: Attribution
    unit_cost: Attribution | None
    movements: tuple[Standing, ...]
    events: tuple[Event, ...]


def explain(
    workspace: Workspace,
    *,
    now: datetime,
    first: date,
    last: date,
    against_first: date | None = None,
    against_last: date | None = None,
    class_named: str | None = None,
) -> Explanation:
    """Compare some days with others; without these, with as many days that many whole weeks earlier.

    `class_named`: an id or a name; None for all work. Raises `DaysReversed` and `NoSuchClass`.
    """
    days = DateRange(first=first, last=last)
    begin = against_first or days.weeks_earlier().first
    against = DateRange(first=begin, last=against_last or begin + timedelta(days=days.days - 1))
    if days.days < 1 or against.days < 1:
        raise DaysReversed(days=f"{first}/{last}", against=f"{against.first}/{against.last}")
    name = None if class_named is None else _line(workspace, class_named)
    before, after = (_cells(workspace, each, name) for each in (against, days))
    by_day = days.days != against.days
    whole = DateRange(first=min(first, against.first), last=max(last, against.last))
    near = [
        standing
        for standing in movements(workspace, now=now)
        if whole.first <= standing.movement.last and standing.movement.since <= whole.last
    ]
    return Explanation(
        days=days,
        against=against,
        class_name=name,
        by_day=by_day,
        spend=attribute(before, after, book=workspace.book, days=(against.days, days.days) if by_day else (1, 1)),
        unit_cost=attribute_unit_cost(before, after, book=workspace.book),
        movements=tuple(one for one in near if name is None or one.movement.class_name == name),
        events=tuple(
            event
            for event in _events(workspace, whole)
            if event.day <= whole.last and (name is None or event.class_name in {None, name})
        ),
    )


def movements(workspace: Workspace, *, now: datetime) -> tuple[Standing, ...]:
    """Every movement up to the last day whose results are all in, most dollars first, and where each one stands."""
    days = _searched(workspace, now)
    if days is None:
        return ()
    cells = _cells(workspace, days, None)
    today = days.last + timedelta(days=1)
    found = found_movements(cells, book=workspace.book, today=today, events=_events(workspace, days, cells))
    return standings(found, findings(workspace), known_events(workspace))


def judged_to(workspace: Workspace, *, now: datetime) -> date | None:
    """The last day whose results are all in, as far as anybody waits for them; None before the first day of work."""
    days = _searched(workspace, now)
    return None if days is None else days.last


def known_from(workspace: Workspace) -> date | None:
    """The first day of work; None before it."""
    first: date | None = workspace.store.query("movement_span", running=list(_UNDER_WAY))["first"][0]
    return first


def attributed(
    workspace: Workspace,
    before: DateRange,
    after: DateRange,
    *,
    class_name: str | None = None,
    models: tuple[str, ...] = (),
    tag: tuple[str, str] | None = None,
) -> Attribution:
    """The change of spend between two ranges of days as its parts, for one class, some models or one tag (name, value).

    By day where the two are not equally long. Empty `models` are all.
    """
    cells = [_cells(workspace, days, class_name, models=models, tag=tag) for days in (before, after)]
    days = (before.days, after.days) if before.days != after.days else (1, 1)
    return attribute(*cells, book=workspace.book, days=days)


def expected_spend(
    workspace: Workspace,
    *,
    told: Iterable[Standing] = (),
    class_name: str | None = None,
    models: tuple[str, ...] = (),
    tag: tuple[str, str] | None = None,
    now: datetime,
) -> pl.DataFrame:
    """Spend by day beside what was to be expected of it: rows of `core.trends.expected`, up to the last whole day.

    `told`: the movements that are known, whose steps are no surprise. Empty `models` are all.
    """
    days = _searched(workspace, now) or DateRange(first=now.date(), last=now.date())
    cells = _cells(workspace, days, class_name, models=models, tag=tag)
    return expected(cells, last=days.last, told=[standing.movement for standing in told])


def known_events(workspace: Workspace) -> tuple[KnownEvent, ...]:
    """Days on which something is known to happen, the newest first."""
    return tuple(KnownEvent(**row) for row in workspace.store.query("known_events").iter_rows(named=True))


def findings(workspace: Workspace) -> tuple[Finding, ...]:
    """What was said of movements that were dealt with, the newest word first."""
    return tuple(Finding(**row) for row in workspace.store.query("findings").iter_rows(named=True))


@recorded("resolve-movement", "key")
def resolve_movement(workspace: Workspace, key: str, *, note: str, now: datetime) -> None:
    """Say that a movement is dealt with, and why; it opens again once it is half as much again.

    Raises `NoteMissing` and `NoSuchMovement`.
    """
    if not note.strip():
        raise NoteMissing
    movement = _standing(workspace, key, now=now).movement
    workspace.store.write(
        lambda tx: tx.run(
            "add_finding",
            key=key,
            class_name=movement.class_name,
            kind=movement.kind,
            since=movement.since,
            usd_month=movement.usd_month,
            note=note.strip(),
            now=now,
            by=workspace.actor.name,
        )
    )


@recorded("reopen-movement", "key")
def reopen_movement(workspace: Workspace, key: str, *, now: datetime) -> None:
    """Take back that a movement is dealt with. Raises `NoSuchMovement`."""
    movement = _standing(workspace, key, now=now).movement
    about = {"class_name": movement.class_name, "kind": movement.kind, "since": movement.since, "days": SAME_DAYS}
    workspace.store.write(lambda tx: tx.run("reopen_finding", **about, now=now, by=workspace.actor.name))


@recorded("add-known-event", "first", "last", "class_name")
def add_known_event(
    workspace: Workspace, *, first: date, last: date, said: str, class_name: str | None = None, now: datetime
) -> KnownEvent:
    """Note days on which something is known to happen, to all work or to one class: what moves within is no alarm.

    Raises `DaysReversed` and `NoteMissing`.
    """
    if last < first:
        raise DaysReversed(days=f"{first}/{last}")
    if not said.strip():
        raise NoteMissing(days=f"{first}/{last}")
    event = KnownEvent(
        event_id=secrets.token_hex(6),
        class_name=class_name,
        first_day=first,
        last_day=last,
        said=said.strip(),
        added_by=workspace.actor.name,
    )
    workspace.store.write(
        lambda tx: tx.run(
            "add_known_event",
            event_id=event.event_id,
            class_name=class_name,
            first=first,
            last=last,
            said=event.said,
            now=now,
            by=event.added_by,
        )
    )
    return event


@recorded("remove-known-event", "event_id")
def remove_known_event(workspace: Workspace, event_id: str, *, now: datetime) -> None:
    """Forget a known event. Raises `NoSuchKnownEvent`."""
    removed = workspace.store.write(
        lambda tx: tx.run("remove_known_event", event_id=event_id, now=now, by=workspace.actor.name)
    )
    if not removed:
        raise NoSuchKnownEvent(event_id=event_id)


def _standing(workspace: Workspace, key: str, *, now: datetime) -> Standing:
    for standing in movements(workspace, now=now):
        if standing.movement.key == key:
            return standing
    raise NoSuchMovement(key=key)


def _line(workspace: Workspace, named: str) -> str:
    names = workspace.store.query("movement_line", named=named)["class_name"].to_list()
    if len(names) != 1:
        raise NoSuchClass(name=named, ids=None)
    return str(names[0])


def _searched(workspace: Workspace, now: datetime) -> DateRange | None:
    """The days in which movements are looked for: up to the last one whose results are all in; None where none is."""
    span = workspace.store.query("movement_span", running=list(_UNDER_WAY)).row(0, named=True)
    if span["first"] is None:
        return None
    # A batch ends within a day: a job that is under way for longer is stuck, and must not keep all others from being
    # judged.
    today = max(min(now.date(), span["under_way"] or now.date()), now.date() - _STUCK)
    days = DateRange(first=max(span["first"], today - SEARCHED), last=today - timedelta(days=1))
    return days if days.days > 0 else None


def _cells(
    workspace: Workspace,
    days: DateRange,
    class_name: str | None,
    *,
    models: tuple[str, ...] = (),
    tag: tuple[str, str] | None = None,
) -> pl.DataFrame:
    name, value = tag or (None, None)
    return workspace.store.query(
        "movement_cells",
        first=days.first,
        last=days.last,
        class_name=class_name,
        models=list(models),
        tag_name=name,
        tag_value=value,
    )


def _events(workspace: Workspace, days: DateRange, cells: pl.DataFrame | None = None) -> Sequence[Event]:
    """Everything that happened since the first of these days, as the cells and the records of the store tell it."""
    store, first = workspace.store, days.first
    cells = _cells(workspace, days, None) if cells is None else cells
    found = [
        *traces(cells, store.query("movement_classes")),
        *records.prices(workspace.book, cells["model"].unique().to_list(), first=first),
        *records.priming(store.query("movement_jobs", first=first)),
        *records.plans(store.query("movement_plans", first=first)),
        *records.items(store.query("movement_items", first=first, lines=_LINES)),
        *records.routes(store.query("movement_routes")),
        *records.schedules(store.query("movement_schedules")),
    ]
    return sorted(
        (event for event in found if event.day >= first),
        key=lambda event: (event.day, event.class_name or "", event.said),
    )
