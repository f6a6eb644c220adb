"""How jobs stand: every mix of outcomes, states and decisions, through the real views."""

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.jobs.states import JobState
from core.store.cells import make_cells
from core.store.statements import migrations, statements, views
from pages import standing

JOBS = ("first", "second", "third")
OUTCOMES = ("usable", "resubmit", "wait", "hold", "edit", "decide", "open")
ITEM = st.tuples(
    # One attempt a job at most, in the order of the jobs; None where the job did not have the item.
    st.tuples(*[st.sampled_from([None, *OUTCOMES]) for _ in JOBS]),
    st.booleans(),  # given up after its last attempt
    st.booleans(),  # corrected after its last attempt
)


@pytest.fixture(scope="module")
def schema() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty workspace's tables and views."""
    with duckdb.connect() as connection:
        for sql in (*(sql for _, _, sql in migrations()), *views().values()):
            connection.execute(sql).fetchall()
        yield connection


def fill(connection: duckdb.DuckDBPyConnection, states: tuple[JobState, ...], items: list[Any]) -> None:
    """Put jobs and items there as drawn."""
    for table in ("job", "attempt", "unsettled", "set_aside", "former_item"):
        connection.execute(f"DELETE FROM {table}").fetchall()
    for job, state in zip(JOBS, states, strict=True):
        connection.execute(
            "INSERT INTO job BY NAME SELECT $1 AS job_id, 'body' AS role, 'm' AS model, $2 AS state, 1 AS item_count,"
            " 0 AS body_bytes, now() AS created_at, false AS simulated",
            [job, state],
        ).fetchall()
    for number, (tried, given_up, corrected) in enumerate(items):
        item = f"item-{number}"
        sent = [(job, outcome) for job, outcome in zip(JOBS, tried, strict=True) if outcome]
        for attempt, (job, outcome) in enumerate(sent, 1):
            connection.execute(
                "INSERT INTO attempt BY NAME SELECT $1 AS job_id, $2 AS item_id, 'c' AS class_id,"
                " 'm' AS model, $3 AS number, $4 AS outcome, $5 AS usable, $6 AS action, $6 AS cause",
                [
                    job,
                    item,
                    attempt,
                    None if outcome == "open" else "errored",
                    None if outcome == "open" else outcome == "usable",
                    None if outcome in ("open", "usable") else outcome,
                ],
            ).fetchall()
        if sent and given_up:
            connection.execute("INSERT INTO set_aside VALUES ($1, $2, now(), 'me')", [item, len(sent)]).fetchall()
        if sent and corrected:
            connection.execute(
                "INSERT INTO former_item VALUES ($1, 1, $2, 7, 'i', 1, 'm', 0, 1, [], [], now())", [item, len(sent)]
            ).fetchall()
    connection.execute(statements()["add_unsettled"], {"job_ids": None}).fetchall()
    make_cells(connection)


@given(st.tuples(*[st.sampled_from(JobState) for _ in JOBS]), st.lists(ITEM, min_size=1, max_size=4))
def test_a_job_with_failures_is_never_green(
    schema: duckdb.DuckDBPyConnection,
    states: tuple[JobState, ...],
    items: list,  # type: ignore[type-arg]
) -> None:
    """Whatever its state says, and whatever became of its items since: open, in repair, given up or complete."""
    fill(schema, states, items)
    found = schema.sql("SELECT * FROM job_status").pl().rows_by_key("job_id", named=True, unique=True)
    for column, (job, state) in enumerate(zip(JOBS, states, strict=True)):
        mine = [(tried, given_up, corrected) for tried, given_up, corrected in items if tried[column]]
        failed = [one for one in mine if one[0][column] not in ("usable", "open")]
        unresolved = [one for one in failed if "usable" not in one[0]]
        last = [one for one in unresolved if not any(one[0][column + 1 :])]
        # Given up means: after the last attempt, which has come out a failure.
        aside = [one for one in unresolved if one[1]]
        left = [one for one in last if not one[1]]
        word = standing.of(found[job] | {"job_id": job})

        assert (found[job]["open_failures"], found[job]["set_aside_items"]) == (len(left), len(aside))
        assert found[job]["unresolved_items"] == len(unresolved) - len(aside)
        assert (standing.colour(word) == "green") is (state == JobState.DONE and not failed)
        if left:
            can = any(one[2] or one[0][column] == "resubmit" for one in left)
            assert (word, standing.colour(word)) == (("to_repair", "orange") if can else ("to_decide", "red"))
        elif failed:
            assert word in {"in_repair", "set_aside", "repaired"}


def test_the_lists_of_jobs_say_all_that_a_standing_needs(schema: duckdb.DuckDBPyConnection) -> None:
    """A list without one of these columns would draw a job that failed as one that is done."""
    needed = {"role", "state", "usable_items", "item_count", "failed_items", "open_failures", "repairable_items"}
    needed |= {"unresolved_items", "set_aside_items", "cancel_requested_at"}
    params: dict[str, object] = {"states": [], "roles": [], "class_name": None, "open_only": False, "limit": 1}
    for name, values in (("jobs_listed", params), ("job_facts", {"job_id": "j"}), ("job_chain", {"job_id": "j"})):
        columns = schema.sql(statements()[name], params=values).columns

        assert needed <= set(columns), name
