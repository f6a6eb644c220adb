"""The verbs that need a workspace: plain arguments in, one JSON document out.

The command line runs them on a workspace that it opened, or sends them to the process that owns it; both ways they
are these functions.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl

from core import actions
from core.commands.commit_verb import commit
from core.commands.costs_verb import costs, unit
from core.commands.explain_verb import explain
from core.commands.next_verb import next_saving
from core.commands.plan_document import plan_document
from core.commands.prices_verb import prices
from core.commands.reconcile_verb import reconcile
from core.commands.route_verb import certificate, route
from core.commands.savings_verb import savings
from core.commands.schedule_verb import schedule
from core.commands.simulate_verb import simulate
from core.commands.trial_verb import trial
from core.errors import LotwiseError
from core.intake.inbox import waiting_files
from core.jobs.spending import Check, OverBudget, fits
from core.planning.needs import Needs
from core.workspace import Workspace, utc_now

Document = dict[str, Any]
_BATCH = "msgbatch_"
ALL = "all"
"""In place of a job: every job with a failed slice that can be sent again."""


class UnknownVerb(LotwiseError):
    """The running app does not know this command. Is it an older version? Restart it."""


def run_verb(workspace: Workspace, verb: str, arguments: Document) -> Document:
    """Run a verb of `VERBS` and return its document. Raises `LotwiseError`."""
    if verb not in VERBS:
        raise UnknownVerb(verb=verb)
    return VERBS[verb](workspace, **arguments)


def _import(workspace: Workspace, *, files: list[str], replace: bool = False, tags: Sequence[str] = ()) -> Document:
    reports = actions.import_files(workspace, [Path(file) for file in files], replace=replace, tags=tags)
    documents = []
    for report in reports:
        document = asdict(report)
        if report.rejected:
            reasons = workspace.store.query("rejects", import_id=report.import_id)
            document["rejects_file"] = str(actions.rejects_file(workspace, report.import_id))
            document["reasons"] = reasons.select("line", "custom_id", "reason").to_dicts()
        documents.append(document)
    problems = [f"{report.source}: {report.torn}" for report in reports if report.torn]
    problems += [
        f"{report.source}: not one of its {report.lines} lines is a request"
        for report in reports
        if report.rejected and not report.added + report.known + report.replaced
    ]
    totals = {
        name: sum(getattr(report, name) for report in reports)
        for name in ("added", "known", "retagged", "replaced", "rejected")
    }
    return {"imports": documents, **totals, "problems": problems}


def _plan(workspace: Workspace, **stated: Any) -> Document:
    now = utc_now()
    plan = actions.preview_plan(workspace, now=now, needs=Needs.stated(now=now, **stated))
    return {
        **plan_document(plan),
        "classes": plan.classes.to_dicts(),
        "inputs": plan.inputs,
        **_budgets(actions.check_plan(workspace, plan, now=now)),
        "simulated": workspace.gateway.simulated,
    }


def _budgets(check: Check) -> Document:
    """How something meets the budgets, and what has to be typed to send it."""
    rows = [asdict(budget) | {"over": budget.over} for budget in check.budgets]
    return {"budgets": rows, "unpriced_items": check.unpriced, "confirm": check.confirm}


def _submit(workspace: Workspace, *, confirm: str | None = None, dry_run: bool = False, **stated: Any) -> Document:
    now = utc_now()
    needs = Needs.stated(now=now, **stated)
    made = actions.submit(workspace, now=now, needs=needs, confirmed=confirm, dry_run=dry_run)
    document = {"plan_id": made.plan_id, "jobs": made.jobs, "items": made.items, "predicted_usd": made.predicted_usd}
    if dry_run:  # its ids are of nothing
        document |= {"plan_id": None, "jobs": (), "would_be_jobs": len(made.jobs)}
    return document | _budgets(made.check)


def _status(workspace: Workspace) -> Document:
    return {
        "items": dict(workspace.store.query("status_items").iter_rows()),
        "jobs": workspace.store.query("status_jobs").to_dicts(),
        "waiting_in_inbox": sum(1 for _ in waiting_files(workspace.folder)),
        "late_twins": workspace.store.query("handover_counts")["late_twins"][0],
        "sinks": workspace.store.query("sinks").to_dicts(),
        "suspects": [asdict(suspect) for suspect in workspace.worker.suspects],
        "trouble": workspace.worker.trouble,
        **_halted(workspace),
        "simulated": workspace.gateway.simulated,
    }


def _repair(
    workspace: Workspace,
    *,
    job: str,
    dry_run: bool = False,
    confirm: str | None = None,
    causes: list[str] | None = None,
) -> Document:
    if job == ALL:
        return _repair_all(workspace, dry_run=dry_run, confirm=confirm, causes=causes)
    now = utc_now()
    preview = actions.repair_preview(workspace, job, now=now, causes=causes)
    document = {"slice": asdict(preview), **_budgets(actions.check_repair(workspace, [preview], now=now))}
    if not dry_run:
        document["repair"] = asdict(actions.repair(workspace, job, now=now, causes=causes, confirmed=confirm))
    return document


def _repair_all(
    workspace: Workspace, *, dry_run: bool, confirm: str | None, causes: list[str] | None = None
) -> Document:
    """Every failed slice, or none: where all of them together go over a budget, their sum has to be confirmed."""
    now = utc_now()
    jobs = workspace.store.query("failed_jobs")["job_id"]
    every = [actions.repair_preview(workspace, job, now=now, causes=causes) for job in jobs]
    going = [preview for preview in every if preview.repairable]
    check = actions.check_repair(workspace, going, now=now)
    if not dry_run and not fits(check, confirm):
        raise OverBudget(check, confirm)
    rows = []
    for preview in going:
        own = actions.check_repair(workspace, [preview], now=now).confirm if check.confirm else None
        rows.append(_flat(_repair(workspace, job=preview.job_id, dry_run=dry_run, confirm=own, causes=causes)))
    return {"repairs": rows, **_budgets(check)}


def _set_aside(workspace: Workspace, *, job: str, causes: list[str], undo: bool) -> Document:
    if undo:
        return {"job": job, "taken_back": actions.take_back(workspace, job, causes)}
    return {"job": job, "set_aside": actions.set_aside(workspace, job, causes, now=utc_now())}


def _item(workspace: Workspace, *, item: str) -> Document:
    chain = actions.item_chain(workspace, item)
    return chain.standing | {"chain": list(chain.attempts)}


def _flat(document: Document) -> Document:
    """One row for a slice among many: its causes in a phrase, and the repair job where there is one."""
    part = document["slice"]
    causes = ", ".join(f"{cause['items']} {cause['cause']}" for cause in part["causes"])
    row = {name: part[name] for name in ("job_id", "items", "repairable", "predicted_usd", "cache")}
    return row | {"causes": causes, "repair_job_id": document.get("repair", {}).get("job_id")}


def _release(workspace: Workspace, *, job: str, confirm: str | None = None, dry_run: bool = False) -> Document:
    actions.release(workspace, job, now=utc_now(), confirmed=confirm, dry_run=dry_run)
    return {"job": job, "state": _state(workspace, job)}


def _cancel(workspace: Workspace, *, job: str, dry_run: bool = False) -> Document:
    """The state is `canceling` where the API has the job: it is asked until it accepts."""
    if job.startswith(_BATCH):
        workspace.worker.tick()  # suspects are known to a process that has looked
        if not dry_run:
            actions.cancel_twin(workspace, job)
        return {"batch": job, "state": "canceling"}
    found = actions.cancel(workspace, job, now=utc_now(), dry_run=dry_run)
    return {"job": job, "state": "canceled" if found.unsent_jobs else "canceling", **asdict(found)}


def _stop(workspace: Workspace, *, dry_run: bool = False) -> Document:
    return asdict(actions.stop(workspace, now=utc_now(), dry_run=dry_run)) | _halted(workspace)


def _resume(workspace: Workspace) -> Document:
    actions.resume(workspace, now=utc_now())
    return _halted(workspace)


def _halted(workspace: Workspace) -> Document:
    """Since when nothing is sent, and who stopped it; nothing known of either while sending goes on."""
    halt = actions.halted(workspace)
    return {"halted_since": halt and halt.since, "halted_by": halt and halt.by, "sending": halt is None}


def _caching(workspace: Workspace) -> Document:
    return asdict(actions.cache_plan(workspace, now=utc_now())) | {"simulated": workspace.gateway.simulated}


def _agree_split(workspace: Workspace, *, class_id: str, agreed: bool) -> Document:
    actions.agree_split(workspace, class_id, agreed=agreed)
    return {"class_id": class_id, "agreed": agreed}


def _export(workspace: Workspace, *, what: str, to: str) -> Document:
    return {"what": what, "to": to, "rows": actions.export(workspace, what, Path(to))}


def _audit(workspace: Workspace, *, limit: int, actor: str | None) -> Document:
    entries = actions.audit_log(workspace, limit=limit, actor=actor)
    return {"entries": [asdict(entry) for entry in entries]}


def _deliver(workspace: Workspace, *, to: str | None) -> Document:
    if to is not None:
        actions.add_sink(workspace, to, now=utc_now())
    standing = actions.deliver(workspace, now=utc_now())
    troubled = [f"{sink['target']}: {sink['trouble']}" for sink in standing.sinks if sink["trouble"]]
    return asdict(standing) | {"problems": troubled}


def _sinks(workspace: Workspace, *, remove: str | None) -> Document:
    if remove is not None:
        actions.remove_sink(workspace, remove)
    return asdict(workspace.handover.standing())


def _history(workspace: Workspace, *, days: int, dry_run: bool, reclassify: bool) -> Document:
    if reclassify:
        return asdict(actions.name_history(workspace, dry_run=dry_run)) | {"dry_run": dry_run}
    return asdict(actions.import_history(workspace, since=utc_now() - timedelta(days=days), dry_run=dry_run))


def _active(workspace: Workspace) -> Document:
    return {"active": workspace.worker.active()}


def _state(workspace: Workspace, job: str) -> str:
    jobs: pl.DataFrame = workspace.store.query("job", job_id=job)
    return str(jobs["state"][0])


VERBS: dict[str, Callable[..., Document]] = {
    "import": _import,
    "plan": _plan,
    "schedule": schedule,
    "simulate": simulate,
    "submit": _submit,
    "status": _status,
    "repair": _repair,
    "set-aside": _set_aside,
    "item": _item,
    "release": _release,
    "cancel": _cancel,
    "stop": _stop,
    "resume": _resume,
    "caching": _caching,
    "agree-split": _agree_split,
    "export": _export,
    "deliver": _deliver,
    "sinks": _sinks,
    "audit": _audit,
    "history": _history,
    "trial": trial,
    "route": route,
    "certificate": certificate,
    "costs": costs,
    "unit": unit,
    "savings": savings,
    "commit": commit,
    "explain": explain,
    "prices": prices,
    "next": next_saving,
    "reconcile": reconcile,
    "active": _active,
}
"""By name; `status` and `--wait` let a process without a worker thread take steps itself (`Worker.tick`)."""
