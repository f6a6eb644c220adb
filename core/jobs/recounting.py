"""Counting again: the kept results of jobs whose classes have another unit than when they came in."""

from pathlib import Path

from core.jobs.counted_units import count_results
from core.jobs.results import results_path
from core.store import Store, Transaction


class Recounting:
    """Takes the jobs that are to be counted again one by one, each in one transaction: a restart loses nothing."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store, self._folder = store, folder

    def step(self) -> bool:
        """Count one of these jobs; return whether there was one. Without its results its units stay unknown."""
        waiting = self._store.query("to_recount")["job_id"]
        if waiting.is_empty():
            return False
        self._recount(waiting[0])
        return True

    def _recount(self, job_id: str) -> None:
        path = results_path(self._folder, job_id)
        if not path.exists():
            self._store.write(lambda tx: tx.run("drop_recount", job_id=job_id))
            return
        counts = count_results(self._store, path, job_id, self._store.query("usable_attempts", job_id=job_id))

        def put(tx: Transaction) -> None:
            tx.run("drop_recount", job_id=job_id)
            counts.put(tx)

        self._store.write(put)
