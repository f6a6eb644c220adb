"""What the Reconcile page reads: kept until the store moves on, shared by every visitor, never changed."""

from datetime import date

import polars as pl
import streamlit as st

from core.actions.reconciliation import Reconciled, reconcile
from core.prices.book import MONEY
from core.reconciliation import EXPLAINED, UNEXPLAINED, Part
from core.workspace import Workspace
from pages.session import workspace
from pages.words import term


def found(first: date, last: date, workspaces: tuple[str, ...]) -> Reconciled:
    """The comparison of these days."""
    opened = workspace()
    return _found(opened, str(opened.folder), opened.store.version, (first, last, workspaces))


def by_day(of: Reconciled) -> pl.DataFrame:
    """A row a day, as the picture takes it."""
    known = of.found.parts.group_by("day").agg(
        pl.col("usd").filter(pl.col("name").is_in(list(EXPLAINED))).sum().alias("explained_usd"),
        pl.col("usd").filter(pl.col("name").is_in(list(UNEXPLAINED))).sum().alias("unexplained_usd"),
    )
    sums = of.found.rows.group_by("day").agg(pl.col("our_usd").sum(), pl.col("reported_usd").sum())
    return (
        sums.join(known, on="day", how="left")
        .select("day", "our_usd", pl.col("explained_usd", "unexplained_usd").fill_null(0).cast(MONEY), "reported_usd")
        .sort("day")
    )


def causes(parts: tuple[Part, ...]) -> pl.DataFrame:
    """The causes of the difference in words."""
    said = EXPLAINED | UNEXPLAINED
    rows = [(part.usd, part.tokens, said[part.name]) for part in parts]
    return pl.DataFrame(rows, schema={"usd": MONEY, "tokens": pl.Int64, "said": pl.String}, orient="row")


def discounts(of: Reconciled) -> pl.DataFrame:
    """The learned discounts, by model and kind."""
    rows = [
        {
            "model": each.model,
            "kind": term("price_kind", each.kind),
            "share": float(each.share),
            "agreed": None if each.agreed is None else float(each.agreed),
            "list_usd": each.list_usd,
            "days": each.days,
        }
        for each in of.discounts
    ]
    names = {"model": pl.String, "kind": pl.String, "share": pl.Float64, "agreed": pl.Float64}
    return pl.DataFrame(rows, schema={**names, "list_usd": MONEY, "days": pl.Int64})


@st.cache_resource(show_spinner=False, max_entries=30)
def _found(_opened: Workspace, folder: str, version: int, chosen: tuple[date, date, tuple[str, ...]]) -> Reconciled:
    first, last, workspaces = chosen
    return reconcile(_opened, first=first, last=last, workspaces=workspaces)
