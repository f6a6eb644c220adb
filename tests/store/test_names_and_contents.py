"""A custom_id that follows from job and item is kept no second time, and reads as before; so do contents."""

from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from core.planning.identity import ITEM_LENGTH, custom_ids
from core.store import Store
from core.store.statements import migrations
from tests.cells import rows
from tests.store.test_cells import item, job

LONG = "x" * (ITEM_LENGTH + 9)
CONTENT = "ff00000000000001" + "0" * 16


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """A store of before: what it sent, what was sent twice, what others sent, and what was counted."""
    path = tmp_path / "lotwise.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "CREATE TABLE migration (number INTEGER PRIMARY KEY, name VARCHAR NOT NULL,"
            " applied_at TIMESTAMPTZ NOT NULL DEFAULT now())"
        ).fetchall()
        for number, name, sql in migrations():
            if number < 27:
                connection.execute(sql).fetchall()
                connection.execute("INSERT INTO migration (number, name) VALUES ($1, $2)", [number, name]).fetchall()
        for job_id, item_id, custom_id in names():
            connection.execute(
                "INSERT INTO attempt (job_id, item_id, custom_id, class_id, model, number, marks)"
                " VALUES ($1, $2, $3, 'c', 'm', 1, [1, 2])",
                [job_id, item_id, custom_id],
            ).fetchall()
        connection.execute(
            "INSERT INTO item (item_id, content_hash, import_id, line, model, payload_bytes, chain, depths, max_tokens,"
            " created_at) VALUES ('a', $1, 'i', 1, 'm', 1, [], [], 1, now())",
            [CONTENT],
        ).fetchall()
        connection.execute(
            "INSERT INTO token_count VALUES ($1, 'm', 7, now(), false), ('turn', 'm', 3, now(), false),"
            " ('c/90', 'm', 5, now(), false)",
            [CONTENT],
        ).fetchall()
    return path


def names() -> list[tuple[str, str, str]]:
    """Job, item and custom_id of attempts."""
    long = custom_ids(pl.Series(["jobtag22"]), pl.Series([LONG]))[0]
    return [
        ("jobtag22", "a", "jobtag22-a"),
        ("jobtag22", LONG, long),
        ("twintag2", "a", "jobtag22-a"),
        ("msgbatch_1", "theirs", "theirs"),
    ]


def test_an_older_store_reads_as_before(older: Path) -> None:
    """Every custom_id, mark, content and count is what it was; only names that nothing else tells are kept."""
    store = Store.open(older)
    try:
        found = rows(store, "SELECT job_id, item_id, custom_id, sent_as, marks FROM attempt")
        counted = rows(store, "SELECT content_key, tokens FROM token_count")
        assert sorted((row["job_id"], row["item_id"], row["custom_id"]) for row in found) == sorted(names())
        assert {row["custom_id"] for row in found if row["sent_as"] is None} == {"jobtag22-a"}
        assert {tuple(row["marks"]) for row in found} == {(1, 2)}
        assert rows(store, "SELECT content_hash FROM item") == [{"content_hash": int(CONTENT[:16], 16)}]
        assert {row["content_key"]: row["tokens"] for row in counted} == {CONTENT[:16]: 7, "turn": 3, "c/90": 5}
    finally:
        store.close()


@pytest.fixture
def store(tmp_path: Path) -> Any:
    """An empty store."""
    opened = Store.open(tmp_path / "lotwise.duckdb")
    yield opened
    opened.close()


def test_every_statement_that_names_attempts_keeps_what_was_sent(store: Store) -> None:
    """Claimed, moved to another job, sent a second time by accident: the id is the one that the API was given."""
    ids = pl.Series(["a", LONG])
    claims = pl.DataFrame({"item_id": ids, "job_id": "jobtag22", "class_id": "c", "model": "m"}).with_columns(
        custom_ids(pl.Series(["jobtag22"] * 2), ids),
        marks=pl.lit([1], pl.List(pl.Int16)),
        split_chars=pl.lit(None, pl.Int64),
        entry_id=pl.lit("c"),
    )
    moved = pl.DataFrame({"item_id": ids}).with_columns(custom_ids(pl.Series(["jobtag33"] * 2), ids))
    parting = {"from_job_id": "jobtag22", "to_job_id": "jobtag33"}
    store.write(lambda tx: tx.merge("add_items", pl.DataFrame([item("a"), item(LONG)])))
    store.write(lambda tx: tx.merge("add_jobs", pl.DataFrame([job("jobtag22")])))
    assert len(store.write(lambda tx: tx.merge("claim_items", claims))) == 2
    assert sent(store) == {("jobtag22", *pair) for pair in claims.select("item_id", "custom_id").rows()}

    store.write(lambda tx: tx.merge("move_items", moved, **parting))
    expected = {("jobtag33", *pair) for pair in moved.rows()}
    assert sent(store) == expected

    store.write(lambda tx: tx.run("add_twin_attempts", job_id="jobtag33", twin_id="twintag2"))
    assert sent(store) == expected | {("twintag2", *pair) for pair in moved.rows()}


def sent(store: Store) -> set[tuple[str, str, str]]:
    """Job, item and custom_id of every attempt."""
    found = rows(store, "SELECT job_id, item_id, custom_id FROM attempt")
    return {(row["job_id"], row["item_id"], row["custom_id"]) for row in found}
