"""Where items stand: whatever happens to attempts, what is kept says the same as all attempts do."""

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.ledger_store import fill
from core.store import Store, Transaction
from core.store.standing import ANEW, CLAIMS, NO_CHANGES, SETTLES
from core.store.statements import statements
from tests.cells import assert_cells_kept, rows
from tests.standings import assert_standing_kept
from tests.store.test_cells import EVENTS, ITEMS, NOW, Life


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One store for all examples; each begins with empty tables."""
    opened = Store.open(tmp_path_factory.mktemp("standing") / "lotwise.duckdb")
    yield opened
    opened.close()


class Lived(Life):
    """The same, with a new price told as the code tells it."""

    def reprice(self, tx: Transaction, number: int, cost_usd: Decimal | None) -> None:
        super().reprice(tx, number, cost_usd)
        found = tx.frame("attempts_to_price", job_ids=[self.job(number)], only_unpriced=False)
        tx.merge("put_unsettled_costs", found.with_columns(cost_usd=pl.lit(cost_usd, pl.Decimal(38, 12))))


@settings(max_examples=25, deadline=None)
@given(st.lists(EVENTS, max_size=12))
def test_standing_follows_any_life(store: Store, events: list[tuple[Any, ...]]) -> None:
    """Claims, results that come again and say otherwise, history and its names, cancels, parts: nothing drifts."""
    life = Lived(store)
    for event in events:
        life.happen(event)
        assert_standing_kept(store)


def test_what_moves_to_another_job_stays_repaired(store: Store) -> None:
    """An item that a late second batch completed is complete, whatever becomes of the repair that was under way."""
    life = Lived(store)
    result = {"outcome": "succeeded", "usable": True, "stop_reason": "end_turn", "submitted_at": NOW}
    for event in (("free", 0), ("claim", set(ITEMS)), ("twin", 0), ("results", 2, [result] * len(ITEMS)), ("part", 1)):
        life.happen(event)
        assert_standing_kept(store)
    assert {row["status"] for row in rows(store, "SELECT status FROM item_status")} == {"complete"}


def test_every_statement_that_writes_attempts_is_accounted_for() -> None:
    """One that is not named would let items stand where they no longer are."""
    writing = {
        name
        for name, sql in statements().items()
        if re.search(r"(INSERT INTO|UPDATE|MERGE INTO|DELETE FROM)\s+attempt\b", sql)
    }
    assert writing == {*CLAIMS, *SETTLES, *ANEW, *NO_CHANGES}


def test_a_store_filled_in_bulk_stands_as_if_it_had_been_lived(tmp_path: Path) -> None:
    """What speed is measured on is a real store: its standing and its cells follow from its attempts."""
    fill(tmp_path / "lotwise.duckdb", 4_000)
    opened = Store.open(tmp_path / "lotwise.duckdb")
    try:
        assert_standing_kept(opened)
        assert_cells_kept(opened)
        assert opened.query("handover_counts").rows() == [(opened.query("complete_attempts").height, 0)]
    finally:
        opened.close()
