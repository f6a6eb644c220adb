"""What is open of a job: its failures by cause, which of them can be sent again, and why the others are left out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.causes import DECIDE, EDIT, HOLD, RESUBMIT, WAIT, explain
from core.errors import LotwiseError
from core.store import Store
from core.wording import count

SHARED_MESSAGE = 0.9
"""From this share of a job's finished items on, one and the same message of refusal is hardly theirs."""
_SHARED_LEAST = 3
"""Of fewer items nothing is concluded."""
_GONE = "parameters no longer kept: import the lines again with --replace"
_WHY_NOT = {
    RESUBMIT: "not chosen",
    HOLD: "to be chosen once the account is fixed",
    DECIDE: "may come out the same: look first, then choose or set aside",
    EDIT: "cannot go as is: correct the lines and import them with --replace",
}


class NoSuchJob(LotwiseError):
    """There is no job of this id in the workspace. `python -m core status` lists them."""


@dataclass(frozen=True, kw_only=True)
class CauseCount:
    """Items of a slice that failed for one cause, what helps, and a sentence for people.

    `kept`: how many have their parameters still. `waits_until`: when sending them again is worth a try, where waiting
    is what helps.
    """

    cause: str
    action: str
    items: int
    says: str
    kept: int
    waits_until: datetime | None

    def goes(self, chosen: Sequence[str] | None, now: datetime) -> bool:
        """Whether these are sent again: what is chosen, else what passes by itself and has had its time."""
        if self.action == EDIT or not self.kept:
            return False
        if chosen is not None:
            return self.cause in chosen
        return self.action == RESUBMIT or (self.waits_until is not None and now >= self.waits_until)


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """Items of a slice that a repair does not send, and why."""

    cause: str
    items: int
    why: str


def open_causes(store: Store, job_id: str) -> tuple[CauseCount, ...]:
    """The open failures of a job by cause, most items first. Raises `NoSuchJob`."""
    require_job(store, job_id)
    found = []
    for row in store.query("slice_causes", job_id=job_id).iter_rows(named=True):
        cause = explain(row["cause"])
        waits = row["failed_at"] + timedelta(minutes=cause.wait_minutes) if row["action"] == WAIT else None
        found.append(
            CauseCount(
                cause=row["cause"],
                action=row["action"],
                items=row["items"],
                says=cause.says,
                kept=row["kept"],
                waits_until=waits,
            )
        )
    return tuple(found)


def require_job(store: Store, job_id: str) -> None:
    """Raises `NoSuchJob` where there is none of this id."""
    if store.query("job", job_id=job_id).is_empty():
        raise NoSuchJob(job=job_id)


def left_out(causes: Sequence[CauseCount], chosen: Sequence[str] | None, now: datetime) -> tuple[LeftOut, ...]:
    """What a repair of the chosen causes (None: of what passes by itself) does not send."""
    found = []
    for one in causes:
        gone = one.items - one.kept if one.action != EDIT else 0
        if gone:
            found.append(LeftOut(cause=one.cause, items=gone, why=_GONE))
        if one.items > gone and not one.goes(chosen, now):
            found.append(LeftOut(cause=one.cause, items=one.items - gone, why=_why_not(one, now)))
    return tuple(found)


def _why_not(one: CauseCount, now: datetime) -> str:
    if one.waits_until is None:
        return _WHY_NOT[one.action]
    minutes = -(-(one.waits_until - now) // timedelta(minutes=1))
    return f"worth a try in {count(minutes, 'minute')}" if minutes > 0 else _WHY_NOT[RESUBMIT]


def suspicion(store: Store, job_id: str) -> str | None:
    """A word of warning where nearly all of a job was refused with one message: items differ, an account does not.

    One message on at least `SHARED_MESSAGE` of the finished items, and on three or more.
    """
    found = store.query("shared_message", job_id=job_id)
    if found.is_empty():
        return None
    items, finished = found["items"][0], found["finished"][0]
    if items < _SHARED_LEAST or items < SHARED_MESSAGE * finished:
        return None
    return (
        f"{items:,} of {count(finished, 'item')} were refused with one and the same message. That looks like a fault "
        "of the account, or of the template that they were made from, not of each item: look there first."
    )
