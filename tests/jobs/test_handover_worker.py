"""Hand-over in the life of a workspace: fed by the worker, beside repairs, and from what was there before it was."""

from datetime import UTC, datetime
from pathlib import Path

import duckdb

from core import actions
from core.store import Store
from core.store.statements import migrations
from tests.jobs.driving import Bench, MakeBench, lone, shared
from tests.jobs.handing import MODEL, NAMES, held, rows_of

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


def test_what_was_complete_before_is_handed_over_too(workspace_dir: Path) -> None:
    """A workspace of an older release: one row an item, its first usable attempt, those of strangers left out."""
    path = workspace_dir / "lotwise.duckdb"
    tried = [("j1", "a", 1, False), ("j1", "b", 1, True), ("j2", "a", 2, True), ("j3", "a", 3, True)]
    with duckdb.connect(str(path)) as older:
        older.execute(
            "CREATE TABLE migration (number INTEGER PRIMARY KEY, name VARCHAR NOT NULL, applied_at TIMESTAMPTZ)"
        )
        for number, name, text in migrations()[:6]:
            older.execute(text)
            older.execute("INSERT INTO migration VALUES ($1, $2, now())", [number, name])
        for job, role in (("j1", "body"), ("j2", "repair"), ("j3", "twin"), ("j4", "history")):
            older.execute(
                "INSERT INTO job (job_id, role, model, state, item_count, body_bytes, simulated, created_at,"
                " submitted_at, ended_at) VALUES ($1, $4, $2, 'done', 2, 9, true, $3, $3, $3)",
                [job, MODEL, START, role],
            )
        older.execute(
            "INSERT INTO item (item_id, content_hash, import_id, line, model, class_id, chain, depths, payload_bytes,"
            " max_tokens, created_at)"
            " SELECT unnest(['a', 'b']), repeat('0', 32), 'i', 1, $1, 'c', [1], [10], 100, 100, $2",
            [MODEL, START],
        )
        for job, item, number, usable in [*tried, ("j4", "of/others", 1, True)]:
            older.execute(
                "INSERT INTO attempt (job_id, item_id, custom_id, class_id, model, number, outcome, usable, cost_usd)"
                " VALUES ($1, $2, $1 || '-' || $2, 'c', $3, $4, 'succeeded', $5, 1)",
                [job, item, MODEL, number, usable],
            )

    store = Store.open(path)

    rows = store.query("handover_rows", after=0, rows=10, bytes=1_000_000)
    assert rows.select("seq", "item_id", "job_id").rows() == [(1, "b", "j1"), (2, "a", "j2")]
    assert store.query("handover_counts")["late_twins"][0] == 1
    store.close()
