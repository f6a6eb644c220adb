"""What if: the past weeks, what waits, or request files, simulated otherwise and set beside what really happened."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import polars as pl

from core.caching.waves import WAVE_SECONDS
from core.errors import LotwiseError
from core.intake.backlog import waiting_items
from core.intake.file_backlog import file_backlog
from core.intake.group_files import find_file_classes
from core.jobs.hit_rates import hit_rates
from core.jobs.predictions import learn_sizing, time_scale
from core.prices import PriceBook
from core.settings import Settings
from core.simulation.advice import Bounds
from core.simulation.outcome import Distribution
from core.simulation.replay import Replay, past, waiting
from core.simulation.scenario import Scenario, Setting
from core.simulation.twin import World
from core.sizing.evidence import Evidence
from core.workspace import Workspace

ASSUMED_WIDTH = 50.0
"""Items of a job in flight at once, where no job has told it yet."""

DAYS, WITHIN_HOURS, REPLICATES = 28, 24.0, 50
"""Unless asked otherwise: how far back, how soon results are needed, and how often each job is drawn."""


class NothingToSimulate(LotwiseError):
    """There is nothing to simulate: no job with a known price ended in these days, and nothing waits. Send a plan,
    bring in the account's history, or name request files."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Stage:
    """What is simulated, and what became of it in truth (None where it still waits). `days`: None for what waits."""

    setting: Setting
    actual: dict[str, Any] | None
    days: int | None
    within_hours: float
    width_basis: str

    @property
    def items(self) -> int:
        """Items that are simulated."""
        return len(self.setting.replay.traffic.at)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Figures by name: of the scenario, of the same jobs as they were sent or would be, and in truth."""

    scenario: dict[str, Distribution]
    baseline: dict[str, Distribution]
    actual: dict[str, float] | None


def stage_workspace(
    workspace: Workspace, *, now: datetime, days: int = DAYS, within_hours: float = WITHIN_HOURS
) -> Stage:
    """The jobs of the last days, or what waits where none was sent. Raises `NothingToSimulate`."""
    settings, since = workspace.settings, now - timedelta(days=days)
    asked = {"since": since, "now": now}
    actual = workspace.store.query("replayed_actual", **asked, within=within_hours * 3600).row(0, named=True)
    # The history of a demo ran at life's speed, its server does not.
    scale = 1.0 if actual["at_life_speed"] else time_scale(workspace.gateway)
    evidence = learn_sizing(workspace.store, now=now, scale=scale, void_rate=settings.job_fault_rate)
    if actual["items"]:
        replay = past(
            workspace.store.query("replayed_items", **asked),
            workspace.store.query("replayed_classes", **asked),
            evidence=evidence,
            within_hours=within_hours,
            book=workspace.book,
            epoch=since,
            now=now,
        )
    else:
        backlog = waiting_items(
            workspace.store, workspace.folder, workspace.book, simulated=workspace.gateway.simulated
        )
        replay = _waiting(
            backlog, evidence=evidence, within_hours=within_hours, book=workspace.book, settings=settings, now=now
        )
    width, basis = _width(workspace, now)
    world = _world(settings, evidence, width=width, scale=scale, trouble=actual["trouble"])
    return Stage(
        setting=_setting(replay, world, workspace.book, settings, now),
        actual=_actual(actual, float(settings.job_cost_usd)) if actual["items"] else None,
        days=days if actual["items"] else None,
        within_hours=within_hours,
        width_basis=basis,
    )


def stage_files(
    files: Iterable[Path], *, book: PriceBook, settings: Settings, now: datetime, within_hours: float = WITHIN_HOURS
) -> Stage:
    """Request files as they are, all of their requests there now. Raises what `request_files` raises, and
    `NothingToSimulate`."""
    backlog = file_backlog(find_file_classes(files, book, executor=settings.executor, details=True), book)
    evidence = Evidence()
    replay = _waiting(
        pl.DataFrame() if backlog is None else backlog,
        evidence=evidence,
        within_hours=within_hours,
        book=book,
        settings=settings,
        now=now,
    )
    world = _world(settings, evidence, width=ASSUMED_WIDTH, scale=1.0, trouble=1.0)
    return Stage(
        setting=_setting(replay, world, book, settings, now),
        actual=None,
        days=None,
        within_hours=within_hours,
        width_basis="assumed",
    )


def what_if(found: Stage, scenario: Scenario, *, replicates: int = REPLICATES, seed: int = 0) -> Comparison:
    """The scenario beside the baseline and the truth; the same seed gives the same figures. Raises `UnknownModel`."""
    return Comparison(
        scenario=simulated(found, scenario, replicates=replicates, seed=seed),
        baseline=as_it_is(found, replicates=replicates, seed=seed),
        actual=found.actual,
    )


def simulated(
    found: Stage, scenario: Scenario, *, replicates: int = REPLICATES, seed: int = 0
) -> dict[str, Distribution]:
    """The scenario alone. Raises `UnknownModel`."""
    return found.setting.outcome(scenario, replicates=replicates, seed=seed).distributions()


def as_it_is(found: Stage, *, replicates: int = REPLICATES, seed: int = 0) -> dict[str, Distribution]:
    """The jobs as they were sent; of what waits, as they would be on advice."""
    return found.setting.baseline(replicates=replicates, seed=seed).distributions()


def _waiting(backlog: pl.DataFrame, **known: Any) -> Replay:
    if backlog.is_empty():
        raise NothingToSimulate
    return waiting(backlog, **known)


def _setting(replay: Replay, world: World, book: PriceBook, settings: Settings, now: datetime) -> Setting:
    if not len(replay.traffic.at):
        raise NothingToSimulate(unpriced=replay.unpriced)
    bounds = Bounds(
        requests=settings.max_job_requests,
        bytes=settings.max_job_bytes,
        blast_usd=float(settings.blast_radius_usd),
        blast_hours=settings.blast_radius_hours,
    )
    return Setting(replay=replay, world=world, bounds=bounds, book=book, now=now)


def _world(settings: Settings, evidence: Evidence, *, width: float, scale: float, trouble: float) -> World:
    return World(
        turnaround=evidence.turnaround,
        width=width,
        queue_limit=settings.queue_limit,
        job_usd=float(settings.job_cost_usd),
        wave_seconds=WAVE_SECONDS / scale,
        life_scale=1 / scale,
        trouble=trouble,
    )


def _width(workspace: Workspace, now: datetime) -> tuple[float, str]:
    """Items in flight at once, and whether that is set, was seen in unprimed jobs, or is assumed."""
    if workspace.gateway.simulated:
        return float(workspace.settings.sandbox_width), "set"
    seen = [one.width for one in hit_rates(workspace.store, now=now) if one.width is not None]
    return (median(seen), "measured") if seen else (ASSUMED_WIDTH, "assumed")


def _actual(row: dict[str, Any], job_usd: float) -> dict[str, float]:
    """What happened, under the names that simulated figures have; what is not known is left out."""
    items_usd = None if row["cost_usd"] is None else float(row["cost_usd"])
    fixed_usd = (row["jobs"] - row["primers"]) * job_usd
    figures = {
        "cost_usd": None if items_usd is None else items_usd + fixed_usd,
        "items_usd": items_usd,
        "rerun_usd": float(row["wasted_usd"]) + row["repairs"] * job_usd,
        "fixed_usd": fixed_usd,
        "on_time": row["on_time"],
        "hours": row["hours"],
        "jobs": float(row["jobs"]),
    }
    return {name: value for name, value in figures.items() if value is not None and not math.isnan(value)}
