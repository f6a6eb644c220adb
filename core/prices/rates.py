"""What each kind of token costs: the rates of one request, and the dated row they come from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from core.errors import LotwiseError
from core.prices.contract import ContractPrice

RATE_DECIMALS = 12
"""Decimals of a rate in USD per token. The finest one listed needs 11 (Haiku 5.5, 5-minute write, batch, US:
0.06875 USD per million tokens); whole tokens times such rates never need rounding."""

_QUANTUM = Decimal(1).scaleb(-RATE_DECIMALS)


class PriceBookInvalid(LotwiseError):
    """The price data contradicts itself or is finer than Lotwise can keep exactly. Correct the named row."""


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Exact prices of one request, in USD per token, with the batch and geo factors already applied."""

    input: Decimal
    output: Decimal
    cache_write_5m: Decimal
    cache_write_1h: Decimal
    cache_read: Decimal
    web_search: Decimal
    """USD per search; no factor applies to it."""
    source: str
    """Where the price was read and when."""


@dataclass(frozen=True, kw_only=True)
class _ListPrice:
    """Input and output in USD per million tokens for requests whose total input is within the bounds."""

    min_input_tokens: int
    max_input_tokens: int | None
    input: Decimal
    output: Decimal


@dataclass(frozen=True, kw_only=True)
class PriceRow:
    """The list prices of one model between two days, with the cliff they may have."""

    model: str
    valid_from: datetime
    valid_to: datetime | None
    """The first instant at which the row no longer holds; None while it still does."""
    below: _ListPrice
    above: _ListPrice | None
    read: Decimal
    write_5m: Decimal
    write_1h: Decimal
    batch: Decimal
    geo_us: Decimal
    web_search: Decimal
    source: str
    checked: date
    terms: tuple[ContractPrice, ...] = ()
    """What changes the prices above, in this order."""

    def holds(self, at: datetime) -> bool:
        """Whether the row is the one in force at that instant."""
        return self.valid_from <= at and (self.valid_to is None or at < self.valid_to)

    def tiers(self) -> Iterator[_ListPrice]:
        """The price up to the cliff and, where there is one, the price beyond it."""
        yield self.below
        if self.above:
            yield self.above

    def rates(self, tier: _ListPrice, *, batch: bool, geo_us: bool) -> Rates:
        """The rates of a request in this tier, sent in that way.

        List prices are kept exactly; what terms make of them is rounded to 12 decimals of a USD, half to even.
        """
        factor = (self.batch if batch else Decimal(1)) * (self.geo_us if geo_us else Decimal(1))
        price = self.prices(tier)

        def per_token(kind: str) -> Decimal:
            rate = (price[kind] * factor).scaleb(-6)
            return rate.quantize(_QUANTUM) if self.terms else _exact(rate, self)

        search = price["web_search"].scaleb(-3)
        return Rates(
            input=per_token("input"),
            output=per_token("output"),
            cache_write_5m=per_token("cache_write_5m"),
            cache_write_1h=per_token("cache_write_1h"),
            cache_read=per_token("cache_read"),
            web_search=search.quantize(_QUANTUM) if self.terms else _exact(search, self),
            source=self.said,
        )

    @property
    def said(self) -> str:
        """Where the prices come from: the list, and what was agreed."""
        listed = f"{self.source} (checked {self.checked:%Y-%m-%d})"
        return "; ".join((listed, *(terms.said for terms in self.terms if not terms.listed)))

    def prices(self, tier: _ListPrice | None = None) -> dict[str, Decimal]:
        """What is paid for standard requests, in the units of `list_prices`, in a tier or below the cliff."""
        price, below = self.list_prices(tier), self.list_prices()
        for terms in self.terms:
            price, below = (
                {kind: terms.price(kind, price[kind], below[kind]) for kind in price},
                {kind: terms.price(kind, below[kind], below[kind]) for kind in below},
            )
        return price

    def list_prices(self, tier: _ListPrice | None = None) -> dict[str, Decimal]:
        """List prices in USD per million tokens, and per thousand searches, of standard requests."""
        tier = tier or self.below
        return {
            "input": tier.input,
            "output": tier.output,
            "cache_write_5m": tier.input * self.write_5m,
            "cache_write_1h": tier.input * self.write_1h,
            "cache_read": tier.input * self.read,
            "web_search": self.web_search,
        }

    def tier(self, total_input_tokens: int) -> _ListPrice:
        """The tier a request falls into; the cliff moves the whole request, not only the tokens beyond it."""
        if self.above and total_input_tokens >= self.above.min_input_tokens:
            return self.above
        return self.below


def parse_rows(tables: list[Mapping[str, Any]], default: Mapping[str, Any]) -> list[PriceRow]:
    """Turn the tables of `prices.toml` into rows, each ending where the next one of its model begins."""
    starts: dict[str, dict[date, Mapping[str, Any]]] = {}
    for table in tables:
        for model in table["models"]:
            if table["valid_from"] in starts.setdefault(model, {}):
                raise PriceBookInvalid(model=model, valid_from=table["valid_from"], reason="two rows on one day")
            starts[model][table["valid_from"]] = {**default, **table}
    rows = []
    for model, by_day in starts.items():
        days = sorted(by_day)
        for day, following in zip(days, [*days[1:], None], strict=True):
            rows.append(_row(model, by_day[day], following))
    return rows


def listed_row(terms: ContractPrice, default: Mapping[str, Any]) -> PriceRow:
    """The row of list prices that were added for a model the packaged data does not price.

    The terms name every kind; batch and geo factors are those of every other model, and there is no cliff.
    """
    factors = {name: Decimal(default[name]) for name in ("write_5m", "write_1h", "batch", "geo_us")}
    return PriceRow(
        model=terms.model,
        valid_from=terms.valid_from,
        valid_to=terms.valid_to,
        below=_ListPrice(
            min_input_tokens=0, max_input_tokens=None, input=terms.prices["input"], output=terms.prices["output"]
        ),
        above=None,
        read=Decimal(1),
        web_search=terms.prices["web_search"],
        source=terms.source or "added list price",
        checked=terms.added_on or terms.first_day,
        terms=(terms,),
        **factors,
    )


def _row(model: str, table: Mapping[str, Any], following: date | None) -> PriceRow:
    cliff = table.get("above")
    return PriceRow(
        model=model,
        valid_from=_midnight(table["valid_from"]),
        valid_to=None if following is None else _midnight(following),
        below=_ListPrice(
            min_input_tokens=0,
            max_input_tokens=cliff["tokens"] if cliff else None,
            input=Decimal(table["input"]),
            output=Decimal(table["output"]),
        ),
        above=_ListPrice(
            min_input_tokens=cliff["tokens"] + 1,
            max_input_tokens=None,
            input=Decimal(cliff["input"]),
            output=Decimal(cliff["output"]),
        )
        if cliff
        else None,
        read=Decimal(table["read"]),
        write_5m=Decimal(table["write_5m"]),
        write_1h=Decimal(table["write_1h"]),
        batch=Decimal(table["batch"]),
        geo_us=Decimal(table["geo_us"]),
        web_search=Decimal(table["web_search"]),
        source=table["source"],
        checked=table["checked"],
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _exact(rate: Decimal, row: PriceRow) -> Decimal:
    quantized = rate.quantize(_QUANTUM)
    if quantized != rate:
        raise PriceBookInvalid(model=row.model, valid_from=row.valid_from.date(), reason=f"{rate} is too fine")
    return quantized
