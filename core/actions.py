"""What a user can do: the pages and the command line call the same functions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from core.caching.class_caching import ClassCaching
from core.checkup import rewritten
from core.doctor.finding import Finding
from core.errors import LotwiseError
from core.export import export as export_rows
from core.intake.backlog import waiting_items
from core.intake.imports import ImportReport, rejects_path
from core.intake.inbox import accept
from core.jobs.hit_rates import ClassHitRate, entries_under_floor, hit_rates, learn
from core.jobs.journal import record_plan
from core.jobs.priming import send_held
from core.jobs.repair import NoSuchJob, Repair, Slice, failed_slice, repair_slice
from core.jobs.sending import give_up
from core.jobs.states import JobState
from core.planning.plan import NothingToPlan, Plan, draft_plan
from core.requests.files import request_files
from core.workspace import Workspace


class NoRejects(LotwiseError):
    """No line of this import was set aside, so there is no reject file."""


class NotHeld(LotwiseError):
    """Only a held job can be released. This one moves on by itself, or is over."""


class NothingToSplit(LotwiseError):
    """The prefix of this class ends with a block, or there is no such class: there is no text to send as two."""


class NothingToHeal(LotwiseError):
    """This finding changes no waiting request: they were sent or corrected meanwhile. Examine what waits again."""


class NotCancelable(LotwiseError):
    """This job is over, so there is nothing left to cancel."""


@dataclass(frozen=True, kw_only=True)
class Caching:
    """How the classes of the backlog meet the cache, and how it went so far.

    `second_round_usd`: what priming the outer marks in a round of their own would save (a proposal, never planned).
    """

    planned: tuple[ClassCaching, ...]
    second_round_usd: Decimal
    history: tuple[ClassHitRate, ...]


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A plan on its way: its id and the ids of its jobs, in sending order."""

    plan_id: str
    jobs: tuple[str, ...]
    items: int


def import_files(workspace: Workspace, paths: Iterable[Path], *, replace: bool = False) -> list[ImportReport]:
    """Import files and folders on the calling thread, and find the classes of what came in.

    With `replace` their lines take the place of waiting items of the same id.
    """
    return [workspace.worker.import_now(path, replace=replace) for path in request_files(paths)]


def heal(workspace: Workspace, finding: Finding) -> ImportReport:
    """Put the rewritten requests of a finding in the place of those that wait; what was sent stays what it was.

    Raises `NothingToHeal` where no waiting request is changed by it.
    """
    lines = rewritten(workspace.store, workspace.folder, finding)
    if (first := next(lines, None)) is None:
        raise NothingToHeal(finding=finding.title)
    with NamedTemporaryFile(prefix=f"{finding.kind}-", suffix=".rewritten.jsonl") as file:
        file.write(first)
        file.writelines(lines)
        file.flush()
        return workspace.worker.import_now(Path(file.name), replace=True)


def request_import(workspace: Workspace, paths: Sequence[Path]) -> None:
    """Have the worker import files and folders; how far it is stands in the table of imports."""
    for path in request_files(paths):
        workspace.worker.request_import(path)


def accept_upload(workspace: Workspace, name: str, file: IO[bytes]) -> None:
    """Take an uploaded file into the inbox: it is safe from here on, and the worker imports it next."""
    workspace.worker.request_import(accept(workspace.folder, name, file))


def preview_plan(workspace: Workspace, *, now: datetime) -> Plan:
    """Plan the whole backlog without storing anything. Raises `NothingToPlan`."""
    return draft_plan(
        waiting_items(workspace.store, workspace.folder, workspace.book, simulated=workspace.gateway.simulated),
        book=workspace.book,
        settings=workspace.settings,
        now=now,
        learned=learn(workspace.store, now=now, hour=workspace.gateway.cache_lifetime),
        under_floor=entries_under_floor(workspace.store),
    )


def cache_plan(workspace: Workspace, *, now: datetime) -> Caching:
    """Which prefixes of the backlog would be cached, how and why, beside predicted and actual hit rates so far."""
    history = hit_rates(workspace.store, now=now)
    try:
        plan = preview_plan(workspace, now=now)
    except NothingToPlan:
        return Caching(planned=(), second_round_usd=Decimal(0), history=history)
    return Caching(planned=plan.caching, second_round_usd=plan.second_round_usd, history=history)


def agree_split(workspace: Workspace, class_id: str, *, agreed: bool) -> None:
    """Say whether the text in which this class's prefix ends may be sent as two blocks, the former marked.

    Whether the API counts the tokens of two such blocks exactly as it counts the one is not documented, so nothing is
    split unasked. Raises `NothingToSplit`.
    """
    found = workspace.store.query("class_caching", class_id=class_id)
    if found.is_empty() or not found["cut_chars"][0]:
        raise NothingToSplit(class_id=class_id)
    workspace.store.write(lambda tx: tx.run("agree_split", class_id=class_id, agreed=agreed))


def submit(workspace: Workspace, *, now: datetime) -> Submission:
    """Plan the whole backlog, store the plan with its claims, and have the worker send it.

    Raises `NothingToPlan`, or `PlanOutdated` where another submission was faster.
    """
    plan = preview_plan(workspace, now=now)
    plan_id, jobs = record_plan(workspace.store, plan, now=now, simulated=workspace.gateway.simulated)
    workspace.worker.wake()
    return Submission(plan_id=plan_id, jobs=tuple(jobs), items=plan.items)


def repair_preview(workspace: Workspace, job_id: str, *, now: datetime) -> Slice:
    """What is left to repair of a job, by cause, with count and price. Raises `NoSuchJob`."""
    return failed_slice(
        workspace.store,
        workspace.book,
        workspace.settings,
        job_id,
        now=now,
        lifetime=workspace.gateway.cache_lifetime,
    )


def repair(workspace: Workspace, job_id: str, *, now: datetime) -> Repair:
    """Create the repair job of a failed slice (once, however often it is asked for) and have the worker send it.

    Raises `NoSuchJob` or `NothingToRepair`.
    """
    made = repair_slice(
        workspace.store,
        workspace.book,
        workspace.settings,
        job_id,
        now=now,
        simulated=workspace.gateway.simulated,
        lifetime=workspace.gateway.cache_lifetime,
    )
    workspace.worker.wake()
    return made


def release(workspace: Workspace, job_id: str) -> None:
    """Send a held job after all; a body held by its primer goes without marks. Raises `NoSuchJob` or `NotHeld`."""
    _state(workspace, job_id)
    if not workspace.store.write(lambda tx: send_held(tx, job_id)):
        raise NotHeld(job=job_id)
    workspace.worker.wake()


def cancel(workspace: Workspace, job_id: str, *, now: datetime) -> None:
    """Call a job off: before it is sent by freeing its items, after that by asking the API.

    Raises `NoSuchJob`, `NotCancelable` for a job that is over or in doubt, `GatewayDown` where the API is away.
    """
    state = _state(workspace, job_id)
    unsent = (JobState.PLANNED, JobState.WAITING, JobState.HELD)
    said = "Called off before it was sent."
    if give_up(workspace.store, job_id, said, state=JobState.CANCELED, leaving=unsent, now=now):
        return
    if state == JobState.RUNNING:
        workspace.gateway.cancel(workspace.store.query("job", job_id=job_id)["batch_id"][0])
        workspace.worker.wake()
    else:
        raise NotCancelable(job=job_id, state=state)


def rejects_file(workspace: Workspace, import_id: str) -> Path:
    """The lines of an import that were set aside, byte for byte. Raises `NoRejects`."""
    path = rejects_path(workspace.folder, import_id)
    if not path.exists():
        raise NoRejects(import_id=import_id)
    return path


def export(workspace: Workspace, what: str, to: Path) -> int:
    """Write items, attempts, costs or results to a .csv, .parquet or .jsonl file; return the number of rows."""
    return export_rows(workspace.store, workspace.folder, what, to)


def _state(workspace: Workspace, job_id: str) -> str:
    job = workspace.store.query("job", job_id=job_id)
    if job.is_empty():
        raise NoSuchJob(job=job_id)
    return str(job["state"][0])
