"""Exports: whole files in three formats, every digit of every price, and a clear word where it cannot be."""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest

from core.audit import note
from core.export import EXPORTS, NotWritable, UnknownExport, UnknownFormat, export
from core.intake.imports import import_file
from core.jobs.results import results_path
from core.store import Store, Transaction
from core.store.cells import make_cells
from core.store.statements import statements
from tests.strategies import line, request

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
FINE = Decimal("0.000000068750")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace of all tests here, which only read it."""
    path: Path = tmp_path_factory.mktemp("exports")
    return path


@pytest.fixture(scope="module")
def store(folder: Path) -> Iterator[Store]:
    """Three items, one of them complete, one failed, one waiting; the raw result of the first is there."""
    opened = Store.open(folder / "lotwise.duckdb")
    path = folder / "requests.jsonl"
    path.write_bytes(b"\n".join(line(name, request(name)) for name in ("done", "failed", "waiting")))
    import_file(opened, folder, path, now=NOW)
    opened.write(attempts)
    results = results_path(folder, "jobtag22")
    results.parent.mkdir()
    message = {"id": "msg_1", "content": [{"type": "text", "text": "Grüße\n🎈"}], "usage": {"output_tokens": 3}}
    lines = [
        {"custom_id": "jobtag22-done", "result": {"type": "succeeded", "message": message}},
        {"custom_id": "jobtag22-failed", "result": {"type": "expired"}},
    ]
    results.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    yield opened
    opened.close()


def attempts(tx: Transaction) -> None:
    """One job with two attempts, priced to the last decimal, its predicted price, and a line in the log."""
    note(tx, "import", source="requests.jsonl")
    connection: Any = tx._connection
    connection.execute(
        "INSERT INTO job (job_id, role, model, state, item_count, body_bytes, created_at, simulated)"
        " VALUES ('jobtag22', 'body', 'claude-haiku-5-5', 'done', 2, 1, $now, true)",
        {"now": NOW},
    ).fetchall()
    connection.execute(
        "INSERT INTO prediction VALUES ('jobtag22', 'cost', $now, 2, 0.1, 0.1, 0.09, 0.11, 'assumed')", {"now": NOW}
    ).fetchall()
    for item, outcome, usable, cost in (("done", "succeeded", True, FINE), ("failed", "expired", False, Decimal(0))):
        connection.execute(
            "INSERT INTO attempt (job_id, item_id, class_id, model, number, outcome, usable, cost_usd,"
            " submitted_at) VALUES ('jobtag22', $item, 'c', 'claude-haiku-5-5', 1, $outcome,"
            " $usable, $cost, $now)",
            {"item": item, "outcome": outcome, "usable": usable, "cost": cost, "now": NOW},
        ).fetchall()
    for follows in ("add_unsettled", "mark_attempted"):
        connection.execute(statements()[follows], {"job_ids": ["jobtag22"]}).fetchall()
    make_cells(connection)


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of an exported file."""
    if path.suffix == ".parquet":
        return pl.read_parquet(path).to_dicts()
    if path.suffix == ".csv":
        with path.open(newline="") as file:
            return list(csv.DictReader(file))
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


@pytest.mark.parametrize("what", EXPORTS)
@pytest.mark.parametrize("ending", [".csv", ".parquet", ".jsonl", ".CSV"])
def test_every_export_is_written_in_every_format(
    store: Store, folder: Path, tmp_path: Path, what: str, ending: str
) -> None:
    """The same rows whatever the ending, and no half file beside them."""
    to = tmp_path / f"out{ending}"
    rows = export(store, folder, what, to)

    assert {"items": 3, "attempts": 2, "costs": 1, "predictions": 1, "audit": 1, "results": 1}[what] == rows
    if ending != ".CSV":
        assert rows == len(read(to))
    assert [to] == list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".jsonl"])
def test_money_keeps_every_digit(store: Store, folder: Path, tmp_path: Path, ending: str) -> None:
    """A price of one token is not rounded away, in JSON neither."""
    to = tmp_path / f"attempts{ending}"
    export(store, folder, "attempts", to)

    (done,) = (row for row in read(to) if row["item_id"] == "done")
    assert Decimal(str(done["cost_usd"])) == FINE
    assert not isinstance(done["cost_usd"], float)


def test_items_say_where_they_stand(store: Store, folder: Path, tmp_path: Path) -> None:
    """Backlog, complete and failed, each with its file and line; an unknown cost stays empty, not zero."""
    export(store, folder, "items", tmp_path / "items.jsonl")

    rows = {row["item_id"]: row for row in read(tmp_path / "items.jsonl")}
    assert {name: row["status"] for name, row in rows.items()} == {
        "done": "complete",
        "failed": "failed",
        "waiting": "backlog",
    }
    assert tuple(rows["waiting"][key] for key in ("source", "line", "cost_usd")) == ("requests.jsonl", 3, None)


def test_results_are_the_messages_as_they_came(store: Store, folder: Path, tmp_path: Path) -> None:
    """One for each complete item, an object in JSON Lines and its text elsewhere."""
    export(store, folder, "results", tmp_path / "results.jsonl")
    export(store, folder, "results", tmp_path / "results.csv")

    (row,) = read(tmp_path / "results.jsonl")
    (text,) = read(tmp_path / "results.csv")
    assert (row["item_id"], row["job_id"]) == ("done", "jobtag22")
    assert row["message"]["content"][0]["text"] == "Grüße\n🎈"
    assert row["message"] == orjson.loads(text["message"])


def test_results_without_a_raw_file_are_none(store: Store, tmp_path: Path) -> None:
    """What is no longer in the workspace cannot be given again."""
    assert export(store, tmp_path / "elsewhere", "results", tmp_path / "results.jsonl") == 0
    assert read(tmp_path / "results.jsonl") == []


def test_an_existing_file_is_replaced_as_a_whole(store: Store, folder: Path, tmp_path: Path) -> None:
    """A nightly export writes over the last one."""
    to = tmp_path / "items.csv"
    to.write_text("old\n" * 1_000)
    export(store, folder, "items", to)

    assert len(read(to)) == 3


@pytest.mark.parametrize("name", ["items.xlsx", "items", "items.json"])
def test_an_ending_that_is_no_format_is_refused(store: Store, folder: Path, tmp_path: Path, name: str) -> None:
    """The message lists the endings there are."""
    with pytest.raises(UnknownFormat, match=r"\.csv, \.parquet or \.jsonl"):
        export(store, folder, "items", tmp_path / name)


def test_an_unknown_export_is_refused(store: Store, folder: Path, tmp_path: Path) -> None:
    """The message lists what there is."""
    with pytest.raises(UnknownExport, match="items, attempts, costs, predictions, audit or results"):
        export(store, folder, "invoices", tmp_path / "x.csv")


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".jsonl"])
def test_where_nothing_can_be_written_nothing_is_left(store: Store, folder: Path, tmp_path: Path, ending: str) -> None:
    """A missing folder and a folder in the file's place are said with the reason; no part of a file stays."""
    taken = tmp_path / f"folder{ending}"
    taken.mkdir()

    with pytest.raises(NotWritable, match="No such file"):
        export(store, folder, "items", tmp_path / "missing" / f"items{ending}")
    with pytest.raises(NotWritable, match="directory"):
        export(store, folder, "items", taken)

    assert [taken] == list(tmp_path.iterdir())
