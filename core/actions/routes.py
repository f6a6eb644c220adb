"""Routing classes: where each stands, moving its work to a model that was proven, taking that back, and the watch."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Literal

import polars as pl

from core.actions.trials import list_trials
from core.audit import recorded
from core.caching.item_costs import money
from core.errors import LotwiseError
from core.intake.backlog import waiting_items
from core.intake.routing import Readdressed, all_routes, new_route, readdress_class
from core.intake.withdrawal import Withdrawn, withdraw
from core.jobs.predictions import known_of
from core.prices import UnknownModel
from core.requests.adapting import Change
from core.routing.verdict import Ruling
from core.routing.whole_cost import tier_costs
from core.sizing.evidence import Evidence
from core.trials.class_routes import NOTICE, ClassRoute, RouteState, stand
from core.trials.homes import home_classes, home_of, places_of, route_of
from core.trials.trial import trials
from core.trials.verdicts import labels_of, verdict_of
from core.trials.watch import Watch, refuted, watch_of
from core.workspace import Workspace

_MOST_PRICED = 10
"""Classes that wait and were not sent lately: so many, those with most items, are priced by a plan of their own."""


class NotCertified(LotwiseError):
    """No trial of this class proves that this model clears a bar, so nothing was changed. Start a trial, wait for its
    verdict, or say that it is to be used without proof (--uncertified)."""


class AlreadyThere(LotwiseError):
    """The work of this class goes to this model already, or its owner names it: then withdraw the route."""


@dataclass(frozen=True, kw_only=True)
class RouteDone:
    """What a change of route does: to how many waiting items, and what is sent instead.

    `called_off`: those of them whose jobs were planned and not sent yet; a repair sends them.
    `usd_before`, `usd_after`: what those items are expected to cost before and after, None where that is not known.
    `trial_id`: the trial that proves the model, None where none does.
    """

    class_id: str
    class_name: str
    from_model: str
    to_model: str
    items: int
    called_off: int = 0
    changes: tuple[Change, ...]
    usd_before: Decimal | None
    usd_after: Decimal | None
    trial_id: str | None

    @property
    def certified(self) -> bool:
        """Whether a trial proves that the model clears its bar."""
        return self.trial_id is not None

    @property
    def dearer(self) -> bool:
        """Whether it surely saves nothing: what waits would cost more."""
        return self.usd_before is not None and self.usd_after is not None and self.usd_after > self.usd_before


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """Something about a class's route that a person should decide; `at`: when the model retires, or the alarm rang.

    `usd_month`: the money at stake in 30 days, None where it is not known.
    """

    kind: Literal["failing", "drift", "retires", "not_applied"]
    class_id: str
    class_name: str
    model: str
    usd_month: Decimal | None
    said: str
    at: datetime | None


def class_routes(workspace: Workspace, *, now: datetime) -> tuple[ClassRoute, ...]:
    """Where each class with work in the last 30 days, or waiting, or with a route, stands; dearest first."""
    lines = _stand(workspace, watches(workspace, now=now), now)
    return _with_savings(workspace, lines, lines, now)


def watches(workspace: Workspace, *, now: datetime) -> tuple[Watch, ...]:
    """What the answers of every routed class say since its switch."""
    return tuple(
        watch_of(workspace.store, workspace.folder, workspace.settings, route, now=now)
        for route in all_routes(workspace.store, applied=True)
    )


def route_alarms(workspace: Workspace, *, now: datetime) -> tuple[Alarm, ...]:
    """What about routes a person should decide, most money first: alarms of the watch, models that retire soon, and
    proven savings that nobody takes."""
    watched = watches(workspace, now=now)
    lines = _stand(workspace, watched, now)
    lines = _with_savings(workspace, lines, [line for line in lines if line.state is RouteState.CERTIFIED], now)
    by_class = {each.route.class_id: each for each in watched if each.alarm}
    found = [alarm for line in lines for alarm in _alarms(workspace, line, by_class.get(line.class_id), now)]
    return tuple(sorted(found, key=lambda alarm: -(alarm.usd_month or 0)))


def preview_route(
    workspace: Workspace, class_id: str, model: str, *, now: datetime, trial_id: str | None = None
) -> RouteDone:
    """What `apply_route` would do, proven or not: it adapts every waiting request, and keeps nothing."""
    return _apply(workspace, class_id, model, trial_id=trial_id, uncertified=True, dry_run=True, now=now)


@recorded("apply-route", "class_id", "model", "trial_id", "uncertified", "items")
def apply_route(
    workspace: Workspace,
    class_id: str,
    model: str,
    *,
    now: datetime,
    trial_id: str | None = None,
    uncertified: bool = False,
    dry_run: bool = False,
) -> RouteDone:
    """Have the work of a class go to a model: what waits now, and what comes in from here on.

    What is under way or complete stays. `class_id`: an id or a name; `trial_id`: the trial that proves it, else the
    newest one that does. Raises `NoSuchClass`, `NotCertified` unless it may be `uncertified`, `AlreadyThere`,
    `UnknownModel`, and `CannotRoute` where a request cannot be asked of the model: then nothing is changed.
    """
    done = _apply(workspace, class_id, model, trial_id=trial_id, uncertified=uncertified, dry_run=dry_run, now=now)
    workspace.worker.wake()
    return done


@recorded("withdraw-route", "class_id", "to_model", "items", "called_off")
def withdraw_route(workspace: Workspace, class_id: str, *, now: datetime, dry_run: bool = False) -> RouteDone:
    """Have the work of a class go to the model that its owner names again.

    What waits or failed is restored to the byte; jobs that were not sent yet are called off, and their items are to be
    repaired. What the API has may finish; what of it fails is restored then. Raises `NoSuchClass` and `NoSuchRoute`.
    """
    home = home_of(workspace.store, class_id)
    route = route_of(workspace.store, class_id)
    usd_before, usd_after = _expected(workspace, home, (route.model, route.from_model), now)

    def change() -> Withdrawn:
        return withdraw(workspace.store, home, now=now, by=workspace.actor.name, dry_run=dry_run)

    done = change() if dry_run else workspace.worker.readdress(change)
    return RouteDone(
        class_id=home,
        class_name=_name(workspace, home),
        from_model=route.model,
        to_model=route.from_model,
        items=done.items,
        called_off=done.called_off,
        changes=(),
        usd_before=usd_before,
        usd_after=usd_after,
        trial_id=None,
    )


def _stand(workspace: Workspace, watched: Iterable[Watch], now: datetime) -> tuple[ClassRoute, ...]:
    # Fewer usable answers are raised, but refute nothing: a certificate counts those among the wrong ones.
    alarms = {each.route.route_id: each.alarm for each in watched if each.alarm and each.kind == "failing"}
    return stand(
        workspace.store.query("class_work", now=now).iter_rows(named=True),
        home_classes(workspace.store),
        all_routes(workspace.store, applied=True),
        list_trials(workspace, now=now),
        alarms,
        refuted=refuted(workspace.store, workspace.folder),
        book=workspace.book,
        now=now,
    )


def _with_savings(
    workspace: Workspace, lines: tuple[ClassRoute, ...], wanted: Iterable[ClassRoute], now: datetime
) -> tuple[ClassRoute, ...]:
    """The lines with what moving would save on what waits, for the largest of those wanted that were never sent."""
    fresh = [
        line for line in wanted if line.best_model and line.waiting and not line.items_month and not line.routed_from
    ]
    if not fresh:
        return lines
    largest = sorted(fresh, key=lambda line: -line.waiting)[:_MOST_PRICED]
    waiting = _waiting(workspace, [line.class_id for line in largest])
    evidence = known_of(workspace.store, workspace.gateway, workspace.settings, now=now)
    saving: dict[str, Decimal | None] = {}
    for line in largest:
        models = line.model, str(line.best_model)
        before, after = _prices(workspace, waiting[line.class_id], models, evidence, now=now)
        saving[line.class_id] = None if before is None or after is None else before - after
    return tuple(
        replace(line, saving_month_usd=saving[line.class_id]) if line.class_id in saving else line for line in lines
    )


def _apply(
    workspace: Workspace,
    class_id: str,
    model: str,
    *,
    trial_id: str | None,
    uncertified: bool,
    dry_run: bool,
    now: datetime,
) -> RouteDone:
    home = home_of(workspace.store, class_id)
    to = workspace.book.model(model)
    present = next((route for route in all_routes(workspace.store, applied=True) if route.class_id == home), None)
    own = present.from_model if present else _own_model(workspace, home)
    today = present.model if present else own
    if to.id in (today, own):
        raise AlreadyThere(model=to.id)
    proof = _proof(workspace, home, to.id, trial_id)
    if proof is None and not uncertified:
        raise NotCertified(model=to.id, trial=trial_id)
    usd_before, usd_after = _expected(workspace, home, (today, to.id), now)
    by = workspace.actor.name
    route = new_route(home, from_model=own, to=to.id, trial_id=proof, now=now, by=by)

    def change() -> Readdressed:
        return readdress_class(workspace.store, workspace.folder, home, to, route=route, dry_run=dry_run)

    done = change() if dry_run else workspace.worker.readdress(change)
    return RouteDone(
        class_id=home,
        class_name=_name(workspace, home),
        from_model=today,
        to_model=to.id,
        items=done.items,
        changes=done.changes,
        usd_before=usd_before,
        usd_after=usd_after,
        trial_id=proof,
    )


def _proof(workspace: Workspace, home: str, model: str, trial_id: str | None) -> str | None:
    """The newest trial of the class that decided on the model, or the one named, where it clears its bar there.

    None where what it answered in use refuted that trial since.
    """
    homes = home_classes(workspace.store)
    at = refuted(workspace.store, workspace.folder).get((home, model))
    for trial in trials(workspace.store, workspace.folder):
        if at is not None and trial.created_at <= at:
            return None
        if homes.get(trial.class_id, trial.class_id) == home and trial_id in (None, trial.trial_id):
            labels = labels_of(workspace.store, trial.trial_id)
            for one in trial.candidates:
                ruling = verdict_of(trial, labels, one.number).ruling if one.model == model else Ruling.NOT_YET
                if ruling is not Ruling.NOT_YET:
                    return trial.trial_id if ruling is Ruling.CLEARS else None
    return None


def _expected(
    workspace: Workspace, home: str, models: tuple[str, str], now: datetime
) -> tuple[Decimal | None, Decimal | None]:
    """What the waiting items of a class are expected to cost on two models."""
    evidence = known_of(workspace.store, workspace.gateway, workspace.settings, now=now)
    return _prices(workspace, _waiting(workspace, [home])[home], models, evidence, now=now)


def _waiting(workspace: Workspace, homes: Sequence[str]) -> dict[str, pl.DataFrame]:
    """What waits of each class as its owner sends it, wherever it is routed, as `waiting_items` has it."""
    store, simulated = workspace.store, workspace.gateway.simulated
    places = {home: places_of(store, home) for home in homes}
    every = set().union(*places.values())
    backlog = waiting_items(store, workspace.folder, workspace.book, simulated=simulated, class_ids=every)
    if backlog.is_empty():
        return dict.fromkeys(homes, backlog)
    others = {
        home: store.query("others_waiting", class_id=home, places=sorted(of))["item_id"] for home, of in places.items()
    }
    return {
        home: backlog.filter(pl.col("class_id").is_in(sorted(of)), ~pl.col("item_id").is_in(others[home].implode()))
        for home, of in places.items()
    }


def _prices(
    workspace: Workspace, backlog: pl.DataFrame, models: tuple[str, str], evidence: Evidence, *, now: datetime
) -> tuple[Decimal | None, Decimal | None]:
    """What these waiting items are expected to cost on two models."""
    if backlog.is_empty():
        return None, None
    book, settings = workspace.book, workspace.settings
    sums: list[float | None] = [0.0, 0.0]
    for _, items in backlog.group_by("class_id", maintain_order=True):
        tiers = tier_costs(items, models, qualities={}, book=book, settings=settings, now=now, evidence=evidence)
        for place, tier in enumerate(tiers):
            before = sums[place]
            sums[place] = None if before is None or tier.item_usd is None else before + tier.item_usd * items.height
    return money(sums[0]), money(sums[1])


def _own_model(workspace: Workspace, home: str) -> str:
    """The model that the owner of a class names; its id in the price book, where it is there."""
    named = str(workspace.store.query("class_caching", class_id=home)["model"][0])
    try:
        return str(workspace.book.model(named).id)
    except UnknownModel:
        return named


def _name(workspace: Workspace, home: str) -> str:
    return str(workspace.store.query("class_caching", class_id=home)["name"][0])


def _alarms(workspace: Workspace, line: ClassRoute, watch: Watch | None, now: datetime) -> list[Alarm]:
    """What is to be decided about one class; at stake is what its work costs, or what would be saved."""
    found: list[tuple[Literal["failing", "drift", "retires", "not_applied"], Decimal | None, str, datetime | None]] = []
    if watch and watch.kind and watch.alarm:
        found.append((watch.kind, line.usd_month, watch.alarm, None))
    try:
        model = workspace.book.model(line.model)
    except UnknownModel:
        model = None
    if model and model.retires_at and model.retires_at <= now + NOTICE:
        said = f"{model.display_name} retires on {model.retires_at:%Y-%m-%d}: from then on its requests fail."
        found.append(("retires", line.usd_month, said, model.retires_at))
    if line.state is RouteState.CERTIFIED:
        found.append(("not_applied", line.saving_month_usd, line.why, None))
    return [
        Alarm(
            kind=kind,
            class_id=line.class_id,
            class_name=line.class_name,
            model=line.model,
            usd_month=usd,
            said=said,
            at=at,
        )
        for kind, usd, said, at in found
    ]
