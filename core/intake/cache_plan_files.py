"""The cache plan of request files as they are, without a workspace: what caching them would cost and save, and how."""

from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from core.caching.class_caching import ClassCaching
from core.caching.learned import Learned
from core.caching.plan import plan_caching
from core.executors import open_executor, run_shards
from core.grouping.borders import find_borders, open_texts, with_borders
from core.grouping.classes import Classes, class_id, find_classes, floor_chars
from core.grouping.prefix_tree import Bools, Chains, Ints, UInts, grow
from core.intake.scanning import FileTexts, Scan, scan
from core.prices import PriceBook
from core.requests.blocks import chain_of
from core.requests.lines import Oversize
from core.requests.request import NotARequest, parse_request
from core.requests.shards import Shard, read_shard, shards_of
from core.settings import Settings
from core.tokens.counting import prefix_tokens

_SHARD_BYTES = 32 << 20


@dataclass(frozen=True, kw_only=True)
class FilesCachePlan:
    """How the classes of some files would meet the cache, the dearest first.

    Every figure is an estimate: tokens from characters, output from max_tokens, reads as documented in `widths`.
    `plain_usd`, `planned_usd`: of all classes that have a price; `rejects`: file, line and why.
    """

    requests: int
    rejected: int
    plain_usd: Decimal | None
    planned_usd: Decimal | None
    second_round_usd: Decimal
    classes: tuple[ClassCaching, ...]
    rejects: tuple[tuple[str, int, str], ...]


def plan_files(
    paths: Iterable[Path],
    *,
    model: str | None,
    book: PriceBook,
    settings: Settings,
    now: datetime,
    executor: str = "auto",
) -> FilesCachePlan:
    """Plan the caching of all requests of the files, as if all were for `model` where one is given.

    `executor` as in `open_executor`. Raises what `group_files` raises, and `UnknownModel` for a `model` not listed.
    """
    if model is not None:
        book.model(model)
    files = list(paths)
    shards = shards_of(files, _SHARD_BYTES)
    with open_executor(executor, work_bytes=sum(path.stat().st_size for path in files)) as pool:
        scanned, facts = _read(shards, pool, model)
        chains = scanned.chains
        if (texts := open_texts(chains, scanned.heads)) is not None:
            chains = with_borders(chains, find_borders(texts, FileTexts(shards, scanned, pool)))
    classes: tuple[ClassCaching, ...] = ()
    second_round_usd = Decimal(0)
    if len(scanned.ids):
        floors = np.array([floor_chars(book, name) for name in scanned.model_names])
        found = find_classes(chains, grow(chains), floors[scanned.models])
        backlog = _backlog(scanned, facts, found, book)
        plan = plan_caching(backlog, book=book, settings=settings, now=now, learned=Learned())
        classes, second_round_usd = plan.classes, plan.second_round_usd
    return FilesCachePlan(
        requests=len(scanned.ids),
        rejected=len(scanned.rejects),
        plain_usd=_sum([one.plain_usd for one in classes]),
        planned_usd=_sum([one.planned_usd for one in classes]),
        second_round_usd=second_round_usd,
        classes=classes,
        rejects=scanned.rejects,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Facts:
    """What a plan needs of each request besides its scan.

    Per entry `hashes`, `depths`, `overheads`, `heads`; per request `lines` (within its shard), `lengths` (its
    entries), `max_tokens`, `bytes`.
    """

    hashes: UInts
    depths: Ints
    overheads: Ints
    heads: UInts
    lines: Ints
    lengths: Ints
    max_tokens: Ints
    bytes: Ints


def _read_facts(shard: Shard, *, model: str | None) -> _Facts:
    columns: tuple[list[int], ...] = ([], [], [], [])
    rows = []
    for number, line in read_shard(shard):
        if isinstance(line, Oversize):
            line.spool.close()
            continue
        try:
            params = parse_request(line).params
            params.model = model or params.model
            chain = chain_of(params)
        except NotARequest:
            continue
        for column, values in zip(columns, chain, strict=True):
            column.extend(values)
        rows.append((number, len(chain[0]), params.max_tokens, len(line)))
    hashes, depths, overheads, heads = columns
    lines, lengths, max_tokens, sizes = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    return _Facts(
        hashes=np.array(hashes, dtype=np.uint64),
        depths=np.array(depths, dtype=np.int64),
        overheads=np.array(overheads, dtype=np.int64),
        heads=np.array(heads, dtype=np.uint64),
        lines=lines,
        lengths=lengths,
        max_tokens=max_tokens,
        bytes=sizes,
    )


def _read(shards: Sequence[Shard], pool: Executor, model: str | None) -> tuple[Scan, pl.DataFrame]:
    """Scan the files; with a model given, chains are those that the requests would have there."""
    scanned = scan(shards, pool, keep_ids=True)
    parts = [part for _, part in run_shards(partial(_read_facts, model=model), shards, pool)]
    lengths = np.concatenate([part.lengths for part in parts] or [np.empty(0, np.int64)])
    kept = np.zeros(len(lengths), dtype=np.bool_)
    begin = 0
    for number, part in enumerate(parts):
        kept[begin : begin + len(part.lines)] = np.isin(part.lines, scanned.lines[scanned.shards == number])
        begin += len(part.lines)
    entries = np.repeat(kept, lengths)

    def column(name: str, where: Bools) -> Any:
        flat = [getattr(part, name) for part in parts]
        return np.concatenate(flat)[where] if flat else np.empty(0, np.int64)

    chains = Chains(
        hashes=column("hashes", entries),
        depths=column("depths", entries),
        ends=np.cumsum(lengths[kept], dtype=np.int64),
    )
    facts = pl.DataFrame(
        {
            "max_tokens": column("max_tokens", kept),
            "payload_bytes": column("bytes", kept),
            "chain": _lists(chains.hashes, chains.ends),
            "depths": _lists(chains.depths, chains.ends),
            "overheads": _lists(column("overheads", entries), chains.ends),
        }
    )
    if model is not None:
        scanned = replace(scanned, models=np.zeros_like(scanned.models), model_names=(model,))
    return replace(scanned, chains=chains, heads=column("heads", entries)), facts


def _lists(values: npt.NDArray[Any], ends: npt.NDArray[Any]) -> pl.Series:
    of = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
    return pl.DataFrame({"of": of, "value": values}).group_by("of", maintain_order=True).agg("value")["value"]


def _backlog(scanned: Scan, facts: pl.DataFrame, found: Classes, book: PriceBook) -> pl.DataFrame:
    """The requests as `plan_caching` takes them."""
    models = [scanned.model_names[int(scanned.models[first])] for first in found.first]
    tokens, cacheable = zip(
        *(prefix_tokens(book, name, int(chars)) for name, chars in zip(models, found.prefix_chars, strict=True)),
        strict=True,
    )
    ids = [class_id(int(key)) for key in found.keys]
    classes = pl.DataFrame(
        {
            "class_id": ids,
            "class_name": [f"like {scanned.ids[int(first)]}" for first in found.first],
            "model": models,
            "prefix_blocks": found.prefix_blocks,
            "cut_chars": found.cuts,
            "prefix_chars": found.prefix_chars,
            "prefix_tokens": tokens,
            "prefix_key": ids,
            "cacheable": cacheable,
            "split_agreed": False,
        }
    )
    return classes[found.class_of].hstack(
        facts.with_columns(
            item_id=pl.Series(scanned.ids, dtype=pl.String),
            chars=pl.col("depths").list.last(),
            output_tokens=pl.lit(None, pl.Float64),
        )
    )


def _sum(amounts: list[Decimal | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if known else None
