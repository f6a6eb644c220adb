"""Grouping request files as they are, without a workspace: what they share, and who shares it."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from core.executors import open_executor
from core.grouping.borders import find_borders, open_texts, with_borders
from core.grouping.classes import Classes, class_id, find_classes, floor_chars
from core.grouping.prefix_tree import PrefixTree, grow
from core.intake.class_texts import ClassText, class_texts
from core.intake.file_texts import FileTexts
from core.intake.scanning import Scan, scan
from core.prices import PriceBook, UnknownModel
from core.requests.shards import shards_of
from core.tokens.counting import TokenEstimate, reaches_floor, token_factor

# Small enough for two processes to share a file of a quarter gigabyte evenly, large enough to be worth a message.
_SHARD_BYTES = 32 << 20


@dataclass(frozen=True, kw_only=True)
class Group:
    """One class found in the files; `inside_text`: its prefix ends within a text, not with a block."""

    id: str
    name: str
    model: str
    items: int
    prefix_chars: int
    prefix_tokens: int
    cacheable: bool
    inside_text: bool


@dataclass(frozen=True, kw_only=True)
class Grouping:
    """What the files hold. `shareable`: the share of all characters that an endless cache would read; `assignments`:
    columns custom_id, group_id (no rows unless asked for); `reasons`: file, line and why of rejects."""

    requests: int
    rejected: int
    bytes: int
    seconds: float
    shareable: float
    groups: tuple[Group, ...]
    assignments: pl.DataFrame
    reasons: tuple[tuple[str, int, str], ...]


@dataclass(frozen=True, kw_only=True)
class FileClasses:
    """Files scanned, the tree of what they share with all borders inside texts, and their classes."""

    scan: Scan
    tree: PrefixTree
    found: Classes
    texts: list[ClassText]


def find_file_classes(
    paths: Iterable[Path], book: PriceBook, *, executor: str, details: bool = False, model: str | None = None
) -> FileClasses:
    """Scan files and find their classes, where `executor` says (see `open_executor`); the same ones everywhere."""
    files = list(paths)
    shards = shards_of(files, _SHARD_BYTES)
    with open_executor(executor, work_bytes=sum(path.stat().st_size for path in files)) as pool:
        scanned = scan(shards, pool, details=details, model=model)
        chains = scanned.chains
        texts = open_texts(chains, scanned.heads)
        # They have told what they can, and take as much room as the chains.
        scanned = replace(scanned, heads=scanned.heads[:0].copy())
        if texts is not None:
            chains = with_borders(chains, find_borders(texts, FileTexts(shards, scanned, pool)))
        tree = grow(chains)
        floors = np.array([floor_chars(book, name) for name in scanned.model_names] or [0])
        found = find_classes(chains, tree, floors[scanned.models])
        return FileClasses(scan=scanned, tree=tree, found=found, texts=class_texts(shards, scanned, found, pool))


def class_prefix(text: ClassText, book: PriceBook, model: str) -> tuple[int, bool]:
    """Estimated tokens of a class's prefix on a model, and whether it surely reaches the model's cache floor."""
    estimate = TokenEstimate.learned(text.prefix * token_factor(book, model), 0)
    try:
        floor = book.model(model).cache_floor_tokens
    except UnknownModel:
        return round(estimate.tokens), False
    return round(estimate.tokens), text.prefix > 0 and reaches_floor(estimate, floor) == "yes"


def group_files(
    paths: Iterable[Path], book: PriceBook, *, executor: str = "auto", assignments: bool = False
) -> Grouping:
    """Group all requests of the files; a `custom_id` that comes again counts once, or is rejected if it differs.

    `executor` as in `open_executor`: the groups are the same whatever it is. Raises `FileUnreadable`,
    `FileTornApart`, `ShardFailed` or `ClusterUnreachable`.
    """
    began = time.perf_counter()
    classes = find_file_classes(paths, book, executor=executor, details=assignments)
    scanned, found, depths = classes.scan, classes.found, classes.scan.chains.depths
    ids = pl.Series([class_id(int(key)) for key in found.keys], dtype=pl.String)
    names = scanned.details.ids if scanned.details else ()
    chars = int(depths[scanned.chains.ends - 1].sum(dtype=np.int64))
    return Grouping(
        requests=len(found.class_of),
        rejected=len(scanned.rejects),
        bytes=scanned.bytes,
        seconds=round(time.perf_counter() - began, 3),
        shareable=classes.tree.shared_chars / max(chars, 1),
        groups=_groups(classes, ids, book),
        assignments=pl.DataFrame(
            {"custom_id": names, "group_id": ids.gather(found.class_of[: len(names)])},
            schema={"custom_id": pl.String, "group_id": pl.String},
        ),
        reasons=scanned.rejects,
    )


def _groups(classes: FileClasses, ids: pl.Series, book: PriceBook) -> tuple[Group, ...]:
    scanned, found, texts = classes.scan, classes.found, classes.texts
    groups = []
    for position, name in enumerate(ids):
        model = scanned.model_names[int(scanned.models[found.first[position]])]
        text = texts[position]
        tokens, cacheable = class_prefix(text, book, model)
        groups.append(
            Group(
                id=name,
                name=text.name,
                model=model,
                items=int(found.items[position]),
                prefix_chars=int(found.prefix_chars[position]),
                prefix_tokens=tokens,
                cacheable=cacheable,
                inside_text=bool(found.cuts[position]),
            )
        )
    return tuple(sorted(groups, key=lambda group: (-group.items, group.id)))
