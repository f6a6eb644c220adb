"""The rows that hold once terms are laid over the packaged ones."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from core.prices.contract import EVERY_MODEL, ContractPrice
from core.prices.rates import PriceRow, listed_row

Rows = dict[str, list[PriceRow]]


def with_terms(rows: Rows, terms: Iterable[ContractPrice], default: Mapping[str, Any]) -> Rows:
    """Rows cut where terms begin and end; a model that only has terms of its own becomes one that is priced.

    On each day one of the terms counts: the last one added for the model itself, or else for every model.
    """
    latest_first = sorted(terms, key=lambda one: -one.number)
    models = [*rows, *dict.fromkeys(one.model for one in latest_first if one.listed and one.model not in rows)]
    return {model: list(_cut(rows.get(model, []), model, latest_first, default)) for model in models}


def _cut(
    rows: list[PriceRow], model: str, latest_first: list[ContractPrice], default: Mapping[str, Any]
) -> Iterator[PriceRow]:
    own = [one for one in latest_first if one.model == model]
    every = [one for one in latest_first if one.model == EVERY_MODEL]
    for start, end in _stretches([*rows, *own, *every]):
        row = next((row for row in rows if row.holds(start)), None)
        terms = next((one for one in (*own, *every) if one.holds(start)), None)
        if terms is not None and terms.listed:
            row, terms = listed_row(terms, default), None
        if row is not None:
            yield replace(row, valid_from=start, valid_to=end, terms=(*row.terms, terms) if terms else row.terms)


def _stretches(dated: list[PriceRow | ContractPrice]) -> Iterator[tuple[datetime, datetime | None]]:
    """The stretches of time within which nothing begins or ends."""
    bounds = {one.valid_from for one in dated} | {one.valid_to for one in dated if one.valid_to is not None}
    ordered = sorted(bounds)
    yield from zip(ordered, [*ordered[1:], None], strict=True)
