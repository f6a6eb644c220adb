"""The same shards in one process, in one a core, and on as many Dask workers; all open and warm before being timed."""

import os
import tempfile
from concurrent.futures import Executor
from functools import partial
from pathlib import Path

import dask
from distributed import LocalCluster

from benchmarks.corpus import write_requests
from benchmarks.timing import Ratio, compare
from core.executors import open_executor, run_shards
from core.intake.scanning import scan_shard
from core.requests.shards import shards_of

# As in grouping.
_SHARD_BYTES = 32 << 20
# Dask has its workers give memory back at once, by an environment variable; see `open_executor`.
_KEEP_MEMORY = {"distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 1 << 30}


def measure() -> list[Ratio]:
    """The ratios for the scan of grouping on 1 GB; the goal for processes is for two cores."""
    work = partial(scan_shard, details=False, model=None)
    cores = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.jsonl" for number in range(4)]
        for number, path in enumerate(paths):
            write_requests(path, seed=number)
        shards = shards_of(paths, _SHARD_BYTES)

        def scan(executor: Executor) -> None:
            for _ in run_shards(work, shards, executor):
                pass

        with (
            dask.config.set(_KEEP_MEMORY),
            LocalCluster(n_workers=cores, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster,  # type: ignore[no-untyped-call]
            open_executor(cluster.scheduler_address, work_bytes=0) as remote,
            open_executor("processes", work_bytes=0) as pool,
            open_executor("inline", work_bytes=0) as inline,
        ):
            return [
                compare(
                    f"{cores} processes, 1 GB", lambda: scan(pool), "one process", lambda: scan(inline), goal="<= 0.6"
                ),
                compare(
                    f"{cores} Dask workers, 1 GB",
                    lambda: scan(remote),
                    f"{cores} processes",
                    lambda: scan(pool),
                    goal="<= 1.25",
                ),
            ]
