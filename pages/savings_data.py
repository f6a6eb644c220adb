"""What the Savings page reads: kept until the store moves on, shared by every visitor, never changed."""

from collections.abc import Iterable
from datetime import date

import polars as pl
import streamlit as st

from core.actions.savings import Decomposition, Period, decomposition, missed, savings_period
from core.savings import LEVERS, Savings
from core.savings.not_taken import NotTaken
from core.workspace import Workspace
from pages import data, formats, routes_data
from pages.session import workspace
from pages.words import term


def found(first: date, last: date, class_name: str | None) -> Decomposition:
    """What saved how much on these days."""
    opened = workspace()
    return _found(opened, str(opened.folder), opened.store.version, (first, last, class_name))


def not_taken(of: Decomposition) -> tuple[NotTaken, ...]:
    """What was missed on the same days; worked out again when their work or a route changes, and every hour."""
    opened = workspace()
    known = repr((of.total, data.read("routing_fingerprint")["fingerprint"][0]))
    return _missed(opened, str(opened.folder), known, routes_data.hour(), of.period)


def steps(savings: Savings) -> pl.DataFrame:
    """From list price to paid, as the waterfall is drawn: `step` and `usd`."""
    rows = [("list", savings.list_cost), *((lever.name, lever.amount) for lever in savings.levers)]
    return pl.DataFrame([*rows, ("paid", savings.paid)], schema={"step": pl.String, "usd": _USD}, orient="row")


def by_class(of: Decomposition) -> pl.DataFrame:
    """A row a class: list price, what each lever took off, what was paid."""
    rows = [
        {
            "class_name": part.class_name,
            "list_cost": part.savings.list_cost,
            **{lever.name: lever.amount for lever in part.savings.levers},
            "paid": part.savings.paid,
            "share": float(part.savings.saved / part.savings.list_cost) if part.savings.list_cost else None,
            "attempts": part.savings.attempts,
            "unknown": part.savings.unknown,
        }
        for part in of.classes
    ]
    amounts = dict.fromkeys(("list_cost", *LEVERS, "paid"), _USD)
    return pl.DataFrame(
        rows,
        schema={"class_name": pl.String, **amounts, "share": pl.Float64, "attempts": pl.Int64, "unknown": pl.Int64},
    )


def missed_frame(missed: Iterable[NotTaken]) -> pl.DataFrame:
    """What was not taken, as rows in the words of the page."""
    rows = [
        (each.amount, term("missed", each.name), each.class_name, term("basis", each.known), each.said)
        for each in missed
    ]
    names = dict.fromkeys(("what", "class_name", "known", "said"), pl.String)
    return pl.DataFrame(rows, schema={"usd": _USD, **names}, orient="row")


_USD = pl.Decimal(38, 12)
_Chosen = tuple[date, date, str | None]


@st.cache_resource(show_spinner=False, max_entries=60)
def _found(_opened: Workspace, folder: str, version: int, chosen: _Chosen) -> Decomposition:
    first, last, name = chosen
    period = savings_period(_opened, now=formats.now(), first=first, last=last, class_named=name)
    return decomposition(_opened, period)


@st.cache_resource(show_spinner=False, max_entries=60)
def _missed(_opened: Workspace, folder: str, known: str, hour: str, period: Period) -> tuple[NotTaken, ...]:
    return missed(_opened, period, standing=routes_data.classes(), now=formats.now())
