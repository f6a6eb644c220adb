"""The price book itself: look up models and rates, one by one or as a frame to join with."""

import functools
import re
import tomllib
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from importlib.resources import files
from typing import Any

import polars as pl

from core.errors import LotwiseError
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
    """The price book does not list this model. Check the id, or add the model to core/prices/models.toml."""


class UnpricedModel(LotwiseError):
    """The price book has no price for this model on this day. Check the day, or add a row to prices.toml."""


class NaiveTime(LotwiseError):
    """This time has no time zone, so the price of its day is not certain. Give it one, preferably UTC."""


class PriceBook:
    """Models and dated prices, from the data packaged with Lotwise unless given other rows."""

    def __init__(self, models: Iterable[Model], rows: Iterable[PriceRow]) -> None:
        self._models = {model.id: model for model in models}
        self._names = {name: model for model in self._models.values() for name in (model.id, *model.aliases)}
        self._rows: dict[str, list[PriceRow]] = {}
        for row in rows:
            if row.model not in self._models:
                raise PriceBookInvalid(model=row.model, reason="priced but not listed")
            self._rows.setdefault(row.model, []).append(row)

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
        )

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
        model = self.model(model_id)
        instant = utc(at)
        for row in self._rows.get(model.id, ()):
            if row.holds(instant):
                return row.rates(row.tier(total_input_tokens), batch=batch, geo_us=geo == "us")
        raise UnpricedModel(model=model.id, at=instant.isoformat())

    def rate_frame(self) -> pl.DataFrame:
        """Every rate there is, one row per combination, for a bulk join.

        A row holds from `valid_from` up to, not including, `valid_to`, and for total inputs from
        `min_input_tokens` to `max_input_tokens`, both included; a null bound is open.
        """
        return self._rate_frame

    @functools.cached_property
    def _rate_frame(self) -> pl.DataFrame:
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
                for rows in self._rows.values()
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
