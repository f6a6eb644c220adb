"""Exports: tables, the audit log or the results themselves, as a CSV, Parquet or JSON Lines file."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import duckdb
import orjson
import polars as pl

from core.errors import LotwiseError
from core.jobs.results import results_path
from core.spreadsheets import inert
from core.store import Store
from core.store.statements import statements

_MESSAGE = "message"

_TABLES = {
    "items": "export_items",
    "attempts": "export_attempts",
    "costs": "export_costs",
    "predictions": "export_predictions",
    "audit": "export_audit",
}
EXPORTS = (*_TABLES, "results")


class UnknownExport(LotwiseError):
    """This cannot be exported. Choose items, attempts, costs, predictions, audit or results."""


class UnknownFormat(LotwiseError):
    """The file's ending says how to write it. Use .csv, .parquet or .jsonl."""


class NotWritable(LotwiseError):
    """The file could not be written. Check that its folder exists and may be written to."""


def _write_json_lines(frame: pl.DataFrame, path: Path) -> None:
    """Money as text with every digit: JSON numbers would round it."""
    frame.with_columns(pl.selectors.decimal().cast(pl.String)).write_ndjson(path)


def _write_messages(frame: pl.DataFrame, path: Path) -> None:
    """A message as the object that it is."""
    with path.open("wb") as file:
        for row in frame.iter_rows(named=True):
            row[_MESSAGE] = orjson.Fragment(row[_MESSAGE])
            file.write(orjson.dumps(row) + b"\n")


_WRITERS: dict[str, Callable[[pl.DataFrame, Path], None]] = {
    ".csv": lambda frame, path: inert(frame).write_csv(path),
    ".parquet": lambda frame, path: frame.write_parquet(path),
    ".jsonl": _write_json_lines,
}


def export(store: Store, folder: Path, what: str, to: Path) -> int:
    """Write one of `EXPORTS` to `to`, whole or not at all; return the number of rows.

    `results` are the messages of all complete items, one each, from the raw results in the workspace `folder`.
    Text that a spreadsheet would run gets an apostrophe in CSV; Parquet and JSON Lines are exact.

    Raises `UnknownExport`, `UnknownFormat` or `NotWritable`.
    """
    if what not in EXPORTS:
        raise UnknownExport(asked=what)
    write = _WRITERS.get(to.suffix.lower())
    if write is None:
        raise UnknownFormat(file=to.name)
    if what == "results":
        frame = _messages(store, folder)
        write = _write_messages if write is _write_json_lines else write
    else:
        frame = store.query(_TABLES[what])
    part = to.with_name(f".{to.name}.part")
    try:
        write(frame, part)
        part.replace(to)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise NotWritable(file=to, why=error.strerror or str(error)) from error
    return frame.height


def _messages(store: Store, folder: Path) -> pl.DataFrame:
    """One row per complete item whose raw results are in the workspace: item_id, job_id, message (JSON)."""
    complete = store.query("complete_attempts")
    files = [
        path for job in complete["job_id"].unique(maintain_order=True) if (path := results_path(folder, job)).exists()
    ]
    with duckdb.connect() as scratch:
        if not files:
            return complete.select("item_id", "job_id", pl.lit("").alias(_MESSAGE)).clear()
        scratch.register("complete", complete)
        frame: pl.DataFrame = scratch.sql(
            statements()["read_messages"], params={"files": [str(file) for file in files]}
        ).pl()
    return frame
