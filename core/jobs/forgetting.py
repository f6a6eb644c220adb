"""Metadata-only: files with prompts and outputs go as soon as nobody needs them any more."""

from pathlib import Path

from core.intake.payloads import payload_path
from core.jobs.results import results_path
from core.store import Store


class Forgetting:
    """Removes the parameters of imports whose items are all complete, and results that every sink has.

    Results stay where no sink is chosen: they are the only copy of what was paid for.
    """

    def __init__(self, store: Store, folder: Path) -> None:
        self._store, self._folder = store, folder
        self._seen = -1

    def forget(self) -> None:
        """Look, where the store moved on since the last look. Not to be called while a file is imported."""
        if self._store.version == self._seen:
            return
        self._seen = self._store.version
        needed = self._store.query("payloads_needed")["import_id"].to_list()
        kept = {payload_path(self._folder, import_id) for import_id in needed}
        if spent := set((self._folder / "requests").glob("*.jsonl")) - kept:
            self._store.write(lambda tx: tx.run("forget_payloads", needed=needed))
            _remove(spent)
        delivered = {results_path(self._folder, job) for job in self._store.query("results_delivered")["job_id"]}
        _remove(delivered & set((self._folder / "results").glob("*.jsonl")))


def _remove(paths: set[Path]) -> None:
    for path in paths:
        path.unlink()
