"""The texts of scanned files, read again where they stand: shard by shard, and only the lines that are wanted."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from core.executors import run_shards
from core.grouping.landmarks import Agreement, Landmarks, agreement
from core.grouping.prefix_tree import Ints, Ints32
from core.intake.scanning import Scan
from core.requests.blocks import text_at
from core.requests.request import parse_request
from core.requests.shards import Shard, lines_at


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reading:
    """Texts to be read from one shard, in order of their lines; `landmarks` and `groups` to compare them with."""

    shard: Shard
    lines: Ints
    blocks: Ints32
    groups: Ints
    landmarks: tuple[Landmarks, ...]

    def __str__(self) -> str:
        return str(self.shard)


@dataclass(frozen=True)
class FileTexts:
    """The texts of scanned files, read again from where they stand (a `TextSource`)."""

    shards: Sequence[Shard]
    scan: Scan
    executor: Executor

    def read(self, items: Ints32, blocks: Ints32) -> Iterator[bytes]:
        """The texts of these blocks of items, in this order, which is that of the items."""
        _, readings = self._readings(items, blocks, np.zeros_like(items), ())
        for _, part in run_shards(_read, readings, self.executor):
            yield from part

    def compare(self, items: Ints32, blocks: Ints32, groups: Ints32, landmarks: list[Landmarks]) -> Agreement:
        """Compare each text with the landmarks of its group, where it stands."""
        order, readings = self._readings(items, blocks, groups, landmarks)
        found = Agreement(
            nearest=np.empty(len(items), dtype=np.int8),
            agreed=np.empty(len(items), dtype=np.int32),
            onward=np.empty(len(items), dtype=np.uint64),
        )
        begin = 0
        for _, part in run_shards(_compare, readings, self.executor):
            where = order[begin : begin + len(part.agreed)]
            found.nearest[where], found.agreed[where], found.onward[where] = part.nearest, part.agreed, part.onward
            begin += len(part.agreed)
        return found

    def _readings(
        self, items: Ints32, blocks: Ints32, groups: Ints32, landmarks: Sequence[Landmarks]
    ) -> tuple[Ints, list[_Reading]]:
        """What to read from each shard, and the order in which it comes."""
        shards, lines = self.scan.shards[items], self.scan.lines[items]
        order = np.lexsort((blocks, lines, shards))
        readings = []
        for part in np.split(order, np.flatnonzero(np.diff(shards[order])) + 1):
            needed, own = np.unique(groups[part], return_inverse=True)
            readings.append(
                _Reading(
                    shard=self.shards[shards[part[0]]],
                    lines=lines[part],
                    blocks=blocks[part],
                    groups=own,
                    landmarks=tuple(landmarks[group] for group in needed) if landmarks else (),
                )
            )
        return order, readings


def _read(reading: _Reading) -> list[bytes]:
    return list(_texts(reading))


def _compare(reading: _Reading) -> Agreement:
    landmarks = reading.landmarks
    return Agreement.of(
        agreement(text, landmarks[group]) for text, group in zip(_texts(reading), reading.groups.tolist(), strict=True)
    )


def _texts(reading: _Reading) -> Iterator[bytes]:
    """The wanted texts; a line is parsed once, however many of its blocks are wanted."""
    last, params = b"", None
    for raw, block in zip(lines_at(reading.shard, reading.lines.tolist()), reading.blocks.tolist(), strict=True):
        if params is None or raw is not last:
            last, params = raw, parse_request(raw).params
        yield text_at(params, block)
