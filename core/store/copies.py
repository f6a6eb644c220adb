"""Content that came in under several ids: found at the end of its import, and its answers kept at every change."""

import re
from collections.abc import Mapping
from typing import Any

import duckdb

from core.store.statements import statements

CHANGES: Mapping[str, str] = {
    "put_results": "job_given",
    "outdate_results": "job_given",
    "lose_results": "job_given",
    "put_costs": "jobs_incoming",
    "demo_add_attempts": "jobs_incoming",
}
"""Statements that change answers or what they cost, and which statement finds the jobs concerned, beforehand."""

NO_CHANGES: Mapping[str, str] = {
    "claim_items": "attempts without an answer",
    "add_twin_attempts": "attempts without an answer",
    "move_items": "of jobs not sent: attempts without an answer",
    "free_items": "attempts without an answer",
    "free_called_off": "attempts without an answer",
    "add_history_attempts": "of others",
    "rename_history": "of others",
    "number_history": "of others",
    "unmark_job": "only cache marks",
    "keep_marks": "only cache marks",
    "put_counts": "only counts of units",
    "forget_counts": "only counts of units",
}
"""Statements that write attempts, and why no answer to content that came twice is among what they write."""

IMPORTS = ("advance_import", "demo_add_imports")
"""Statements after which an import may be over."""

REPLACES = ("drop_items",)
"""Statements that take incoming items' content away from them."""


class Copies:
    """What one transaction changes of content that came in under several ids, brought up to date at its end."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._changed: set[str] = set()
        self._imported = False

    def note(self, name: str, params: Mapping[str, Any]) -> None:
        """Note what the named statement is about to change; `incoming` is readable as it runs."""
        if finder := CHANGES.get(name):
            taken = {key: params[key] for key in re.findall(r"\$(\w+)", statements()[finder])}
            self._changed.update(job_id for (job_id,) in _run(self._connection, finder, **taken))
        if name in REPLACES:
            _run(self._connection, "drop_copied_items")
            _run(self._connection, "drop_attempts_of_copies")
        self._imported |= name in IMPORTS and params.get("finished_at", True) is not None

    def keep(self) -> None:
        """Compare what came in, if an import is over; and take the answers of all jobs noted anew."""
        if self._imported and compare(self._connection, unfinished=False):
            self._changed = set()
        if self._changed:
            _answers(self._connection, sorted(self._changed))
        self._changed, self._imported = set(), False


def keep_copies(connection: duckdb.DuckDBPyConnection) -> None:
    """Compare what came in before it was kept, or by imports that were cut off; when the store opens."""
    connection.execute("BEGIN").fetchall()
    compare(connection, unfinished=True)
    connection.execute("COMMIT").fetchall()


def compare(connection: duckdb.DuckDBPyConnection, *, unfinished: bool) -> bool:
    """Compare the imports that were not yet, within the transaction under way; whether there was anything twice."""
    found = bool(_run(connection, "add_copied_items", unfinished=unfinished))
    _run(connection, "mark_compared", unfinished=unfinished)
    if found:
        _answers(connection, None)
    return found


def _answers(connection: duckdb.DuckDBPyConnection, job_ids: list[str] | None) -> None:
    _run(connection, "drop_copied_attempts", job_ids=job_ids)
    _run(connection, "add_copied_attempts", job_ids=job_ids)


def _run(connection: duckdb.DuckDBPyConnection, name: str, **params: Any) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = connection.execute(statements()[name], params or None).fetchall()
    return found
