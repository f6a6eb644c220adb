"""The verbs that need a workspace: plain arguments in, one JSON document out.

The command line runs them on a workspace that it opened, or sends them to the process that owns it; both ways they
are these functions.
"""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from core import actions
from core.errors import LotwiseError
from core.workspace import Workspace, utc_now

Document = dict[str, Any]
ALL = "all"
"""In place of a job: every job with a failed slice that can be sent again."""


class UnknownVerb(LotwiseError):
    """The running app does not know this command. Is it an older version? Restart it."""


def run_verb(workspace: Workspace, verb: str, arguments: Document) -> Document:
    """Run a verb of `VERBS` and return its document. Raises `LotwiseError`."""
    if verb not in VERBS:
        raise UnknownVerb(verb=verb)
    return VERBS[verb](workspace, **arguments)


def _import(workspace: Workspace, *, files: list[str], replace: bool = False) -> Document:
    reports = actions.import_files(workspace, [Path(file) for file in files], replace=replace)
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
        name: sum(getattr(report, name) for report in reports) for name in ("added", "known", "replaced", "rejected")
    }
    return {"imports": documents, **totals, "problems": problems}


def _plan(workspace: Workspace) -> Document:
    plan = actions.preview_plan(workspace, now=utc_now())
    return {
        "items": plan.items,
        "predicted_usd": plan.predicted_usd,
        "predicted_plain_usd": plan.predicted_plain_usd,
        "unpriced": plan.unpriced,
        "jobs": [asdict(job) for job in plan.jobs],
        "classes": plan.classes.to_dicts(),
        "inputs": plan.inputs,
        "simulated": workspace.gateway.simulated,
    }


def _submit(workspace: Workspace) -> Document:
    return asdict(actions.submit(workspace, now=utc_now()))


def _status(workspace: Workspace) -> Document:
    return {
        "items": dict(workspace.store.query("status_items").iter_rows()),
        "jobs": workspace.store.query("status_jobs").to_dicts(),
        "trouble": workspace.worker.trouble,
        "simulated": workspace.gateway.simulated,
    }


def _repair(workspace: Workspace, *, job: str, dry_run: bool) -> Document:
    if job == ALL:
        jobs = workspace.store.query("repairable_jobs")["job_id"]
        return {"repairs": [_flat(_repair(workspace, job=each, dry_run=dry_run)) for each in jobs]}
    preview = asdict(actions.repair_preview(workspace, job, now=utc_now()))
    if dry_run:
        return {"slice": preview}
    return {"slice": preview, "repair": asdict(actions.repair(workspace, job, now=utc_now()))}


def _flat(document: Document) -> Document:
    """One row for a slice among many: its causes in a phrase, and the repair job where there is one."""
    part = document["slice"]
    causes = ", ".join(f"{cause['items']} {cause['cause']}" for cause in part["causes"])
    row = {name: part[name] for name in ("job_id", "items", "repairable", "predicted_usd", "warm")}
    return row | {"causes": causes, "repair_job_id": document.get("repair", {}).get("job_id")}


def _release(workspace: Workspace, *, job: str) -> Document:
    actions.release(workspace, job)
    return {"job": job, "state": _state(workspace, job)}


def _cancel(workspace: Workspace, *, job: str) -> Document:
    actions.cancel(workspace, job, now=utc_now())
    return {"job": job, "state": _state(workspace, job)}


def _caching(workspace: Workspace) -> Document:
    return asdict(actions.cache_plan(workspace, now=utc_now())) | {"simulated": workspace.gateway.simulated}


def _agree_split(workspace: Workspace, *, class_id: str, agreed: bool) -> Document:
    actions.agree_split(workspace, class_id, agreed=agreed)
    return {"class_id": class_id, "agreed": agreed}


def _export(workspace: Workspace, *, what: str, to: str) -> Document:
    return {"what": what, "to": to, "rows": actions.export(workspace, what, Path(to))}


def _active(workspace: Workspace) -> Document:
    return {"active": workspace.worker.active()}


def _state(workspace: Workspace, job: str) -> str:
    jobs: pl.DataFrame = workspace.store.query("job", job_id=job)
    return str(jobs["state"][0])


VERBS: dict[str, Callable[..., Document]] = {
    "import": _import,
    "plan": _plan,
    "submit": _submit,
    "status": _status,
    "repair": _repair,
    "release": _release,
    "cancel": _cancel,
    "caching": _caching,
    "agree-split": _agree_split,
    "export": _export,
    "active": _active,
}
"""By name; `status` and `--wait` let a process without a worker thread take steps itself (`Worker.tick`)."""
