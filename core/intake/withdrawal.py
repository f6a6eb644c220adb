"""Withdrawing a route: what was not sent, or failed, is as its owner sent it again, to the byte."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import polars as pl

from core.intake.routing import ID_SCHEMA
from core.jobs.canceling import UNSENT, call_off
from core.store import Store, Transaction


@dataclass(frozen=True, kw_only=True)
class Withdrawn:
    """What withdrawing a route did: items as their owner sent them again, so many of them of jobs called off for it."""

    items: int
    called_off: int


def withdraw(store: Store, class_id: str, *, now: datetime, by: str, dry_run: bool = False) -> Withdrawn:
    """End the route of a class, and call off the jobs that were not sent yet and carry nothing but its items.

    What waits or failed is restored, and so are those items, which are failed ones then: a repair sends them. What the
    API has may finish; what of it fails is restored by `Leftovers`. Does nothing where there was no route. The caller
    holds the worker's turn, and finds the classes anew.
    """

    def change(tx: Transaction) -> Withdrawn:
        if not tx.run("end_route", class_id=class_id, now=now, by=by):
            return Withdrawn(items=0, called_off=0)
        jobs = tx.run("unsent_of_route", class_id=class_id, states=list(UNSENT))
        called_off = sum(call_off(tx, job["job_id"], now=now).items for job in jobs)
        rows = tx.run("routed_unfinished", class_id=class_id)
        failed = [row["item_id"] for row in rows if row["failed"]]
        waiting = [row["item_id"] for row in rows if not row["failed"]]
        _keep_former(tx, failed, now=now)
        _restore(tx, [*waiting, *failed])
        return Withdrawn(items=len(rows), called_off=called_off)

    return store.rehearse(change) if dry_run else store.write(change)


class Leftovers:
    """The worker's part: what was under way when its route ended, and failed since, is its owner's again."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen = -1

    def restore(self, *, now: datetime) -> None:
        """Look, where the store moved on since the last look."""
        version = self._store.version
        if version == self._seen:
            return
        self._seen = version
        if self._store.query("left_over_items").height:
            self._store.write(partial(_free, now))


def _free(now: datetime, tx: Transaction) -> None:
    items = [row["item_id"] for row in tx.run("left_over_items")]
    _keep_former(tx, items, now=now)
    _restore(tx, items)


def _keep_former(tx: Transaction, failed: Iterable[str], *, now: datetime) -> None:
    """What failed stays on record as it was sent."""
    items = pl.DataFrame({"item_id": list(failed)}, schema=ID_SCHEMA)
    tx.merge("keep_former_items", items, now=now)
    tx.merge("forget_set_aside", items)


def _restore(tx: Transaction, every: Iterable[str]) -> None:
    items = pl.DataFrame({"item_id": list(every)}, schema=ID_SCHEMA)
    tx.merge("restore_items", items)
    tx.merge("forget_routed_items", items)
