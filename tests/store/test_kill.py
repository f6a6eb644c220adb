"""Killed under load, again and again: every acknowledged write is there, and no half of one."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.store import Store

ROUNDS = 20
# Two rows a transaction, one acknowledgement a transaction, from four threads at once.
LOAD = """
import sys, threading
from datetime import UTC, datetime
from pathlib import Path
from core.store import Store
store = Store.open(Path(sys.argv[1]))
now = datetime.now(UTC)

def write(thread):
    for number in range(1_000_000):
        name = f"{sys.argv[2]}-{thread}-{number}"
        def pair(tx):
            for half in "ab":
                tx.run("start_import", import_id=name + half, source=name, started_at=now)
        store.write(pair)
        sys.stdout.write(name + "\\n")
        sys.stdout.flush()

threads = [threading.Thread(target=write, args=(thread,)) for thread in range(4)]
for thread in threads:
    thread.start()
"""


def killed_under_load(path: Path, checkout: Path, number: int, moment: float) -> set[str]:
    """Run the load, kill it `moment` seconds after its first acknowledgement, and return what it acknowledged."""
    with subprocess.Popen(
        [sys.executable, "-c", LOAD, str(path), str(number)], cwd=checkout, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first, "the load did not start"
        time.sleep(moment)
        process.kill()
        rest = process.stdout.read()
    assert process.returncode == -9
    # The last line may be cut; a name is complete with its line end.
    return {line[:-1] for line in (first + rest).splitlines(keepends=True) if line.endswith("\n")}


@pytest.mark.timeout(300)
def test_no_acknowledged_write_is_lost_and_none_is_half(tmp_path: Path, checkout: Path) -> None:
    """Twenty times: write as fast as it goes, kill -9 at a random moment, open again, count."""
    path = tmp_path / "lotwise.duckdb"
    rng = random.Random(20261122)
    acknowledged: set[str] = set()
    for number in range(ROUNDS):
        new = killed_under_load(path, checkout, number, rng.uniform(0.0, 0.4))
        acknowledged |= new
        store = Store.open(path)
        try:
            rows = store.query("imports").select("source", "import_id").rows()
        finally:
            store.close()
        halves: dict[str, set[str]] = {}
        for source, import_id in rows:
            halves.setdefault(source, set()).add(import_id)
        assert acknowledged <= set(halves), f"round {number} lost {sorted(acknowledged - set(halves))[:5]}"
        assert all(found == {f"{name}a", f"{name}b"} for name, found in halves.items()), (
            f"half a write in round {number}"
        )

    assert len(acknowledged) > ROUNDS * 5
