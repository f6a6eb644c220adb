"""The results of one past batch: verified as a whole, named, priced and stored in one step."""

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from core.gateway import RemoteBatch
from core.history.naming import NamingRules
from core.history.standing import ROLE, Standing
from core.jobs.causes import classify
from core.jobs.results import note_unsplit_writes, read_results, verify_counts
from core.jobs.states import JobState
from core.planning.groups import SEVERAL
from core.planning.identity import JOB_ID_LENGTH
from core.prices import PriceBook, UnknownModel
from core.prices.costs import price_attempts
from core.store import Store, Transaction

UNKNOWN = "unknown"
"""In place of a model where no result of a batch names one."""
_ATTEMPT = (
    "job_id",
    "item_id",
    "custom_id",
    "class_id",
    "model",
    "number",
    "outcome",
    "usable",
    "cause",
    "action",
    "message",
    "stop_reason",
    "refusal_category",
    "input_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "cache_read_tokens",
    "output_tokens",
    "web_searches",
    "service_tier",
    "inference_geo",
    "cost_usd",
    "submitted_at",
)


def take_in(
    store: Store,
    path: Path,
    book: PriceBook,
    rules: NamingRules,
    batch: RemoteBatch,
    *,
    now: datetime,
    simulated: bool,
) -> Standing:
    """Store a past batch from its raw results file, or say that it is ours; safe to repeat. Raises `ResultsBroken`."""
    results = read_results(path)
    verify_counts(results, batch)
    if _ours(results, store):
        return Standing.OURS
    attempts = _attempts(results, book, rules, batch)
    job = _job_row(attempts, batch, now=now, simulated=simulated)

    def put(tx: Transaction) -> Standing:
        if tx.run("owner_of_batch", batch_id=batch.batch_id):
            return Standing.OURS
        tx.merge("add_history_jobs", pl.DataFrame([job], infer_schema_length=None))
        tx.merge("add_history_attempts", attempts.select(_ATTEMPT))
        note_unsplit_writes(tx, batch.batch_id, results)
        put_classes(tx, attempts)
        number_items(tx, attempts)
        tx.merge("put_history_batches", history_rows([(batch, Standing.IMPORTED, None)]))
        return Standing.IMPORTED

    return store.write(put)


def put_classes(tx: Transaction, attempts: pl.DataFrame) -> None:
    """Store the classes of attempts that are stored, and have them counted where their unit is one that is counted.

    Columns read: batch_id, class_id, class_name, model.
    """
    tx.merge("put_history_classes", attempts.select("class_id", "model", name="class_name").unique())
    tx.merge("recount_batches", attempts.select("batch_id", "class_id").unique())


def number_items(tx: Transaction, attempts: pl.DataFrame) -> None:
    """Count the attempts of the items that a rule named; any other has one. Columns read: item_id, named."""
    named = attempts.filter("named").select("item_id").unique()
    if named.height:
        tx.merge("number_history", named)


def name_attempts(attempts: pl.DataFrame, rules: NamingRules) -> pl.DataFrame:
    """Add rule, class_name, class_id, item_id and named. Columns read: custom_id, model, batch_id."""
    found = rules.name(attempts)
    classes = found.select("class_name", "model").unique()
    ids = [class_id(name, model) for name, model in classes.iter_rows()]
    return found.join(
        classes.with_columns(pl.Series("class_id", ids, dtype=pl.String)),
        on=["class_name", "model"],
        how="left",
        maintain_order="left",
    )


def class_id(name: str, model: str) -> str:
    """The id of a class that a rule names: one class a name and model, never one that prompts have made."""
    return hashlib.blake2b(f"{name}\0{model}".encode(), digest_size=8, key=b"history").hexdigest()


def history_rows(batches: list[tuple[RemoteBatch, Standing, str | None]]) -> pl.DataFrame:
    """Rows of `history_batch`: each batch with its standing and the reason for it."""
    rows = [
        {
            "batch_id": batch.batch_id,
            "standing": str(standing),
            "created_at": batch.created_at,
            "ended_at": batch.ended_at,
            "items": batch.total,
            "processing": batch.processing,
            "succeeded": batch.succeeded,
            "errored": batch.errored,
            "canceled": batch.canceled,
            "expired": batch.expired,
            "reason": reason,
        }
        for batch, standing, reason in batches
    ]
    kinds: dict[str, Any] = {
        "created_at": pl.Datetime("us", "UTC"),
        "ended_at": pl.Datetime("us", "UTC"),
        "reason": pl.String,
    }
    return pl.DataFrame(rows, schema_overrides=kinds, infer_schema_length=None)


def _ours(results: pl.DataFrame, store: Store) -> bool:
    """Whether a custom_id bears the tag of a job that was sent from here."""
    tags = results.filter(pl.col("custom_id").str.slice(JOB_ID_LENGTH, 1) == "-").select(
        job_id=pl.col("custom_id").str.slice(0, JOB_ID_LENGTH)
    )
    return tags.join(store.query("job_tags"), on="job_id", how="semi").height > 0


def _attempts(results: pl.DataFrame, book: PriceBook, rules: NamingRules, batch: RemoteBatch) -> pl.DataFrame:
    """The attempts of a batch, named and priced as of the day when it was sent."""
    known = results["answered_by"].drop_nulls().unique()
    listed = {model: _listed(model, book) for model in known}
    # A failed item names no model: it had that of the others where they all had one.
    only = next(iter(set(listed.values()))) if len(set(listed.values())) == 1 else UNKNOWN
    model = pl.col("answered_by").replace_strict(listed, default=None, return_dtype=pl.String).fill_null(only)
    named = name_attempts(
        classify(results).with_columns(model.alias("model"), pl.lit(batch.batch_id).alias("batch_id")), rules
    )
    return (
        price_attempts(named.with_columns(pl.lit(batch.created_at).alias("at")), book)
        .rename({"at": "submitted_at"})
        .with_columns(job_id="batch_id", number=pl.lit(1, pl.Int32))
    )


def _listed(model: str, book: PriceBook) -> str:
    """The id under which the price book has a model, so that a dated snapshot and its alias are one."""
    try:
        return book.model(model).id
    except UnknownModel:
        return model


def _job_row(attempts: pl.DataFrame, batch: RemoteBatch, *, now: datetime, simulated: bool) -> dict[str, Any]:
    classes, models = attempts["class_id"].unique(), attempts["model"].unique()
    return {
        "job_id": batch.batch_id,
        "role": ROLE,
        "class_id": classes[0] if len(classes) == 1 else None,
        "model": models[0] if len(models) == 1 else SEVERAL,
        "state": str(JobState.DONE),
        "item_count": batch.total,
        "body_bytes": 0,
        "created_at": batch.created_at,
        "batch_id": batch.batch_id,
        "submitted_at": batch.created_at,
        "expires_at": batch.expires_at,
        "ended_at": batch.ended_at,
        "ingested_at": now,
        "processing": batch.processing,
        "succeeded": batch.succeeded,
        "errored": batch.errored,
        "canceled": batch.canceled,
        "expired": batch.expired,
        "simulated": simulated,
    }
