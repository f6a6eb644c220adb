"""One scope under examination: the prompts that may share, and what sharing is worth there."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from core.doctor.texts import Params
from core.grouping.exact_tree import ExactTree, best_cuts, exact_tree
from core.prices import PriceBook
from core.requests.rendering import Rendered, render

# A change that saves less than this share of what its items cost is within the error of the estimate.
LEAST_SHARE = 0.02
# What one suspicion is measured on at most; more items are represented by a sample of them.
MEASURED_BYTES = 32_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One request under examination."""

    custom_id: str
    params: Params
    prompt: Rendered


@dataclass(frozen=True, kw_only=True)
class Tariff:
    """What a scope's bytes cost: the cache floor in bytes, write and read in units of plain input, and a byte's
    price as plain input of a batch."""

    floor: float
    write: float
    read: float
    usd_per_byte: float

    @classmethod
    def of(cls, book: PriceBook, model: str, *, at: datetime, mean_bytes: float, geo: str | None) -> "Tariff":
        """The tariff of a model for one-hour entries. Raises `UnknownModel` or `UnpricedModel`.

        Bytes stand for characters: exact in ASCII, and no worse than characters elsewhere.
        """
        listed = book.model(model)
        tokens = round(mean_bytes / listed.chars_per_token)
        rates = book.rates(model, at=at, total_input_tokens=tokens, geo=geo)
        return cls(
            floor=listed.cache_floor_tokens * listed.chars_per_token,
            write=float(rates.cache_write_1h / rates.input),
            read=float(rates.cache_read / rates.input),
            usd_per_byte=float(rates.input) / listed.chars_per_token,
        )


@dataclass(frozen=True, kw_only=True)
class Saved:
    """What caching leaves to pay of some prompts, in bytes of plain input, and how many of them it serves."""

    cost: float
    served: int


class Scope:
    """The examined items of one scope, in the order of a hash, so that any first part is a random sample."""

    def __init__(self, items: Sequence[Item], *, population: int, tariff: Tariff) -> None:
        self.items = items
        self.population = population
        self.tariff = tariff
        self.model = items[0].prompt.scope.partition("\x00")[0]

    @property
    def scale(self) -> float:
        """How many requests each examined one stands for."""
        return self.population / len(self.items)

    @cached_property
    def tree(self) -> ExactTree:
        """The exact prefix tree of all examined prompts."""
        return exact_tree([item.prompt.data for item in self.items])

    def saved(self, prompts: Sequence[bytes], *, scale: float | None = None) -> Saved:
        """What is left to pay of prompts when the best single mark of each is primed."""
        tree = exact_tree(prompts)
        tariff, scale = self.tariff, self.scale if scale is None else scale
        cuts = best_cuts(tree, floor=tariff.floor, write=tariff.write, read=tariff.read, scale=scale)
        total = scale * sum(map(len, prompts))
        return Saved(cost=total - cuts.saved, served=int(tree.items[cuts.nodes].sum()))

    def gain(self, pool: Iterable[int], change: Callable[[Params], Params]) -> float:
        """Bytes of plain input saved in all requests when the items at these positions are changed in that way.

        0 where that is too little to tell, or where a prefix that was served would fall below the floor.
        """
        chosen = sorted(pool)
        part = self._measured(chosen)
        if not part:
            return 0.0
        scale = self.scale * len(chosen) / len(part)
        before = self.saved([item.prompt.data for item in part], scale=scale)
        after = self.saved([render(change(item.params)).data for item in part], scale=scale)
        gained = before.cost - after.cost
        return gained if gained >= LEAST_SHARE * before.cost and after.served >= before.served else 0.0

    def _measured(self, pool: list[int]) -> list[Item]:
        part: list[Item] = []
        left = MEASURED_BYTES
        for position in pool:
            left -= len(self.items[position].prompt.data)
            if left < 0 and part:
                break
            part.append(self.items[position])
        return part
