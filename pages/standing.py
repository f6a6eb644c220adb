"""How a job stands, in one word and one colour: nothing with work left to do is ever shown as done."""

from collections.abc import Mapping
from typing import Any, Literal

import streamlit as st

from core.jobs.states import JobState
from pages.words import plain, say, term

Colour = Literal["green", "blue", "orange", "red", "gray"]

RUNNING = (JobState.PLANNED, JobState.WAITING, JobState.SENDING, JobState.RUNNING, JobState.ENDED)
"""States in which the worker still has something to do."""
STOPPED = (JobState.HELD, JobState.UNKNOWN)
"""States that wait for a person."""
_CALLED_BACK = (JobState.SENDING, JobState.UNKNOWN, JobState.RUNNING)
"""States in which a cancel that was asked for is still on its way."""

# Tints for badges in tables: the text of either theme is read on them.
_TINTS: dict[Colour, str] = {
    "green": "#2fae8844",
    "blue": "#2d78bb44",
    "orange": "#f0934a66",
    "red": "#d5416055",
    "gray": "#8a94a044",
}


def of(job: Mapping[str, Any]) -> str:
    """What a job's row says: what became of its failures first, as long as it has any, then its state."""
    if job["open_failures"]:
        return "to_repair" if job["repairable_items"] else "to_decide"
    if job["role"] == "history" and job["usable_items"] < job["item_count"]:
        return "past_failures"
    if job["unresolved_items"]:
        return "in_repair"
    if job["set_aside_items"]:
        return "set_aside"
    if job["failed_items"]:
        return "repaired"
    return "canceling" if job["cancel_requested_at"] and job["state"] in _CALLED_BACK else str(job["state"])


def colour(standing: str) -> Colour:
    """Green only for a job of which every item came out usable at once."""
    if standing == "to_repair":
        return "orange"
    if standing in {"to_decide", JobState.FAILED, JobState.GONE, *STOPPED}:
        return "red"
    if standing == JobState.DONE:
        return "green"
    return "blue" if standing in {"in_repair", "canceling", *RUNNING} else "gray"


def badge(standing: str) -> None:
    """The word on its colour."""
    st.badge(say("jobs.badge", word=term("standing", standing)), color=colour(standing))


def column(standings: list[str]) -> Any:
    """A table column of such badges, for the standings that occur."""
    options = sorted(set(standings))
    return st.column_config.MultiselectColumn(
        plain("jobs.columns.standing"),
        options=[term("standing", option) for option in options],
        color=[_TINTS[colour(option)] for option in options],
        width=150,
    )
