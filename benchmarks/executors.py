"""The same shards in one process, in one a core, and on as many Dask workers; all open and warm before being timed."""

import os
import tempfile
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import dask
import orjson
from distributed import LocalCluster

from benchmarks.corpus import write_requests
from benchmarks.timing import Ratio, compare
from core.executors import open_executor, run_shards
from core.requests.lines import Oversize
from core.requests.shards import Shard, read_shard, shards_of

_SHARD_BYTES = 16_000_000
# Dask has its workers give memory back at once, by an environment variable; see `open_executor`.
_KEEP_MEMORY = {"distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 1 << 30}


def parse(shard: Shard) -> int:
    """Parse every line and keep nothing but their count."""
    count = 0
    for count, line in read_shard(shard):  # noqa: B007 - the last number is the count
        if isinstance(line, Oversize):
            line.spool.close()
        else:
            orjson.loads(line)
    return count


def measure(work: Callable[[Shard], Any] = parse) -> list[Ratio]:
    """The ratios for `work` on 1 GB; the goal for processes is for two cores."""
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
