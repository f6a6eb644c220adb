"""Scanning request files: a map over shards of files, and a merge; on one machine or many, the same functions.

A scan keeps of a request only its chain, and of its text nothing: a million requests fit into memory. What must be
read again to find borders inside texts is read shard by shard, too.
"""

import sys
from array import array
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from xxhash import xxh3_64_intdigest

from core.executors import run_shards
from core.grouping.borders import Agreement, Landmarks, agreement
from core.grouping.prefix_tree import Chains, Ints, UInts
from core.requests.blocks import chain_of, text_at
from core.requests.lines import Oversize
from core.requests.request import NotARequest, parse_request
from core.requests.shards import Shard, read_shard

_PACK = 1 << 14
_TOO_LONG = "longer than the 32 MB that a request may have"
_OTHER_PROMPT = "custom_id came before with another prompt"


@dataclass(frozen=True, kw_only=True, slots=True)
class ScannedShard:
    """What one shard holds: chains flat and by item, and the lines that are no requests.

    Per entry `hashes`, `depths`, `heads`; per item `ends`, `lines` (number within the shard), `models` (position in
    `model_names`), `id_hashes`, and `ids` (only where asked for). `rejects`: line and reason.
    """

    hashes: UInts
    depths: Ints
    heads: UInts
    ends: Ints
    lines: Ints
    models: Ints
    model_names: tuple[str, ...]
    id_hashes: UInts
    ids: tuple[str, ...]
    rejects: tuple[tuple[int, str], ...]
    line_count: int
    bytes: int


class _Column:
    """Whole numbers, gathered in a list and packed by the thousand: a list of a million takes 40 bytes each."""

    def __init__(self, kind: type[np.generic]) -> None:
        self._kind = kind
        self._packed: list[Any] = []
        self.fresh: list[int] = []

    def pack(self) -> None:
        self._packed.append(np.array(self.fresh, dtype=self._kind))
        self.fresh.clear()

    def values(self) -> Any:
        self.pack()
        return np.concatenate(self._packed)


def scan_shard(shard: Shard, *, keep_ids: bool) -> ScannedShard:
    """Read every line of a shard; this is the map step, and runs anywhere."""
    hashes, heads, id_hashes = (_Column(np.uint64) for _ in range(3))
    depths, lengths, lines, models = (_Column(np.int32) for _ in range(4))
    columns = (hashes, heads, id_hashes, depths, lengths, lines, models)
    ids: list[str] = []
    names: dict[str, int] = {}
    rejects: list[tuple[int, str]] = []
    number = size = 0
    for number, line in read_shard(shard):
        if isinstance(line, Oversize):
            size += line.size
            line.spool.close()
            rejects.append((number, _TOO_LONG))
            continue
        size += len(line)
        try:
            request = parse_request(line)
            chain, reach, _, starts = chain_of(request.params)
        except NotARequest as wrong:
            if not line.isspace():
                rejects.append((number, str(wrong)))
            continue
        hashes.fresh += chain
        depths.fresh += reach
        heads.fresh += starts
        lengths.fresh.append(len(chain))
        lines.fresh.append(number)
        models.fresh.append(names.setdefault(request.params.model, len(names)))
        id_hashes.fresh.append(xxh3_64_intdigest(request.custom_id.encode()))
        if keep_ids:
            ids.append(request.custom_id)
        if len(hashes.fresh) > _PACK:
            for column in columns:
                column.pack()
    return ScannedShard(
        hashes=hashes.values(),
        depths=depths.values(),
        heads=heads.values(),
        ends=np.cumsum(lengths.values(), dtype=np.int64),
        lines=lines.values(),
        models=models.values(),
        model_names=tuple(names),
        id_hashes=id_hashes.values(),
        ids=tuple(ids),
        rejects=tuple(rejects),
        line_count=number,
        bytes=size,
    )


@dataclass(frozen=True, kw_only=True)
class Scan:
    """Everything that shards hold, merged: items in the order of files and lines, each `custom_id` once.

    `chains` and `heads` as in `core/grouping/borders.py`; per item `models` (position in `model_names`), `shards`
    and `lines`; `rejects`: file, line counted from 1 within its file, and reason.
    """

    chains: Chains
    heads: UInts
    models: Ints
    model_names: tuple[str, ...]
    shards: Ints
    lines: Ints
    ids: tuple[str, ...]
    rejects: tuple[tuple[str, int, str], ...]
    bytes: int


def scan(shards: Sequence[Shard], executor: Executor, *, keep_ids: bool = False) -> Scan:
    """Scan the shards and merge what they hold. Raises what reading a shard raises, or `ShardFailed`."""
    merged = _Merged()
    for shard, part in run_shards(partial(scan_shard, keep_ids=keep_ids), shards, executor):
        merged.add(shard, part)
    return merged.scan(shards)


class _Merged:
    """The merge step: shards in their order, each given up when it is added, so that nothing is held twice."""

    def __init__(self) -> None:
        # Unlike NumPy's, these arrays grow in place.
        self._hashes, self._heads, self._id_hashes = array("Q"), array("Q"), array("Q")
        self._depths, self._lines, self._models, self._shards = array("i"), array("i"), array("i"), array("i")
        self._ends = array("q")
        self._names: dict[str, int] = {}
        self._ids: list[str] = []
        self._rejects: list[tuple[str, int, str]] = []
        self._lines_before: list[int] = []
        self._lines_of: dict[Path, int] = {}
        self._bytes = 0

    def add(self, shard: Shard, part: ScannedShard) -> None:
        """Add what the next shard holds."""
        known = [self._names.setdefault(name, len(self._names)) for name in part.model_names]
        models = np.array(known, dtype=np.int32)[part.models] if known else part.models
        number, before = len(self._lines_before), self._lines_of.get(shard.path, 0)
        ends = part.ends + len(self._hashes)
        for column, values in (
            (self._hashes, part.hashes),
            (self._heads, part.heads),
            (self._id_hashes, part.id_hashes),
            (self._depths, part.depths),
            (self._lines, part.lines),
            (self._models, models),
            (self._shards, np.full(len(part.lines), number, dtype=np.int32)),
            (self._ends, ends),
        ):
            column.frombytes(values.tobytes())
        self._ids += part.ids
        self._rejects += [(shard.path.name, line + before, reason) for line, reason in part.rejects]
        self._lines_before.append(before)
        self._lines_of[shard.path] = before + part.line_count
        self._bytes += part.bytes

    def scan(self, shards: Sequence[Shard]) -> Scan:
        """Everything together."""
        whole = Scan(
            chains=Chains(
                hashes=np.frombuffer(self._hashes, dtype=np.uint64),
                depths=np.frombuffer(self._depths, dtype=np.int32),
                ends=np.frombuffer(self._ends, dtype=np.int64),
            ),
            heads=np.frombuffer(self._heads, dtype=np.uint64),
            models=np.frombuffer(self._models, dtype=np.int32),
            model_names=tuple(self._names),
            shards=np.frombuffer(self._shards, dtype=np.int32),
            lines=np.frombuffer(self._lines, dtype=np.int32),
            ids=tuple(self._ids),
            rejects=tuple(self._rejects),
            bytes=self._bytes,
        )
        return _once_each(whole, np.frombuffer(self._id_hashes, dtype=np.uint64), shards, self._lines_before)


def _once_each(scan: Scan, id_hashes: UInts, shards: Sequence[Shard], lines_before: list[int]) -> Scan:
    """Keep the first line of each `custom_id`; a later one with another prompt is a reject."""
    order = np.argsort(id_hashes, kind="stable")
    again = np.zeros(len(order), dtype=np.bool_)
    again[1:] = id_hashes[order[1:]] == id_hashes[order[:-1]]
    if not again.any():
        return scan
    first = order[np.maximum.accumulate(np.where(again, 0, np.arange(len(order))))]
    prompts = scan.chains.hashes[scan.chains.ends - 1]
    wrong = order[again & (prompts[order] != prompts[first])]
    rejects = [
        (shards[shard].path.name, line + lines_before[shard], _OTHER_PROMPT)
        for shard, line in zip(scan.shards[wrong].tolist(), scan.lines[wrong].tolist(), strict=True)
    ]
    kept = np.sort(order[~again])
    return replace(
        scan,
        chains=scan.chains.of(kept),
        heads=scan.heads[scan.chains.entries(kept)],
        models=scan.models[kept],
        shards=scan.shards[kept],
        lines=scan.lines[kept],
        ids=tuple(scan.ids[item] for item in kept) if scan.ids else (),
        rejects=scan.rejects + tuple(rejects),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reading:
    """Texts to be read from one shard, in order of their lines; `landmarks` and `groups` to compare them with."""

    shard: Shard
    lines: Ints
    blocks: Ints
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

    def read(self, items: Ints, blocks: Ints) -> list[bytes]:
        """The texts of these blocks of items, in this order."""
        order, readings = self._readings(items, blocks, np.zeros_like(items), ())
        texts = [text for _, part in run_shards(_read, readings, self.executor) for text in part]
        return [texts[place] for place in np.argsort(order)]

    def compare(self, items: Ints, blocks: Ints, groups: Ints, landmarks: list[Landmarks]) -> Agreement:
        """Compare each text with the landmarks of its group, where it stands."""
        order, readings = self._readings(items, blocks, groups, landmarks)
        parts = [part for _, part in run_shards(_compare, readings, self.executor)]
        back = np.argsort(order)
        return Agreement(
            nearest=np.concatenate([part.nearest for part in parts])[back],
            agreed=np.concatenate([part.agreed for part in parts])[back],
            onward=np.concatenate([part.onward for part in parts])[back],
        )

    def _readings(
        self, items: Ints, blocks: Ints, groups: Ints, landmarks: Sequence[Landmarks]
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
    """The wanted texts; lines that hold none are not even parsed."""
    wanted = zip(reading.lines.tolist(), reading.blocks.tolist(), strict=True)
    line, block = next(wanted)
    for number, raw in read_shard(reading.shard):
        if number < line or isinstance(raw, Oversize):
            continue
        params = parse_request(raw).params
        while number == line:
            yield text_at(params, block)
            line, block = next(wanted, (sys.maxsize, 0))
        if line == sys.maxsize:
            return
