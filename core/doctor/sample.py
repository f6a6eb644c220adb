"""A bounded, repeatable sample of requests: in each scope those with the smallest hashes, whatever their order."""

import heapq
from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from xxhash import xxh3_64_intdigest

from core.doctor.scope import Item, Scope, Tariff
from core.doctor.texts import Params
from core.prices import PriceBook, UnknownModel, UnpricedModel
from core.requests.rendering import render

# What one scope is examined on at most.
MOST_ITEMS = 20_000
MOST_BYTES = 96_000_000


class Sample:
    """Requests added one by one; memory is bounded by `most_items` and `most_bytes` of prompt a scope."""

    def __init__(self, *, most_items: int = MOST_ITEMS, most_bytes: int = MOST_BYTES) -> None:
        self._most_items, self._most_bytes = most_items, most_bytes
        self._kept: dict[str, list[tuple[int, int, Item]]] = {}
        self._bytes: Counter[str] = Counter()
        self._population: Counter[str] = Counter()

    @property
    def population(self) -> int:
        """Requests added."""
        return self._population.total()

    @property
    def size(self) -> int:
        """Requests kept."""
        return sum(map(len, self._kept.values()))

    def add(self, custom_id: str, params: Params) -> None:
        """Take in one checked request. Raises `NotARequest` where its prompt cannot be written."""
        prompt = render(params)
        scope = prompt.scope
        self._population[scope] += 1
        kept = self._kept.setdefault(scope, [])
        # The id keeps equal prompts apart, so that a sample has its share of them.
        key = xxh3_64_intdigest(prompt.data, seed=xxh3_64_intdigest(custom_id.encode()))
        heapq.heappush(kept, (-key, self._population[scope], Item(custom_id=custom_id, params=params, prompt=prompt)))
        self._bytes[scope] += len(prompt.data)
        while len(kept) > 1 and (len(kept) > self._most_items or self._bytes[scope] > self._most_bytes):
            self._bytes[scope] -= len(heapq.heappop(kept)[2].prompt.data)

    def scopes(self, book: PriceBook, *, now: datetime) -> tuple[list[Scope], dict[str, int]]:
        """The scopes that have a price, and how many requests of each model have none."""
        scopes: list[Scope] = []
        unpriced: Counter[str] = Counter()
        for name, kept in self._kept.items():
            items = [item for _, _, item in sorted(kept, key=lambda entry: (-entry[0], entry[2].custom_id))]
            mean = _mean(len(item.prompt.data) for item in items)
            params = items[0].params
            try:
                tariff = Tariff.of(book, params["model"], at=now, mean_bytes=mean, geo=params.get("inference_geo"))
            except (UnknownModel, UnpricedModel):
                unpriced[params["model"]] += self._population[name]
                continue
            scopes.append(Scope(items, population=self._population[name], tariff=tariff))
        return scopes, dict(unpriced)


def _mean(sizes: Iterable[int]) -> float:
    found = list(sizes)
    return sum(found) / len(found)
