"""Importing 100,000 results of about 170 MB, as a job's and as account history, against iterating them with the SDK."""

import multiprocessing
import tempfile
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import orjson
import polars as pl
from anthropic import Anthropic
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from benchmarks.timing import Ratio, compare
from core.gateway import AnthropicGateway
from core.history.account_history import AccountHistory
from core.jobs.results import fetch_results
from core.loopback import LoopbackServer
from core.prices import PriceBook
from core.store import Store

_ROWS = 100_000
_BATCH = "msgbatch_bench"
_CREATED = datetime(2026, 11, 1, tzinfo=UTC)


def measure() -> list[Ratio]:
    """Download, verify, classify, price and store, against a loop over the SDK's iterator that does nothing."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_results(folder / "served.jsonl")
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        server = context.Process(target=_serve, args=(folder / "served.jsonl", there), daemon=True)
        server.start()
        url = here.recv()
        store = Store.open(folder / "lotwise.duckdb")
        try:
            _add_job(store)
            gateway, book = AnthropicGateway(api_key="bench", base_url=url), PriceBook.load()
            job = {"job_id": "benchjob", "batch_id": _BATCH, "provisional": False}
            client = Anthropic(api_key="bench", base_url=url)
            return [
                compare(
                    "import 100,000 results, 170 MB",
                    lambda: fetch_results(store, folder, gateway, book, job, now=_CREATED),
                    "iterate with the SDK",
                    lambda: sum(1 for _ in client.messages.batches.results(_BATCH)),
                    goal="<= 0.25",
                    rounds=3,
                ),
                compare(
                    "take in the same 100,000 as account history, into a new store",
                    lambda: _look_back(gateway, book),
                    "import them as a job's",
                    lambda: fetch_results(store, folder, gateway, book, job, now=_CREATED),
                    goal="<= 2",
                    rounds=3,
                ),
            ]
        finally:
            store.close()
            here.send("stop")
            server.join()


def _look_back(gateway: AnthropicGateway, book: PriceBook) -> None:
    """Everything from the list call to the stored attempts, with classes named by the default rules."""
    with tempfile.TemporaryDirectory() as name:
        store = Store.open(Path(name) / "lotwise.duckdb")
        try:
            history = AccountHistory(store=store, folder=Path(name), gateway=gateway, book=book)
            history.look(_CREATED)
            if not history.step(now=_CREATED) or store.query("history_cost")["unpriced"][0]:
                raise AssertionError("the batch did not come in")
        finally:
            store.close()


def _write_results(path: Path) -> None:
    text = "A simulated answer of some length. " * 36
    usage = {
        "input_tokens": 150,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 3500,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 320,
        "service_tier": "batch",
    }
    with path.open("wb") as file:
        for number in range(_ROWS):
            message = {
                "id": f"msg_{number:024d}",
                "type": "message",
                "role": "assistant",
                "model": "claude-sonnet-5-5",
                "content": [{"type": "text", "text": text}],
                "stop_reason": "end_turn",
                "stop_sequence": None,
                "usage": usage,
            }
            line = {"custom_id": f"benchjob-{number:06d}", "result": {"type": "succeeded", "message": message}}
            file.write(orjson.dumps(line) + b"\n")


def _add_job(store: Store) -> None:
    items = [f"{number:06d}" for number in range(_ROWS)]
    job = pl.DataFrame(
        [
            {
                "job_id": "benchjob",
                "role": "body",
                "model": "claude-sonnet-5-5",
                "state": "ended",
                "item_count": _ROWS,
                "body_bytes": 0,
                "created_at": _CREATED,
                "batch_id": _BATCH,
                "simulated": True,
            }
        ]
    )
    claims = pl.DataFrame({"item_id": items}).with_columns(
        pl.lit("benchjob").alias("job_id"),
        ("benchjob-" + pl.col("item_id")).alias("custom_id"),
        pl.lit("c").alias("class_id"),
        pl.lit("claude-sonnet-5-5").alias("model"),
        pl.lit([1], pl.List(pl.Int16)).alias("marks"),
        pl.lit(None, pl.Int64).alias("split_chars"),
        pl.lit("c").alias("entry_id"),
    )
    store.write(lambda tx: (tx.merge("add_jobs", job), tx.merge("claim_items", claims)))


def _serve(results: Path, pipe: Connection) -> None:
    def wire(request: Request) -> dict[str, object]:
        return {
            "id": _BATCH,
            "type": "message_batch",
            "processing_status": "ended",
            "request_counts": {"processing": 0, "succeeded": _ROWS, "errored": 0, "canceled": 0, "expired": 0},
            "created_at": _CREATED.isoformat(),
            "expires_at": (_CREATED + timedelta(days=1)).isoformat(),
            "ended_at": _CREATED.isoformat(),
            "results_url": f"{request.base_url}v1/messages/batches/{_BATCH}/results",
        }

    async def batch(request: Request) -> Response:
        return JSONResponse(wire(request))

    async def batches(request: Request) -> Response:
        return JSONResponse({"data": [wire(request)], "has_more": False, "first_id": _BATCH, "last_id": _BATCH})

    async def lines(request: Request) -> Response:
        response = FileResponse(results, media_type="application/x-jsonl")
        response.chunk_size = 1 << 20
        return response

    path = "/v1/messages/batches"
    routes = [Route(path, batches), Route(f"{path}/{{batch}}", batch), Route(f"{path}/{{batch}}/results", lines)]
    with LoopbackServer(Starlette(routes=routes)) as server:
        pipe.send(server.url)
        pipe.recv()
