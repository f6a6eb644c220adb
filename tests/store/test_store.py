"""The store: migrated in place, one writer, a snapshot for every read, nothing kept of a write that failed."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from core.store import Store, Transaction
from core.store.database import StoreClosed, StoreFromTheFuture
from core.store.lock import FileLock
from core.store.statements import migrations, views

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
KNOWN = migrations()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store lies; the folder is not there yet."""
    return tmp_path / "workspace" / "lotwise.duckdb"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """A fresh store."""
    opened = Store.open(path)
    yield opened
    opened.close()


def start(import_id: str) -> Callable[[Transaction], None]:
    """A task that writes one row."""

    def task(tx: Transaction) -> None:
        tx.run("start_import", import_id=import_id, source="s", started_at=NOW)

    return task


def ids(store: Store) -> list[str]:
    """The rows that are there."""
    return sorted(store.query("imports")["import_id"])


def tables(path: Path) -> list[tuple[Any, ...]]:
    """Every column of every table and view in a file."""
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(
            "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns ORDER BY ALL"
        ).fetchall()


def test_a_new_store_has_the_schema_and_says_how_it_came_about(store: Store, path: Path, tmp_path: Path) -> None:
    """All migrations from empty, recorded by number and name, and the views on top."""
    store.close()
    with duckdb.connect(str(path), read_only=True) as connection:
        recorded = connection.execute("SELECT number, name FROM migration ORDER BY number").fetchall()
        found = {name for (name,) in connection.execute("SELECT table_name FROM information_schema.tables").fetchall()}
    plain = tmp_path / "plain.duckdb"
    with duckdb.connect(str(plain)) as connection:
        for _, _, sql in migrations():
            connection.execute(sql).fetchall()
        for view in views().values():
            connection.execute(view).fetchall()

    assert [(number, name) for number, name, _ in migrations()] == recorded
    assert {"item", "attempt", "job", "class", "plan", "import_file", "reject", *views()} <= found
    assert tables(plain) == [row for row in tables(path) if row[0] != "migration"]


def test_opening_again_migrates_nothing_and_keeps_everything(store: Store, path: Path) -> None:
    """A migration runs once in the life of a file."""
    store.write(start("kept"))
    store.close()
    before = tables(path)
    again = Store.open(path)

    assert ids(again) == ["kept"]
    again.close()
    assert before == tables(path)


def test_a_later_migration_is_applied_to_an_older_file(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of an older version is brought up to date in place, its rows untouched."""
    store.write(start("old"))
    store.close()
    added = (len(KNOWN) + 1, "later", "ALTER TABLE import_file ADD COLUMN later VARCHAR DEFAULT 'yes'")
    monkeypatch.setattr("core.store.database.migrations", lambda: (*KNOWN, added))
    again = Store.open(path)

    assert again.query("imports").select("import_id", "later").rows() == [("old", "yes")]
    again.close()


def test_a_migration_that_fails_leaves_the_file_as_it_was(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a schema is no schema; the lock is given back, and the old version can go on."""
    store.write(start("old"))
    store.close()
    broken = (len(KNOWN) + 1, "broken", "CREATE TABLE half (a INTEGER); SELECT nonsense")
    with monkeypatch.context() as patch:
        patch.setattr("core.store.database.migrations", lambda: (*KNOWN, broken))
        with pytest.raises(duckdb.Error):
            Store.open(path)

    assert "half" not in {row[0] for row in tables(path)}
    again = Store.open(path)
    assert ids(again) == ["old"]
    again.close()


def test_a_file_of_a_newer_lotwise_is_left_alone(store: Store, path: Path) -> None:
    """What this version does not know it must not write to; the message says what to do."""
    store.close()
    with duckdb.connect(str(path)) as connection:
        connection.execute("INSERT INTO migration (number, name) VALUES (9999, 'from tomorrow')").fetchall()

    with pytest.raises(StoreFromTheFuture, match=r"Update Lotwise.*9999"):
        Store.open(path)
    FileLock.take(path.with_suffix(".lock")).release()


def test_a_write_is_there_when_it_returns(store: Store) -> None:
    """It gives back what the task returned, after the commit, and moves the version on by one."""
    before = store.version

    assert store.write(lambda tx: 7) == 7
    store.write(start("a"))

    assert ids(store) == ["a"]
    assert before + 2 == store.version


def test_a_task_that_fails_leaves_nothing_and_the_writer_lives_on(store: Store) -> None:
    """Its error is raised at the caller; the next write is none the worse for it."""
    before = store.version

    def fails(tx: Transaction) -> None:
        start("half")(tx)
        raise RuntimeError("on purpose")

    def stops(tx: Transaction) -> None:
        start("half")(tx)
        raise SystemExit(3)

    for task, error in ((fails, RuntimeError), (stops, SystemExit)):
        with pytest.raises(error):
            store.write(task)

    assert ids(store) == []
    assert before == store.version
    store.write(start("whole"))
    assert ids(store) == ["whole"]


def test_an_error_of_the_database_rolls_back_too(store: Store) -> None:
    """Unknown statements, broken constraints, and a transaction ended by the task itself."""

    def twice(tx: Transaction) -> None:
        start("same")(tx)
        start("same")(tx)

    def ends_it(tx: Transaction) -> None:
        start("ended")(tx)
        tx._connection.execute("ROLLBACK")

    for task, error in ((twice, duckdb.ConstraintException), (ends_it, duckdb.TransactionException)):
        with pytest.raises(error):
            store.write(task)
    with pytest.raises(KeyError):
        store.write(lambda tx: tx.run("no_such_statement"))
    with pytest.raises(KeyError):
        store.query("no_such_statement")

    store.write(start("same"))
    assert ids(store) == ["same"]


def test_a_frame_is_readable_inside_its_statement_only(store: Store) -> None:
    """`incoming` is gone afterwards, also when the statement failed."""
    frame = pl.DataFrame({"item_id": ["a"]})

    assert store.write(lambda tx: tx.merge("known_items", frame)) == []
    with pytest.raises(duckdb.Error):
        store.write(lambda tx: tx.merge("add_rejects", frame))
    with pytest.raises(duckdb.CatalogException):
        store.write(lambda tx: tx.run("known_items"))


def test_writes_of_many_threads_all_arrive_one_after_the_other(store: Store) -> None:
    """One writer: nobody waits for a lock, nothing conflicts, every write is a version."""
    before = store.version
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: store.write(start(f"{number:03}")), range(120)))

    assert [f"{number:03}" for number in range(120)] == ids(store)
    assert before + 120 == store.version


def test_readers_see_whole_transactions_only(store: Store) -> None:
    """While the writer is in the middle of something, everybody reads what was there before."""
    inside, go_on = threading.Event(), threading.Event()

    def slow(tx: Transaction) -> None:
        start("first")(tx)
        inside.set()
        assert go_on.wait(10)
        start("second")(tx)

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(store.write, slow)
        assert inside.wait(10)
        assert ids(store) == []
        go_on.set()
        writing.result()

    assert ids(store) == ["first", "second"]


def test_reads_run_beside_writes_and_each_other(store: Store) -> None:
    """A cursor per read: no thread is refused, and both rows of a write are there or neither."""
    stop = threading.Event()

    def look() -> int:
        looks = 0
        while not stop.is_set():
            assert store.query("imports").height % 2 == 0
            looks += 1
        return looks

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(look) for _ in range(4)]
        for number in range(60):
            store.write(lambda tx, number=number: (start(f"a{number}")(tx), start(f"b{number}")(tx)))  # type: ignore[misc]
        stop.set()
        assert all(reader.result() > 0 for reader in readers)


def test_closing_lets_queued_writes_finish(path: Path) -> None:
    """What was accepted is done; what comes later is told that it came too late."""
    store = Store.open(path)
    inside, go_on = threading.Event(), threading.Event()

    def slow(tx: Transaction) -> None:
        inside.set()
        assert go_on.wait(10)
        start("slow")(tx)

    with ThreadPoolExecutor(4) as pool:
        writes = [pool.submit(store.write, slow)]
        assert inside.wait(10)
        writes += [pool.submit(store.write, start(f"queued {number}")) for number in range(2)]
        while store._tasks.qsize() < 2:
            time.sleep(0.005)
        closing = pool.submit(store.close)
        while not store._closed.is_set():
            time.sleep(0.005)
        with pytest.raises(StoreClosed):
            store.write(start("late"))
        go_on.set()
        for done in (*writes, closing):
            done.result(10)

    again = Store.open(path)
    assert ids(again) == ["queued 0", "queued 1", "slow"]
    again.close()


def test_a_closed_store_says_so_and_can_be_closed_again(path: Path) -> None:
    """Reads and writes after the end are a clear error; closing twice is closing once."""
    store = Store.open(path)
    store.close()
    store.close()

    with pytest.raises(StoreClosed, match="closed"):
        store.query("imports")
    with pytest.raises(StoreClosed):
        store.write(start("late"))


def test_statements_cannot_reach_beyond_the_file(store: Store) -> None:
    """No file of the machine is read or written through SQL, and nobody can allow it later."""
    for sql in (
        "SELECT * FROM read_text('/etc/hostname')",
        "COPY item TO '/tmp/x.csv'",
        "SET enable_external_access = true",
    ):
        with pytest.raises(duckdb.Error):
            store.write(lambda tx, sql=sql: tx._connection.execute(sql).fetchall())  # type: ignore[misc]
