"""Canceling: calling jobs off is written down first, and carried out until nothing of it is left to do."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from core.causes import RESUBMIT
from core.gateway import Gateway
from core.jobs.states import JobState
from core.store import Store, Transaction

UNSENT = (JobState.PLANNED, JobState.WAITING, JobState.HELD)
"""States in which the API certainly does not have a job."""
CANCELABLE = (*UNSENT, JobState.SENDING, JobState.UNKNOWN, JobState.RUNNING)
"""States in which calling a job off still changes something."""
_SAID = "Called off before it was sent."
_MAYBE_FOREIGN = (
    "Called off, but its reply was lost and its batch {batch} found by time and size alone. Others use this account,"
    " so it may be theirs and is not canceled. If it is yours, cancel it in the Console of your account."
)


@dataclass(frozen=True, kw_only=True)
class CallOff:
    """What calling jobs off comes to.

    `unsent_jobs` never reach the API. `sent_jobs` it has or may have: it is asked to cancel them until it accepts,
    and what has begun may still finish. `items`: of both, without a result. `may_cost_usd`: predicted, of the sent
    jobs; None where one of them has no price.
    """

    unsent_jobs: int
    sent_jobs: int
    items: int
    may_cost_usd: Decimal | None

    @property
    def jobs(self) -> int:
        """All of them."""
        return self.unsent_jobs + self.sent_jobs


def call_off_of(rows: Iterable[dict[str, Any]]) -> CallOff:
    """The rows of `to_call_off` in one: what calling these jobs off would come to."""
    jobs = list(rows)
    sent = [job for job in jobs if job["state"] not in UNSENT]
    prices = [job["expected_usd"] for job in sent]
    return CallOff(
        unsent_jobs=len(jobs) - len(sent),
        sent_jobs=len(sent),
        items=sum(job["processing"] for job in jobs),
        may_cost_usd=None if None in prices else sum(prices, Decimal(0)),
    )


def call_off(tx: Transaction, job_id: str | None, *, now: datetime) -> CallOff:
    """Call a job off, or all of them: what was not sent is closed here and now, the rest is asked of the API later.

    A job that was called off before stays so since then.
    """
    which = {"job_id": job_id, "states": list(CANCELABLE)}
    found = call_off_of(tx.run("to_call_off", **which))
    tx.run("request_cancel", now=now, **which)
    _close(tx, now=now)
    return found


def halt_all(tx: Transaction, *, now: datetime, by: str) -> CallOff:
    """The kill switch: nothing is sent from here on, and every job that is not over is called off."""
    tx.run("add_halt", now=now, by=by)
    return call_off(tx, None, now=now)


def close_called_off(store: Store, *, now: datetime) -> None:
    """Close the jobs that were called off and that the API turned out not to have; run before anything is sent."""
    if store.query("called_off", states=list(UNSENT)).height:
        store.write(lambda tx: _close(tx, now=now))


def ask_to_cancel(store: Store, gateway: Gateway, job: dict[str, Any], *, now: datetime, shared: bool) -> None:
    """Ask the API to cancel a running job that was called off, unless it has accepted that already.

    A batch that was found by time and count alone may be somebody else's where others send batches in the same API
    workspace (`shared`): it is left to a person. Raises `GatewayDown` or `BatchMissing`: it is asked again at the
    next look.
    """
    if job["cancel_requested_at"] is None or job["cancel_accepted_at"] is not None:
        return
    if job["provisional"] and shared:
        reason = _MAYBE_FOREIGN.format(batch=job["batch_id"])
        store.write(lambda tx: tx.run("set_reason", job_id=job["job_id"], reason=reason))
        return
    gateway.cancel(job["batch_id"])
    store.write(lambda tx: tx.run("accept_cancel", job_id=job["job_id"], now=now))


def _close(tx: Transaction, *, now: datetime) -> None:
    tx.run("close_called_off", states=list(UNSENT), reason=_SAID, now=now)
    tx.run("free_called_off", action=RESUBMIT, message=_SAID, now=now)
