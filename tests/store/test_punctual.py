"""Whether jobs were in time: by what was stated, else by what was predicted, else by the window of the service."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import duckdb
import pytest

from core.store.statements import migrations, statements, views

SENT = datetime(2026, 11, 2, 9, tzinfo=UTC)
TODAY = date(2026, 11, 20)
LATER = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture
def store() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty workspace's tables and views."""
    with duckdb.connect() as connection:
        for sql in (*(sql for _, _, sql in migrations()), *views().values()):
            connection.execute(sql).fetchall()
        yield connection


def add(store: duckdb.DuckDBPyConnection, table: str, **row: Any) -> None:
    """One row; what a test does not name is ordinary."""
    usual: dict[str, dict[str, Any]] = {
        "job": {"role": "body", "model": "m", "state": "done", "item_count": 1, "body_bytes": 0, "simulated": True}
        | {"created_at": SENT, "submitted_at": SENT},
        "plan": {"created_at": SENT, "items": 1, "jobs": 1, "inputs": "{}"},
        "prediction": {"measure": "seconds", "made_at": SENT, "items": 1, "point": 1, "spread": 1, "low": 1}
        | {"basis": "measured"},
        "recurring_run": {"schedule_id": "s", "number": 1, "due_at": SENT, "started_at": SENT, "started_by": "me"}
        | {"state": "sent", "items": 1, "jobs": 1},
    }
    values = usual[table] | row
    marks = ", ".join(f"${number} AS {name}" for number, name in enumerate(values, 1))
    store.execute(f"INSERT INTO {table} BY NAME SELECT {marks}", list(values.values())).fetchall()


def ended(hours: float) -> dict[str, datetime]:
    """A job whose results were there so long after it was sent."""
    at = SENT + timedelta(hours=hours)
    return {"ended_at": at, "ingested_at": at}


def due(store: duckdb.DuckDBPyConnection) -> dict[str, tuple[str, bool | None]]:
    """By what each job is judged, and how."""
    rows = store.execute("SELECT job_id, basis, in_time FROM job_due ORDER BY job_id").fetchall()
    return {job: (basis, in_time) for job, basis, in_time in rows}


def test_a_stated_deadline_comes_first(store: duckdb.DuckDBPyConnection) -> None:
    """What a plan or a schedule states counts, whatever was predicted; of both, the sooner one."""
    add(store, "plan", plan_id="p", deadline=SENT + timedelta(hours=5))
    add(store, "plan", plan_id="r")
    add(store, "recurring_run", plan_id="r", needed_by=SENT + timedelta(hours=2))
    add(store, "job", job_id="in", plan_id="p", **ended(4))
    add(store, "job", job_id="late", plan_id="p", **ended(6))
    add(store, "job", job_id="scheduled", plan_id="r", **ended(3))
    add(store, "prediction", job_id="in", high=60)

    assert due(store) == {"in": ("stated", True), "late": ("stated", False), "scheduled": ("stated", False)}


def test_a_repair_has_the_deadline_of_its_job(store: duckdb.DuckDBPyConnection) -> None:
    """Results that a repair brings late are late, however quick the repair itself was, and its own repair too."""
    add(store, "plan", plan_id="p", deadline=SENT + timedelta(hours=5))
    add(store, "job", job_id="body", plan_id="p", **ended(4))
    add(store, "job", job_id="repair", role="repair", parent_job_id="body", **ended(6))
    add(store, "job", job_id="second", role="repair", parent_job_id="repair", **ended(4.5))

    assert due(store) == {"body": ("stated", True), "repair": ("stated", False), "second": ("stated", True)}


def test_results_count_when_they_are_stored(store: duckdb.DuckDBPyConnection) -> None:
    """Whoever waits for results waits until they are here, not until the batch has ended."""
    add(store, "plan", plan_id="p", deadline=SENT + timedelta(hours=5))
    add(store, "job", job_id="j", plan_id="p", **(ended(4) | {"ingested_at": SENT + timedelta(hours=6)}))

    assert due(store) == {"j": ("stated", False)}


def test_without_a_deadline_it_is_the_prediction_then_the_window(store: duckdb.DuckDBPyConnection) -> None:
    """Nine of ten were predicted to take so long; where nothing was predicted, the service has 24 hours."""
    add(store, "job", job_id="a", **ended(1.9))
    add(store, "job", job_id="b", **ended(2.1))
    for job in "ab":
        add(store, "prediction", job_id=job, high=2 * 3600)
    add(store, "job", job_id="c", **ended(23))
    add(store, "job", job_id="d", **ended(25))

    predicted, service = "predicted", "service"
    assert due(store) == {"a": (predicted, True), "b": (predicted, False), "c": (service, True), "d": (service, False)}


def test_primers_trials_and_what_was_never_sent_are_no_promises(store: duckdb.DuckDBPyConnection) -> None:
    """Only what brings results counts."""
    add(store, "job", job_id="primer", role="primer", **ended(1))
    add(store, "job", job_id="trial", trial_id="t", **ended(1))
    add(store, "job", job_id="planned", submitted_at=None)

    assert due(store) == {}


def test_the_share_counts_what_is_known(store: duckdb.DuckDBPyConnection) -> None:
    """A job under way counts once it is late, not before; shares are of jobs, and months beside each other."""
    add(store, "job", job_id="in", **ended(1))
    add(store, "job", job_id="late", **ended(30))
    add(store, "job", job_id="overdue", state="running")
    add(store, "job", job_id="fresh", state="running", submitted_at=LATER - timedelta(hours=1))
    add(store, "job", job_id="before", **ended(1) | {"submitted_at": SENT - timedelta(days=30)})

    found = store.execute(statements()["punctual"], {"today": TODAY, "now": LATER}).fetchall()
    assert found == [(3, 0, pytest.approx(1 / 3), 0.0)]
    (line,) = store.execute(statements()["punctual_month"], {"today": TODAY, "now": LATER}).fetchall()
    assert line == (SENT.date(), pytest.approx(1 / 3))
