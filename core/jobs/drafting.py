"""Drafting: the plan of what waits in a workspace, from all that the workspace has learned."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from core.gateway import Gateway
from core.intake.backlog import waiting_items
from core.jobs.hit_rates import entries_under_floor
from core.jobs.predictions import known_of
from core.jobs.queue_room import queue_room
from core.planning.needs import Needs
from core.planning.plan import Plan, draft_plan
from core.prices import PriceBook
from core.settings import Settings
from core.store import Store


def draft_backlog(
    store: Store,
    folder: Path,
    gateway: Gateway,
    book: PriceBook,
    settings: Settings,
    *,
    now: datetime,
    needs: Needs | None = None,
    class_ids: Collection[str] | None = None,
) -> Plan:
    """Plan what waits (all of it, or what is of these classes) without storing anything. Raises `NothingToPlan`."""
    needs = needs or Needs()
    if needs.queue_room is None:
        needs = replace(needs, queue_room=queue_room(store, limit=settings.queue_limit))
    return draft_plan(
        waiting_items(store, folder, book, simulated=gateway.simulated, class_ids=class_ids),
        book=book,
        settings=settings,
        now=now,
        evidence=known_of(store, gateway, settings, now=now),
        under_floor=entries_under_floor(store),
        needs=needs,
    )
