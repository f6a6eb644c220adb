"""Results: raw bytes on disk first, then verified as a whole, then classified, priced and stored in bulk."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from core.confinement import named
from core.errors import LotwiseError
from core.gateway import Gateway, RemoteBatch
from core.jobs.causes import classify
from core.jobs.counted_units import count_results
from core.jobs.polling import progress
from core.jobs.states import JobState
from core.prices import PriceBook
from core.prices.costs import price_attempts
from core.store import Store, Transaction
from core.store.statements import statements


class ResultsBroken(LotwiseError):
    """A results file is not what the batch should have given, so nothing of it was stored. It is fetched again."""


class NotOurs(LotwiseError):
    """The batch that was taken for this job is somebody else's, so the job is looked for again."""


class ResultsGone(LotwiseError):
    """The API keeps results for 29 days from the creation of a batch, and no longer has these: they are lost."""


@dataclass(frozen=True, kw_only=True)
class Ingested:
    """What one results file brought."""

    rows: int
    usable: int


def results_path(folder: Path, job_id: str) -> Path:
    """Where the raw results of a job lie."""
    return named(folder / "results", f"{job_id}.jsonl")


def fetch_results(
    store: Store, folder: Path, gateway: Gateway, book: PriceBook, job: dict[str, Any], *, now: datetime
) -> Ingested:
    """Download the results of an ended job and store them.

    A file from an earlier try is not trusted: it is fetched anew, and counted before a row of it is stored. Raises
    `GatewayDown`, `BatchMissing`, `ResultsBroken`, `NotOurs`, or `ResultsGone` where the API says that it has none.
    """
    batch = gateway.retrieve(job["batch_id"])
    if batch.archived:
        raise ResultsGone(batch=batch.batch_id, created_at=batch.created_at.isoformat())
    if not batch.has_results:
        raise ResultsBroken(batch=batch.batch_id, why="the API names none yet")
    path = results_path(folder, job["job_id"])
    gateway.download(batch.batch_id, path)
    return ingest(store, path, book, job, batch, now=now)


def ingest(
    store: Store, path: Path, book: PriceBook, job: dict[str, Any], batch: RemoteBatch, *, now: datetime
) -> Ingested:
    """Verify a raw results file against its batch and its job, then store it in one step; safe to repeat.

    Columns read of `job`: job_id, provisional. Raises `ResultsBroken`, or `NotOurs` for a batch that was found by
    time and count only: then the job is in doubt again.
    """
    job_id = job["job_id"]
    results = read_results(path)
    sent = store.query("job_attempts", job_id=job_id)
    try:
        _verify(results, sent, batch, provisional=job["provisional"])
    except NotOurs:
        store.write(lambda tx: tx.run("disown_batch", job_id=job_id))
        raise
    priced = price_attempts(
        classify(results).join(sent, on="custom_id").with_columns(at=pl.lit(batch.created_at)), book
    ).rename({"at": "submitted_at"})
    counts = count_results(store, path, job_id, priced.filter("usable"))

    def put(tx: Transaction) -> None:
        tx.merge("put_results", priced, job_id=job_id)
        counts.put(tx)
        note_unsplit_writes(tx, job_id, results)
        tx.run("outdate_results", job_id=job_id)
        tx.run("set_progress", job_id=job_id, state=JobState.ENDED, **progress(batch))
        tx.run("set_done", job_id=job_id, now=now)
        tx.run("record_completions", job_id=job_id, now=now)

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


def note_unsplit_writes(tx: Transaction, job_id: str, results: pl.DataFrame) -> None:
    """Note how many results did not say how long their cache writes live: they are priced as five-minute ones."""
    unsplit = results.filter("unsplit_write")
    if unsplit.height:
        tokens = int(unsplit["cache_write_5m_tokens"].sum())
        tx.run("put_unsplit_writes", job_id=job_id, attempts=unsplit.height, tokens=tokens)


def verify_counts(results: pl.DataFrame, batch: RemoteBatch) -> None:
    """Whether results are all of their batch's: a cut download can end on a line border and look well-formed.

    Columns read: custom_id, outcome. Raises `ResultsBroken`.
    """
    if results.height != batch.total:
        raise ResultsBroken(batch=batch.batch_id, rows=results.height, expected=batch.total)
    if results.select(pl.col("custom_id", "outcome").null_count()).row(0) != (0, 0):
        raise ResultsBroken(batch=batch.batch_id, why="a result has no custom_id or no type")
    if results["custom_id"].n_unique() != results.height:
        raise ResultsBroken(batch=batch.batch_id, why="a custom_id comes twice")
    counted = dict(results.group_by("outcome").len().iter_rows())
    claimed = {name: getattr(batch, name) for name in ("succeeded", "errored", "canceled", "expired")}
    # A type of result that is not known yet is counted under one of the four; nobody can say which.
    unknown = results.height - sum(counted.get(name, 0) for name in claimed)
    short = [count - counted.get(name, 0) for name, count in claimed.items()]
    if min(short) < 0 or sum(short) != unknown:
        raise ResultsBroken(batch=batch.batch_id, rows=counted, counts=claimed)


def _verify(results: pl.DataFrame, sent: pl.DataFrame, batch: RemoteBatch, *, provisional: bool) -> None:
    """All or nothing, and nothing that was not sent."""
    verify_counts(results, batch)
    foreign = results.join(sent, on="custom_id", how="anti").height
    if provisional and foreign == batch.total:
        raise NotOurs(batch=batch.batch_id)
    missing = sent.join(results, on="custom_id", how="anti").height
    if foreign or missing:
        raise ResultsBroken(batch=batch.batch_id, foreign=foreign, missing=missing)
