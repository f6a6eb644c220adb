"""The commitment that a workspace's own work justifies: its demand ahead, the terms, and what else could be signed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from core.commitment.clauses import ClausePrice, clause_prices
from core.commitment.demand import Demand, demand
from core.commitment.outlook import Outlook, alternatives, outlooks
from core.commitment.terms import Terms
from core.commitment.unit_paths import Gain
from core.forecast.events import KnownEvent
from core.forecast.series import LONGEST_DAYS
from core.prices.repricing import reprice
from core.workspace import Workspace

_TRAILING_DAYS = 60
_DAYS_A_MONTH = 365.25 / 12


@dataclass(frozen=True, kw_only=True)
class Advice:
    """What to commit to, with everything that it rests on."""

    terms: Terms
    as_of: datetime
    seed: int
    demand: Demand
    outlooks: tuple[Outlook, ...]
    """The recommendation first, then the alternatives."""
    clauses: tuple[ClausePrice, ...]
    """What each clause is worth at the recommended commitment."""
    unpriced: int
    """Attempts of the past without a known price: they are left out of the cost per unit."""


def advise(
    workspace: Workspace,
    terms: Terms,
    *,
    now: datetime,
    seed: int = 0,
    events: Sequence[KnownEvent] = (),
    gains: Sequence[Gain] = (),
) -> Advice:
    """Forecast the term from the ledger and find the commitment that costs least under its terms.

    Value is at list price: what the work would have cost at published prices, the batch tier included. Raises
    `NoDemand`, `TermsContradict`, `EventUnusable`.
    """
    today = now.date()
    cells = workspace.store.query("demand_cells", today=today, days=LONGEST_DAYS)
    priced = cells.with_columns(reprice(cells, workspace.book.listed()).alias("list_usd"))
    days = (
        priced.filter(pl.col("list_usd").is_not_null())
        .group_by("class_name", "job_id", "day")
        .agg(pl.col("units").sum(), pl.col("list_usd").sum().cast(pl.Float64))
        .sort("class_name", "job_id", "day")
    )
    found = demand(days, today=today, first=terms.first, months=terms.months, seed=seed, events=events, gains=gains)
    since = today - timedelta(days=_TRAILING_DAYS)
    recent = float(days.filter(pl.col("day") >= since)["list_usd"].sum())
    compared = alternatives(found.monthly, terms, trailing=recent / _TRAILING_DAYS * _DAYS_A_MONTH)
    return Advice(
        terms=terms,
        as_of=now,
        seed=seed,
        demand=found,
        outlooks=outlooks(found.monthly, terms, compared),
        clauses=clause_prices(found.monthly, terms, compared["recommended"], seed=seed),
        unpriced=int(priced.filter(pl.col("list_usd").is_null())["attempts"].sum()),
    )


def term_quantiles(advice: Advice, levels: Sequence[float] = (0.1, 0.5, 0.9)) -> dict[float, float]:
    """The term's total at list price, in USD, by quantile."""
    return dict(zip(levels, (float(value) for value in np.quantile(advice.demand.totals, levels)), strict=True))
