"""The cache plan of request files as they are, without a workspace: what caching them would cost and save, and how."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from core.caching.class_caching import ClassCaching
from core.caching.learned import Learned
from core.caching.plan import plan_caching
from core.grouping.classes import class_id
from core.intake.group_files import FileClasses, class_prefix, find_file_classes
from core.prices import PriceBook
from core.settings import Settings
from core.tokens.counting import token_factor


@dataclass(frozen=True, kw_only=True)
class FilesCachePlan:
    """How the classes of some files would meet the cache, the dearest first.

    Every figure is an estimate: tokens from the text, output from max_tokens, reads as documented in `widths`.
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
    read = find_file_classes(paths, book, executor=executor, details=True, model=model)
    classes: tuple[ClassCaching, ...] = ()
    second_round_usd = Decimal(0)
    backlog = _backlog(read, book)
    if backlog is not None:
        plan = plan_caching(backlog, book=book, settings=settings, now=now, learned=Learned())
        classes, second_round_usd = plan.classes, plan.second_round_usd
    return FilesCachePlan(
        requests=len(read.found.class_of),
        rejected=len(read.scan.rejects),
        plain_usd=_sum([one.plain_usd for one in classes]),
        planned_usd=_sum([one.planned_usd for one in classes]),
        second_round_usd=second_round_usd,
        classes=classes,
        rejects=read.scan.rejects,
    )


def _lists(values: npt.NDArray[Any], ends: npt.NDArray[Any]) -> pl.Series:
    of = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
    return pl.DataFrame({"of": of, "value": values}).group_by("of", maintain_order=True).agg("value")["value"]


def _backlog(read: FileClasses, book: PriceBook) -> pl.DataFrame | None:
    """The requests as `plan_caching` takes them; None where there is none."""
    scanned, found = read.scan, read.found
    details = scanned.details
    if details is None or not details.ids:
        return None
    models = [scanned.model_names[int(scanned.models[first])] for first in found.first]
    tokens, cacheable = zip(
        *(class_prefix(text, book, model) for text, model in zip(read.texts, models, strict=True)),
        strict=True,
    )
    ids = [class_id(int(key)) for key in found.keys]
    classes = pl.DataFrame(
        {
            "class_id": ids,
            "class_name": [text.name for text in read.texts],
            "suffix_ratio": [
                text.per_char * token_factor(book, model) for text, model in zip(read.texts, models, strict=True)
            ],
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
    chains = scanned.chains
    items = pl.DataFrame(
        {
            "item_id": pl.Series(details.ids, dtype=pl.String),
            "max_tokens": details.max_tokens,
            "payload_bytes": details.sizes.astype(np.int64),
            "chars": chains.depths[chains.ends - 1].astype(np.int64),
            "chain": _lists(chains.hashes, chains.ends),
            "depths": _lists(chains.depths.astype(np.int64), chains.ends),
            "overheads": _lists(details.overheads, chains.ends),
        }
    )
    return classes[found.class_of].hstack(items.with_columns(output_tokens=pl.lit(None, pl.Float64)))


def _sum(amounts: list[Decimal | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if known else None
