"""The only reads of the pages: kept until the store moves on, shared by every visitor, never changed."""

from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import streamlit as st

from core import actions
from core.actions.simulation import Comparison, Stage
from core.caching.class_caching import ClassCaching
from core.checkup import examine_waiting
from core.doctor.examination import Examination
from core.handover.handover import Standing
from core.history.naming_anew import Naming
from core.intake.payloads import PayloadReader
from core.jobs.drifts import drifts_of
from core.jobs.hit_rates import ClassHitRate
from core.jobs.hit_rates import hit_rates as hit_rates_of
from core.jobs.predictions import known_of, time_scale
from core.jobs.slices import Slice
from core.jobs.spending import Check
from core.planning.class_size import ClassSize
from core.planning.needs import Needs
from core.planning.plan import NothingToPlan, Plan
from core.planning.size_study import SizeStudy
from core.prices import UnknownModel, UnpricedModel
from core.requests.passages import Passage, passages
from core.requests.request import parse_params
from core.schedule.rhythm import Need, parse_need
from core.simulation.outcome import Distribution
from core.simulation.scenario import Scenario
from core.sizing.drift import Drift
from core.sizing.evidence import Evidence
from core.store import Store
from core.workspace import Workspace
from pages import formats
from pages.session import workspace
from pages.standing import RUNNING, STOPPED

EVERY = 1_000_000
"""More classes than there will ever be."""

Param = str | float | bool | date | tuple[str, ...] | None


def read(name: str, /, **params: Param) -> pl.DataFrame:
    """The named read of the store, from memory unless something was written since."""
    store = workspace().store
    return _read(store, str(workspace().folder), store.version, name, tuple(sorted(params.items())))


def row(name: str, /, **params: Param) -> dict[str, Any] | None:
    """The first row of the named read; None where there is none."""
    found = read(name, **params)
    return found.row(0, named=True) if found.height else None


def standing() -> dict[str, Any]:
    """What waits, in one row: backlog, open failures, jobs under way and jobs that need a person."""
    return row("standing", running=RUNNING, stopped=STOPPED) or {}


def plan(needs: Needs | None = None) -> Plan | None:
    """The draft plan of the backlog that meets these needs, or None where nothing waits.

    Worked out again when the store moves on, and every hour for its prices.
    """
    opened = workspace()
    return _plan(opened, str(opened.folder), opened.store.version, _hour(), needs if needs != Needs() else None)


def plan_check(needs: Needs | None = None) -> Check:
    """How that plan would meet the budgets; worked out again when the store moves on, and every hour."""
    opened = workspace()
    return _plan_check(opened, str(opened.folder), opened.store.version, _hour(), needs)


def sizes(of: Plan) -> tuple[ClassSize, ...]:
    """What can be sized of a plan: its groups, and the classes that share jobs in them, each as if alone."""
    return (*of.sizes, *of.alone)


def study(of: Plan, place: int, needs: Needs) -> SizeStudy:
    """What is at this place among the sizes of the plan, under other needs: milliseconds, no read."""
    return actions.study_size(workspace(), of, sizes(of)[place], needs=needs, now=formats.now())


def classes(
    *,
    class_id: str | None = None,
    text: str | None = None,
    model: str | None = None,
    state: str | None = None,
    waiting: bool | None = None,
    limit: int = EVERY,
) -> pl.DataFrame:
    """Classes within the filters, most input waiting first; `classes` in each row counts all that were found."""
    filters = {"class_id": class_id, "text": text, "model": model, "state": state, "waiting": waiting}
    return read("classes_listed", **filters, limit=limit)


def caching() -> dict[str, ClassCaching]:
    """How each class that waits meets the cache, by class id."""
    drafted = plan()
    return {} if drafted is None else {one.class_id: one for one in drafted.caching}


def caching_frame() -> pl.DataFrame:
    """The same as rows, for the table of classes."""
    opened = workspace()
    return _caching_frame(opened, str(opened.folder), opened.store.version, _hour())


def hit_rates() -> dict[str, ClassHitRate]:
    """What was read of what could be read, by class id, for every class that had a primed job."""
    store = workspace().store
    return _hit_rates(store, str(workspace().folder), store.version, _hour())


def drifts() -> tuple[Drift, ...]:
    """What left what was learned of it in the last 30 days, newest first."""
    opened = workspace()
    return _drifts(opened, str(opened.folder), opened.store.version, _hour())


def cadence(
    need: Need, *, confidence: float, classes: tuple[str, ...], items_a_day: float | None, zone: str
) -> actions.Recommended:
    """The cadence for recurring work; worked out again when the store moves on, and every hour.

    Raises `NothingRecurs` and `NeededSooner`.
    """
    opened = workspace()
    asked = (str(need), confidence, classes, items_a_day, zone)
    return _cadence(opened, str(opened.folder), opened.store.version, _hour(), asked)


def evidence() -> Evidence:
    """What the jobs taught so far about times, faults, output and hit rates."""
    opened = workspace()
    return _evidence(opened, str(opened.folder), opened.store.version, _hour())


def input_rates() -> dict[str, float]:
    """What a token of plain input costs in a batch right now, in USD, of every model whose price is known."""
    book, rates = workspace().book, {}
    for model in class_models():
        with suppress(UnknownModel, UnpricedModel):
            rates[model] = float(book.rates(model, at=formats.now()).input)
    return rates


def floor(model: str) -> int | None:
    """The tokens that a prefix must have to be cached; None for a model that the price book does not list."""
    try:
        return workspace().book.model(model).cache_floor_tokens
    except UnknownModel:
        return None


def prompt(item: dict[str, Any]) -> tuple[Passage, ...]:
    """What an item sends, block by block; `item` says where it is kept, as `class_items` does."""
    folder = str(workspace().folder)
    return _prompt(folder, item["import_id"], item["payload_offset"], item["payload_bytes"])


def failed_slice(job_id: str, causes: tuple[str, ...] | None = None) -> Slice:
    """What is left to repair of a job, and what sending these causes again would do (None: what passes by itself).

    Worked out again when the store moves on, and every minute: a primed prefix stays warm for less than an hour.
    """
    opened = workspace()
    minute = f"{formats.now():%Y-%m-%d %H:%M}"
    return _failed_slice(opened, str(opened.folder), opened.store.version, job_id, minute, causes)


def repair_check(preview: Slice) -> Check:
    """How that repair would meet the budgets."""
    return actions.check_repair(workspace(), [preview], now=formats.now())


def waiting() -> str:
    """What waits, as one value: the same as long as no item came, went or was corrected."""
    return str(read("waiting_fingerprint")["fingerprint"][0])


def examination() -> Examination:
    """What the doctor finds in what waits: seconds of work, kept until something else waits."""
    opened = workspace()
    return _examination(opened, str(opened.folder), waiting(), _hour())


def naming(text: str) -> Naming:
    """What naming rules would make of the imported history: worked out again when the store moves on."""
    opened = workspace()
    return _naming(opened, str(opened.folder), opened.store.version, text)


def handover() -> Standing:
    """How far the hand-over of results is."""
    opened = workspace()
    return _handover(opened, str(opened.folder), opened.store.version)


def class_models() -> list[str]:
    """Every model that a class runs on, for filters and prices."""
    return read("class_models")["model"].to_list()


def priced_models() -> list[str]:
    """Every model that has a price today, for scenarios."""
    book, priced = workspace().book, []
    for model in book.models():
        with suppress(UnpricedModel):
            book.rates(model.id, at=formats.now())
            priced.append(model.id)
    return priced


def what_if(days: int, scenario: Scenario) -> tuple[Stage, Comparison]:
    """The last days simulated under a scenario, and as they were. Raises `NothingToSimulate`."""
    opened = workspace()
    key = (str(opened.folder), opened.store.version, _hour(), days)
    found = _stage(opened, *key)
    simulated = _simulated(found, *key, scenario)
    return found, Comparison(scenario=simulated, baseline=_as_it_is(found, *key), actual=found.actual)


def class_names() -> list[str]:
    """Every class by name, for filters and links: a class that moved to another model keeps its name."""
    return read("class_names")["name"].to_list()


def caching_totals() -> dict[str, Any]:
    """All rows of `caching_frame` as one: classes, what their caching saves, and what splitting texts would add."""
    return (
        caching_frame()
        .select(
            classes=pl.len(),
            cached=pl.col("expected_hit_rate").is_not_null().sum(),
            saved_usd=pl.col("saved_usd").sum(),
            splits=pl.col("split_usd").count(),
            split_usd=pl.col("split_usd").sum(),
        )
        .row(0, named=True)
    )


def models() -> list[str]:
    """Every model that ran a job, for the filters."""
    return read("model_names")["model"].to_list()


def _hour() -> str:
    return f"{formats.now():%Y-%m-%d %H}"


# The arguments after the first make the key: two workspaces, or two states of one, never share a frame.
@st.cache_resource(show_spinner=False, max_entries=500)
def _read(_store: Store, folder: str, version: int, name: str, params: tuple[tuple[str, Param], ...]) -> pl.DataFrame:
    return _store.query(name, **{key: list(p) if isinstance(p, tuple) else p for key, p in params})


@st.cache_resource(show_spinner=False, max_entries=8)
def _caching_frame(_workspace: Workspace, folder: str, version: int, hour: str) -> pl.DataFrame:
    rows = [
        {
            "class_id": one.class_id,
            "saved_usd": None if one.plain_usd is None or one.planned_usd is None else one.plain_usd - one.planned_usd,
            "split_usd": one.split_usd,
            "reason": one.reasons[0],
            "expected_hit_rate": one.hit_rate if one.lifetime else None,
        }
        for one in caching().values()
    ]
    money = dict.fromkeys(("saved_usd", "split_usd"), pl.Decimal(38, 12))
    words = dict.fromkeys(("class_id", "reason"), pl.String)
    return pl.DataFrame(rows, schema=words | money | {"expected_hit_rate": pl.Float64})


@st.cache_resource(show_spinner=False, max_entries=8)
def _hit_rates(_store: Store, folder: str, version: int, hour: str) -> dict[str, ClassHitRate]:
    return {one.class_id: one for one in hit_rates_of(_store, now=formats.now())}


@st.cache_resource(show_spinner=False, max_entries=4)
def _evidence(_workspace: Workspace, folder: str, version: int, hour: str) -> Evidence:
    return known_of(_workspace.store, _workspace.gateway, _workspace.settings, now=formats.now())


@st.cache_resource(show_spinner=False, max_entries=8)
def _drifts(_workspace: Workspace, folder: str, version: int, hour: str) -> tuple[Drift, ...]:
    return drifts_of(_workspace.store, now=formats.now(), scale=time_scale(_workspace.gateway))


@st.cache_resource(show_spinner=False, max_entries=4)
def _examination(_workspace: Workspace, folder: str, waits: str, hour: str) -> Examination:
    return examine_waiting(_workspace.store, _workspace.folder, _workspace.book, now=formats.now())


@st.cache_resource(show_spinner=False, max_entries=100)
def _prompt(folder: str, import_id: str, offset: int, size: int) -> tuple[Passage, ...]:
    with PayloadReader(Path(folder)) as reader:
        return tuple(passages(parse_params(reader.read(import_id, offset, size))))


@st.cache_resource(show_spinner=False, max_entries=8)
def _handover(_workspace: Workspace, folder: str, version: int) -> Standing:
    return _workspace.handover.standing()


@st.cache_resource(show_spinner=False, max_entries=50)
def _failed_slice(
    _workspace: Workspace, folder: str, version: int, job_id: str, minute: str, causes: tuple[str, ...] | None
) -> Slice:
    return actions.repair_preview(_workspace, job_id, now=formats.now(), causes=causes)


@st.cache_resource(show_spinner=False, max_entries=8)
def _naming(_workspace: Workspace, folder: str, version: int, text: str) -> Naming:
    return actions.preview_naming(_workspace, text)


@st.cache_resource(show_spinner=False, max_entries=4)
def _plan(_workspace: Workspace, folder: str, version: int, hour: str, needs: Needs | None) -> Plan | None:
    try:
        return actions.preview_plan(_workspace, now=formats.now(), needs=needs)
    except NothingToPlan:
        return None


@st.cache_resource(show_spinner=False, max_entries=8)
def _plan_check(_workspace: Workspace, folder: str, version: int, hour: str, needs: Needs | None) -> Check:
    return actions.check_plan(_workspace, plan(needs), now=formats.now())


@st.cache_resource(show_spinner=False, max_entries=16)
def _cadence(
    _workspace: Workspace,
    folder: str,
    version: int,
    hour: str,
    asked: tuple[str, float, tuple[str, ...], float | None, str],
) -> actions.Recommended:
    need, confidence, classes, items_a_day, zone = asked
    return actions.recommend_cadence(
        _workspace,
        need=parse_need(need),
        now=formats.now(),
        confidence=confidence,
        classes=classes,
        items_a_day=items_a_day,
        zone=zone,
    )


@st.cache_resource(show_spinner=False, max_entries=4)
def _stage(_workspace: Workspace, folder: str, version: int, hour: str, days: int) -> Stage:
    return actions.stage_workspace(_workspace, now=formats.now(), days=days)


@st.cache_resource(show_spinner=False, max_entries=4)
def _as_it_is(_found: Stage, folder: str, version: int, hour: str, days: int) -> dict[str, Distribution]:
    return actions.as_it_is(_found)


@st.cache_resource(show_spinner=False, max_entries=100)
def _simulated(
    _found: Stage, folder: str, version: int, hour: str, days: int, scenario: Scenario
) -> dict[str, Distribution]:
    return actions.simulated(_found, scenario)
