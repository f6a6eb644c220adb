"""A JSON Lines file: lines are appended and never change, so a reader goes on where it stopped."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Self

import duckdb
import orjson

from core.handover.sink import Sink
from core.handover.target import Mark, SinkChanged, SinkGone, lock, sync_folder
from core.store.statements import statements

_BLOCK = 1 << 20
_FIRST = b'{"seq":1,'


class JsonLines:
    """One file; a line counts once its line end is there.

    A crash leaves at worst the head of a line. It is not cut off (a reader may be waiting in the middle of it) but
    written over with the same bytes: what a result looks like never changes.
    """

    consumable = False

    def __init__(self, file: BinaryIO, path: Path, scratch: duckdb.DuckDBPyConnection) -> None:
        self._file, self._path, self._scratch = file, path, scratch

    @classmethod
    @contextmanager
    def opened(cls, sink: Sink, scratch: duckdb.DuckDBPyConnection, *, started: bool) -> Iterator[Self]:
        """Open (or make) and lock the file. Raises `SinkGone`, `SinkBusy` or `OSError`."""
        path = sink.path
        if not started:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            sync_folder(path.parent)
        try:
            file = path.open("r+b")
        except FileNotFoundError:
            raise SinkGone(file=path) from None
        with file:
            lock(file.fileno(), path)
            yield cls(file, path, scratch)

    def mark(self) -> Mark | None:
        """The last whole line. Raises `SinkChanged` where that is none of a hand-over."""
        end = self._line_end(before=self._file.seek(0, os.SEEK_END))
        if not end:
            self._file.seek(0)
            if not _FIRST.startswith(self._file.read(len(_FIRST))):
                raise SinkChanged(file=self._path)
            return None
        start = self._line_end(before=end - 1)
        self._file.seek(start)
        try:
            row = orjson.loads(self._file.read(end - start))
            return Mark(seq=int(row["seq"]), item_id=str(row["item_id"]))
        except (ValueError, TypeError, KeyError) as error:
            raise SinkChanged(file=self._path) from error

    def write(self, first: int, last: int) -> None:
        """Append the part behind the last whole line, and force it to disk."""
        lines = self._path.with_name(f".{self._path.name}.tmp")
        try:
            self._scratch.execute(statements()["write_json_lines"], {"to": str(lines)}).fetchall()
            self._file.seek(self._line_end(before=self._file.seek(0, os.SEEK_END)))
            with lines.open("rb") as source:
                shutil.copyfileobj(source, self._file, _BLOCK)
            self._file.truncate()
            self._file.flush()
            os.fsync(self._file.fileno())
        finally:
            lines.unlink(missing_ok=True)

    def _line_end(self, *, before: int) -> int:
        """Where the last line that ends before this offset ends; 0 where none does."""
        while before > 0:
            start = max(0, before - _BLOCK)
            self._file.seek(start)
            if (found := self._file.read(before - start).rfind(b"\n")) >= 0:
                return start + found + 1
            before = start
        return 0
