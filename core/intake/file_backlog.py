"""Request files as a backlog: what planning needs to know of their requests, without a workspace."""

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from core.grouping.classes import class_id
from core.intake.group_files import FileClasses, class_prefix
from core.prices import PriceBook
from core.tokens.counting import token_factor


def file_backlog(read: FileClasses, book: PriceBook) -> pl.DataFrame | None:
    """The requests as `draft_plan` takes them; None where there is none."""
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
            "preview": "",
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


def _lists(values: npt.NDArray[Any], ends: npt.NDArray[Any]) -> pl.Series:
    of = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
    return pl.DataFrame({"of": of, "value": values}).group_by("of", maintain_order=True).agg("value")["value"]
