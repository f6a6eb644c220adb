"""What the lists of savings read: kept until the day's work or somebody's choice changes it, shared by all visitors."""

from typing import Any

import polars as pl
import streamlit as st

from core.actions import opportunities
from core.opportunities.opportunity import Opportunity
from core.opportunities.promises import Kept
from core.prices.book import MONEY
from core.workspace import Workspace
from pages import data, formats
from pages.session import workspace
from pages.words import plain, term

_PROMISES: dict[str, Any] = {
    "taken_at": pl.Datetime("us", "UTC"),
    **dict.fromkeys(("name", "state"), pl.String),
    **dict.fromkeys(("promised_usd", "realised_usd", "low_usd", "high_usd", "usd_month"), MONEY),
    "taken_by": pl.String,
}


def next_savings() -> tuple[Opportunity, ...]:
    """The next savings; worked out again every hour, and whenever one is taken up, dismissed or proven."""
    opened = workspace()
    return _next_savings(opened, str(opened.folder), _known(), _hour())


def promises() -> tuple[Kept, ...]:
    """What came of those that were taken; worked out again every hour, and whenever one is taken up."""
    opened = workspace()
    return _promises(opened, str(opened.folder), _known(), _hour())


def promise_rows(found: tuple[Kept, ...]) -> pl.DataFrame:
    """The same as rows, for the table and the picture."""
    rows = [
        {
            "taken_at": each.promise.taken_at,
            "name": f"{each.promise.class_name}: {term('saving', each.promise.kind)}",
            "state": term("promise_state", each.state),
            "promised_usd": each.promised_usd,
            "realised_usd": each.realised_usd,
            "low_usd": each.low,
            "high_usd": each.high,
            "usd_month": each.promise.usd_month,
            "taken_by": each.promise.taken_by or plain("promises.seen"),
        }
        for each in found
    ]
    return pl.DataFrame(rows, schema=_PROMISES)


def _known() -> str:
    return str(data.read("opportunity_fingerprint")["fingerprint"][0])


def _hour() -> str:
    return f"{formats.now():%Y-%m-%d %H}"


# The arguments after the first make the key: two workspaces, or two states of one, never share an answer.
@st.cache_resource(show_spinner=False, max_entries=8)
def _next_savings(_workspace: Workspace, folder: str, known: str, hour: str) -> tuple[Opportunity, ...]:
    return opportunities.next_savings(_workspace, now=formats.now())


@st.cache_resource(show_spinner=False, max_entries=8)
def _promises(_workspace: Workspace, folder: str, known: str, hour: str) -> tuple[Kept, ...]:
    return opportunities.promises(_workspace, now=formats.now())
