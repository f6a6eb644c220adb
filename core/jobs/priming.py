"""Priming: a body waits until its primers wrote the cache entries, and until its canaries are well."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from itertools import groupby
from typing import Any

import polars as pl

from core.caching.learned import SURELY_ALIVE
from core.caching.lifetimes import LIFE_SECONDS, Lifetime
from core.causes import RESUBMIT
from core.jobs.journal import JOB_SCHEMA, measure
from core.jobs.parting import part
from core.jobs.states import JobState
from core.planning.identity import custom_ids, new_job_id
from core.store import Store, Transaction

_OVER = (JobState.DONE, JobState.FAILED, JobState.CANCELED, JobState.GONE)
Row = dict[str, Any]


class Entry(Enum):
    """What became of a cache entry that a primer was to write."""

    OPEN = auto()
    WARM = auto()
    COLD = auto()
    UNDER_FLOOR = auto()
    FAILED = auto()
    """For a reason that passes: another item may well come through."""
    REFUSED = auto()
    """For a reason that stays: what follows would fail the same way."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """An entry's fate, whether it was the first try, and the words of its canary."""

    entry: Entry
    first: bool
    said: str


def warm_since(now: datetime, lifetime: timedelta) -> datetime:
    """Entries of jobs sent after this moment are surely alive when a job sent now gets to the model.

    An entry's life begins with the request that writes or reads it, which is no earlier than its job.
    """
    return now - lifetime * SURELY_ALIVE


def life_of(ttl: str | None, hour: timedelta) -> timedelta:
    """How long an entry of that lifetime lives, where one of an hour lives `hour`."""
    known: Lifetime = "5m" if ttl == "5m" else "1h"
    return hour * (LIFE_SECONDS[known] / LIFE_SECONDS["1h"])


def release(store: Store, job: Row, *, now: datetime, lifetime: timedelta) -> bool:
    """Look at a waiting body whose primers may be over, and decide; return True where it may be sent now.

    `lifetime`: of an entry written for an hour.

    All its entries written and alive: send it. Under the model's floor after all: send those items without marks,
    which could only mislead, and let the class know. A passing failure, or an entry that may have gone cold: prime
    once more with another item. After that, items whose entry is not there fall back to one further out, or to no
    marks: every item of a cold body would pay for writing it. Any other failure, or nothing but failures: hold the
    body, because it would fail the same way.
    """
    since = warm_since(now, life_of(job["cache_ttl"], lifetime))

    def decide(tx: Transaction) -> bool:
        if not tx.run("still_waits", job_id=job["job_id"]):
            return False
        groups = tx.run("body_entries", job_id=job["job_id"])
        verdicts = _verdicts(tx.run("entry_primers", job_id=job["job_id"], since=since), groups)
        innermost = [verdicts[group["entries"][-1]] for group in groups]
        refused = [group["entries"][-1] for group in groups if verdicts[group["entries"][-1]].entry is Entry.REFUSED]
        if refused:
            return _hold_refused(tx, job, refused, verdicts[refused[0]].said, now=now)
        if again := _to_prime(groups, verdicts, job):
            _prime_again(tx, job, again, now)
        elif groups and all(_kept(group, verdicts) is None for group in groups):
            _hold(tx, job, innermost[0].said)
        else:
            _send(tx, job, groups, verdicts)
            return True
        return False

    primers = store.query("entry_primers", job_id=job["job_id"], since=since)
    return bool(primers["state"].is_in(_OVER).all()) and store.write(decide)


def may_go(store: Store, job: Row, *, now: datetime, lifetime: timedelta) -> bool:
    """Whether a planned job may be sent as it is; False where it was changed or has to wait.

    What it would read must still live: between planning and sending, a night may have passed. A primed body goes
    back to its primers, a repair goes without marks.
    """
    if job["cache_ttl"] is None or job["role"] == "primer":
        return True
    life = life_of(job["cache_ttl"], lifetime)
    if job["role"] == "repair":
        if now - job["created_at"] <= life * (1 - SURELY_ALIVE):
            return True
        store.write(lambda tx: _unmark(tx, job["job_id"]))
        return False
    groups = store.query("body_entries", job_id=job["job_id"]).to_dicts()
    primers = store.query("entry_primers", job_id=job["job_id"], since=warm_since(now, life)).to_dicts()
    verdicts = _verdicts(primers, groups)
    if all(verdicts[group["entries"][-1]].entry is Entry.WARM for group in groups):
        return True
    back = {"state": JobState.WAITING, "reason": None, "leaving": [JobState.PLANNED]}
    store.write(lambda tx: tx.run("leave_state", job_id=job["job_id"], **back))
    return False


def send_held(tx: Transaction, job_id: str) -> bool:
    """Let a held job go; return False where it is not held (any more).

    A body held by its primer goes without marks: a cold body would pay for writing and read nothing. One held by
    the account after its primer looks at the cache entry once more. A primer stays what it is.
    """
    left = tx.run("leave_state", job_id=job_id, state=JobState.PLANNED, reason=None, leaving=[JobState.HELD])
    if not left:
        return False
    if left[0]["primed"] and left[0]["tried"]:
        tx.run("set_state", job_id=job_id, state=JobState.WAITING, reason=None)
    elif left[0]["role"] != "primer":
        _unmark(tx, job_id)
    return True


def _unmark(tx: Transaction, job_id: str) -> None:
    tx.run("unmark_job", job_id=job_id)
    measure(tx, job_id)


def _verdicts(primers: list[Row], groups: list[Row]) -> dict[str, Verdict]:
    """What became of every entry on the body's way."""
    by_entry = groupby(primers, key=lambda row: str(row["entry_id"]))
    found = {entry_id: _verdict(list(rows)) for entry_id, rows in by_entry}
    lost = Verdict(entry=Entry.REFUSED, first=False, said="not sent")
    return {entry_id: found.get(entry_id, lost) for group in groups for entry_id in group["entries"]}


def _verdict(rows: list[Row]) -> Verdict:
    """What primers came to that wrote an entry as their innermost (its canaries) or on their way.

    An entry is there whoever wrote it. Several items may prime one, one for each shape of parameters: one that is
    refused stands for its like. Where there was a second round, that one tells how the canaries are.
    """
    own = [row for row in rows if row["own"]]
    again = [row for row in own if row["parent_job_id"] is not None]
    canaries = again or own or rows
    written = [row for row in rows if row["usable"] and row["cached_tokens"]]
    bad = [row for row in canaries if not row["usable"]]
    stays = [row for row in bad if row["state"] != JobState.DONE or row["action"] != RESUBMIT]
    if stays and (own or not written):
        entry = Entry.REFUSED
    elif written:
        entry = Entry.WARM if any(row["warm"] for row in written) else Entry.COLD
    else:
        entry = Entry.FAILED if len(bad) == len(canaries) else Entry.UNDER_FLOOR
    words = next(iter(stays or bad), None)
    said = f"{words['cause']}: {words['message'] or 'not usable'}" if words else ""
    # What served other bodies, and went cold while this one waited for room, may be written once more for it.
    first = not again or (entry is Entry.COLD and all(row["served"] for row in again))
    return Verdict(entry=entry, first=first, said=said)


def _to_prime(groups: list[Row], verdicts: Mapping[str, Verdict], job: Row) -> list[str]:
    """Innermost entries to prime once more: an item is spared for each, and its primer writes those further out too."""
    if job["item_count"] < 2 or job["doubt_after"] is not None:  # the API may have it once: its items must stay its own
        return []
    wanted = [
        group
        for group in groups
        if (verdict := verdicts[group["entries"][-1]]).first
        and verdict.entry in (Entry.COLD, Entry.FAILED)
        and group["items"] > 1
    ]
    outer = {entry_id for group in wanted for entry_id in group["entries"][:-1]}
    return sorted({group["entries"][-1] for group in wanted} - outer)


def _kept(group: Row, verdicts: Mapping[str, Verdict]) -> int | None:
    """How many of a group's marks may stay: up to its deepest entry that is there; None where only failures are."""
    fates = [verdicts[entry_id].entry for entry_id in group["entries"]]
    warm = [number for number, fate in enumerate(fates, 1) if fate is Entry.WARM]
    if warm:
        return warm[-1]
    return None if fates[-1] is Entry.FAILED else 0


def _send(tx: Transaction, job: Row, groups: Iterable[Row], verdicts: Mapping[str, Verdict]) -> None:
    """Let the body go with the marks whose entries are there."""
    changed = False
    for group in groups:
        entries, kept = group["entries"], _kept(group, verdicts) or 0
        if verdicts[entries[-1]].entry is Entry.UNDER_FLOOR:
            tx.run("set_uncacheable", entry_id=entries[-1])
        if kept < len(entries):
            changed = True
            outer = entries[kept - 1] if kept else None
            tx.run("keep_marks", job_id=job["job_id"], entry_id=entries[-1], kept=kept, to_entry_id=outer)
    if changed:
        measure(tx, job["job_id"])
    tx.run("set_state", job_id=job["job_id"], state=JobState.PLANNED, reason=None)


def _hold(tx: Transaction, job: Row, said: str) -> None:
    reason = f"Its primer item came out {said}. Release the job to send it without priming."
    tx.run("set_state", job_id=job["job_id"], state=JobState.HELD, reason=reason)


def _hold_refused(tx: Transaction, job: Row, entries: list[str], said: str, *, now: datetime) -> bool:
    """Hold what reads the entries whose canaries were refused; True where others of the job can be looked at again.

    Classes that share a job share no fault: the items of the others go on without them.
    """
    items = pl.DataFrame(tx.run("items_reading", job_id=job["job_id"], entry_ids=entries))
    if (
        items.height == job["item_count"] or job["doubt_after"] is not None
    ):  # the API may have it: its items stay its own
        _hold(tx, job, said)
        return False
    _hold(tx, {"job_id": part(tx, job, items, now=now)}, said)
    return True


def _prime_again(tx: Transaction, body: Row, entries: list[str], now: datetime) -> None:
    """Move one item for each entry out of the body into a new primer job, for which all bodies of the class wait."""
    job_id = new_job_id()
    row = {
        "job_id": job_id,
        "plan_id": body["plan_id"],
        "parent_job_id": body["primer_job_id"],
        "role": "primer",
        "class_id": body["class_id"],
        "model": body["model"],
        "state": JobState.PLANNED,
        "item_count": len(entries),
        "body_bytes": 0,
        "cache_ttl": body["cache_ttl"],
        "created_at": now,
        "processing": len(entries),
        "simulated": body["simulated"],
        "trial_id": body["trial_id"],
    }
    tx.merge("add_jobs", pl.DataFrame([row], schema=JOB_SCHEMA))
    for entry_id in entries:
        item_id = tx.run("median_item", job_id=body["job_id"], entry_id=entry_id)[0]["item_id"]
        moved = pl.DataFrame({"item_id": [item_id]}).with_columns(custom_ids(pl.Series([job_id]), pl.Series([item_id])))
        tx.merge("move_items", moved, from_job_id=body["job_id"], to_job_id=job_id)
    tx.run("wait_for", entry_ids=entries, old_job_id=body["primer_job_id"], new_job_id=job_id)
    tx.run("price_alike", job_id=job_id, alike_id=body["primer_job_id"])
    measure(tx, job_id)
    measure(tx, body["job_id"])
