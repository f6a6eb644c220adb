"""What the simulated items are: classes of work with their tokens, faults and prices, and when items come in."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

import numpy as np
import numpy.typing as npt

from core.prices import PriceBook
from core.tokens.counting import token_factor

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class ClassOfWork:
    """The mean item of a class: tokens as its model counts them, bytes as sent, and how it fails.

    `void_rate`: chance per item that a fault voids all that was sent of its job; `fault_rate`: share of items that are
    billed and give nothing usable; `unbilled_rate`: share that end errored or expired; `read_rate`: chance that the
    items of a primed job find their prefix in the cache, all of them or none.
    """

    key: str
    model: str
    prefix_tokens: float
    suffix_tokens: float
    output_tokens: float
    item_bytes: float = 0.0
    void_rate: float = 0.0
    fault_rate: float = 0.0
    unbilled_rate: float = 0.0
    read_rate: float = 1.0

    def on(self, model: str, book: PriceBook) -> Self:
        """The same texts on another model, as its tokenizer counts them. Raises `UnknownModel`."""
        book.model(model)
        factor = token_factor(book, model) / token_factor(book, self.model)
        return replace(
            self,
            model=model,
            prefix_tokens=self.prefix_tokens * factor,
            suffix_tokens=self.suffix_tokens * factor,
            output_tokens=self.output_tokens * factor,
        )

    def failing(self, rate: float) -> Self:
        """The same work with this share of items failing, billed and unbilled ones in the proportion they have."""
        known = self.fault_rate + self.unbilled_rate
        billed = self.fault_rate / known if known else 1.0
        return replace(self, fault_rate=rate * billed, unbilled_rate=rate * (1 - billed))


@dataclass(frozen=True, kw_only=True, eq=False)
class Economics:
    """What an item of each class costs in a batch (dollars), and how it fails: one value a class in every array.

    `prefix_usd`: its prefix at the plain price of input; `rest_usd`: the rest of its input and its output; `read` and
    `write_5m`, `write_1h`: multiples of the plain price; `cacheable`: whether the prefix reaches the model's floor.
    """

    models: tuple[str, ...]
    prefix_usd: Floats
    rest_usd: Floats
    read: Floats
    write_5m: Floats
    write_1h: Floats
    cacheable: Flags
    item_bytes: Floats
    void_rate: Floats
    fault_rate: Floats
    unbilled_rate: Floats
    read_rate: Floats

    @classmethod
    def of(cls, classes: Sequence[ClassOfWork], *, book: PriceBook, now: datetime) -> Self:
        """Price the classes as of `now`, each by its mean prompt. Raises `UnknownModel` or `UnpricedModel`."""
        prices = np.array([_prices(one, book, now) for one in classes], dtype=np.float64).reshape(-1, 6)
        return cls(
            models=tuple(one.model for one in classes),
            prefix_usd=prices[:, 0],
            rest_usd=prices[:, 1],
            read=prices[:, 2],
            write_5m=prices[:, 3],
            write_1h=prices[:, 4],
            cacheable=prices[:, 5] > 0,
            item_bytes=np.array([one.item_bytes for one in classes], dtype=np.float64),
            void_rate=np.array([one.void_rate for one in classes], dtype=np.float64),
            fault_rate=np.array([one.fault_rate for one in classes], dtype=np.float64),
            unbilled_rate=np.array([one.unbilled_rate for one in classes], dtype=np.float64),
            read_rate=np.array([one.read_rate for one in classes], dtype=np.float64),
        )

    @property
    def plain_usd(self) -> Floats:
        """An item without caching."""
        return self.prefix_usd + self.rest_usd

    @property
    def hot_usd(self) -> Floats:
        """An item that reads its prefix."""
        return self.prefix_usd * self.read + self.rest_usd

    def write(self, life: Floats, of: Ints) -> Floats:
        """The multiple that writing costs where an entry of class `of` is to live so many seconds; both per item."""
        return np.where(life > _FIVE_MINUTES, self.write_1h[of], self.write_5m[of])


_FIVE_MINUTES = 300.0


def _prices(one: ClassOfWork, book: PriceBook, now: datetime) -> tuple[float, ...]:
    prompt = round(one.prefix_tokens + one.suffix_tokens)
    rates = book.rates(one.model, at=now, total_input_tokens=prompt)
    price = float(rates.input)
    return (
        one.prefix_tokens * price,
        one.suffix_tokens * price + one.output_tokens * float(rates.output),
        float(rates.cache_read) / price,
        float(rates.cache_write_5m) / price,
        float(rates.cache_write_1h) / price,
        float(one.prefix_tokens >= book.model(one.model).cache_floor_tokens),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Traffic:
    """Items in the order in which they came in, in seconds after `epoch`.

    `at`: when each came in; `of`: the number of its class; `due`: when its result is needed, infinite where at no
    time; `sent`: when it was, or would be, sent where no cadence is asked for.
    """

    epoch: datetime
    at: Floats
    of: Ints
    due: Floats
    sent: Floats
