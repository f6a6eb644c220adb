"""The only reads of the pages: kept until the store moves on, shared by every visitor, never changed."""

from datetime import date
from typing import Any

import polars as pl
import streamlit as st

from core import actions
from core.jobs.repair import Slice
from core.planning.plan import NothingToPlan, Plan
from core.store import Store
from core.workspace import Workspace
from pages import formats
from pages.session import workspace
from pages.standing import RUNNING, STOPPED

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


def plan() -> Plan | None:
    """The draft plan of the backlog, or None where nothing waits.

    Worked out again when the store moves on, and every hour for its prices.
    """
    opened = workspace()
    return _plan(opened, str(opened.folder), opened.store.version, f"{formats.now():%Y-%m-%d %H}")


def failed_slice(job_id: str) -> Slice:
    """What is left to repair of a job: worked out again when the store moves on, and every minute.

    The minute is for its price: a primed prefix stays warm for less than an hour.
    """
    opened = workspace()
    minute = f"{formats.now():%Y-%m-%d %H:%M}"
    return _failed_slice(opened, str(opened.folder), opened.store.version, job_id, minute)


def class_names() -> list[str]:
    """Every class by name, for filters and links: a class that moved to another model keeps its name."""
    return read("class_names")["name"].to_list()


def totals(days: pl.DataFrame) -> dict[str, Any]:
    """All rows of `trend_days` as one, with the ratios of the sums; null where nothing is known."""
    sums = days.select(
        pl.col("units", "attempts", "reruns", "cost_usd", "wasted_usd").sum(),
        read=pl.col("cache_read_tokens").sum(),
        cached=(pl.col("cache_read_tokens") + pl.col("cache_write_tokens")).sum(),
    )
    cost = pl.col("cost_usd").cast(pl.Float64)
    return sums.with_columns(
        unit_cost_usd=pl.when(pl.col("units") > 0).then(cost / pl.col("units")),
        hit_rate=pl.when(pl.col("cached") > 0).then(pl.col("read") / pl.col("cached")),
    ).row(0, named=True)


def models() -> list[str]:
    """Every model that ran a job, for the filters."""
    return read("model_names")["model"].to_list()


# The arguments after the first make the key: two workspaces, or two states of one, never share a frame.
@st.cache_resource(show_spinner=False, max_entries=500)
def _read(_store: Store, folder: str, version: int, name: str, params: tuple[tuple[str, Param], ...]) -> pl.DataFrame:
    return _store.query(name, **{key: list(p) if isinstance(p, tuple) else p for key, p in params})


@st.cache_resource(show_spinner=False, max_entries=50)
def _failed_slice(_workspace: Workspace, folder: str, version: int, job_id: str, minute: str) -> Slice:
    return actions.repair_preview(_workspace, job_id, now=formats.now())


@st.cache_resource(show_spinner=False, max_entries=8)
def _plan(_workspace: Workspace, folder: str, version: int, hour: str) -> Plan | None:
    try:
        return actions.preview_plan(_workspace, now=formats.now())
    except NothingToPlan:
        return None
