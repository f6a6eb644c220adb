"""Content that came in under several ids: what it was paid for twice is known at once, however it came and was sent."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.intake.imports import import_file
from core.store import Store, Transaction, copies
from core.store.copies import CHANGES, NO_CHANGES
from core.store.statements import statements
from tests.cells import rows
from tests.store.test_cells import USAGE, job

NOW = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
TABLES = (
    *("attempt", "unsettled", "job", "item", "former_item", "cost_cell", "import_file"),
    *("copied_item", "copied_attempt", "compared_import"),
)
ITEMS = st.sampled_from([f"item-{number}" for number in range(5)])
FILES = st.tuples(st.just("file"), st.dictionaries(ITEMS, st.sampled_from("xyz"), min_size=1), st.booleans())
RESULT = st.tuples(st.booleans(), st.sampled_from([None, Decimal(0), Decimal("0.25")]))
SENDS = st.tuples(st.just("send"), st.dictionaries(ITEMS, RESULT, min_size=1), st.integers(-40, 0))
COSTS = st.tuples(st.just("price"), st.sampled_from([None, Decimal("0.125")]))
Row = dict[str, Any]
MODEL = "claude-haiku-4-5"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the files and their parameters lie."""
    return tmp_path_factory.mktemp("copies")


@pytest.fixture(scope="module")
def store(folder: Path) -> Iterator[Store]:
    """One store for all examples; each begins with empty tables."""
    opened = Store.open(folder / "lotwise.duckdb")
    yield opened
    opened.close()


class Life:
    """Files that come in, and answers to what is in them, by the statements that the code uses."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store, self.folder, self.jobs = store, folder, 0
        store.write(lambda tx: [tx._connection.execute(f"DELETE FROM {table}").fetchall() for table in TABLES])

    def happen(self, event: tuple[Any, ...]) -> None:
        name, *told = event
        getattr(self, name)(*told)

    def file(self, contents: dict[str, str], replace: bool) -> None:
        path = self.folder / "requests.jsonl"
        asked = {"model": MODEL, "max_tokens": 9}
        lines = [
            {"custom_id": name, "params": asked | {"messages": [{"role": "user", "content": text}]}}
            for name, text in contents.items()
        ]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        import_file(self.store, self.folder, path, now=NOW, replace=replace)

    def send(self, results: dict[str, tuple[bool, Decimal | None]], days: int) -> None:
        self.jobs += 1
        job_id, at = f"job{self.jobs:05d}", NOW + timedelta(days=days)
        known = {row["item_id"] for row in rows(self.store, "SELECT item_id FROM item")}
        taken = {
            row["item_id"] for row in rows(self.store, "SELECT item_id FROM attempt WHERE usable OR outcome IS NULL")
        }
        sent = {name: result for name, result in results.items() if name in known - taken}
        if not sent:
            return
        claimed = [{"item_id": name, "custom_id": f"{job_id}-{name}"} for name in sent]
        fixed = {"job_id": job_id, "class_id": "c", "model": MODEL}
        given = [
            {"custom_id": f"{job_id}-{name}", "outcome": "succeeded", "usable": usable, "cost_usd": usd}
            | {"submitted_at": at, "stop_reason": "end_turn"}
            for name, (usable, usd) in sent.items()
        ]

        def receive(tx: Transaction) -> None:
            tx.merge("demo_add_jobs", pl.DataFrame([job(job_id) | {"submitted_at": at}]))
            frame = pl.DataFrame([row | fixed for row in claimed]).with_columns(
                marks=pl.lit([], pl.List(pl.Int16)),
                split_chars=pl.lit(None, pl.Int64),
                entry_id=pl.lit(None, pl.String),
            )
            tx.merge("claim_items", frame)
            empty = dict.fromkeys(USAGE)
            results = pl.DataFrame([empty | row for row in given], schema_overrides=USAGE)
            tx.merge("put_results", results, job_id=job_id)

        self.store.write(receive)

    def price(self, usd: Decimal | None) -> None:
        if self.jobs:
            self.store.write(lambda tx: self._price(tx, usd))

    def _price(self, tx: Transaction, usd: Decimal | None) -> None:
        found = tx.frame("attempts_to_price", job_ids=["job00001"], only_unpriced=False).select("place", "job_id")
        if not found.is_empty():
            tx.merge("put_costs", found.with_columns(cost_usd=pl.lit(usd, pl.Decimal(38, 12))))


def paid_twice(store: Store, first: date, last: date) -> dict[tuple[str, date], tuple[int, Decimal]]:
    """What was paid for content that had its answer, attempt by attempt, from the ledger alone."""
    sent = rows(
        store,
        "SELECT a.*, i.content_hash, i.created_at FROM attempt a JOIN item i USING (item_id)"
        " WHERE a.outcome = 'succeeded' AND a.number >"
        " coalesce((SELECT max(f.last_attempt) FROM former_item f WHERE f.item_id = a.item_id), 0)",
    )
    recent = [
        row
        for row in sent
        if first <= row["submitted_at"].date() <= last and row["created_at"].date() >= first - timedelta(days=1)
    ]
    answered: dict[Any, tuple[datetime, str]] = {}
    found = dict[tuple[str, date], tuple[int, Decimal]]()
    for row in sorted(recent, key=lambda row: (row["submitted_at"], row["item_id"])):
        before = answered.get(row["content_hash"])
        if before is not None and before[1] != row["item_id"] and row["cost_usd"]:
            attempts, usd = found.get((row["job_id"], row["submitted_at"].date()), (0, Decimal(0)))
            found[row["job_id"], row["submitted_at"].date()] = attempts + 1, usd + row["cost_usd"]
        if before is None and row["usable"]:
            answered[row["content_hash"]] = row["submitted_at"], row["item_id"]
    return found


def told(store: Store, first: date, last: date) -> dict[tuple[str, date], tuple[int, Decimal]]:
    """The same, as pages read it."""
    found: list[Row] = store.query("duplicates_paid", first=first, last=last).to_dicts()
    return {(row["job_id"], row["day"]): (row["attempts"], row["cost_usd"]) for row in found}


@settings(max_examples=12, deadline=None)
@given(events=st.lists(st.one_of(FILES, SENDS, COSTS), min_size=3, max_size=9))
def test_what_is_kept_is_what_the_ledger_tells(store: Store, folder: Path, events: list[tuple[Any, ...]]) -> None:
    """Whatever comes in, is corrected, sent and priced: the rows are those of every attempt looked at one by one."""
    life = Life(store, folder)
    for event in events:
        life.happen(event)
    for first in (NOW.date() - timedelta(days=60), NOW.date() - timedelta(days=10)):
        assert told(store, first, NOW.date()) == paid_twice(store, first, NOW.date())


def test_what_came_in_before_is_found_when_the_store_opens(tmp_path: Path) -> None:
    """A store from before, and one whose import was cut off, has all of it once it is open; and only once."""
    path = tmp_path / "lotwise.duckdb"
    before = Store.open(path)
    life = Life(before, tmp_path)
    life.file({"item-0": "x", "item-1": "x", "item-2": "y"}, False)
    life.send({"item-0": (True, Decimal("0.5"))}, -1)
    life.send({"item-1": (True, Decimal("0.25")), "item-2": (True, Decimal("0.75"))}, 0)
    today = NOW.date()
    once = told(before, today - timedelta(days=9), today)
    assert list(once.values()) == [(1, Decimal("0.25"))]
    forget = "DELETE FROM copied_item; DELETE FROM copied_attempt; DELETE FROM compared_import;"
    before.write(lambda tx: tx._connection.execute(f"{forget} UPDATE import_file SET finished_at = NULL").fetchall())
    before.close()

    for _ in range(2):
        again = Store.open(path)
        assert told(again, today - timedelta(days=9), today) == once
        assert len(rows(again, "SELECT * FROM copied_item")) == 2
        again.close()


def changing(table: str) -> Callable[[str], bool]:
    """Whether a statement adds, changes or removes rows of a table."""
    said = re.compile(rf"^(INSERT INTO|UPDATE|DELETE FROM|MERGE INTO) {table}\b", re.MULTILINE)
    return lambda name: bool(said.search(statements()[name]))


def test_no_statement_changes_answers_or_contents_behind_them() -> None:
    """Whoever writes attempts is listed, or why nothing is concerned; contents change with their import only."""
    assert set(filter(changing("attempt"), statements())) <= CHANGES.keys() | NO_CHANGES.keys()
    assert not CHANGES.keys() & NO_CHANGES.keys()
    assert {*CHANGES, *NO_CHANGES, *CHANGES.values(), *copies.IMPORTS, *copies.REPLACES} <= statements().keys()
    assert not [name for name in filter(changing("item"), statements()) if "content_hash =" in statements()[name]]
    dropping = {name for name in filter(changing("item"), statements()) if "DELETE FROM item " in statements()[name]}
    assert dropping <= set(copies.REPLACES)
