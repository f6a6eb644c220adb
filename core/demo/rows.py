"""The rows that the simulation writes: one function a table, frames where there are many."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import numpy as np
import polars as pl

from core.demo.failures import TOO_MANY_TOKENS, TRUNCATED, Cause
from core.demo.scenario import ClassOfWork
from core.demo.texts import class_id, prefix
from core.demo.usage import Tokens, Usage
from core.prices import Model
from core.requests.content import content_hash

Row = dict[str, Any]
Faults = Sequence[tuple[Cause, Tokens]]
"""What failed in a job: the cause and the positions of its items."""

ENVELOPE_BYTES = 150
"""Of a request's JSON around its texts, roughly."""

_INSTANT = pl.Datetime("us", "UTC")
_TOKENS = (
    "input_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "cache_read_tokens",
    "output_tokens",
    "web_searches",
)
_CAUSES = {"fault": pl.Int64} | dict.fromkeys(("cause", "action", "message", "bad", "stop"), pl.String)
_NO_CAUSE = [pl.lit(None, kind).alias(name) for name, kind in _CAUSES.items() if name != "fault"]


@dataclass(frozen=True, kw_only=True)
class Slice:
    """Some items of a send: their serial numbers and the characters that are their own."""

    serials: Tokens
    chars: Tokens

    def __len__(self) -> int:
        return int(self.serials.size)

    def take(self, positions: Tokens) -> "Slice":
        """The items at these positions."""
        return Slice(serials=self.serials[positions], chars=self.chars[positions])


def import_row(work: ClassOfWork, items: Slice, import_id: str, at: datetime) -> Row:
    """One request file."""
    count = len(items)
    return {
        "import_id": import_id,
        "source": f"{work.source}-{at:%Y-%m-%d}.jsonl",
        "started_at": at,
        "finished_at": at + timedelta(seconds=1 + count // 150),
        "bytes": int(_payload_bytes(work, items).sum()) + 40 * count,
        "lines": count,
        "added": count,
        "known": 0,
        "rejected": 0,
    }


def item_rows(
    work: ClassOfWork, model: Model, items: Slice, *, import_id: str, at: datetime, seed: int
) -> pl.DataFrame:
    """The items of one request file; `chars` is for the texts and never stored."""
    ids = item_ids(work, items)
    contents = [content_hash(f"{seed}:{name}".encode()) for name in ids.to_list()]
    return pl.DataFrame(
        {
            "item_id": ids,
            "content_hash": pl.Series(contents, dtype=pl.UInt64),
            "line": np.arange(1, len(items) + 1),
            "payload_bytes": _payload_bytes(work, items),
            "chars": items.chars,
        }
    ).with_columns(
        pl.lit(import_id).alias("import_id"),
        pl.lit(model.id).alias("model"),
        pl.lit(class_id(work, model.id)).alias("class_id"),
        pl.lit(work.max_tokens, pl.Int64).alias("max_tokens"),
        pl.lit(at, _INSTANT).alias("created_at"),
    )


def plan_row(plan_id: str, at: datetime, jobs: Sequence[Row], import_id: str) -> Row:
    """The plan behind a send: what its primer and body were predicted to cost."""
    return {
        "plan_id": plan_id,
        "created_at": at,
        "items": sum(job["item_count"] for job in jobs),
        "jobs": len(jobs),
        "predicted_usd": sum((job["predicted_usd"] for job in jobs), Decimal(0)),
        "predicted_plain_usd": sum((job["predicted_plain_usd"] for job in jobs), Decimal(0)),
        "inputs": f'{{"simulated":true,"import_id":"{import_id}","prices":"{at:%Y-%m-%d}"}}',
    }


def job_row(
    work: ClassOfWork,
    model: Model,
    items: Slice,
    *,
    faults: Faults,
    job_id: str,
    at: datetime,
    ended: datetime,
) -> Row:
    """One batch, sent `at`; its role, its links and what it was to cost are the caller's to add."""
    count = len(items)
    failed = {
        name: sum(positions.size for cause, positions in faults if cause.outcome == name)
        for name in ("errored", "canceled", "expired")
    }
    return {
        "job_id": job_id,
        "class_id": class_id(work, model.id),
        "model": model.id,
        "state": "done",
        "item_count": count,
        "body_bytes": int(_payload_bytes(work, items).sum()) + 60 * count + 20,
        "created_at": at - timedelta(minutes=4),
        "intent_at": at - timedelta(seconds=2),
        "batch_id": f"msgbatch_demo{blake2b(job_id.encode(), digest_size=8).hexdigest()}",
        "submitted_at": at,
        "expires_at": at + timedelta(hours=24),
        "ended_at": ended,
        "ingested_at": ended + timedelta(seconds=25),
        "processing": 0,
        "succeeded": count - sum(failed.values()),
        **failed,
        "request_id": f"req_demo{blake2b(job_id.encode(), digest_size=8, key=b'request').hexdigest()}",
        "simulated": True,
    }


def attempt_rows(
    work: ClassOfWork,
    model: Model,
    items: Slice,
    usage: Usage,
    *,
    faults: Faults,
    job_id: str,
    at: datetime,
    number: int,
    marked: bool,
) -> pl.DataFrame:
    """What each item of a job did; what never ran used nothing and knows nothing."""
    which = np.full(len(items), -1, np.int64)
    for position, (_, failed) in enumerate(faults):
        which[failed] = position
    frame = pl.DataFrame(
        {
            "item_id": item_ids(work, items),
            "fault": which,
            "input_tokens": usage.input,
            "cache_write_5m_tokens": usage.write_5m,
            "cache_write_1h_tokens": usage.write_1h,
            "cache_read_tokens": usage.read,
            "output_tokens": usage.output,
            "web_searches": np.zeros(len(items), np.int64),
        }
    )
    ran = pl.col("outcome") == "succeeded"
    truncated = pl.col("cause") == TRUNCATED.cause
    return (
        _caused(frame, faults, model)
        .with_columns(
            pl.col("bad").fill_null("succeeded").alias("outcome"),
            pl.when(truncated).then(work.max_tokens).otherwise("output_tokens").alias("output_tokens"),
        )
        .select(
            pl.lit(job_id).alias("job_id"),
            "item_id",
            pl.format(f"{job_id}-{{}}", pl.col("item_id")).alias("custom_id"),
            pl.lit(class_id(work, model.id)).alias("class_id"),
            pl.lit(model.id).alias("model"),
            pl.lit(number).alias("number"),
            pl.lit([1] if marked else [], pl.List(pl.Int16)).alias("marks"),
            pl.lit(class_id(work, model.id) if marked else None, pl.String).alias("entry_id"),
            "outcome",
            pl.col("cause").is_null().alias("usable"),
            "cause",
            "action",
            "message",
            pl.when(ran).then(pl.col("stop").fill_null("end_turn")).alias("stop_reason"),
            pl.lit(None, pl.String).alias("refusal_category"),
            pl.when(ran).then(pl.col(_TOKENS)),
            pl.when(ran).then(pl.lit("batch")).alias("service_tier"),
            pl.when(ran).then(pl.lit("global")).alias("inference_geo"),
            pl.lit(at, _INSTANT).alias("submitted_at"),
        )
    )


def item_ids(work: ClassOfWork, items: Slice) -> pl.Series:
    """The owner's ids of these items."""
    return pl.Series("item_id", [f"{work.item}-{serial}" for serial in items.serials.tolist()])


def _payload_bytes(work: ClassOfWork, items: Slice) -> Tokens:
    return items.chars + (len(prefix(work)) + ENVELOPE_BYTES)


def _caused(frame: pl.DataFrame, faults: Faults, model: Model) -> pl.DataFrame:
    """With the cause that each item failed by, null where it did not: most jobs have none."""
    if not faults:
        return frame.with_columns(_NO_CAUSE)
    words = {"asked": TOO_MANY_TOKENS, "most": model.max_tokens, "model": model.id}
    rows = [
        {
            "fault": position,
            "cause": cause.cause,
            "action": cause.action,
            "message": cause.message.format(**words) if cause.message else None,
            "bad": cause.outcome,
            "stop": cause.stop_reason,
        }
        for position, (cause, _) in enumerate(faults)
    ]
    return frame.join(pl.DataFrame(rows, schema=_CAUSES), on="fault", how="left", maintain_order="left")
