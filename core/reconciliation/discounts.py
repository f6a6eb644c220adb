"""The contract discount as the account's cost report shows it, and whether the price book has it."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import polars as pl

from core.prices import ContractPrice, PriceBook
from core.prices.contract import KINDS

_SHARE = Decimal("0.000001")
_AGREES = Decimal("0.0005")
"""Shares that differ by less are one: a report in fractional cents of a small amount is no finer."""


@dataclass(frozen=True, kw_only=True)
class Discount:
    """What is paid less than list for a model and kind: `1 - amount / list_amount`, over batches of these days."""

    model: str
    kind: str
    share: Decimal
    """Off the list price, six decimals."""
    list_usd: Decimal
    """How much it rests on, in USD at list price, and on how many days."""
    days: int
    first_day: date
    last_day: date
    agreed: Decimal | None
    """The share that the price book has on the last day; None for a model that it does not price."""

    @property
    def agrees(self) -> bool:
        """Whether the price book has it."""
        return self.agreed is not None and abs(self.share - self.agreed) < _AGREES


def learned_discounts(rows: pl.DataFrame, book: PriceBook) -> tuple[Discount, ...]:
    """The discount of every model and kind that cost anything in batches. `rows`: as `Reconciliation.rows`."""
    charged = rows.filter(
        pl.col("reported_list_usd") > 0, pl.col("service_tier") == "batch", pl.col("kind").is_in(list(KINDS))
    )
    sums = (
        charged.group_by("model", "kind")
        .agg(
            pl.col("reported_usd").sum(),
            pl.col("reported_list_usd").sum(),
            pl.col("day").n_unique().alias("days"),
            pl.col("day").min().alias("first"),
            pl.col("day").max().alias("last"),
        )
        .sort("model", "kind")
    )
    return tuple(
        Discount(
            model=model,
            kind=kind,
            share=(1 - paid / listed).quantize(_SHARE),
            list_usd=listed,
            days=days,
            first_day=first,
            last_day=last,
            agreed=_agreed(book, model, kind, last),
        )
        for model, kind, paid, listed, days, first, last in sums.iter_rows()
    )


def as_contract(discounts: tuple[Discount, ...], book: PriceBook, *, source: str) -> tuple[ContractPrice, ...]:
    """What the price book lacks, as contract prices from the first day seen: one share a model where its kinds agree.

    Otherwise prices by kind. A model whose discounts the book has, or that it does not price, is left out.
    """
    terms = []
    for model in dict.fromkeys(found.model for found in discounts):
        of = [found for found in discounts if found.model == model]
        if all(found.agrees or found.agreed is None for found in of):
            continue
        first = min(found.first_day for found in of)
        shares = [found.share for found in of]
        weight = sum((found.list_usd for found in of), Decimal(0))
        common = sum((found.share * found.list_usd for found in of), Decimal(0)) / weight
        if max(shares) - min(shares) < 2 * _AGREES:
            terms.append(ContractPrice(model=model, discount=common.quantize(_SHARE), first_day=first, source=source))
            continue
        listed = _row(book.listed(), model, of[0].last_day)
        prices = {
            found.kind: (listed[found.kind] * (1 - found.share)).quantize(_SHARE) for found in of if listed is not None
        }
        terms.append(ContractPrice(model=model, prices=prices, first_day=first, source=source))
    return tuple(terms)


def _agreed(book: PriceBook, model: str, kind: str, day: date) -> Decimal | None:
    paid, listed = _row(book, model, day), _row(book.listed(), model, day)
    if paid is None or listed is None or not listed[kind]:
        return None
    return (1 - paid[kind] / listed[kind]).quantize(_SHARE)


def _row(book: PriceBook, model: str, day: date) -> dict[str, Decimal] | None:
    """The prices of standard requests on a day, by kind."""
    for row in book.rows():
        if row.model == model and row.valid_from.date() <= day and (row.valid_to is None or day < row.valid_to.date()):
            return row.prices()
    return None
