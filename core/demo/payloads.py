"""Real request bodies for the items that a repair may still send."""

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl

from core.demo.failures import INVALID, TOO_MANY_TOKENS
from core.demo.history import History
from core.demo.rows import ENVELOPE_BYTES
from core.demo.scenario import classes
from core.demo.texts import body, chain, class_id, params
from core.requests.content import content_hash

_PLACED: dict[str, pl.DataType | type[pl.DataType]] = {
    "item_id": pl.String,
    "payload_offset": pl.Int64,
    "real_hash": pl.UInt64,
    "real_bytes": pl.Int64,
    "real_max_tokens": pl.Int64,
    "chain": pl.List(pl.UInt64),
    "depths": pl.List(pl.Int64),
    "overheads": pl.List(pl.Int16),
    "heads": pl.List(pl.UInt64),
}


def write_payloads(folder: Path, history: History, seed: int) -> pl.DataFrame:
    """Write `folder/<import_id>.jsonl` for every open failure and return all item rows, payloads placed.

    Items whose work is complete keep no payload and no chain, only the length of their prompt.
    """
    folder.mkdir(parents=True, exist_ok=True)
    placed = []
    for (import_id,), rows in _open_items(history).group_by("import_id", maintain_order=True):
        offset, parts = 0, []
        for row in rows.iter_rows(named=True):
            request = _request(row, seed)
            payload = orjson.dumps(request)
            hashes, depths, overheads, heads = chain(request)
            canonical = orjson.dumps(request, option=orjson.OPT_SORT_KEYS)
            placed.append(
                {
                    "item_id": row["item_id"],
                    "payload_offset": offset,
                    "real_hash": content_hash(canonical),
                    "real_bytes": len(payload),
                    "real_max_tokens": request["max_tokens"],
                    "chain": hashes,
                    "depths": depths,
                    "overheads": overheads,
                    "heads": heads,
                }
            )
            offset += len(payload)
            parts.append(payload)
        (folder / f"{import_id}.jsonl").write_bytes(b"".join(parts))
    real = pl.DataFrame(placed, schema=_PLACED)
    length = pl.col("payload_bytes").cast(pl.Int64) - ENVELOPE_BYTES
    return (
        history.items.join(real, on="item_id", how="left", maintain_order="left")
        .with_columns(
            pl.coalesce("real_hash", "content_hash").alias("content_hash"),
            pl.coalesce("real_bytes", "payload_bytes").alias("payload_bytes"),
            pl.coalesce("real_max_tokens", "max_tokens").alias("max_tokens"),
            pl.col("chain", "overheads", "heads").fill_null([]),
            # How long a prompt was is known for ever: its tokens teach what a character comes to.
            pl.coalesce("depths", pl.concat_list(pl.lit(0, pl.Int64), length)).alias("depths"),
        )
        .drop("real_hash", "real_bytes", "real_max_tokens", "chars")
    )


def _open_items(history: History) -> pl.DataFrame:
    done = history.attempts.filter("usable").select("item_id")
    failed = history.attempts.filter(~pl.col("usable")).select("item_id", "cause")
    still_open = failed.join(done, on="item_id", how="anti")
    return history.items.join(still_open, on="item_id").sort("import_id", "line")


def _request(row: dict[str, Any], seed: int) -> dict[str, Any]:
    work = next(work for work in classes() if class_id(work, row["model"]) == row["class_id"])
    rng = np.random.default_rng([seed, row["line"]])
    request = params(work, row["model"], body(work, row["item_id"], row["chars"], rng))
    if row["cause"] == INVALID.cause:
        request["max_tokens"] = TOO_MANY_TOKENS
    return request
