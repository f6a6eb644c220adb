"""What the pages read of units and their costs: kept until the store moves on, shared by every visitor."""

from datetime import date

import streamlit as st

from core.actions import costs as of_costs
from core.actions import units as of_units
from core.unit_costs.unit import Unit
from core.workspace import Workspace
from pages.session import workspace

_Asked = tuple[date, date, str, str | None, tuple[str, ...], tuple[str, str] | None]


def costs(
    *,
    first: date,
    last: date,
    by: str,
    class_name: str | None = None,
    models: tuple[str, ...] = (),
    tag: tuple[str, str] | None = None,
) -> of_costs.Costs:
    """The cost per unit by one dimension, with bands and how steady it was."""
    opened = workspace()
    asked = (first, last, by, class_name, models, tag)
    return _costs(opened, str(opened.folder), opened.store.version, asked)


def class_unit(class_name: str) -> of_units.ClassUnit:
    """What a class is measured by."""
    opened = workspace()
    return _class_unit(opened, str(opened.folder), opened.store.version, class_name)


def preview(class_name: str, unit: Unit) -> of_units.Preview:
    """What a unit would count in its newest results: a file is read for it, once."""
    opened = workspace()
    return _preview(opened, str(opened.folder), opened.store.version, class_name, unit)


# The arguments after the first make the key: two workspaces, or two states of one, never share an answer.
@st.cache_resource(show_spinner=False, max_entries=50)
def _costs(_workspace: Workspace, folder: str, version: int, asked: _Asked) -> of_costs.Costs:
    first, last, by, class_name, models, tag = asked
    return of_costs.costs(_workspace, first=first, last=last, by=(by,), class_name=class_name, models=models, tag=tag)


@st.cache_resource(show_spinner=False, max_entries=50)
def _class_unit(_workspace: Workspace, folder: str, version: int, class_name: str) -> of_units.ClassUnit:
    return of_units.class_unit(_workspace, class_name)


@st.cache_resource(show_spinner=False, max_entries=50)
def _preview(_workspace: Workspace, folder: str, version: int, class_name: str, unit: Unit) -> of_units.Preview:
    return of_units.preview_unit(_workspace, class_name, unit)
