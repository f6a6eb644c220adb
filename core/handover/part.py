"""A part: the next results of the ledger with what the model said, ready to be written in one go."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from core.handover.target import SinkFailed
from core.jobs.results import results_path
from core.store import Store
from core.store.statements import statements

PART_ROWS = 50_000
PART_BYTES = 128_000_000


@dataclass(frozen=True, kw_only=True)
class Part:
    """The results `first` to `last` of the ledger, without a gap; they lie in `incoming` of the scratch connection."""

    first: int
    last: int


@contextmanager
def scratch_connection(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection of its own that may read and write files; what does not fit into 1 GB goes to disk meanwhile."""
    options: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": "1GB",
        "temp_directory": str(folder / "spill"),
        "preserve_insertion_order": False,
        "autoinstall_known_extensions": False,
    }
    with duckdb.connect(config=options) as scratch:
        scratch.execute("SET TimeZone = 'UTC'").fetchall()
        yield scratch


def make_part(store: Store, folder: Path, scratch: duckdb.DuckDBPyConnection, *, after: int) -> Part | None:
    """Read the next results after a number, at most 50,000 and about 128 MB of them; None where there are none.

    A result's columns are the same whenever it is read. Raises `SinkFailed` where raw results cannot be read.
    """
    due = store.query("handover_rows", after=after, rows=PART_ROWS, bytes=PART_BYTES)
    if due.is_empty():
        return None
    files = [str(path) for job in due["job_id"].unique() if (path := results_path(folder, job)).exists()]
    scratch.register("due", due)
    try:
        # Without any file the empty one stands in: every message is unknown then.
        scratch.execute(statements()["make_part"], {"files": files or [os.devnull]}).fetchall()
    except duckdb.Error as error:
        raise SinkFailed("The raw results could not be read.", why=str(error).splitlines()[0]) from error
    finally:
        scratch.unregister("due")
    return Part(first=due["seq"][0], last=due["seq"][-1])
