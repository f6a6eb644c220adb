"""A table of a DuckDB file: one row an item, upserted in one transaction with the mark of how far it is."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Self

import duckdb

from core.handover.sink import Sink
from core.handover.target import Mark, SinkBusy, SinkGone
from core.store.statements import statements

_STANDS_FOR_TABLE = "handed_over"
_HELD = ("Could not set lock", "Unique file handle conflict")
"""What DuckDB says of a file that another process has open, or another part of this one."""


class DuckdbTable:
    """One table, attached to the scratch connection that holds the part."""

    consumable = False

    def __init__(self, table: str, scratch: duckdb.DuckDBPyConnection) -> None:
        self._table, self._scratch = table, scratch

    @classmethod
    @contextmanager
    def opened(cls, sink: Sink, scratch: duckdb.DuckDBPyConnection, *, started: bool) -> Iterator[Self]:
        """Open (or make) the file and the table. Raises `SinkGone`, `SinkBusy`, `OSError` or `duckdb.Error`."""
        path = sink.path
        if not started:
            path.parent.mkdir(parents=True, exist_ok=True)
        elif not path.exists():
            raise SinkGone(file=path)
        opened = cls(str(sink.table), scratch)
        try:
            opened._run("attach_target", path=str(path))
        except (duckdb.IOException, duckdb.ResourceInUseException) as error:
            if any(sign in str(error) for sign in _HELD):
                raise SinkBusy(file=path) from error
            raise
        try:
            opened._run("make_target_table")
            opened._run("make_target_mark")
            yield opened
        finally:
            scratch.execute("DETACH target").fetchall()

    def mark(self) -> Mark | None:
        """How far the table is."""
        found = self._run("target_mark", table_name=self._table)
        return Mark(seq=found[0][0], item_id=found[0][1]) if found else None

    def write(self, first: int, last: int) -> None:
        """Rows and mark, both or none."""
        self._scratch.execute("BEGIN").fetchall()
        try:
            self._run("upsert_target")
            self._run("set_target_mark", table_name=self._table)
            self._scratch.execute("COMMIT").fetchall()
        except BaseException:
            with suppress(duckdb.Error):  # a failed COMMIT has ended the transaction already
                self._scratch.execute("ROLLBACK").fetchall()
            raise

    def _run(self, name: str, **params: object) -> list[tuple[int, str]]:
        # A name is checked when a sink is named (letters, digits, underscores), and quoted here.
        sql = statements()[name].replace(_STANDS_FOR_TABLE, f'"{self._table}"')
        return self._scratch.execute(sql, params or None).fetchall()
