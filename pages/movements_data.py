"""What "why it moved" reads: worked out again when results or what people say of them change, and every hour."""

from datetime import date, timedelta

import polars as pl
import streamlit as st

from core.actions import explain
from core.charts.steps import Step, steps_of
from core.trends.attribution import Attribution
from core.trends.date_range import DateRange
from core.trends.standing import KnownEvent, Standing
from core.trends.totals import unit_of
from core.workspace import Workspace
from pages import data, formats
from pages.session import workspace


def standings() -> tuple[Standing, ...]:
    """Every movement, most dollars first."""
    opened = workspace()
    return _standings(opened, str(opened.folder), *_known())


def steps(days: pl.DataFrame) -> tuple[Step, ...]:
    """The steps of the lines in these rows of `trend_days`, where they are per the unit that all rows have in common.

    For whole lines: of one model or one tag nobody looked for any.
    """
    alike = set(days.filter(pl.col("unit") == unit_of(days))["class_name"].to_list())
    return steps_of(each.movement for each in standings() if each.movement.class_name in alike)


def judged_to() -> date | None:
    """The last day that movements are looked for on."""
    opened = workspace()
    return explain.judged_to(opened, now=formats.now())


def known() -> tuple[KnownEvent, ...]:
    """Days on which something is known to happen."""
    opened = workspace()
    return _events(opened, str(opened.folder), *_known())


def expected(
    class_name: str | None = None, models: tuple[str, ...] = (), tag: tuple[str, str] | None = None
) -> pl.DataFrame:
    """Spend by day beside what was to be expected."""
    opened = workspace()
    return _expected(opened, str(opened.folder), *_known(), (class_name, models, tag))


def attributed(
    before: DateRange,
    after: DateRange,
    class_name: str | None,
    models: tuple[str, ...],
    tag: tuple[str, str] | None = None,
) -> Attribution:
    """The change of spend between two ranges of days."""
    opened = workspace()
    return _attributed(opened, str(opened.folder), *_known(with_today=True), (before, after, class_name, models, tag))


def _known(*, with_today: bool = False) -> tuple[str, str]:
    """What was known before today, or today too, as one value, and the hour."""
    now = formats.now()
    end = now.date() + timedelta(days=int(with_today))
    return data.read("movement_fingerprint", today=end)["fingerprint"][0], f"{now:%Y-%m-%d %H}"


# The arguments after the first make the key: two workspaces, or two states of one, never share an answer.
@st.cache_resource(show_spinner=False, max_entries=4)
def _standings(_workspace: Workspace, folder: str, known: str, hour: str) -> tuple[Standing, ...]:
    return explain.movements(_workspace, now=formats.now())


@st.cache_resource(show_spinner=False, max_entries=4)
def _events(_workspace: Workspace, folder: str, known: str, hour: str) -> tuple[KnownEvent, ...]:
    return explain.known_events(_workspace)


@st.cache_resource(show_spinner=False, max_entries=50)
def _expected(
    _workspace: Workspace,
    folder: str,
    known: str,
    hour: str,
    asked: tuple[str | None, tuple[str, ...], tuple[str, str] | None],
) -> pl.DataFrame:
    class_name, models, tag = asked
    return explain.expected_spend(
        _workspace, told=standings(), class_name=class_name, models=models, tag=tag, now=formats.now()
    )


@st.cache_resource(show_spinner=False, max_entries=50)
def _attributed(
    _workspace: Workspace,
    folder: str,
    known: str,
    hour: str,
    asked: tuple[DateRange, DateRange, str | None, tuple[str, ...], tuple[str, str] | None],
) -> Attribution:
    before, after, class_name, models, tag = asked
    return explain.attributed(_workspace, before, after, class_name=class_name, models=models, tag=tag)
