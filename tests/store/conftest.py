"""What tests of the store's tier share: a real cluster."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, checkout: Path) -> Iterator[str]:
    """Return the address of a Dask scheduler with two workers, processes of one thread each, on loopback."""
    distributed = pytest.importorskip("distributed", reason="Dask is not here: install requirements-dask.txt")
    folder = tmp_path_factory.mktemp("cluster")
    where = folder / "scheduler.json"
    scheduler = ["scheduler", "--port", "0", "--dashboard-address", "127.0.0.1:0"]
    worker = ["worker", "--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(folder)]
    with ExitStack() as stack:
        log = stack.enter_context((folder / "log").open("wb"))
        for program, *options in (scheduler, worker, worker):
            command = [sys.executable, "-m", f"distributed.cli.dask_{program}", "--host", "127.0.0.1"]
            process = subprocess.Popen(
                [*command, "--scheduler-file", str(where), *options],
                cwd=checkout,
                env=os.environ | {"PYTHONPATH": str(checkout)},
                stdout=log,
                stderr=log,
            )
            stack.enter_context(process)
            # At SIGTERM a worker may wait long for a scheduler that has gone.
            stack.callback(process.kill)
        with distributed.Client(scheduler_file=str(where), timeout=60, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)
            address = client.scheduler.address
        yield address
