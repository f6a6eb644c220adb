"""The price book itself: look up models and rates, one by one or as a frame to join with."""

import functools
import re
import tomllib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from importlib.resources import files
from typing import Any

import polars as pl

from core.errors import LotwiseError
from core.prices.contract import ContractPrice
from core.prices.effective import Rows, with_terms
from core.prices.model import Model
from core.prices.rates import RATE_DECIMALS, PriceBookInvalid, PriceRow, Rates, parse_rows

MONEY = pl.Decimal(38, RATE_DECIMALS)
"""Money in frames: exact to the last decimal of a rate, and wide enough that no sum of attempts overflows."""

_SNAPSHOT = re.compile(r"(?P<id>.+)-\d{8}")
_RATE_SCHEMA: dict[str, Any] = {
    "model": pl.String,
    "valid_from": pl.Datetime("us", "UTC"),
    "valid_to": pl.Datetime("us", "UTC"),
    "min_input_tokens": pl.Int64,
    "max_input_tokens": pl.Int64,
    "batch": pl.Boolean,
    "geo_us": pl.Boolean,
    "input": MONEY,
    "output": MONEY,
    "cache_write_5m": MONEY,
    "cache_write_1h": MONEY,
    "cache_read": MONEY,
    "web_search": MONEY,
    "source": pl.String,
}


class UnknownModel(LotwiseError):
    """The price book does not list this model. Check the id, or add its list price: `prices add --list-price`."""


class UnpricedModel(LotwiseError):
    """The price book has no price for this model on this day. Check the day, or add its list price: `prices add
    --list-price`."""


class NaiveTime(LotwiseError):
    """This time has no time zone, so the price of its day is not certain. Give it one, preferably UTC."""


class PriceBook:
    """Models and dated prices, from the data packaged with Lotwise unless given other rows.

    A book without contract never changes. That of a workspace follows its contract (`adopt`), for all who hold it.
    """

    def __init__(
        self, models: Iterable[Model], rows: Iterable[PriceRow], default: Mapping[str, Any] | None = None
    ) -> None:
        self._models = {model.id: model for model in models}
        self._names = {name: model for model in self._models.values() for name in (model.id, *model.aliases)}
        self._default = default or {}
        packaged: Rows = {}
        for row in rows:
            if row.model not in self._models:
                raise PriceBookInvalid(model=row.model, reason="priced but not listed")
            packaged.setdefault(row.model, []).append(row)
        self._packaged = self._prices = _Prices(packaged)

    @classmethod
    def load(cls) -> "PriceBook":
        """The packaged price book, read once per process."""
        return _packaged()

    @classmethod
    def parse(cls, models_toml: str, prices_toml: str) -> "PriceBook":
        """A price book from the text of its two files, with numbers read as exact decimals."""
        models = tomllib.loads(models_toml, parse_float=Decimal)
        prices = tomllib.loads(prices_toml, parse_float=Decimal)
        return cls(
            (Model.parse(table, models["chars_per_token"]) for table in models["model"]),
            parse_rows(prices["price"], prices["default"]),
            prices["default"],
        )

    def with_contract(self, terms: Iterable[ContractPrice]) -> "PriceBook":
        """A book of the same models and packaged prices, with these terms in place of any others."""
        terms = tuple(terms)
        book = copy(self)
        listed = self._packaged.under([one for one in terms if one.listed], self._default)
        book._prices = listed.under([one for one in terms if not one.listed], self._default, over=listed)
        return book

    def listed(self) -> "PriceBook":
        """The book of list prices alone."""
        book = copy(self)
        book._prices = self._prices.listed or self._prices
        return book

    def adopt(self, other: "PriceBook") -> None:
        """Take over the prices of another book, at once for everyone who holds this one."""
        self._prices = other._prices

    def models(self) -> tuple[Model, ...]:
        """Every listed model, in the order of the file."""
        return tuple(self._models.values())

    def model(self, model_id: str) -> Model:
        """The model of that id, alias or dated snapshot id (`claude-haiku-4-5-20251001`)."""
        snapshot = _SNAPSHOT.fullmatch(model_id)
        model = self._names.get(model_id) or (self._names.get(snapshot["id"]) if snapshot else None)
        if model is None:
            raise UnknownModel(model=model_id)
        return model

    def rates(
        self,
        model_id: str,
        *,
        at: datetime,
        total_input_tokens: int = 0,
        batch: bool = True,
        geo: str | None = None,
    ) -> Rates:
        """The rates of a request: by its day, by its whole input (cached or not), by how and where it ran."""
        name = self.priced_as(model_id)
        instant = utc(at)
        for row in self._prices.rows.get(name, ()):
            if row.holds(instant):
                return row.rates(row.tier(total_input_tokens), batch=batch, geo_us=geo == "us")
        raise UnpricedModel(model=name, at=instant.isoformat())

    def priced_as(self, model_id: str) -> str:
        """The id under which the book has prices of a model; a model that is only priced, not listed, is its own."""
        snapshot = _SNAPSHOT.fullmatch(model_id)
        for name in (model_id, snapshot["id"] if snapshot else model_id):
            if name in self._prices.rows:
                return name
        return self.model(model_id).id

    def priced_names(self, names: Iterable[str]) -> dict[str, str]:
        """`priced_as` of every name that is known."""
        found = {}
        for name in names:
            with suppress(UnknownModel):
                found[name] = self.priced_as(name)
        return found

    def packaged_rows(self, model_id: str | None = None) -> tuple[PriceRow, ...]:
        """The rows that came with Lotwise, of all models or of one."""
        return tuple(row for rows in self._packaged.rows.values() for row in rows if model_id in (None, row.model))

    def rows(self) -> tuple[PriceRow, ...]:
        """Every dated row, by model and day, contract included."""
        return tuple(row for rows in self._prices.rows.values() for row in rows)

    def rate_frame(self) -> pl.DataFrame:
        """Every rate there is, one row per combination, for a bulk join.

        A row holds from `valid_from` up to, not including, `valid_to`, and for total inputs from
        `min_input_tokens` to `max_input_tokens`, both included; a null bound is open.
        """
        return self._prices.frame


@dataclass(frozen=True)
class _Prices:
    """The rows by model, as they are paid; and where terms were agreed, those of the list under them."""

    rows: Rows
    listed: "_Prices | None" = None

    def under(self, terms: list[ContractPrice], default: Mapping[str, Any], over: "_Prices | None" = None) -> "_Prices":
        """These prices under such terms; themselves, with the frame they may have made, where there are none."""
        return _Prices(with_terms(self.rows, terms, default), over) if terms else self

    @functools.cached_property
    def frame(self) -> pl.DataFrame:
        """The effective rows as `PriceBook.rate_frame` shows them."""
        return pl.DataFrame(
            [
                {
                    "model": row.model,
                    "valid_from": row.valid_from,
                    "valid_to": row.valid_to,
                    "min_input_tokens": tier.min_input_tokens,
                    "max_input_tokens": tier.max_input_tokens,
                    "batch": batch,
                    "geo_us": geo_us,
                    **vars(row.rates(tier, batch=batch, geo_us=geo_us)),
                }
                for rows in self.rows.values()
                for row in rows
                for tier in row.tiers()
                for batch in (True, False)
                for geo_us in (True, False)
            ],
            schema=_RATE_SCHEMA,
        )


def utc(at: datetime) -> datetime:
    """The same instant in UTC; a time without a zone is refused, never guessed."""
    if at.tzinfo is None:
        raise NaiveTime(at=at.isoformat())
    return at.astimezone(UTC)


@functools.cache
def _packaged() -> PriceBook:
    folder = files("core.prices")
    return PriceBook.parse(
        (folder / "models.toml").read_text("utf-8"),
        (folder / "prices.toml").read_text("utf-8"),
    )
