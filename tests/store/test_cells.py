"""Cost cells: whatever happens to attempts, every cell is what they make it, in the same transaction."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.store import Store, Transaction, cells
from core.store.cells import CHANGES, NO_CHANGES
from core.store.statements import statements
from tests.cells import assert_cells_kept, rows

NOW = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
ITEMS = tuple(f"item-{number}" for number in range(5))
OTHERS = tuple(f"group/{name}" for name in ITEMS)
"""What others sent: no id of an imported item holds a slash."""
TABLES = ("attempt", "unsettled", "job", "item", "former_item", "cost_cell")
USAGE: dict[str, Any] = {
    "cause": pl.String,
    "action": pl.String,
    "message": pl.String,
    "stop_reason": pl.String,
    "refusal_category": pl.String,
    "input_tokens": pl.Int64,
    "cache_write_5m_tokens": pl.Int64,
    "cache_write_1h_tokens": pl.Int64,
    "cache_read_tokens": pl.Int64,
    "output_tokens": pl.Int64,
    "web_searches": pl.Int64,
    "service_tier": pl.String,
    "inference_geo": pl.String,
    "cost_usd": pl.Decimal(24, 12),
    "submitted_at": pl.Datetime("us", "UTC"),
}
COUNTS = st.none() | st.sampled_from([0, 1, 99_999, 100_000, 100_001, 200_001])
RESULTS = st.fixed_dictionaries(
    {
        "outcome": st.sampled_from(["succeeded", "succeeded", "errored", "expired", "canceled"]),
        "usable": st.booleans(),
        "cause": st.sampled_from([None, "max_tokens"]),
        "stop_reason": st.sampled_from(["end_turn", "refusal"]),
        "refusal_category": st.sampled_from([None, "bio", "cyber"]),
        **{name: COUNTS for name in USAGE if name.endswith("_tokens")},
        "service_tier": st.sampled_from([None, "batch", "standard"]),
        "inference_geo": st.sampled_from([None, "us"]),
        "cost_usd": st.none() | st.sampled_from([Decimal("0.000000000001"), Decimal("0.333333333333"), Decimal(0)]),
        # Both sides of midnight, and of the day from which some refusals are billed.
        "submitted_at": st.sampled_from([NOW, NOW + timedelta(hours=1), datetime(2026, 9, 23, 23, tzinfo=UTC)]),
    }
)
JOB = st.integers(0, 9)
EVENTS = st.one_of(
    st.tuples(st.just("claim"), st.sets(st.sampled_from(ITEMS), min_size=1)),
    st.tuples(st.just("results"), JOB, st.lists(RESULTS, min_size=1, max_size=3)),
    st.tuples(
        st.just("history"), st.sampled_from(["msgbatch_1", "msgbatch_2"]), st.lists(RESULTS, min_size=1, max_size=3)
    ),
    st.tuples(st.just("rename"), st.sampled_from(["msgbatch_1", "msgbatch_2"]), st.sampled_from("xy")),
    st.tuples(st.just("correct"), st.sampled_from(ITEMS)),
    st.tuples(st.just("free"), JOB),
    st.tuples(st.just("lose"), JOB),
    st.tuples(st.just("call off"), JOB),
    st.tuples(st.just("part"), JOB),
    st.tuples(st.just("twin"), JOB),
    st.tuples(st.just("reprice"), JOB, st.sampled_from([None, Decimal("0.1")])),
    st.tuples(st.just("count"), JOB, st.sampled_from([None, 0, 7])),
    st.tuples(st.just("tag"), st.sampled_from(ITEMS), st.integers(0, 2)),
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One store for all examples; each begins with empty tables."""
    opened = Store.open(tmp_path_factory.mktemp("cells") / "lotwise.duckdb")
    yield opened
    opened.close()


class Life:
    """What may happen to attempts, each by the statements that the code uses. A job is told by a number of any size."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._jobs: list[str] = []
        store.write(lambda tx: [tx._connection.execute(f"DELETE FROM {table}").fetchall() for table in TABLES])
        store.write(lambda tx: tx.merge("demo_add_items", pl.DataFrame([item(name) for name in ITEMS])))
        self.happen(("claim", set(ITEMS)))

    def happen(self, event: tuple[Any, ...]) -> None:
        """One event; one that the state of things does not allow changes nothing."""
        name, *told = event
        self.store.write(lambda tx: getattr(self, name.replace(" ", "_"))(tx, *told))

    def job(self, number: int) -> str:
        return self._jobs[number % len(self._jobs)]

    def _new_job(self, tx: Transaction) -> str:
        self._jobs.append(f"job{len(self._jobs):05d}")
        tx.merge("demo_add_jobs", pl.DataFrame([job(self._jobs[-1])]))
        return self._jobs[-1]

    def claim(self, tx: Transaction, items: set[str]) -> None:
        job_id = self._new_job(tx)
        claimed = pl.DataFrame({"item_id": sorted(items)}).with_columns(
            job_id=pl.lit(job_id),
            custom_id=pl.format("{}-{}", pl.lit(job_id), pl.col("item_id")),
            class_id=pl.lit("c"),
            model=pl.lit("m"),
            marks=pl.lit([], pl.List(pl.Int16)),
            split_chars=pl.lit(None, pl.Int64),
            entry_id=pl.lit(None, pl.String),
        )
        tx.merge("claim_items", claimed)

    def results(self, tx: Transaction, number: int, results: list[dict[str, Any]]) -> None:
        job_id = self.job(number)
        sent = tx.frame("job_attempts", job_id=job_id)["custom_id"].sort()
        named = [{"custom_id": custom_id} | result for custom_id, result in zip(sent, results, strict=False)]
        if named:
            tx.merge("put_results", frame(named), job_id=job_id)
            tx.run("outdate_results", job_id=job_id)

    def history(self, tx: Transaction, batch_id: str, results: list[dict[str, Any]]) -> None:
        if tx.run("owner_of_batch", batch_id=batch_id):
            return
        tx.merge("add_history_jobs", pl.DataFrame([job(batch_id) | {"role": "history", "batch_id": batch_id}]))
        named = [
            {"job_id": batch_id, "item_id": other, "custom_id": name, "class_id": "h", "model": "m", "number": 1}
            | result
            for name, other, result in zip(ITEMS, OTHERS, results, strict=False)
        ]
        tx.merge("add_history_attempts", frame(named))
        tx.merge("number_history", pl.DataFrame({"item_id": OTHERS}))

    def rename(self, tx: Transaction, batch_id: str, class_id: str) -> None:
        named = {"batch_id": [batch_id], "custom_id": [ITEMS[0]], "class_id": [class_id], "item_id": [OTHERS[1]]}
        tx.merge("rename_history", pl.DataFrame(named))
        tx.merge("number_history", pl.DataFrame({"item_id": OTHERS}))

    def correct(self, tx: Transaction, item_id: str) -> None:
        tx.merge("keep_former_items", pl.DataFrame({"item_id": [item_id]}), now=NOW)

    def free(self, tx: Transaction, number: int) -> None:
        tx.run("free_items", job_id=self.job(number), cause="c", action="resubmit", message="No.", now=NOW)

    def lose(self, tx: Transaction, number: int) -> None:
        tx.run("lose_results", job_id=self.job(number), reason="Gone.")

    def call_off(self, tx: Transaction, number: int) -> None:
        tx.run("set_state", job_id=self.job(number), state="canceled", reason=None)
        tx.run("free_called_off", action="resubmit", message="No.", now=NOW)

    def part(self, tx: Transaction, number: int) -> None:
        from_id = self.job(number)
        waiting = tx._connection.execute(
            "SELECT item_id FROM attempt WHERE job_id = $1 AND outcome IS NULL ORDER BY item_id LIMIT 2", [from_id]
        ).fetchall()
        if waiting:
            new_id = self._new_job(tx)
            moved = [{"item_id": name, "custom_id": f"{new_id}-{name}"} for (name,) in waiting]
            tx.merge("move_items", pl.DataFrame(moved), from_job_id=from_id, to_job_id=new_id)

    def twin(self, tx: Transaction, number: int) -> None:
        job_id, twin_id = self.job(number), f"twin{len(self._jobs):04d}"
        tx.run("add_twin", twin_id=twin_id, job_id=job_id, batch_id=twin_id, submitted_at=NOW, expires_at=NOW)
        tx.run("add_twin_attempts", twin_id=twin_id, job_id=job_id)
        self._jobs.append(twin_id)

    def reprice(self, tx: Transaction, number: int, cost_usd: Decimal | None) -> None:
        found = tx.frame("attempts_to_price", job_ids=[self.job(number)], only_unpriced=False).select("place", "job_id")
        tx.merge("put_costs", found.with_columns(cost_usd=pl.lit(cost_usd, pl.Decimal(38, 12))))

    def count(self, tx: Transaction, number: int, units: int | None) -> None:
        found = tx.frame("usable_attempts", job_id=self.job(number)).select("custom_id")
        tx.merge("put_counts", found.with_columns(counted_units=pl.lit(units, pl.Int64)), job_id=self.job(number))

    def tag(self, tx: Transaction, item_id: str, tag_set: int) -> None:
        tx.merge("set_tags", pl.DataFrame({"item_id": [item_id], "tag_set": [tag_set]}))


def item(name: str) -> dict[str, Any]:
    """A stored item."""
    fixed = {"content_hash": 1, "import_id": "i", "line": 1, "model": "m", "payload_bytes": 1, "max_tokens": 1}
    lists = {"chain": pl.Series([], dtype=pl.UInt64), "depths": pl.Series([], dtype=pl.Int64)}
    return {"item_id": name, "created_at": NOW} | fixed | lists


def job(name: str) -> dict[str, Any]:
    """A stored job."""
    fixed = {"role": "body", "model": "m", "state": "running", "item_count": 1, "body_bytes": 1, "simulated": True}
    return {"job_id": name, "created_at": NOW, "submitted_at": NOW} | fixed


def frame(results: list[dict[str, Any]]) -> pl.DataFrame:
    """Results with every column that is stored of them."""
    empty = dict.fromkeys(USAGE)
    return pl.DataFrame([empty | result for result in results], schema_overrides=USAGE)


@settings(max_examples=12, deadline=None)
@given(events=st.lists(EVENTS, min_size=3, max_size=8))
def test_cells_are_what_attempts_make_them(store: Store, events: list[tuple[Any, ...]]) -> None:
    """After any sequence of events, each by its own statements, all cells equal those made from the attempts."""
    life = Life(store)
    for event in events:
        life.happen(event)
        assert_cells_kept(store)


def priced(store: Store, **changes: Any) -> str:
    """The only finished attempt; return its job."""
    life = Life(store)
    result = {"outcome": "succeeded", "usable": True, "stop_reason": "end_turn", "submitted_at": NOW}
    life.happen(("results", 0, [result | {"cost_usd": Decimal("0.5")} | changes]))
    return life.job(0)


def test_what_is_taken_back_leaves_no_trace(store: Store) -> None:
    """A rehearsal, and a transaction that fails, leave the cells as they were."""
    job_id = priced(store)
    before = rows(store, "SELECT * FROM cost_cell")

    def lose(tx: Transaction) -> None:
        tx.run("lose_results", job_id=job_id, reason="Gone.")

    def fail(tx: Transaction) -> None:
        lose(tx)
        raise RuntimeError

    store.rehearse(lose)
    with pytest.raises(RuntimeError):
        store.write(fail)

    assert rows(store, "SELECT * FROM cost_cell") == before
    assert [cell["cost_usd"] for cell in before] == [Decimal("0.5")]


def test_an_unknown_cost_is_counted_and_never_zero(store: Store) -> None:
    """It is null and counted, in the cell and in the sums of a day, and shares no cell with a cost that is known."""
    priced(store, cost_usd=None, input_tokens=7)
    (cell,) = rows(store, "SELECT * FROM cost_cell")
    (day,) = store.query("export_costs").to_dicts()

    assert (cell["cost_usd"], cell["unpriced"], cell["attempts"], cell["input_tokens"]) == (None, 1, 1, 7)
    assert (day["cost_usd"], day["attempts"]) == (None, 1)


def test_cells_of_an_older_definition_are_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store from before the cells, and one made with other price cliffs, has the right ones once it is open."""
    path = tmp_path / "lotwise.duckdb"
    before = Store.open(path)
    priced(before, input_tokens=150_000)
    assert [cell["above_tokens"] for cell in rows(before, "SELECT * FROM cost_cell")] == [100_000]
    before.write(lambda tx: tx._connection.execute("DELETE FROM cost_cell; DELETE FROM cell_basis").fetchall())
    before.close()

    without = Store.open(path)
    assert_cells_kept(without)
    without.close()

    rules = cells._rules()
    monkeypatch.setattr(cells, "_rules", lambda: rules | {"cliffs": [*rules["cliffs"], 120_000]})
    higher = Store.open(path)
    assert [cell["above_tokens"] for cell in rows(higher, "SELECT * FROM cost_cell")] == [120_000]
    higher.close()


def test_counts_of_another_unit_go_with_their_class(store: Store) -> None:
    """History that gets another name counts by the unit of that; what keeps its class keeps its counts."""
    life = Life(store)
    result = {"outcome": "succeeded", "usable": True, "stop_reason": "end_turn", "submitted_at": NOW}
    life.happen(("history", "msgbatch_1", [result, result]))
    counts = pl.DataFrame({"custom_id": ITEMS[:2], "counted_units": [3, 4]})
    for class_id, kept in (("h", [3, 4]), ("x", [None, 4])):
        store.write(lambda tx: tx.merge("put_counts", counts, job_id="msgbatch_1"))
        life.happen(("rename", "msgbatch_1", class_id))
        found = rows(store, "SELECT counted_units FROM attempt WHERE job_id = 'msgbatch_1' ORDER BY custom_id")
        assert [row["counted_units"] for row in found] == kept
        assert_cells_kept(store)


def changing(table: str) -> Callable[[str], bool]:
    """Whether a statement adds, changes or removes rows of a table."""
    said = re.compile(rf"^(INSERT INTO|UPDATE|DELETE FROM|MERGE INTO) {table}\b", re.MULTILINE)
    return lambda name: bool(said.search(statements()[name]))


def test_no_statement_changes_attempts_behind_the_cells() -> None:
    """Whoever writes attempts is listed with how the jobs concerned are found, or with why no cell is concerned."""
    assert set(filter(changing("attempt"), statements())) <= CHANGES.keys() | NO_CHANGES.keys()
    assert CHANGES.keys() | NO_CHANGES.keys() <= statements().keys()
    assert set(CHANGES.values()) <= statements().keys()
    assert not CHANGES.keys() & NO_CHANGES.keys()


def test_no_statement_changes_tags_behind_the_cells() -> None:
    """Items are added before they are attempted; whoever changes the tags of stored ones is listed."""
    changed = filter(changing("item"), statements())
    tagging = {name for name in changed if "tag_set" in statements()[name] or "DELETE FROM item " in statements()[name]}
    assert tagging <= CHANGES.keys()
