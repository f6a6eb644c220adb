"""Cost cells: kept with every change of an attempt, whoever makes it, and made anew where their definition changed."""

import hashlib
import re
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

import duckdb

from core.prices import PriceBook
from core.prices.costs import BILLED_REFUSALS, BILLED_REFUSALS_SINCE, FREE_OUTCOMES
from core.store.statements import statements

CHANGES: Mapping[str, str] = {
    "put_results": "job_given",
    "outdate_results": "job_given",
    "free_items": "job_given",
    "lose_results": "job_given",
    "free_called_off": "jobs_to_free",
    "add_history_attempts": "jobs_incoming",
    "rename_history": "batches_incoming",
    "number_history": "jobs_of_items",
    "demo_add_attempts": "jobs_incoming",
    "put_costs": "jobs_incoming",
    "put_counts": "job_given",
    "forget_counts": "jobs_of_class_name",
    "set_tags": "jobs_of_items",
    "drop_items": "jobs_of_items",
}
"""Statements that change what cells are made of, and which statement finds the jobs concerned, beforehand."""

NO_CHANGES: Mapping[str, str] = {
    "claim_items": "attempts without an outcome",
    "add_twin_attempts": "attempts without an outcome",
    "move_items": "of jobs not sent: attempts without an outcome",
    "unmark_job": "of a job not sent, and only its cache marks",
    "keep_marks": "of a job not sent, and only its cache marks",
}
"""Statements that write attempts, and why no cell is made of what they write."""


class Cells:
    """The cells of one transaction: which jobs were changed in it, and their cells made anew at its end."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._changed: set[str] = set()

    def note(self, name: str, params: Mapping[str, Any]) -> None:
        """Note the jobs whose attempts the named statement is about to change; `incoming` is readable as it runs."""
        if finder := CHANGES.get(name):
            taken = {key: params[key] for key in re.findall(r"\$(\w+)", statements()[finder])}
            found = self._connection.execute(statements()[finder], taken or None).fetchall()
            self._changed.update(job_id for (job_id,) in found)

    def keep(self) -> None:
        """Make the cells of all jobs noted anew, from their attempts as they are now."""
        if self._changed:
            make_cells(self._connection, self._changed)
            self._changed = set()


def keep_definition(connection: duckdb.DuckDBPyConnection) -> None:
    """Make all cells anew if what they are made by is not what it was: a price cliff, a rule of billing, the SQL."""
    digest = hashlib.blake2b(f"{statements()['add_cells']}{_rules()}".encode(), digest_size=16).hexdigest()
    if connection.execute(statements()["cell_basis"]).fetchall() == [(digest,)]:
        return
    connection.execute("BEGIN").fetchall()
    make_cells(connection)
    connection.execute(statements()["drop_cell_basis"]).fetchall()
    connection.execute(statements()["add_cell_basis"], {"digest": digest}).fetchall()
    connection.execute("COMMIT").fetchall()


def make_cells(connection: duckdb.DuckDBPyConnection, job_ids: Collection[str] | None = None) -> None:
    """Make the cells of these jobs, or of all, anew from their attempts, within the transaction under way."""
    jobs = {"job_ids": None if job_ids is None else sorted(job_ids)}
    connection.execute(statements()["drop_cells"], jobs).fetchall()
    connection.execute(statements()["add_cells"], jobs | _rules()).fetchall()


@cache
def _rules() -> dict[str, Any]:
    """What decides about billing and price, as the SQL wants it."""
    floors = PriceBook.load().rate_frame()["min_input_tokens"].unique().sort()
    return {
        "free_outcomes": list(FREE_OUTCOMES),
        "billed_refusals": list(BILLED_REFUSALS),
        "billed_refusals_since": BILLED_REFUSALS_SINCE,
        "cliffs": [floor - 1 for floor in floors if floor > 0],
    }
