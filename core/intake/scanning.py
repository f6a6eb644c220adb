"""Scanning request files: a map over shards of files, and a merge; on one machine or many, the same functions.

A scan keeps of a request only its chain, and of its text nothing: a million requests fit into memory. What must be
read again to find borders inside texts is read shard by shard, too.
"""

from array import array
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from xxhash import xxh3_64_intdigest

from core.executors import run_shards
from core.grouping.prefix_tree import Bools, Chains, Ints, UInts
from core.requests.blocks import chain_of
from core.requests.lines import Oversize
from core.requests.request import NotARequest, parse_request
from core.requests.shards import Shard, read_shard

_PACK = 1 << 14
_TOO_LONG = "longer than the 32 MB that a request may have"
_OTHER_PROMPT = "custom_id came before with another prompt"


@dataclass(frozen=True, kw_only=True, slots=True)
class Details:
    """What grouping does not need of requests, but a plan does: `ids`, `max_tokens` and `sizes` (bytes of the line) per
    item, and `overheads` (bytes of a mark) per entry."""

    ids: tuple[str, ...]
    max_tokens: Ints
    sizes: Ints
    overheads: Ints

    def of(self, items: Ints, entries: Bools) -> "Details":
        """Those of some items, given in ascending order, with their entries."""
        return Details(
            ids=tuple(self.ids[item] for item in items),
            max_tokens=self.max_tokens[items],
            sizes=self.sizes[items],
            overheads=self.overheads[entries],
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ScannedShard:
    """What one shard holds: chains flat and by item, and the lines that are no requests.

    Per entry `hashes`, `depths`, `heads`; per item `ends`, `lines` (number within the shard), `models` (position in
    `model_names`) and `id_hashes`. `rejects`: line and reason; `details` only where asked for.
    """

    hashes: UInts
    depths: Ints
    heads: UInts
    ends: Ints
    lines: Ints
    models: Ints
    model_names: tuple[str, ...]
    id_hashes: UInts
    rejects: tuple[tuple[int, str], ...]
    line_count: int
    bytes: int
    details: Details | None


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


def scan_shard(shard: Shard, *, details: bool, model: str | None) -> ScannedShard:
    """Read every line of a shard, as if all were for `model` where one is given; this is the map step."""
    hashes, heads, id_hashes = (_Column(np.uint64) for _ in range(3))
    depths, lengths, lines, models, sizes = (_Column(np.int32) for _ in range(5))
    max_tokens, overheads = _Column(np.int64), _Column(np.int16)
    columns = (hashes, heads, id_hashes, depths, lengths, lines, models, sizes, max_tokens, overheads)
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
            params = request.params
            if model:
                params.model = model
            chain, reach, costs, starts = chain_of(params)
        except NotARequest as wrong:
            if not line.isspace():
                rejects.append((number, str(wrong)))
            continue
        hashes.fresh += chain
        depths.fresh += reach
        heads.fresh += starts
        lengths.fresh.append(len(chain))
        lines.fresh.append(number)
        models.fresh.append(names.setdefault(params.model, len(names)))
        id_hashes.fresh.append(xxh3_64_intdigest(request.custom_id.encode()))
        if details:
            ids.append(request.custom_id)
            max_tokens.fresh.append(params.max_tokens)
            sizes.fresh.append(len(line))
            overheads.fresh += costs
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
        rejects=tuple(rejects),
        line_count=number,
        bytes=size,
        details=Details(
            ids=tuple(ids), max_tokens=max_tokens.values(), sizes=sizes.values(), overheads=overheads.values()
        )
        if details
        else None,
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
    rejects: tuple[tuple[str, int, str], ...]
    bytes: int
    details: Details | None


def scan(shards: Sequence[Shard], executor: Executor, *, details: bool = False, model: str | None = None) -> Scan:
    """Scan the shards and merge what they hold; `model` takes the place of every request's own.

    Raises what reading a shard raises, or `ShardFailed`.
    """
    merged = _Merged()
    for shard, part in run_shards(partial(scan_shard, details=details, model=model), shards, executor):
        merged.add(shard, part)
    return merged.scan(shards)


class _Merged:
    """The merge step: shards in their order, each given up when it is added, so that nothing is held twice."""

    def __init__(self) -> None:
        # Unlike NumPy's, these arrays grow in place.
        self._hashes, self._heads, self._id_hashes = array("Q"), array("Q"), array("Q")
        self._depths, self._lines, self._models, self._shards = array("i"), array("i"), array("i"), array("i")
        self._ends = array("q")
        self._details: list[Details] = []
        self._names: dict[str, int] = {}
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
        self._details += [part.details] if part.details else []
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
            rejects=tuple(self._rejects),
            bytes=self._bytes,
            details=_joined(self._details) if self._details else None,
        )
        return _once_each(whole, np.frombuffer(self._id_hashes, dtype=np.uint64), shards, self._lines_before)


def _joined(parts: list[Details]) -> Details:
    return Details(
        ids=tuple(name for part in parts for name in part.ids),
        max_tokens=np.concatenate([part.max_tokens for part in parts]),
        sizes=np.concatenate([part.sizes for part in parts]),
        overheads=np.concatenate([part.overheads for part in parts]),
    )


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
    entries = scan.chains.entries(kept)
    return replace(
        scan,
        chains=scan.chains.of(kept),
        heads=scan.heads[entries],
        models=scan.models[kept],
        shards=scan.shards[kept],
        lines=scan.lines[kept],
        details=scan.details.of(kept, entries) if scan.details else None,
        rejects=scan.rejects + tuple(rejects),
    )
