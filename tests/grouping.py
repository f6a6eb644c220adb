"""Grouping requests in memory, for tests: chains, texts and borders without files."""

from dataclasses import dataclass

import numpy as np

from core.grouping.borders import find_borders, open_texts, with_borders
from core.grouping.classes import Classes, find_classes
from core.grouping.landmarks import Agreement, Landmarks, agreement
from core.grouping.prefix_tree import Chains, Ints32, grow
from core.requests.blocks import chain_of, text_at
from core.requests.request import Params, parse_request
from tests.strategies import Json, line


@dataclass(frozen=True)
class MemoryTexts:
    """The texts of parameters in memory (a `TextSource`)."""

    items: list[Params]

    def read(self, items: Ints32, blocks: Ints32) -> list[bytes]:
        """The texts of these blocks."""
        return [text_at(self.items[item], block) for item, block in zip(items, blocks, strict=True)]

    def compare(self, items: Ints32, blocks: Ints32, groups: Ints32, landmarks: list[Landmarks]) -> Agreement:
        """Compare each text with its group's landmarks."""
        texts = self.read(items, blocks)
        return Agreement.of(agreement(text, landmarks[group]) for text, group in zip(texts, groups, strict=True))


def chains_of_requests(requests: list[Json]) -> Chains:
    """The chains of parameters, with all borders inside their texts."""
    items = [parse_request(line("a", params)).params for params in requests]
    read = [chain_of(params) for params in items]
    chains = Chains(
        hashes=np.array([entry for hashes, _, _, _ in read for entry in hashes], dtype=np.uint64),
        depths=np.array([entry for _, depths, _, _ in read for entry in depths], dtype=np.int64),
        ends=np.cumsum([len(hashes) for hashes, _, _, _ in read], dtype=np.int64),
    )
    heads = np.array([entry for _, _, _, starts in read for entry in starts], dtype=np.uint64)
    texts = open_texts(chains, heads)
    return chains if texts is None else with_borders(chains, find_borders(texts, MemoryTexts(items)))


def classes(requests: list[Json], floor: int | None = None) -> Classes:
    """The classes of requests; `floor` in characters."""
    floors = None if floor is None else np.full(len(requests), floor)
    chains = chains_of_requests(requests)
    return find_classes(chains, grow(chains), floors)


def parts(found: Classes) -> set[frozenset[int]]:
    """The classes as sets of positions."""
    return {frozenset(np.flatnonzero(found.class_of == number).tolist()) for number in range(len(found.keys))}
