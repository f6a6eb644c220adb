"""Classes of the stored backlog: grouped anew after every import, described by one of their items."""

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from core.intake.payloads import PayloadReader
from core.planning.grouping import Classes, class_id, find_classes
from core.planning.tokens import prefix_tokens
from core.prices import PriceBook
from core.store import Store

_PREVIEW_CHARS = 400
_NAME_CHARS = 60


def regroup(store: Store, folder: Path, book: PriceBook, *, now: datetime) -> None:
    """Find the classes of all items never attempted and store them; items already sent keep theirs."""
    backlog = store.query("backlog_chains")
    if backlog.is_empty():
        return
    found = group_frame(backlog)
    with PayloadReader(folder) as payloads:
        rows = [
            {
                "class_id": class_id(int(key)),
                "prefix_blocks": int(blocks),
                "prefix_chars": int(chars),
                "created_at": now,
                **_description(backlog.row(int(first), named=True), int(blocks), int(chars), payloads, book),
            }
            for key, blocks, chars, first in zip(
                found.keys, found.prefix_blocks, found.prefix_chars, found.first, strict=True
            )
        ]
    ids = np.array([class_id(int(key)) for key in found.keys], dtype=object)
    assigned = pl.DataFrame(
        {"item_id": backlog["item_id"], "class_id": pl.Series(ids[found.class_of], dtype=pl.String)}
    )

    store.write(lambda tx: (tx.merge("put_classes", pl.DataFrame(rows)), tx.merge("set_classes", assigned)))


def group_frame(backlog: pl.DataFrame) -> Classes:
    """The classes of items given as a frame with the list columns `chain` and `depths`."""
    return find_classes(
        backlog["chain"].explode().to_numpy(),
        backlog["depths"].explode().to_numpy(),
        backlog["chain"].list.len().cast(pl.Int64).cum_sum().to_numpy(),
    )


def _description(
    item: dict[str, Any], blocks: int, chars: int, payloads: PayloadReader, book: PriceBook
) -> dict[str, Any]:
    """What a person knows a class by, taken from one of its items."""
    tokens, cacheable = prefix_tokens(book, item["model"], chars)
    known = {"model": item["model"], "prefix_tokens": tokens, "cacheable": cacheable and blocks > 0}
    if not blocks:
        return known | {"name": f"Unshared requests, {item['model']}", "preview": ""}
    params = payloads.params(item["import_id"], item["payload_offset"], item["payload_bytes"])
    text = " ".join(_head(params).split())
    return known | {"name": _name(text), "preview": text[:_PREVIEW_CHARS]}


def _name(text: str) -> str:
    return text if len(text) <= _NAME_CHARS else text[: _NAME_CHARS - 1].rsplit(" ", 1)[0] + "…"


def _head(params: dict[str, Any]) -> str:
    """The first text of a request in cache order, after the tools: what a person would know it by."""
    for content in (params.get("system"), *(message["content"] for message in params["messages"])):
        if isinstance(content, str) and content:
            return content
        for block in content or ():
            if isinstance(block, dict) and block.get("text"):
                return str(block["text"])
    return str(params.get("model"))
