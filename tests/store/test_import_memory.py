"""Importing 256 MB: everything goes in, and memory does not grow with the file."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.corpus import write_requests

IMPORT = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from core.intake.imports import import_file
from core.store import Store
folder = Path(sys.argv[1])
store = Store.open(folder / "lotwise.duckdb")
report = import_file(store, folder, folder / "requests.jsonl", now=datetime.now(UTC))
store.close()
# Not getrusage: its peak counts the process that started this one, too.
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(report.bytes, report.added, report.rejected, peak)
"""
MOST_MEGABYTES = 600


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_256_mb_are_imported_in_bounded_memory(tmp_path: Path, checkout: Path) -> None:
    """The largest body of a batch, as a file: 100,000 requests in far less memory than a few copies of it."""
    requests = tmp_path / "requests.jsonl"
    write_requests(requests)
    done = subprocess.run(
        [sys.executable, "-c", IMPORT, str(tmp_path)], cwd=checkout, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    size, added, rejected, kilobytes = (int(figure) for figure in done.stdout.split())
    assert (requests.stat().st_size, 100_000, 0) == (size, added, rejected)
    assert size > 250_000_000
    assert kilobytes / 1024 < MOST_MEGABYTES
