"""Parting: items of a job that was not sent go into a new job like it; every item keeps its one attempt."""

from datetime import datetime
from typing import Any

import polars as pl

from core.jobs.journal import measure
from core.planning.identity import custom_ids, new_job_id
from core.store import Transaction


def part(tx: Transaction, job: dict[str, Any], items: pl.DataFrame, *, now: datetime) -> str:
    """Move these items (column item_id) out of a job; return the id of their new job, which is as far as the old one.

    Each is predicted to cost and to read its share of what both were.
    """
    new_id = new_job_id()
    moved = items.select("item_id", custom_ids(pl.Series([new_id] * items.height), items["item_id"]))
    tx.run("add_part", new_id=new_id, job_id=job["job_id"], items=items.height, now=now)
    tx.merge("move_items", moved, from_job_id=job["job_id"], to_job_id=new_id)
    tx.run("take_part", job_id=job["job_id"], new_id=new_id)
    measure(tx, job["job_id"])
    measure(tx, new_id)
    return new_id
