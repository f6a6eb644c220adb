"""Hand-over in the life of a workspace: fed by the worker, beside repairs, and from what was there before it was."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from core import actions
from core.store import Store
from core.store.statements import migrations
from tests.jobs.driving import Bench, MakeBench, lone, shared
from tests.jobs.handing import MODEL, NAMES, held, rows_of, waiting

START = datetime(2026, 11, 20, 10, tzinfo=UTC)


def test_the_worker_hands_over_what_jobs_bring(make_bench: MakeBench) -> None:
    """Primer, body and repairs: what is complete lies in every sink when the worker comes to rest, each item once."""
    bench = make_bench(error_rate=0.2)
    out = bench.folder / "delivered"
    for name in NAMES:
        actions.add_sink(bench.workspace, str(out / name), now=bench.clock.now)
    bench.submit(*shared("alpha", 12), *lone(8))
    bench.run()
    for _ in range(20):
        broken = [job["job_id"] for job in bench.jobs().iter_rows(named=True) if job["repairable_items"]]
        if not broken:
            break
        for job in broken:
            bench.repair(job)
        bench.reopen()
        bench.run()

    complete = bench.statuses()["complete"]
    order = held(out / NAMES[0])
    assert len(set(order)) == len(order) == complete > 0
    assert [held(out / name) for name in NAMES] == [order] * 3
    paid = bench.attempts().filter("usable").select("item_id", "cost_usd")
    assert {row["item_id"]: row["cost_usd"] for row in rows_of(out / NAMES[0])} == dict(paid.iter_rows())


def test_a_sink_in_trouble_does_not_stop_the_worker(bench: Bench) -> None:
    """The folder is taken away in the middle: jobs go on, the other sink is fed, and nothing of it is the worker's."""
    out = bench.folder / "delivered"
    for name in ("a.jsonl", "b.jsonl"):
        actions.add_sink(bench.workspace, str(out / name), now=bench.clock.now)
    bench.submit(*lone(3))
    bench.run()
    (out / "a.jsonl").unlink()
    bench.submit(*lone(6))
    bench.run()

    assert bench.statuses() == {"complete": 6}
    assert len(held(out / "b.jsonl")) == 6
    assert bench.trouble() is None
    (first, second) = bench.workspace.handover.standing().sinks
    assert first["trouble"] is not None
    assert second["trouble"] is None


def test_what_was_complete_before_is_handed_over_too(workspace_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A workspace of an older release: one row an item, its first usable attempt, those of strangers left out."""
    path = workspace_dir / "lotwise.duckdb"
    with monkeypatch.context() as older:
        older.setattr("core.store.database.migrations", lambda: migrations()[:6])
        older.setattr("core.store.database.views", dict)
        older.setattr("core.store.database._discretion", lambda *_, **__: False)
        store = Store.open(path)
        times = dict.fromkeys(("created_at", "submitted_at", "ended_at"), START)
        words = {"role": "body", "model": MODEL, "state": "done", "item_count": 2, "body_bytes": 9, "simulated": True}
        tried = [("j1", "a", 1, False), ("j1", "b", 1, True), ("j2", "a", 2, True), ("j3", "a", 3, True)]
        attempts = [
            {"job_id": job, "item_id": item, "custom_id": f"{job}-{item}", "class_id": "c", "model": MODEL}
            | {"number": number, "outcome": "succeeded", "usable": usable, "cost_usd": Decimal(1)}
            for job, item, number, usable in [*tried, ("j3", "stranger", 1, True)]
        ]
        jobs = pl.DataFrame([words | times | {"job_id": job} for job in ("j1", "j2", "j3")])
        store.write(
            lambda tx: (
                tx.merge("demo_add_jobs", jobs),
                tx.merge("demo_add_items", pl.DataFrame([waiting(item) for item in "ab"])),
                tx.merge("demo_add_attempts", pl.DataFrame(attempts)),
            )
        )
        store.close()

    store = Store.open(path)

    rows = store.query("handover_rows", after=0, rows=10, bytes=1_000_000)
    assert rows.select("seq", "item_id", "job_id").rows() == [(1, "b", "j1"), (2, "a", "j2")]
    assert store.query("handover_counts")["late_twins"][0] == 1
    store.close()
