"""The owner of the DuckDB file: lock, migrations, one writer thread, a fresh cursor for every read."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, TypeVar

import duckdb
import polars as pl

from core.errors import LotwiseError
from core.store.cells import Cells, keep_definition
from core.store.copies import Copies, keep_copies
from core.store.discretion import rows_without_texts, values_without_texts
from core.store.lock import FileLock
from core.store.standing import Standing
from core.store.statements import migrations, statements, views

T = TypeVar("T")


_DISK_REFUSED = ("Could not write", "Could not truncate", "Could not fsync")


class StoreClosed(LotwiseError):
    """The workspace was closed while this was asked for. Reload the page or run the command again."""


class StoreFromTheFuture(LotwiseError):
    """This workspace was written by a newer Lotwise. Update Lotwise, or open another workspace."""


class StoreNotWritable(LotwiseError):
    """The workspace's file could not be written, so nothing of this was stored. Make room on its disk; it goes on."""


class TextsHeld(LotwiseError):
    """Metadata-only is on, but this workspace holds texts from before, and a database file does not give up what was
    once in it. Name a new workspace (LOTWISE_WORKSPACE), or turn the setting off."""


class _Rehearsed(Exception):
    """A task ran to its end and is to be taken back."""

    def __init__(self, result: Any) -> None:
        self.result = result


class Transaction:
    """One atomic write: everything run through it is committed together or not at all, with what is kept of it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, *, metadata_only: bool = False) -> None:
        self._connection = connection
        self._metadata_only = metadata_only
        self._kept = (Cells(connection), Standing(connection), Copies(connection))

    def run(self, name: str, /, **params: Any) -> list[dict[str, Any]]:
        """Run the named statement and return its rows (of `RETURNING` or `SELECT`) as dicts."""
        self._note(name, params)
        return _rows(self._connection, name, values_without_texts(params) if self._metadata_only else params)

    def merge(self, name: str, frame: pl.DataFrame, /, **params: Any) -> list[dict[str, Any]]:
        """Run the named statement with `frame` readable in it as the table `incoming`."""
        if self._metadata_only:
            frame, params = rows_without_texts(frame), values_without_texts(params)
        self._connection.register("incoming", frame)
        try:
            self._note(name, params)
            return _rows(self._connection, name, params)
        finally:
            self._connection.unregister("incoming")

    def frame(self, name: str, /, **params: Any) -> pl.DataFrame:
        """Run the named read as of this transaction and return a frame."""
        return _frame(self._connection, name, params)

    def complete(self, task: Callable[["Transaction"], T]) -> T:
        """Run `task` and what follows from all that it ran; nothing but the commit is left."""
        result = task(self)
        for kept in self._kept:
            kept.keep()
        return result

    def _note(self, name: str, params: dict[str, Any]) -> None:
        for kept in self._kept:
            kept.note(name, params)


class Store:
    """One workspace's tables; open it once a process, share it among threads.

    `version` rises with every committed write: a cached read is fresh exactly as long as it has not moved.
    """

    def __init__(self, root: duckdb.DuckDBPyConnection, lock: FileLock, *, metadata_only: bool = False) -> None:
        self.lock = lock
        self.metadata_only = metadata_only
        self.version = 0
        self._root = root
        self._tasks: queue.SimpleQueue[tuple[Callable[[Transaction], Any], Future[Any]] | None] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._closing = threading.Lock()
        self._writer = threading.Thread(target=self._write_loop, name="lotwise-writer", daemon=True)
        self._writer.start()

    @classmethod
    def open(cls, path: Path, *, metadata_only: bool = False) -> Self:
        """Lock, open and migrate the file at `path` (made where absent); `metadata_only` keeps texts out for good.

        Raises `StoreBusy` while another process owns it, `StoreFromTheFuture` when its migrations are unknown here,
        `TextsHeld` where metadata-only comes too late.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock.take(path.with_suffix(".lock"))
        try:
            root = _connect(path)
            try:
                _migrate(root)
                keep_definition(root)
                keep_copies(root)
                metadata_only = _discretion(root, path, asked=metadata_only)
            except BaseException:
                root.close()
                raise
        except BaseException:
            lock.release()
            raise
        return cls(root, lock, metadata_only=metadata_only)

    def query(self, name: str, /, **params: Any) -> pl.DataFrame:
        """Run the named read on a cursor of its own (a snapshot) and return a frame."""
        with self._cursor() as cursor:
            return _frame(cursor, name, params)

    def write(self, task: Callable[[Transaction], T]) -> T:
        """Run `task` on the writer thread in one transaction and return its result after the commit.

        What `task` raises is raised here and nothing of it is kept. Must not be called from inside a task.
        """
        done: Future[T] = Future()
        with self._closing:
            if self._closed.is_set():
                raise StoreClosed
            self._tasks.put((task, done))
        return done.result()

    def rehearse(self, task: Callable[[Transaction], T]) -> T:
        """Run `task` as `write` does, keep nothing of it, and return its result: a dry run of the very same code."""

        def then_forget(tx: Transaction) -> None:
            raise _Rehearsed(task(tx))

        try:
            self.write(then_forget)
        except _Rehearsed as done:
            result: T = done.result
        return result

    def make_room(self) -> None:
        """Give blocks of rows that are gone back to the file, where nothing holds on to them, to be filled anew."""
        with self._cursor() as cursor, suppress(duckdb.TransactionException):  # somebody reads: another time
            cursor.execute("CHECKPOINT").fetchall()

    def close(self) -> None:
        """Let queued writes finish, checkpoint, close the file and give the lock back; safe to call twice."""
        with self._closing:
            if self._closed.is_set():
                return
            self._closed.set()
            self._tasks.put(None)
        self._writer.join()
        self._root.close()
        self.lock.release()

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        if self._closed.is_set():
            raise StoreClosed
        return self._root.cursor()

    def _write_loop(self) -> None:
        connection = self._root.cursor()
        while (entry := self._tasks.get()) is not None:
            task, done = entry
            try:
                connection.execute("BEGIN")
                result = Transaction(connection, metadata_only=self.metadata_only).complete(task)
                connection.execute("COMMIT")
            except BaseException as error:  # handed to the caller: the writer itself must live on
                _roll_back(connection)
                done.set_exception(_told(error))
            else:
                self.version += 1
                done.set_result(result)
            # No reference to the caller's data may outlive its turn: the loop may wait here for hours.
            del entry, task, done
        connection.close()


def _connect(path: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(str(path))
    for setting in (
        "SET TimeZone = 'UTC'",
        "SET memory_limit = '4GB'",
        "SET autoinstall_known_extensions = false",
        "SET enable_external_access = false",
        "SET lock_configuration = true",
    ):
        connection.execute(setting).fetchall()
    return connection


def _migrate(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS migration"
        " (number INTEGER PRIMARY KEY, name VARCHAR NOT NULL, applied_at TIMESTAMPTZ NOT NULL DEFAULT now())"
    ).fetchall()
    applied = {number for (number,) in connection.execute("SELECT number FROM migration").fetchall()}
    known = {number for number, _, _ in migrations()}
    if applied - known:
        raise StoreFromTheFuture(migration=max(applied - known))
    for number, name, sql in migrations():
        if number not in applied:
            connection.execute("BEGIN").fetchall()
            connection.execute(sql).fetchall()
            connection.execute("INSERT INTO migration (number, name) VALUES ($1, $2)", [number, name]).fetchall()
            connection.execute("COMMIT").fetchall()
    for view in views().values():
        connection.execute(view).fetchall()


def _discretion(connection: duckdb.DuckDBPyConnection, path: Path, *, asked: bool) -> bool:
    """Whether texts are kept out: once that was asked for it stays, because what was once in does not come out."""
    if _rows(connection, "discretion", {})[0]["kept"]:
        return True
    if asked:
        if _rows(connection, "texts_held", {})[0]["held"]:
            raise TextsHeld(workspace=path.parent)
        _rows(connection, "begin_discretion", {})
    return asked


def _rows(connection: duckdb.DuckDBPyConnection, name: str, params: dict[str, Any]) -> list[dict[str, Any]]:
    connection.execute(statements()[name], params or None)
    columns = [column[0] for column in connection.description or ()]
    return [dict(zip(columns, row, strict=True)) for row in connection.fetchall()]


def _frame(connection: duckdb.DuckDBPyConnection, name: str, params: dict[str, Any]) -> pl.DataFrame:
    frame: pl.DataFrame = connection.sql(statements()[name], params=params or None).pl()
    # DuckDB calls its zone Etc/UTC, which Polars refuses to compare with UTC.
    return frame.with_columns(pl.selectors.datetime(time_zone="Etc/UTC").dt.convert_time_zone("UTC"))


def _told(error: BaseException) -> BaseException:
    """A disk that refuses is no fault of the caller's, and gets a sentence; everything else stays what it is."""
    refused = isinstance(error, duckdb.Error) and any(words in str(error) for words in _DISK_REFUSED)
    if refused or isinstance(error, duckdb.FatalException):
        told = StoreNotWritable(why=str(error).splitlines()[0])
        told.__cause__ = error
        return told
    return error


def _roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    with suppress(duckdb.Error):  # a failed COMMIT has ended the transaction already
        connection.execute("ROLLBACK")
