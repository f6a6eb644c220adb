"""What a usable item of a line of work costs, taken apart: how often, how much text, from the cache or not, at what."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from core.prices import PriceBook
from core.trends.lines import METERS, PREFIX, RATE, Line, Route, chars_per_token

FACTORS = (
    "reruns",
    "units_per_item",
    "own_input",
    "prefix",
    "output",
    "searches",
    "hit_rate",
    "tier",
    "price",
    "contract",
)
"""Billed attempts per usable item, and usable items per unit, where the class counts something else (pages, tokens);
text of its own, of its prefix and of its output, and web searches, per attempt; how the prefix met the cache; model,
batch or not, geography and price cliff; list prices; and what was paid beside them."""

_ZERO = Decimal(0)


class UnitCosts:
    """The cost of a unit of a line with each of its factors as it was before or as it is after."""

    def __init__(self, start: Line, end: Line, *, days: tuple[date | None, date | None], book: PriceBook) -> None:
        pair = (start, end)
        self._amounts = [_per_attempt(line) for line in pair]
        self._reruns = [Decimal(line.attempts) / line.usable for line in pair]
        self._items = [Decimal(line.usable) / line.units for line in pair]
        self._hits = _hits(pair)
        self._contract = [line.cost_usd / line.list_usd for line in pair]
        routes = sorted(start.routes() | end.routes())
        takes = [{meter: _taken(line, meter, routes) for meter in METERS} for line in pair]
        priced = _Priced(pair=pair, days=days, book=book)
        rates = [
            {(meter, route): priced.rate(which, meter, route) for meter in METERS for route in routes}
            for which in (0, 1)
        ]
        self._prices = {
            (tier, price, meter): sum(
                (takes[tier][meter][route] * rates[price][meter, route] for route in routes), _ZERO
            )
            for tier in (0, 1)
            for price in (0, 1)
            for meter in METERS
        }
        self.equal = frozenset(
            name
            for name, same in {
                "reruns": self._reruns[0] == self._reruns[1],
                "units_per_item": self._items[0] == self._items[1],
                **{name: self._amounts[0][name] == self._amounts[1][name] for name in self._amounts[0]},
                "hit_rate": self._hits[0] == self._hits[1],
                "tier": takes[0] == takes[1],
                "price": rates[0] == rates[1],
                "contract": self._contract[0] == self._contract[1],
            }.items()
            if same
        )
        """Factors that did not change, so that nothing can be theirs."""

    def cost(self, changed: frozenset[str]) -> Decimal:
        """USD per unit where the named factors are as after, and the others as before."""

        def of(name: str) -> int:
            return int(name in changed)

        prices = {meter: self._prices[of("tier"), of("price"), meter] for meter in METERS}
        hits = self._hits[of("hit_rate")]
        prefix = sum((hits[meter] * prices[meter] for meter in PREFIX), _ZERO)
        per = {"own_input": prices["own"], "prefix": prefix, "output": prices["output"], "searches": prices["search"]}
        attempt = sum((self._amounts[of(name)][name] * price for name, price in per.items()), _ZERO)
        items = self._items[of("units_per_item")] * self._reruns[of("reruns")]
        return items * attempt * self._contract[of("contract")]


def _per_attempt(line: Line) -> dict[str, Decimal]:
    """Characters per billed attempt, by where they stand; and web searches."""
    prefix = sum((_total(line.chars, meter) for meter in PREFIX), _ZERO)
    sums = {
        "own_input": _total(line.chars, "own"),
        "prefix": prefix,
        "output": _total(line.chars, "output"),
        "searches": _total(line.chars, "search"),
    }
    return {name: amount / line.attempts for name, amount in sums.items()}


def _hits(pair: tuple[Line, Line]) -> list[dict[str, Decimal]]:
    """How the prefix met the cache; in a period without a prefix, as in the other."""
    found = [_shares({meter: _total(line.chars, meter) for meter in PREFIX}) for line in pair]
    return [found[which] if any(found[which].values()) else found[1 - which] for which in (0, 1)]


def _total(by: Mapping[tuple[str, Route], Decimal], meter: str) -> Decimal:
    return sum((amount for (name, _), amount in by.items() if name == meter), _ZERO)


def _shares(amounts: Mapping[Any, Decimal]) -> dict[Any, Decimal]:
    """Of each in the whole; of nothing all zero."""
    whole = sum(amounts.values(), _ZERO)
    return {name: amount / whole if whole else _ZERO for name, amount in amounts.items()}


def _taken(line: Line, meter: str, routes: list[Route]) -> dict[Route, Decimal]:
    """The share of each route in a meter; where the meter stood still, in all of the line's text."""
    own = {route: line.chars.get((meter, route), _ZERO) for route in routes}
    if not any(own.values()):
        own = {route: sum((line.chars.get((name, route), _ZERO) for name in METERS), _ZERO) for route in routes}
    return _shares(own)


@dataclass(frozen=True, kw_only=True)
class _Priced:
    """List prices per character of a pair of periods."""

    pair: tuple[Line, Line]
    days: tuple[date | None, date | None]
    book: PriceBook

    def rate(self, which: int, meter: str, route: Route) -> Decimal:
        """As it was met in the period; else by the book on its day beside the other one; else as in the other."""
        per_token = Decimal(1) if meter == "search" else chars_per_token(self.book, route.model)
        for period in (which, 1 - which):
            chars = self.pair[period].chars.get((meter, route), _ZERO)
            if chars:
                return self.pair[period].listed[meter, route] / chars
            day = self.days[period]
            if day is not None and (rates := route.rates(self.book, day)):
                return Decimal(getattr(rates, RATE[meter])) / per_token
        return _ZERO
