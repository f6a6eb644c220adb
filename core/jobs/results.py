"""Results: raw bytes on disk first, then verified as a whole, then classified, priced and stored in bulk."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from core.errors import LotwiseError
from core.gateway import Gateway, RemoteBatch
from core.jobs.causes import classify
from core.prices import PriceBook
from core.prices.costs import price_attempts
from core.store import Store, Transaction
from core.store.statements import statements


class ResultsBroken(LotwiseError):
    """A results file is not what the batch should have given, so nothing of it was stored. It is fetched again."""


class NotOurs(LotwiseError):
    """The batch that was taken for this job is somebody else's, so the job is looked for again."""


class ResultsGone(LotwiseError):
    """The batch has ended, but the API has no results of it (any more): it keeps them for 29 days from creation."""


@dataclass(frozen=True, kw_only=True)
class Ingested:
    """What one results file brought."""

    rows: int
    usable: int


def results_path(folder: Path, job_id: str) -> Path:
    """Where the raw results of a job lie."""
    return folder / "results" / f"{job_id}.jsonl"


def fetch_results(
    store: Store, folder: Path, gateway: Gateway, book: PriceBook, job: dict[str, Any], *, now: datetime
) -> Ingested:
    """Download the results of an ended job and store them. Raises `GatewayDown` or `ResultsBroken`.

    A file from an earlier try is not trusted: it is fetched anew, and counted before a row of it is stored.
    """
    batch = gateway.retrieve(job["batch_id"])
    if not batch.has_results:
        raise ResultsGone(batch=batch.batch_id, created_at=batch.created_at.isoformat())
    path = results_path(folder, job["job_id"])
    gateway.download(batch.batch_id, path)
    return ingest(store, path, book, job["job_id"], batch, now=now)


def ingest(store: Store, path: Path, book: PriceBook, job_id: str, batch: RemoteBatch, *, now: datetime) -> Ingested:
    """Verify a raw results file against its batch and its job, then store it in one step; safe to repeat."""
    results = read_results(path)
    sent = store.query("job_attempts", job_id=job_id)
    try:
        _verify(results, sent, batch)
    except NotOurs:
        store.write(lambda tx: tx.run("disown_batch", job_id=job_id))
        raise
    priced = price_attempts(
        classify(results).join(sent, on="custom_id").with_columns(at=pl.lit(batch.created_at)), book
    ).rename({"at": "submitted_at"})

    def put(tx: Transaction) -> None:
        tx.merge("put_results", priced, job_id=job_id)
        tx.run("set_done", job_id=job_id, now=now)

    store.write(put)
    return Ingested(rows=priced.height, usable=int(priced["usable"].sum()))


def read_results(path: Path) -> pl.DataFrame:
    """The typed rows of a raw results file. Raises `ResultsBroken` where it is not whole lines of JSON."""
    with duckdb.connect() as scratch:
        try:
            frame: pl.DataFrame = scratch.sql(statements()["read_results"], params={"path": str(path)}).pl()
        except duckdb.Error as error:
            raise ResultsBroken(file=path.name, why=str(error).splitlines()[0]) from error
    return frame


def _verify(results: pl.DataFrame, sent: pl.DataFrame, batch: RemoteBatch) -> None:
    """All or nothing: a cut download can end on a line border and look well-formed."""
    if results.height != batch.total:
        raise ResultsBroken(batch=batch.batch_id, rows=results.height, expected=batch.total)
    if results["custom_id"].n_unique() != results.height:
        raise ResultsBroken(batch=batch.batch_id, why="a custom_id comes twice")
    foreign = results.join(sent, on="custom_id", how="anti").height
    if foreign == batch.total:
        raise NotOurs(batch=batch.batch_id)
    missing = sent.join(results, on="custom_id", how="anti").height
    if foreign or missing:
        raise ResultsBroken(batch=batch.batch_id, foreign=foreign, missing=missing)
    counted = dict(results.group_by("outcome").len().iter_rows())
    claimed = {name: getattr(batch, name) for name in ("succeeded", "errored", "canceled", "expired")}
    if any(counted.get(name, 0) != count for name, count in claimed.items()):
        raise ResultsBroken(batch=batch.batch_id, rows=counted, counts=claimed)
