"""Exports: items, attempts or costs as a CSV, Parquet or JSON Lines file."""

from collections.abc import Callable
from pathlib import Path

import polars as pl

from core.errors import LotwiseError
from core.store import Store

TABLES = {"items": "export_items", "attempts": "export_attempts", "costs": "export_costs"}


class UnknownExport(LotwiseError):
    """This cannot be exported. Choose items, attempts or costs."""


class UnknownFormat(LotwiseError):
    """The file's ending says how to write it. Use .csv, .parquet or .jsonl."""


class NotWritable(LotwiseError):
    """The file could not be written. Check that its folder exists and may be written to."""


def _text_money(frame: pl.DataFrame) -> pl.DataFrame:
    """Money as text with every digit: JSON numbers would round it."""
    return frame.with_columns(pl.selectors.decimal().cast(pl.String))


_WRITERS: dict[str, Callable[[pl.DataFrame, Path], None]] = {
    ".csv": lambda frame, path: frame.write_csv(path),
    ".parquet": lambda frame, path: frame.write_parquet(path),
    ".jsonl": lambda frame, path: _text_money(frame).write_ndjson(path),
}


def export(store: Store, what: str, to: Path) -> int:
    """Write one of `TABLES` to `to`, whole or not at all; return the number of rows.

    Raises `UnknownExport`, `UnknownFormat` or `NotWritable`.
    """
    if what not in TABLES:
        raise UnknownExport(asked=what)
    write = _WRITERS.get(to.suffix.lower())
    if write is None:
        raise UnknownFormat(file=to.name)
    frame = store.query(TABLES[what])
    part = to.with_name(f".{to.name}.part")
    try:
        write(frame, part)
        part.replace(to)
    except OSError as error:
        raise NotWritable(file=to, why=error.strerror) from error
    return frame.height
