"""A ledger to hand over from: jobs that ended, their raw results, and what each kind of sink holds."""

import json
import random
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from core.handover.handover import Handover
from core.handover.sink import Sink
from core.jobs.results import results_path
from core.store import Store

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
MODEL = "claude-sonnet-5-5"
NAMES = ("parts", "lines.jsonl", "table.duckdb")
"""One sink of each kind."""


class Ledger:
    """A store with results in it, and the hand-over of its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Store.open(folder / "lotwise.duckdb")
        self.handover = Handover(self.store, folder)
        self.out = folder / "delivered"
        self._raw = folder / "results"
        self._raw.mkdir(exist_ok=True)

    def close(self) -> None:
        self.store.close()

    def reopen(self) -> None:
        """The process ends and another one starts on the same folder."""
        self.store.close()
        self.store = Store.open(self.folder / "lotwise.duckdb")
        self.handover = Handover(self.store, self.folder)

    def complete(self, items: Iterable[str], *, failed: Iterable[str] = (), text: str = "", bulk: int = 0) -> str:
        """A job ends with a usable result for each of `items`, and none for `failed`; return its id.

        Every answer holds `text`, and `bulk` bytes of its own that do not compress, as hexadecimal digits.
        """
        usable = dict.fromkeys(items, True) | dict.fromkeys(failed, False)
        before = sorted(self._raw.iterdir())
        known = {json.loads(row)["custom_id"][9:] for path in before for row in path.read_bytes().splitlines()}
        number = int(before[-1].stem[3:]) + 1 if before else 1
        job = f"job{number:05d}"
        times = dict.fromkeys(("created_at", "submitted_at", "ended_at"), NOW)
        words = {"job_id": job, "role": "body", "model": MODEL, "state": "done", "simulated": True}
        rows = [
            {"job_id": job, "item_id": item, "custom_id": f"{job}-{item}", "class_id": "c", "model": MODEL}
            | {"number": number, "outcome": "succeeded" if good else "errored", "usable": good}
            | {"stop_reason": "end_turn", "output_tokens": 20, "submitted_at": NOW}
            | {"cost_usd": Decimal("0.000925") if good else Decimal(0)}
            for item, good in usable.items()
        ]
        new = [item for item in usable if item not in known]
        results_path(self.folder, job).write_text(
            "".join(line(row, text + random.Random(str(row["item_id"])).randbytes(bulk).hex()) for row in rows)
        )

        def ingest(tx: Any) -> None:
            tx.merge("demo_add_jobs", pl.DataFrame([words | times | {"item_count": len(rows), "body_bytes": 900}]))
            if new:
                tx.merge("demo_add_items", pl.DataFrame([waiting(item) for item in new]))
            tx.merge("demo_add_attempts", pl.DataFrame(rows))
            tx.run("record_completions", job_id=job, now=NOW)

        self.store.write(ingest)
        return job

    def add(self, *names: str) -> None:
        """Choose sinks of these names in the folder `delivered`."""
        for name in names:
            self.handover.add(Sink.named(str(self.out / name)), now=NOW)

    def feed(self) -> None:
        """Hand over all that is complete."""
        self.handover.feed(now=NOW)

    def troubles(self) -> list[str | None]:
        """What keeps each sink from getting on."""
        return [sink["trouble"] for sink in self.handover.standing().sinks]

    def ledger(self) -> list[str]:
        """The items in the order in which they were completed."""
        rows = self.store.query("handover_rows", after=0, rows=1_000_000, bytes=1_000_000_000_000)
        assert rows["seq"].to_list() == list(range(1, rows.height + 1))
        return rows["item_id"].to_list()

    def held(self, name: str) -> list[str]:
        """The items that lie in a sink, in their order; their numbers are 1, 2, 3, …"""
        return held(self.out / name)


def line(row: dict[str, Any], text: str = "") -> str:
    """One line of a raw results file."""
    if not row["usable"]:
        return json.dumps({"custom_id": row["custom_id"], "result": {"type": "errored"}}) + "\n"
    content = [{"type": "text", "text": f"Answer to {row['item_id']}. {text}"}, {"type": "tool_use", "input": {"a": 1}}]
    message = {"id": "msg", "content": [*content, {"type": "text", "text": "End."}], "usage": {"output_tokens": 20}}
    return json.dumps({"custom_id": row["custom_id"], "result": {"type": "succeeded", "message": message}}) + "\n"


def waiting(item: str) -> dict[str, Any]:
    """An item as it is imported."""
    names = {"item_id": item, "content_hash": len(item), "import_id": "i", "line": 1, "model": MODEL, "class_id": "c"}
    lists = {"chain": pl.Series([1], dtype=pl.UInt64), "depths": [10]}
    return names | lists | {"payload_bytes": 100, "max_tokens": 100, "created_at": NOW}


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The rows of a sink in the order in which its reader meets them."""
    if path.suffix == ".jsonl":
        text = path.read_bytes() if path.exists() else b""
        return [json.loads(row) for row in text[: text.rfind(b"\n") + 1].splitlines()]
    if path.suffix == ".duckdb":
        if not path.exists():
            return []
        with duckdb.connect(str(path)) as table:
            return list(table.sql("FROM results ORDER BY seq").pl().iter_rows(named=True))
    parts = sorted(path.glob("part-*.parquet"))
    return [row for part in parts for row in pl.read_parquet(part, glob=False).iter_rows(named=True)]


def held(path: Path) -> list[str]:
    """The items of a sink; their numbers are checked to be 1, 2, 3, …"""
    rows = rows_of(path)
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    return [row["item_id"] for row in rows]
