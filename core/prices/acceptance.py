"""What a contract price must be before it may price anything."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

from core.errors import LotwiseError
from core.prices.book import PriceBook, UnknownModel
from core.prices.contract import EVERY_MODEL, KINDS, ContractPrice

CURRENCY = "USD"
"""Every price and every cost is in it: usage is priced in it, and nothing here converts."""
_FIRST, _LAST = date(2020, 1, 1), date(2199, 12, 31)
# USD per million tokens: under a contract a rate is rounded to 12 decimals of a dollar a token, half of the least in a
# batch is 500 of the last, so nothing that has a price rounds to free.
_LEAST, _MOST = Decimal("0.001"), Decimal(1_000_000)
_DECIMALS = 6
_NEEDED = ("input", "output", "cache_read")
# What every listed model has ("Prompt caching", "Web search tool"), where an added list price does not say it.
_WRITES = {"cache_write_5m": Decimal("1.25"), "cache_write_1h": Decimal(2)}
_SEARCHES = Decimal(10)


class PriceRefused(LotwiseError):
    """This price cannot be used, so nothing was changed. Correct what is named and add it again."""


class NotUsd(LotwiseError):
    """Lotwise prices in USD only and converts nothing, so nothing was changed. Give the price in USD."""


def in_usd(currency: str) -> None:
    """Refuse amounts of another currency. Raises `NotUsd`."""
    if currency.strip().upper() != CURRENCY:
        raise NotUsd(currency=currency.strip() or "none")


def accepted(terms: ContractPrice, book: PriceBook) -> ContractPrice:
    """The terms as they are kept: model by its listed id, an added list price complete. Raises `PriceRefused`.

    `book` is the one the terms are to be laid over.
    """
    if terms.listed:
        terms = _complete(terms, book)
    elif terms.model != EVERY_MODEL:
        terms = replace(terms, model=_known(terms.model, book))
    if (terms.discount is None) == (not terms.prices):
        raise PriceRefused(model=terms.model, why="give either a discount or prices of its own")
    if terms.prices and terms.model == EVERY_MODEL:
        raise PriceRefused(why="prices of its own need a model; for every model only a discount can be given")
    if terms.discount is not None and not (terms.discount.is_finite() and 0 <= terms.discount < 1):
        raise PriceRefused(model=terms.model, discount=terms.discount, why="a discount is a share from 0 to below 1")
    for kind, price in terms.prices.items():
        if kind not in KINDS:
            raise PriceRefused(model=terms.model, kind=kind, why=f"what has a price is {', '.join(KINDS)}")
        if not (price.is_finite() and _LEAST <= price <= _MOST):
            raise PriceRefused(model=terms.model, kind=kind, price=price, why=f"a price is from {_LEAST} to {_MOST}")
    for number in (*terms.prices.values(), *(() if terms.discount is None else (terms.discount,))):
        if number != round(number, _DECIMALS):
            raise PriceRefused(model=terms.model, number=number, why=f"at most {_DECIMALS} decimals are kept")
    _dated(terms)
    # No discount is one of 0, also where it was given as -0.
    return terms if terms.discount != 0 else replace(terms, discount=Decimal(0))


def _dated(terms: ContractPrice) -> None:
    for day in (terms.first_day, terms.last_day):
        if day is not None and not _FIRST <= day <= _LAST:
            raise PriceRefused(model=terms.model, day=day.isoformat(), why=f"days are from {_FIRST} to {_LAST}")
    if terms.last_day is not None and terms.last_day < terms.first_day:
        raise PriceRefused(model=terms.model, why=f"it ends on {terms.last_day}, before it begins on {terms.first_day}")


def _known(model: str, book: PriceBook) -> str:
    try:
        return book.priced_as(model)
    except UnknownModel as error:
        why = "the price book does not know this model; first add its list price"
        raise PriceRefused(model=model, why=why) from error


def _complete(terms: ContractPrice, book: PriceBook) -> ContractPrice:
    """A list price for what the packaged data does not price, with the factors of all models where it gives none."""
    if terms.discount is not None or terms.model == EVERY_MODEL or not terms.model.strip():
        raise PriceRefused(model=terms.model, why="a list price is one model's own prices")
    name = book.priced_names([terms.model]).get(terms.model, terms.model)
    for row in book.packaged_rows(name):
        if terms.overlaps(row.valid_from, row.valid_to):
            why = "the price book has a list price of this model in that time; add what you pay as a contract price"
            raise PriceRefused(model=name, since=f"{row.valid_from:%Y-%m-%d}", why=why)
    if missing := [kind for kind in _NEEDED if kind not in terms.prices]:
        raise PriceRefused(model=name, missing=", ".join(missing), why="a list price needs these")
    writes = {kind: terms.prices["input"] * factor for kind, factor in _WRITES.items()}
    return replace(terms, model=name, prices={**writes, "web_search": _SEARCHES, **terms.prices})
