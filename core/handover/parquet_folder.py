"""A folder of Parquet files: immutable parts whose names say which results they hold, in their order."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import duckdb
import polars as pl

from core.handover.sink import Sink
from core.handover.target import Mark, SinkChanged, SinkGone, lock, sync_folder
from core.store.statements import statements

_PART = re.compile(r"part-(\d+)-(\d+)\.parquet")


class ParquetFolder:
    """One folder; a part appears in it by a rename, when all its bytes are on disk."""

    consumable = True

    def __init__(self, folder: Path, scratch: duckdb.DuckDBPyConnection) -> None:
        self._folder, self._scratch = folder, scratch

    @classmethod
    @contextmanager
    def opened(cls, sink: Sink, scratch: duckdb.DuckDBPyConnection, *, started: bool) -> Iterator[Self]:
        """Lock the folder, and clear away what a crash left. Raises `SinkGone`, `SinkBusy` or `OSError`."""
        folder = sink.path
        if not started:
            folder.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            raise SinkGone(folder=folder) from None
        try:
            lock(handle, folder)
            for left in folder.glob(".part-*.tmp"):
                left.unlink()
            yield cls(folder, scratch)
        finally:
            os.close(handle)

    def mark(self) -> Mark | None:
        """The end of the newest part. Raises `SinkChanged` where that does not hold what its name says."""
        parts = [
            (int(found[2]), path)
            for path in self._folder.iterdir()
            if (found := _PART.fullmatch(path.name)) is not None
        ]
        if not parts:
            return None
        seq, newest = max(parts)
        end = pl.scan_parquet(newest, glob=False).filter(pl.col("seq") == seq).select("item_id").collect()
        if end.is_empty():
            raise SinkChanged(part=newest)
        return Mark(seq=seq, item_id=end.item())

    def write(self, first: int, last: int) -> None:
        """Write under another name, force to disk, rename."""
        final = self._folder / f"part-{first:012d}-{last:012d}.parquet"
        part = self._folder / f".{final.stem}.tmp"
        self._scratch.execute(statements()["write_parquet"], {"to": str(part)}).fetchall()
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.rename(final)
        sync_folder(self._folder)
