"""A million new results in ten jobs, taken into a store that holds years of them."""

from datetime import timedelta
from functools import partial
from pathlib import Path

import orjson
import polars as pl

from benchmarks.ledger_store import NOW
from benchmarks.timing import Ratio, seconds
from core.gateway import RemoteBatch
from core.jobs.results import ingest
from core.planning.identity import custom_ids
from core.prices import PriceBook
from core.store import Store

_JOBS, _ITEMS = 10, 100_000
_GOAL_SECONDS = 10.0 * _JOBS * _ITEMS / 1_000_000
_MODEL, _CLASS = "claude-sonnet-5", "newcomers"


def take_in(store: Store, folder: Path) -> Ratio:
    """Ten jobs of a hundred thousand small results each: read, verified, classified, priced and stored."""
    book = PriceBook.load()
    jobs = [f"bench{number:03d}" for number in range(_JOBS)]
    for job_id in jobs:
        _send(store, job_id)
        _answer(folder / f"{job_id}.jsonl", job_id)

    def take(job_id: str) -> None:
        job = {"job_id": job_id, "provisional": False}
        found = ingest(store, folder / f"{job_id}.jsonl", book, job, _batch(job_id), now=NOW)
        if found.usable != _ITEMS:
            raise AssertionError(f"{found} came in")

    took = sum(seconds(partial(take, job_id)) for job_id in jobs)
    parsing = seconds(lambda: [_parse(folder / f"{job_id}.jsonl") for job_id in jobs])
    return Ratio(
        name=f"take in {_JOBS * _ITEMS:,} results ({took / parsing:.2f} of parsing their lines)",
        seconds=took,
        against="goal",
        against_seconds=_GOAL_SECONDS,
        ratio=took / _GOAL_SECONDS,
        goal="<= 1",
    )


def _send(store: Store, job_id: str) -> None:
    """A job under way, and its items."""
    job = pl.DataFrame(
        {
            "job_id": [job_id],
            "role": ["body"],
            "class_id": [_CLASS],
            "model": [_MODEL],
            "state": ["ended"],
            "item_count": [_ITEMS],
            "body_bytes": [0],
            "created_at": [NOW],
            "batch_id": [f"msgbatch_{job_id}"],
            "simulated": [True],
        }
    )
    items = pl.DataFrame({"line": range(1, _ITEMS + 1)}).select(
        "line",
        pl.format("{}-{}", pl.lit(job_id), pl.col("line").cast(pl.String).str.pad_start(9, "0")).alias("item_id"),
        pl.format("{}{}", pl.lit(job_id), "line").hash().alias("content_hash"),
        pl.lit(job_id).alias("import_id"),
        pl.lit(_MODEL).alias("model"),
        pl.lit(_CLASS).alias("class_id"),
        (pl.col("line") * 900).alias("payload_offset"),
        pl.lit(900).alias("payload_bytes"),
        pl.lit([1, 2], pl.List(pl.UInt64)).alias("chain"),
        pl.lit([600, 800], pl.List(pl.Int64)).alias("depths"),
        pl.lit(100).alias("max_tokens"),
        pl.lit(NOW, pl.Datetime("us", "UTC")).alias("created_at"),
    )
    claims = items.select("item_id", "class_id", "model", job_id=pl.lit(job_id)).with_columns(
        custom_ids(pl.Series([job_id] * _ITEMS), items["item_id"]),
        pl.lit([1], pl.List(pl.Int16)).alias("marks"),
        pl.lit(None, pl.Int64).alias("split_chars"),
        pl.lit(_CLASS).alias("entry_id"),
    )
    store.write(lambda tx: tx.merge("add_items", items))
    store.write(lambda tx: (tx.merge("add_jobs", job), tx.merge("claim_items", claims)))


def _answer(path: Path, job_id: str) -> None:
    """The raw results of a job: short answers, as classifications have them."""
    usage = {
        "input_tokens": 150,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 3500,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 8,
        "service_tier": "batch",
    }
    message = {
        "id": "msg_bench",
        "type": "message",
        "role": "assistant",
        "model": _MODEL,
        "content": [{"type": "text", "text": "in order"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": usage,
    }
    result = orjson.dumps({"type": "succeeded", "message": message})
    ids = custom_ids(
        pl.Series([job_id] * _ITEMS), pl.Series([f"{job_id}-{number:09d}" for number in range(1, _ITEMS + 1)])
    )
    with path.open("wb") as file:
        file.writelines(b'{"custom_id":"%s","result":%s}\n' % (name.encode(), result) for name in ids)


def _batch(job_id: str) -> RemoteBatch:
    return RemoteBatch(
        batch_id=f"msgbatch_{job_id}",
        status="ended",
        created_at=NOW,
        expires_at=NOW + timedelta(days=1),
        ended_at=NOW + timedelta(hours=1),
        has_results=True,
        archived=False,
        processing=0,
        succeeded=_ITEMS,
        errored=0,
        canceled=0,
        expired=0,
    )


def _parse(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for line in file if orjson.loads(line))
