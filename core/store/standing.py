"""Where items stand: which ones wait, and which attempts are not settled, kept with every change of an attempt.

Also what results tell of the tokens of prompts, which is learned in the same moment.
"""

import re
from collections.abc import Mapping
from typing import Any

import duckdb

from core.store.statements import statements

CLAIMS: Mapping[str, str] = {"claim_items": "jobs_incoming"}
"""Statements that attempt items which nothing is open or usable of, and which one finds their jobs, beforehand."""

SETTLES: Mapping[str, str] = {
    "move_items": "jobs_of_move",
    "put_results": "job_given",
    "outdate_results": "job_given",
    "free_items": "job_given",
    "lose_results": "job_given",
    "free_called_off": "jobs_to_free",
}
"""Statements that change attempts at items of this workspace, and which statement finds their jobs, beforehand."""

ANEW: Mapping[str, str] = {
    "add_twin_attempts": "twin_given",
    "add_history_attempts": "jobs_incoming",
    "rename_history": "batches_incoming",
    "number_history": "jobs_of_items",
    "demo_add_attempts": "jobs_incoming",
}
"""Statements whose attempts may be at items that are complete already: what they leave unsettled is found anew."""

RENAMES = ("rename_history",)
"""Statements after which an item may have lost its attempts."""

NO_CHANGES: Mapping[str, str] = {
    "unmark_job": "only cache marks",
    "keep_marks": "only cache marks",
    "put_counts": "only counts of units",
    "forget_counts": "only counts of units",
    "put_costs": "only costs, which put_unsettled_costs brings along",
}
"""Statements that write attempts, and why nothing stands elsewhere after them."""


class Standing:
    """What stands where after one transaction: which jobs were changed in it, and the standing of their items."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._claimed: set[str] = set()
        self._settled: set[str] = set()
        self._anew: set[str] = set()
        self._renamed = False

    def note(self, name: str, params: Mapping[str, Any]) -> None:
        """Note the jobs whose attempts the named statement is about to change; `incoming` is readable as it runs."""
        for finders, jobs in ((CLAIMS, self._claimed), (SETTLES, self._settled), (ANEW, self._anew)):
            if finder := finders.get(name):
                jobs.update(self._found(finder, params))
        self._renamed |= name in RENAMES

    def keep(self) -> None:
        """Bring the standing of all items of the jobs noted up to date with their attempts."""
        claimed, settled, anew = sorted(self._claimed), sorted(self._settled), sorted(self._anew)
        doubtful = [item_id for (item_id,) in self._of("doubtful_items", settled)]
        self._of("learn_prompts", settled)
        self._of("settle", sorted({*claimed, *settled}))
        for name in ("drop_unsettled", "add_unsettled", "forget_prompts", "learn_past_prompts"):
            self._of(name, anew)
        self._of("mark_repaired", settled + anew)
        self._of("mark_attempted", claimed + anew)
        if doubtful:
            self._run("look_again", item_ids=doubtful)
        if self._renamed:
            self._run("drop_unsettled", job_ids=None)
            self._run("add_unsettled", job_ids=None)
            self._run("mark_waiting")
        self._claimed, self._settled, self._anew, self._renamed = set(), set(), set(), False

    def _found(self, finder: str, params: Mapping[str, Any]) -> set[str]:
        taken = {key: params[key] for key in re.findall(r"\$(\w+)", statements()[finder])}
        return {job_id for (job_id,) in self._run(finder, **taken)}

    def _of(self, name: str, job_ids: list[str]) -> list[tuple[Any, ...]]:
        return self._run(name, job_ids=job_ids) if job_ids else []

    def _run(self, name: str, **params: Any) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = self._connection.execute(statements()[name], params or None).fetchall()
        return found
