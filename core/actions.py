"""What a user can do: the pages and the command line call the same functions."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, TypeVar

from core.audit import Entry, entries, recorded
from core.caching.class_caching import ClassCaching
from core.checkup import rewritten
from core.confinement import OutsideWorkspace, within
from core.doctor.finding import Finding
from core.errors import LotwiseError
from core.export import export as export_rows
from core.handover.handover import NoSinks, Standing
from core.handover.sink import Sink, delivered_folder
from core.intake.backlog import waiting_items
from core.intake.imports import ImportReport, rejects_path
from core.intake.inbox import accept
from core.jobs import set_aside as giving_up
from core.jobs.canceling import CANCELABLE, CallOff, call_off, call_off_of, halt_all
from core.jobs.failures import NoSuchJob
from core.jobs.halt import Halt, halt_of, lift, refuse_while_halted
from core.jobs.hit_rates import ClassHitRate, entries_under_floor, hit_rates, learn
from core.jobs.item_chain import ItemChain
from core.jobs.item_chain import item_chain as chain_of_item
from core.jobs.journal import record_plan
from core.jobs.priming import send_held
from core.jobs.repair import Repair, repair_slice
from core.jobs.slices import Slice, failed_slice
from core.jobs.spending import Allowance, Check, check_prices
from core.planning.plan import NothingToPlan, Plan, draft_plan
from core.requests.files import request_files
from core.roles import Role
from core.store import Transaction
from core.workspace import Workspace

T = TypeVar("T")


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
    """A plan on its way: its id, the ids of its jobs in sending order, and how they met the budgets."""

    plan_id: str
    jobs: tuple[str, ...]
    items: int
    predicted_usd: Decimal | None
    check: Check


@recorded("import", "paths", "replace", "import_id", "added", "replaced", "rejected")
def import_files(workspace: Workspace, paths: Iterable[Path], *, replace: bool = False) -> list[ImportReport]:
    """Import files and folders on the calling thread, and find the classes of what came in.

    With `replace` their lines take the place of waiting items of the same id.
    """
    return [workspace.worker.import_now(path, replace=replace) for path in request_files(paths)]


@recorded("heal", "import_id", "replaced")
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


@recorded("import", "paths")
def request_import(workspace: Workspace, paths: Sequence[Path]) -> None:
    """Have the worker import files and folders; how far it is stands in the table of imports.

    Pages ask for it, so it reads nothing outside the workspace and the folder of the setting `import_from`. Raises
    `OutsideWorkspace`.
    """
    for path in request_files([_open_to_pages(workspace, path) for path in paths]):
        workspace.worker.request_import(path)


@recorded("upload", "name")
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


@recorded("agree-split", "class_id", "agreed")
def agree_split(workspace: Workspace, class_id: str, *, agreed: bool) -> None:
    """Say whether the text in which this class's prefix ends may be sent as two blocks, the former marked.

    Whether the API counts the tokens of two such blocks exactly as it counts the one is not documented, so nothing is
    split unasked. Raises `NothingToSplit`.
    """
    found = workspace.store.query("class_caching", class_id=class_id)
    if found.is_empty() or not found["cut_chars"][0]:
        raise NothingToSplit(class_id=class_id)
    workspace.store.write(lambda tx: tx.run("agree_split", class_id=class_id, agreed=agreed))


@recorded("submit", "plan_id", "jobs", "items", "predicted_usd", "confirmed")
def submit(workspace: Workspace, *, now: datetime, confirmed: str | None = None, dry_run: bool = False) -> Submission:
    """Plan the whole backlog, store the plan with its claims, and have the worker send it.

    `confirmed`: what a person typed for a plan that goes over a budget. A dry run goes as far and keeps nothing: its
    ids are of jobs that are not there. Raises `NothingToPlan`, `PlanOutdated` where another submission was faster,
    `OverBudget` or `SendingStopped`.
    """
    plan = preview_plan(workspace, now=now)
    made = record_plan(
        workspace.store,
        plan,
        now=now,
        simulated=workspace.gateway.simulated,
        allowance=_allowance(workspace, now=now, confirmed=confirmed, dry_run=dry_run),
    )
    workspace.worker.wake()
    return Submission(
        plan_id=made.plan_id, jobs=made.jobs, items=plan.items, predicted_usd=plan.predicted_usd, check=made.check
    )


def check_plan(workspace: Workspace, plan: Plan | None, *, now: datetime) -> Check:
    """How a plan would meet the budgets if it were submitted now; without one, how the budgets stand."""
    prices = [(job.predicted_usd, job.items) for job in plan.jobs] if plan else []
    return check_prices(workspace.store, workspace.settings, prices, now=now)


def repair_preview(workspace: Workspace, job_id: str, *, now: datetime, causes: Sequence[str] | None = None) -> Slice:
    """What is left to repair of a job, by cause, and what repairing it would do. Raises `NoSuchJob`.

    `causes`: which failures go; None takes those that pass by themselves.
    """
    return failed_slice(
        workspace.store,
        workspace.book,
        workspace.settings,
        job_id,
        now=now,
        causes=causes,
        lifetime=workspace.gateway.cache_lifetime,
    )


def check_repair(workspace: Workspace, previews: Sequence[Slice], *, now: datetime) -> Check:
    """How repairs of these slices would meet the budgets if they were sent now."""
    prices = [(preview.predicted_usd, preview.repairable) for preview in previews if preview.repairable]
    return check_prices(workspace.store, workspace.settings, prices, now=now)


@recorded("repair", "job_id", "causes", "items", "created", "confirmed")
def repair(
    workspace: Workspace,
    job_id: str,
    *,
    now: datetime,
    causes: Sequence[str] | None = None,
    confirmed: str | None = None,
) -> Repair:
    """Create the repair job of a failed slice (once, however often it is asked for) and have the worker send it.

    `causes` as in `repair_preview`, `confirmed` as in `submit`. Raises `NoSuchJob`, `NothingToRepair`, `OverBudget` or
    `SendingStopped`.
    """
    made = repair_slice(
        workspace.store,
        workspace.book,
        workspace.settings,
        job_id,
        now=now,
        simulated=workspace.gateway.simulated,
        allowance=_allowance(workspace, now=now, confirmed=confirmed),
        causes=causes,
        lifetime=workspace.gateway.cache_lifetime,
    )
    workspace.worker.wake()
    return made


@recorded("set-aside", "job_id", "causes")
def set_aside(workspace: Workspace, job_id: str, causes: Sequence[str], *, now: datetime) -> int:
    """Give up a job's open failures of these causes, on record; return how many items.

    Raises `NoSuchJob`, or `NothingToSetAside` where there is no such failure.
    """
    return giving_up.set_aside(workspace.store, job_id, causes, now=now, by=workspace.actor.name)


@recorded("take-back", "job_id", "causes")
def take_back(workspace: Workspace, job_id: str, causes: Sequence[str]) -> int:
    """Make what was set aside an open failure again; return how many items. Raises `NoSuchJob`, `NothingSetAside`."""
    return giving_up.take_back(workspace.store, job_id, causes)


def item_chain(workspace: Workspace, item_id: str) -> ItemChain:
    """Every attempt of an item, first to last: its job, what came of it, what it cost. Raises `NoSuchItem`."""
    return chain_of_item(workspace.store, item_id)


@recorded("release", "job_id")
def release(workspace: Workspace, job_id: str, *, dry_run: bool = False) -> None:
    """Send a held job after all; a body held by its primer goes without marks.

    Raises `NoSuchJob`, `NotHeld` or `SendingStopped`.
    """
    _state(workspace, job_id)

    def let_go(tx: Transaction) -> None:
        refuse_while_halted(tx)
        if not send_held(tx, job_id):
            raise NotHeld(job=job_id)

    _perform(workspace, let_go, dry_run=dry_run)


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

    return _perform(workspace, give_up, dry_run=dry_run)


@recorded("stop", "unsent_jobs", "sent_jobs", "items")
def stop(workspace: Workspace, *, now: datetime, dry_run: bool = False) -> CallOff:
    """Stop everything: call every job off, and send nothing more until `resume`."""
    return _perform(workspace, lambda tx: halt_all(tx, now=now, by=workspace.actor.name), dry_run=dry_run)


def stop_preview(workspace: Workspace) -> CallOff:
    """What stopping everything would come to right now."""
    return call_off_of(workspace.store.query("to_call_off", job_id=None, states=list(CANCELABLE)).to_dicts())


@recorded("resume")
def resume(workspace: Workspace, *, now: datetime) -> None:
    """Let sending go on; what was called off stays so. Raises `NotStopped`."""
    _perform(workspace, lambda tx: lift(tx, now=now, by=workspace.actor.name))


def halted(workspace: Workspace) -> Halt | None:
    """The halt that lasts; None while sending goes on."""
    return halt_of(workspace.store)


def rejects_file(workspace: Workspace, import_id: str) -> Path:
    """The lines of an import that were set aside, byte for byte. Raises `NoRejects`."""
    path = rejects_path(workspace.folder, import_id)
    if not path.exists():
        raise NoRejects(import_id=import_id)
    return path


@recorded("export", "what", "to", needs=Role.VIEWER)
def export(workspace: Workspace, what: str, to: Path) -> int:
    """Write items, attempts, costs, audit or results to a .csv, .parquet or .jsonl file; return the number of rows."""
    return export_rows(workspace.store, workspace.folder, what, to)


@recorded("add-sink", "target")
def add_sink(workspace: Workspace, target: str, *, now: datetime) -> None:
    """Hand results over to a folder, NAME.jsonl or NAME.duckdb[:TABLE] too, from the first one on.

    The worker feeds it from here on. Raises `UnknownSink`, `SinkInside`, or what keeps results from being written.
    """
    workspace.handover.add(Sink.named(target), now=now)
    workspace.worker.wake()


@recorded("add-sink", "name")
def add_delivered_sink(workspace: Workspace, name: str, *, now: datetime) -> None:
    """The same for a name in the workspace's `delivered` folder, and nowhere else. Raises `SinkOutside` as well."""
    sink = Sink.named(str(delivered_folder(workspace.folder) / name)).below(workspace.folder)
    workspace.handover.add(sink, now=now)
    workspace.worker.wake()


@recorded("remove-sink", "target")
def remove_sink(workspace: Workspace, target: str) -> None:
    """Hand nothing more over to a sink; what lies there stays. Raises `NoSuchSink`."""
    workspace.handover.remove(target)


@recorded("deliver")
def deliver(workspace: Workspace, *, now: datetime) -> Standing:
    """Bring every sink up to the last result, now; a sink's trouble is in what is returned. Raises `NoSinks`."""
    workspace.handover.feed(now=now)
    standing = workspace.handover.standing()
    if not standing.sinks:
        raise NoSinks
    return standing


def audit_log(workspace: Workspace, *, limit: int, actor: str | None = None) -> tuple[Entry, ...]:
    """Who did what, newest first: `limit` entries at most, of everybody or of one."""
    return entries(workspace.store, limit=limit, actor=actor)


def _open_to_pages(workspace: Workspace, path: Path) -> Path:
    """The path, where pages may read there. Raises `OutsideWorkspace`."""
    if allowed := workspace.settings.import_from:
        with suppress(OutsideWorkspace):
            return within(Path(allowed), path)
    return within(workspace.folder, path)


def _perform(workspace: Workspace, task: Callable[[Transaction], T], *, dry_run: bool = False) -> T:
    """Write and wake the worker; a dry run does the same and keeps nothing."""
    if dry_run:
        return workspace.store.rehearse(task)
    done = workspace.store.write(task)
    workspace.worker.wake()
    return done


def _allowance(workspace: Workspace, *, now: datetime, confirmed: str | None, dry_run: bool = False) -> Allowance:
    by = workspace.actor.name
    return Allowance(settings=workspace.settings, now=now, by=by, confirmed=confirmed, rehearsal=dry_run)


def _state(workspace: Workspace, job_id: str) -> str:
    job = workspace.store.query("job", job_id=job_id)
    if job.is_empty():
        raise NoSuchJob(job=job_id)
    return str(job["state"][0])
