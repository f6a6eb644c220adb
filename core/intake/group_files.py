"""Grouping request files as they are, without a workspace: what they share, and who shares it."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from core.planning.grouping import Chains, Classes, class_id, find_classes
from core.planning.tokens import prefix_tokens
from core.prices import PriceBook
from core.requests.blocks import chain_of
from core.requests.lines import Oversize, read_lines
from core.requests.request import NotARequest, parse_request


@dataclass(frozen=True, kw_only=True)
class Group:
    """One class found in the files."""

    id: str
    model: str
    items: int
    prefix_chars: int
    prefix_tokens: int
    cacheable: bool


@dataclass(frozen=True, kw_only=True)
class Grouping:
    """What the files hold. `assignments`: columns custom_id, group_id; `reasons`: file, line and why of rejects."""

    requests: int
    rejected: int
    bytes: int
    seconds: float
    groups: tuple[Group, ...]
    assignments: pl.DataFrame
    reasons: tuple[tuple[str, int, str], ...]


def group_files(paths: Iterable[Path], book: PriceBook) -> Grouping:
    """Group all requests of the files; a `custom_id` that comes again counts once, or is rejected if it differs.

    Raises `FileUnreadable` or `FileTornApart`.
    """
    began = time.perf_counter()
    chains = Chains()
    seen: dict[str, int] = {}
    models: list[str] = []
    reasons: list[tuple[str, int, str]] = []
    size = 0
    for path in paths:
        for number, line in enumerate(read_lines(path), 1):
            if isinstance(line, Oversize):
                size += line.size
                line.spool.close()
                reasons.append((path.name, number, "longer than the 32 MB that a request may have"))
                continue
            size += len(line)
            try:
                request = parse_request(line)
                hashes, depths, _ = chain_of(request.params)
            except NotARequest as wrong:
                if not line.isspace():
                    reasons.append((path.name, number, str(wrong)))
                continue
            prompt = seen.setdefault(request.custom_id, hashes[-1])
            if len(seen) > len(models):
                chains.add(hashes, depths)
                models.append(request.params.model)
            elif prompt != hashes[-1]:
                reasons.append((path.name, number, "custom_id came before with another prompt"))
    found = find_classes(*chains.flat())
    ids = pl.Series([class_id(int(key)) for key in found.keys], dtype=pl.String)
    return Grouping(
        requests=len(seen),
        rejected=len(reasons),
        bytes=size,
        seconds=round(time.perf_counter() - began, 3),
        groups=_groups(found, ids, models, book),
        assignments=pl.DataFrame({"custom_id": list(seen), "group_id": ids.gather(found.class_of)}),
        reasons=tuple(reasons),
    )


def _groups(found: Classes, ids: pl.Series, models: list[str], book: PriceBook) -> tuple[Group, ...]:
    groups = []
    for position, name in enumerate(ids):
        model = models[int(found.first[position])]
        chars = int(found.prefix_chars[position])
        tokens, cacheable = prefix_tokens(book, model, chars)
        groups.append(
            Group(
                id=name,
                model=model,
                items=int(found.items[position]),
                prefix_chars=chars,
                prefix_tokens=tokens,
                cacheable=cacheable,
            )
        )
    return tuple(sorted(groups, key=lambda group: (-group.items, group.id)))
