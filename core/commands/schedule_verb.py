"""The verb `schedule`: recurring schedules listed, recommended, added, paused, resumed, run and removed."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from core import actions
from core.caching.item_costs import money
from core.recurring.schedules import Schedule, schedule_state
from core.schedule.cadence import Cadence
from core.schedule.rhythm import Way, parse_need, parse_recurring
from core.workspace import Workspace, utc_now

Document = dict[str, Any]
_MINUTE = 60.0
_HOUR = 3600.0


def schedule(workspace: Workspace, *, do: str, name: str | None = None, **stated: Any) -> Document:
    """Do one thing with recurring schedules, and show what there is afterwards."""
    now = utc_now()
    match do:
        case "recommend":
            return _recommend(workspace, name, **stated)
        case "add":
            rhythm = actions.rhythm_for(workspace, now=now, **_wish(**stated))
            chosen = {"confidence": stated["confidence"], "classes": stated["classes"]}
            actions.add_recurring(workspace, str(name), rhythm, now=now, **chosen)
        case "remove":
            actions.remove_recurring(workspace, str(name), now=now)
        case "pause" | "resume":
            actions.pause_recurring(workspace, str(name), paused=do == "pause", now=now)
        case "run":
            return _run(workspace, str(name), **stated)
    return {"schedules": [_row(one) for one in actions.list_schedules(workspace)]}


def _run(workspace: Workspace, name: str, *, confirm: str | None, dry_run: bool, **_: Any) -> Document:
    made = actions.run_recurring(workspace, name, now=utc_now(), confirmed=confirm, dry_run=dry_run)
    document = {"name": name, "plan_id": made.plan_id, "jobs": made.jobs, "confirm": made.check.confirm}
    if dry_run:  # its ids are of nothing
        return document | {"plan_id": None, "jobs": (), "would_be_jobs": len(made.jobs)}
    workspace.worker.tick()  # a process without a worker thread sends them now
    return document


def _recommend(
    workspace: Workspace,
    name: str | None,
    *,
    need: str,
    confidence: float,
    classes: Sequence[str] | None,
    items_a_day: float | None,
    **_: Any,
) -> Document:
    """What to do; with a name it is done as well."""
    now = utc_now()
    found = actions.recommend_cadence(
        workspace,
        need=parse_need(need, zone="UTC"),
        now=now,
        confidence=confidence,
        classes=classes,
        items_a_day=items_a_day,
    )
    advice = found.advice
    if name is not None:
        actions.add_recurring(
            workspace, name, advice.best.rhythm, now=now, confidence=confidence, classes=found.class_ids
        )
    return {
        "need": need,
        "confidence": confidence,
        "send_before_need_minutes": round(advice.lead / _MINUTE),
        "learned_from_days": None if items_a_day is not None else round(found.days, 1),
        "unpriced_classes": found.unpriced,
        "added": name,
        "recommended": _cadence(advice.best),
        "alternatives": [_cadence(cadence) for cadence in advice.others],
    }


def _wish(
    *,
    need: str,
    confidence: float,
    classes: Sequence[str] | None,
    at: Sequence[str],
    every: int | None,
    before: bool,
    queue: int | None,
    lead_minutes: float | None,
    **_: Any,
) -> Document:
    """What `rhythm_for` is asked for, of the one way that was named."""
    way = Way.AT if at else Way.EVERY if every is not None else Way.BEFORE if before else Way.QUEUE
    return {
        "way": way,
        "need": parse_need(need, zone="UTC"),
        "lead": None if lead_minutes is None else lead_minutes * _MINUTE,
        "confidence": confidence,
        "classes": classes,
        "times": [parse_recurring(text, zone="UTC") for text in at],
        "hours": every,
        "items": queue,
    }


def _cadence(cadence: Cadence) -> Document:
    return {
        "rhythm": str(cadence.rhythm),
        "cache_lifetime": cadence.lifetime,
        "chained": cadence.chained,
        "week_usd": money(cadence.week_usd),
        "item_usd": money(cadence.item_usd),
        "sends_a_week": round(cadence.sends_a_week, 1),
        "jobs_a_week": round(cadence.jobs_a_week, 1),
        "items_a_send": round(cadence.items_a_send, 1),
        "mean_wait_hours": round(cadence.wait_seconds / _HOUR, 2),
        "longest_wait_hours": round(cadence.longest_wait_seconds / _HOUR, 2),
        "on_time_probability": round(cadence.on_time, 4),
        "class_items": dict(cadence.rhythm.class_items),
    }


def _row(one: Schedule) -> Document:
    return {
        "name": one.name,
        "state": schedule_state(one),
        "rhythm": str(one.rhythm),
        "need": str(one.rhythm.need),
        "classes": one.class_ids,
        "next_due": one.next_due,
        "waits_for": one.waits_for,
        "last_run": asdict(one.last) if one.last else None,
        "confirm": one.last.amount if one.last else None,
    }
