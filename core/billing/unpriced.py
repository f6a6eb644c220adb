"""Finished attempts whose cost is not known: how many, and why."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from core.prices import PriceBook, UnknownModel, UnpricedModel
from core.store import Store

NO_MODEL = "unknown"
"""In place of a model, in the account's history, where no result of a batch names one."""
_SAID = {
    "unknown_model": "The price book does not list this model. Add its list price, and they are priced by it.",
    "no_price": "The price book has no price of this model on these days. Add one, and they are priced by it.",
    "no_model": "No result of the batch names a model, so nothing says what its tokens cost.",
    "bad_counts": "A count of tokens is negative or missing, so nothing says what was used.",
    "no_result": "Their results are gone or of a kind that Lotwise does not know, so nothing says what was billed.",
}


@dataclass(frozen=True, kw_only=True)
class Unpriced:
    """Attempts without a known cost that share the reason for it; days (UTC) are those on which they were sent."""

    why: str
    """unknown_model, no_price, no_model, bad_counts or no_result."""
    model: str
    attempts: int
    first_day: date | None
    last_day: date | None
    jobs: tuple[str, ...]

    @property
    def said(self) -> str:
        """The reason as a sentence."""
        return _SAID[self.why]


def unpriced(store: Store, book: PriceBook) -> tuple[Unpriced, ...]:
    """What has no known cost, most attempts first."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in store.query("unpriced_cells").iter_rows(named=True):
        found.setdefault((_why(row, book), row["model"]), []).append(row)
    return tuple(sorted((_group(*key, rows) for key, rows in found.items()), key=lambda one: -one.attempts))


def _why(row: dict[str, Any], book: PriceBook) -> str:
    if row["billed"] is None or row["submitted_at"] is None:
        return "no_result"
    try:
        book.rates(row["model"], at=row["submitted_at"])
    except UnknownModel:
        return "no_model" if row["model"] == NO_MODEL else "unknown_model"
    except UnpricedModel:
        return "no_price"
    return "bad_counts"


def _group(why: str, model: str, rows: list[dict[str, Any]]) -> Unpriced:
    days = [row["day"] for row in rows if row["day"] is not None]
    return Unpriced(
        why=why,
        model=model,
        attempts=sum(row["attempts"] for row in rows),
        first_day=min(days, default=None),
        last_day=max(days, default=None),
        jobs=tuple(sorted({job for row in rows for job in row["job_ids"]})),
    )


@dataclass(frozen=True, kw_only=True)
class BadCount:
    """An attempt whose usage cannot be."""

    job_id: str
    item_id: str
    model: str
    said: str
    """Which counts are negative or missing."""


def bad_counts(store: Store, jobs: tuple[str, ...], *, limit: int) -> tuple[BadCount, ...]:
    """The newest attempts of these jobs whose counts cannot be."""
    rows = store.query("bad_counts", job_ids=list(jobs), limit=limit) if jobs else None
    return tuple(
        BadCount(job_id=row["job_id"], item_id=row["item_id"], model=row["model"], said=", ".join(_wrong(row)))
        for row in (() if rows is None else rows.iter_rows(named=True))
    )


def _wrong(row: dict[str, Any]) -> Iterator[str]:
    for name, value in row.items():
        if name.endswith(("_tokens", "_searches")):
            if value is not None and value < 0:
                yield f"{name} is {value}"
            elif value is None and name in ("input_tokens", "output_tokens"):
                yield f"{name} is missing"
