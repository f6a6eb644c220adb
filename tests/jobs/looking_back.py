"""What tests of account history share: batches that somebody else sent, and a workspace's whole content."""

import json
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb

from core import actions
from core.history.report import HistoryReport
from tests.jobs.driving import Bench, prefix, request

HAIKU = "claude-haiku-5-5"

# What a run may add without changing what is known: who asked for it.
_LOG = {"audit"}


def summaries(count: int, **params: Any) -> list[dict[str, Any]]:
    """Requests of one kind, as their owner counted them."""
    return [request(f"summary-{number:05d}", **params) for number in range(count)]


def marked(name: str, count: int) -> list[dict[str, Any]]:
    """Requests whose owner marked the shared prompt for an hour."""
    mark = {"type": "ephemeral", "ttl": "1h"}
    text = [{"type": "text", "text": prefix(name), "cache_control": mark}]
    return [
        request(f"{name}-{number}") | {"params": {**request(name)["params"], "system": text}} for number in range(count)
    ]


def send(bench: Bench, requests: Iterable[dict[str, Any]]) -> str:
    """Somebody else sends a batch on the same account; return its id."""
    body = bench.folder.parent / "foreign.json"
    body.write_text(json.dumps({"requests": list(requests)}))
    return bench.gateway.create(body).batch_id


def look_back(bench: Bench, *, days: int = 40, dry_run: bool = False) -> HistoryReport:
    """Import the history of the account."""
    since = bench.clock.now - timedelta(days=days)
    return actions.import_history(bench.workspace, since=since, dry_run=dry_run)


def found(report: HistoryReport) -> dict[str, tuple[int, int]]:
    """Batches and items by standing."""
    return {row.standing: (row.batches, row.items) for row in report.found}


def standings(bench: Bench) -> dict[str, str]:
    """How each batch stands."""
    return dict(bench.query("history_seen").select("batch_id", "standing").iter_rows())


def rules(bench: Bench, *tables: str) -> None:
    """Put naming rules into force as somebody with an editor does."""
    (bench.folder / "naming.toml").write_text("".join(f"[[rule]]\n{table}\n" for table in tables))


def content(folder: Path) -> dict[str, Any]:
    """Every row of every table of a closed workspace, and its raw results."""
    with duckdb.connect(str(folder / "lotwise.duckdb"), read_only=True) as connection:
        names = [name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        tables = {
            name: sorted(map(repr, connection.sql(f"SELECT * FROM {name}").pl().rows()))
            for name in names
            if name not in _LOG | {"migration"}
        }
    results = sorted((folder / "results").glob("*"))
    return tables | {"results": [(path.name, path.read_bytes()) for path in results]}
