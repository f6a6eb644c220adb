"""What a person can do about jobs: let them go, call them off, stop everything."""

from datetime import datetime

from core.actions.writing import allowance_of, perform
from core.audit import recorded
from core.errors import LotwiseError
from core.jobs.canceling import CANCELABLE, CallOff, call_off, call_off_of, halt_all
from core.jobs.failures import NoSuchJob
from core.jobs.halt import Halt, halt_of, lift, refuse_while_halted
from core.jobs.priming import send_held
from core.store import Transaction
from core.workspace import Workspace


class NotHeld(LotwiseError):
    """Only a held job can be released. This one moves on by itself, or is over."""


class NotSuspected(LotwiseError):
    """No running batch of this name is suspected to be the second one of a job. `status` lists those that are."""


class NotCancelable(LotwiseError):
    """This job is over, so there is nothing left to cancel."""


@recorded("release", "job_id", "confirmed")
def release(
    workspace: Workspace, job_id: str, *, now: datetime, confirmed: str | None = None, dry_run: bool = False
) -> None:
    """Send a held job after all; a body held by its primer goes without marks, at the price of that.

    `confirmed` as in `submit`. Raises `NoSuchJob`, `NotHeld`, `OverBudget` or `SendingStopped`.
    """
    _state(workspace, job_id)
    allowance = allowance_of(workspace, now=now, confirmed=confirmed, dry_run=dry_run)

    def let_go(tx: Transaction) -> None:
        refuse_while_halted(tx)
        if not send_held(tx, job_id):
            raise NotHeld(job=job_id)
        allowance.check(tx, tx.run("expected_job", job_id=job_id))

    perform(workspace, let_go, dry_run=dry_run)


@recorded("cancel", "job_id", "items")
def cancel(workspace: Workspace, job_id: str, *, now: datetime, dry_run: bool = False) -> CallOff:
    """Call a job off: before it is sent by freeing its items, after that by having the worker ask the API.

    The wish is on disk when this returns, and it is carried out whatever happens: the API may be away, or the job in
    doubt. Raises `NoSuchJob`, or `NotCancelable` for a job that is over.
    """
    state = _state(workspace, job_id)

    def give_up(tx: Transaction) -> CallOff:
        found = call_off(tx, job_id, now=now)
        if not found.jobs:
            raise NotCancelable(job=job_id, state=state)
        return found

    return perform(workspace, give_up, dry_run=dry_run)


@recorded("cancel-twin", "batch_id")
def cancel_twin(workspace: Workspace, batch_id: str) -> None:
    """Cancel a running batch that may be a second one of a job, on a person's word; what has begun may still finish.

    Nothing but its results could prove it, and they come with its end. Raises `NotSuspected` or `GatewayDown`.
    """
    if batch_id not in {suspect.batch_id for suspect in workspace.worker.suspects}:
        raise NotSuspected(batch=batch_id)
    workspace.gateway.cancel(batch_id)


@recorded("stop", "unsent_jobs", "sent_jobs", "items")
def stop(workspace: Workspace, *, now: datetime, dry_run: bool = False) -> CallOff:
    """Stop everything: call every job off, and send nothing more until `resume`."""
    return perform(workspace, lambda tx: halt_all(tx, now=now, by=workspace.actor.name), dry_run=dry_run)


def stop_preview(workspace: Workspace) -> CallOff:
    """What stopping everything would come to right now."""
    return call_off_of(workspace.store.query("to_call_off", job_id=None, states=list(CANCELABLE)).to_dicts())


@recorded("resume")
def resume(workspace: Workspace, *, now: datetime) -> None:
    """Let sending go on; what was called off stays so. Raises `NotStopped`."""
    perform(workspace, lambda tx: lift(tx, now=now, by=workspace.actor.name))


def halted(workspace: Workspace) -> Halt | None:
    """The halt that lasts; None while sending goes on."""
    return halt_of(workspace.store)


def _state(workspace: Workspace, job_id: str) -> str:
    job = workspace.store.query("job", job_id=job_id)
    if job.is_empty():
        raise NoSuchJob(job=job_id)
    return str(job["state"][0])
