"""The next savings: what they are found in, taking one up or dismissing it, and what came of those taken."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

import polars as pl

from core.actions.explain import findings, known_events
from core.actions.trials import list_trials
from core.audit import recorded
from core.doctor.examination import examine
from core.errors import LotwiseError
from core.intake.payloads import PayloadReader
from core.intake.routing import all_routes
from core.jobs.hit_rates import learn
from core.jobs.predictions import time_scale
from core.opportunities.heads import head_savings
from core.opportunities.models import Lighter, model_savings
from core.opportunities.opportunity import Kind, Opportunity
from core.opportunities.prefixes import cache_savings
from core.opportunities.promises import Kept, Promise, baseline, kept
from core.opportunities.prompts import PromptFault, with_faults
from core.opportunities.ranking import Dismissal, ranked
from core.opportunities.rises import rises
from core.opportunities.sizes import SizeRules, size_savings
from core.opportunities.taken import Switch, seen
from core.opportunities.waste import waste_savings
from core.opportunities.workload import (
    CELLS,
    CLASSES,
    DUPLICATES,
    HEADS,
    JOBS,
    WEEKS,
    Workload,
    last_day,
)
from core.sizing.faults import FaultHistory
from core.trends.movement import MONTH_DAYS
from core.trials.class_routes import RouteState, stand
from core.trials.homes import home_classes
from core.trials.watch import refuted
from core.workspace import Workspace

LOOK_BACK_DAYS = 91
"""So far back the ledger is looked through for steps, and for what was taken without a click."""

_EXAMINED = 250
"""Requests of what waits that the doctor looks at: enough to see what differs from one to the next."""

_FOUND = timedelta(days=7 * WEEKS - 1)


class NoSuchSaving(LotwiseError):
    """There is no such entry among the next savings: it may be taken, dismissed or over. List them again."""


class NothingToCompare(LotwiseError):
    """This class has no finished and priced work in the last four weeks, so a promise could not be measured against
    anything. Change what the entry names, and send its work: the next weeks will tell."""


@dataclass(frozen=True, kw_only=True)
class TakenUp:
    """A promise that was recorded, and where it is taken."""

    promise_id: str
    key: str
    usd_month: Decimal
    page: str
    query: dict[str, str]


def workload(workspace: Workspace, *, now: datetime, days: int = 7 * WEEKS) -> Workload:
    """The finished work of so many days that are over, as opportunities are found in it."""
    newest: date | None = workspace.store.query("newest_work", today=now.date())["day"][0]
    last = last_day(now, newest)
    return work_between(workspace, first=last - timedelta(days=days - 1), last=last, now=now)


def work_between(workspace: Workspace, *, first: date, last: date, now: datetime) -> Workload:
    """The finished work from `first` to `last`, both included, with what is known of it `now`."""
    store, span = workspace.store, {"first": first, "last": last}
    scale = time_scale(workspace.gateway)
    classes = _cast(store.query("opportunity_classes").with_columns(reads=pl.lit(None, pl.Float64)), CLASSES)
    learned = learn(store, now=now, hour=workspace.gateway.cache_lifetime).reads_of(
        classes.select("class_id", "model").iter_rows()
    )
    reads = {of: expected.rate.mean for of, expected in learned.items() if expected.basis == "measured"}
    return Workload(
        cells=_cells(workspace, first, last),
        jobs=_cast(store.query("opportunity_jobs", scale=scale, **span), JOBS),
        classes=classes.with_columns(
            reads=pl.col("class_id").replace_strict(reads, default=None, return_dtype=pl.Float64)
        ),
        duplicates=_cast(store.query("duplicates_paid", **span), DUPLICATES),
        heads=_cast(store.query("opportunity_heads"), HEADS),
        book=workspace.book,
        last=last,
    )


def next_savings(workspace: Workspace, *, now: datetime) -> tuple[Opportunity, ...]:
    """What would save money from here on, by expected dollars a month times how sure they are."""
    work = workload(workspace, now=now, days=LOOK_BACK_DAYS)
    found = [
        *cache_savings(work),
        *head_savings(work),
        *waste_savings(work),
        *model_savings(work, _lighter(workspace, now)),
        *size_savings(work, _size_rules(workspace, now)),
    ]
    found += rises(work, work.cells, found, findings=findings(workspace), known=known_events(workspace))
    found = list(with_faults(found, _prompt_faults(workspace, now), _ids(workspace, work, found)))
    dismissed = [Dismissal(**row) for row in workspace.store.query("dismissals").iter_rows(named=True)]
    return ranked(found, dismissed=dismissed, taken=_in_hand(workspace, now))


@recorded("take-saving", "key", "promise_id", "usd_month")
def take_up(workspace: Workspace, key: str, *, now: datetime) -> TakenUp:
    """Take up a saving: what is expected of it is recorded, and later shown beside what came.

    Raises `NoSuchSaving` and `NothingToCompare`.
    """
    found = _named(workspace, key, now)
    work = workload(workspace, now=now)
    last = work.last
    since = found.evidence.get("since", last - _FOUND)
    before = baseline(work, found.class_name, found.kind, first=max(since, last - _FOUND), last=last)
    if before is None or found.usd_month is None:
        raise NothingToCompare(class_name=found.class_name)
    promise_id = secrets.token_hex(4)
    values = {
        "promise_id": promise_id,
        "key": found.key,
        "kind": found.kind,
        "class_id": found.class_id or "",
        "class_name": found.class_name,
        "said": found.said,
        "confidence": found.confidence,
        "usd_month": found.usd_month,
        "low": found.low,
        "high": found.high,
        "baseline_first": before.first,
        "baseline_last": before.last,
        "baseline_unit_usd": before.unit_usd,
        "units_month": before.units_month,
        "now": now,
        "by": workspace.actor.name,
    }
    workspace.store.write(lambda tx: tx.run("add_promise", **values))
    return TakenUp(promise_id=promise_id, key=found.key, usd_month=found.usd_month, page=found.page, query=found.query)


@recorded("dismiss-saving", "key")
def dismiss(workspace: Workspace, key: str, *, note: str, now: datetime) -> None:
    """Take a saving off the list, until it is worth half as much again. Raises `NoSuchSaving`."""
    found = _named(workspace, key, now)
    values = {"key": found.key, "usd_month": found.usd_month, "note": note, "now": now, "by": workspace.actor.name}
    workspace.store.write(lambda tx: tx.run("dismiss_saving", **values))


def promises(workspace: Workspace, *, now: datetime) -> tuple[Kept, ...]:
    """What came of every saving that was taken up, or seen to be taken in the last 13 weeks; newest first."""
    made = _promises(workspace)
    today = now.date()
    oldest = min((each.baseline_first for each in made), default=today)
    first = min(oldest, today - timedelta(days=LOOK_BACK_DAYS - 1))
    past = work_between(workspace, first=first, last=today, now=now)
    every = (*made, *seen(past, _switches(workspace, past), made))
    job_usd = workspace.settings.job_cost_usd
    found = [kept(past, each, now=now, job_usd=job_usd) for each in every]
    return tuple(sorted(found, key=lambda each: each.promise.taken_at, reverse=True))


def _in_hand(workspace: Workspace, now: datetime) -> list[str]:
    """The keys of what was taken up, as long as it is too early to say, or something came of it."""
    newest = {each.key: each for each in reversed(_promises(workspace))}
    if not newest:
        return []
    first = min(each.baseline_first for each in newest.values())
    past = work_between(workspace, first=first, last=now.date(), now=now)
    job_usd = workspace.settings.job_cost_usd
    states = {key: kept(past, each, now=now, job_usd=job_usd).state for key, each in newest.items()}
    return [key for key, state in states.items() if state != "not kept"]


def _cells(workspace: Workspace, first: date, last: date) -> pl.DataFrame:
    return _cast(workspace.store.query("opportunity_cells", first=first, last=last), CELLS)


def _prompt_faults(workspace: Workspace, now: datetime) -> list[PromptFault]:
    """What the doctor finds in an even sample of what waits, if as much comes in a day as did lately."""
    store = workspace.store
    waiting = store.query("waiting_payloads")
    if waiting.is_empty():
        return []
    every = max(1, waiting.height // _EXAMINED)
    since = store.query("waiting_since")["since"][0]
    days = max(1.0, (now - since).total_seconds() / timedelta(days=1).total_seconds())
    with PayloadReader(workspace.folder) as reader:
        requests = [
            (str(item_id), reader.params(import_id, offset, size))
            for item_id, import_id, offset, size in waiting.gather_every(every).iter_rows()
        ]
    faults = []
    for finding in examine(requests, book=workspace.book, now=now, runs_a_month=every * MONTH_DAYS / days).findings:
        classes = store.query("classes_of_items", item_ids=list(finding.custom_ids))
        if classes.height == 1:
            faults.append(
                PromptFault(
                    title=finding.title,
                    path=finding.path,
                    below_floor=finding.kind == "below_floor",
                    class_id=classes["class_id"][0],
                    class_name=classes["name"][0],
                    model=finding.model,
                    requests=finding.items * every,
                    ids=finding.custom_ids,
                    usd_month=finding.saving_month_usd,
                )
            )
    return faults


def _ids(workspace: Workspace, work: Workload, found: Iterable[Opportunity]) -> dict[str, list[str]]:
    """A few ids of requests of each class whose prompt changes, of its newest job."""
    changing = [each.class_id for each in found if each.kind is Kind.PREFIX]
    newest = (
        work.recent.filter(pl.col("class_id").is_in(changing))
        .sort("submitted_at")
        .group_by("class_id")
        .agg(pl.last("job_id", "submitted_at"))
    )
    if newest.is_empty():
        return {}
    rows = workspace.store.query("ids_of_jobs", job_ids=newest["job_id"].to_list(), since=newest["submitted_at"].min())
    return {str(of): ids["item_id"].to_list() for (of,), ids in rows.group_by("class_id")}


def _named(workspace: Workspace, key: str, now: datetime) -> Opportunity:
    for each in next_savings(workspace, now=now):
        if each.key == key:
            return each
    raise NoSuchSaving(key=key)


def _promises(workspace: Workspace) -> list[Promise]:
    rows = workspace.store.query("promises").iter_rows(named=True)
    return [Promise(**row | {"kind": Kind(row["kind"])}) for row in rows]


def _lighter(workspace: Workspace, now: datetime) -> list[Lighter]:
    """The classes for which a lighter model is proven and not used, or was never tried."""
    store = workspace.store
    # Alarms of the watch are told elsewhere, and what never was sent has no month to go by.
    lines = stand(
        store.query("class_work", now=now).iter_rows(named=True),
        home_classes(store),
        all_routes(store, applied=True),
        list_trials(workspace, now=now),
        {},
        refuted=refuted(store, workspace.folder),
        book=workspace.book,
        now=now,
    )
    return [
        Lighter(
            class_id=line.class_id,
            class_name=line.class_name,
            model=line.model,
            to=line.best_model,
            usd_month=line.saving_month_usd,
            items_month=line.items_month,
            proven=line.state is RouteState.CERTIFIED,
            trial_id=line.trial_id,
        )
        for line in lines
        if line.state in (RouteState.CERTIFIED, RouteState.NEVER)
        and line.best_model
        and line.saving_month_usd is not None
        and line.items_month
    ]


def _size_rules(workspace: Workspace, now: datetime) -> SizeRules:
    settings = workspace.settings
    history = workspace.store.query("fault_history")
    learned = FaultHistory.learn(history, now=now, void_rate=settings.job_fault_rate)
    return SizeRules(
        most_requests=settings.max_job_requests,
        blast_usd=float(settings.blast_radius_usd),
        job_usd=float(settings.job_cost_usd),
        faults=learned.of,
    )


def _switches(workspace: Workspace, work: Workload) -> list[Switch]:
    """The routes in force whose classes worked before."""
    return [
        Switch(
            class_id=route.class_id,
            class_name=work.names[route.class_id][0],
            from_model=route.from_model,
            to=route.model,
            at=route.applied_at,
        )
        for route in all_routes(workspace.store, applied=True)
        if route.class_id in work.names
    ]


def _cast(frame: pl.DataFrame, schema: dict[str, type[pl.DataType] | pl.DataType]) -> pl.DataFrame:
    return frame.select(pl.col(name).cast(kind) for name, kind in schema.items())
