"""The account's past batches: look for them, bring them in one by one; stopping anywhere loses and repeats nothing."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from core.errors import LotwiseError
from core.gateway import BatchMissing, Gateway, RemoteBatch
from core.history.naming import NamingRules
from core.history.results import history_rows, take_in
from core.history.rules_file import load_rules
from core.history.standing import SETTLED, Standing
from core.jobs.results import ResultsBroken, results_path
from core.prices import PriceBook
from core.store import Store

_GONE = "The API no longer has its results: it keeps them for 29 days."
_OURS = "Its custom_ids bear the tag of a job of this workspace, which settles it."


@dataclass(frozen=True, kw_only=True)
class Look:
    """What the API lists, and which of it was known before: ids of batches."""

    listed: tuple[RemoteBatch, ...]
    known: frozenset[str]


class AccountHistory:
    """Brings in batches that no job of the workspace sent; whoever calls it keeps everybody else from doing so."""

    def __init__(self, *, store: Store, folder: Path, gateway: Gateway, book: PriceBook) -> None:
        self._store, self._folder, self._gateway, self._book = store, folder, gateway, book

    def list_since(self, since: datetime) -> Look:
        """All batches of the account since then; nothing is stored. Raises `GatewayDown`."""
        known = self._store.query("accounted_batches").filter(pl.col("ours") | pl.col("standing").is_in(SETTLED))
        return Look(listed=tuple(self._gateway.list_since(since)), known=frozenset(known["batch_id"]))

    def look(self, since: datetime) -> Look:
        """The same, and note what is new, to be brought in by `step`. Raises `GatewayDown`."""
        found = self.list_since(since)
        self._note(*(batch for batch in found.listed if batch.batch_id not in found.known))
        return found

    def step(self, *, now: datetime) -> bool:
        """Bring in one batch that has ended; return whether there was one.

        Raises `GatewayDown`, and then the batch waits on, or `RulesInvalid`.
        """
        waiting = self._in(Standing.WAITING)
        if not waiting:
            return False
        rules = load_rules(self._folder)
        batch = self._retrieve(waiting[0])
        if batch is None or standing_of(batch) is not Standing.WAITING:
            return True
        try:
            self._take_in(batch, rules, now)
        except LotwiseError as error:
            # One batch that cannot be had must not keep those behind it from coming in.
            self._put(batch, Standing.BROKEN, str(error))
        return True

    def _take_in(self, batch: RemoteBatch, rules: NamingRules, now: datetime) -> None:
        path = results_path(self._folder, batch.batch_id)
        if not batch.has_results:
            raise ResultsBroken(batch=batch.batch_id, why="the API names none yet")
        self._gateway.download(batch.batch_id, path)
        simulated = self._gateway.simulated
        if take_in(self._store, path, self._book, rules, batch, now=now, simulated=simulated) is Standing.OURS:
            path.unlink()
            self._put(batch, Standing.OURS, _OURS)

    def follow(self) -> None:
        """Ask about the batches that were still running. Raises `GatewayDown`."""
        for batch_id in self._in(Standing.RUNNING):
            self._retrieve(batch_id)

    def waiting(self) -> int:
        """How many batches have ended and are to be brought in."""
        return len(self._in(Standing.WAITING))

    def _retrieve(self, batch_id: str) -> RemoteBatch | None:
        """A batch as it stands now, noted; None where it is a job's by now, or deleted."""
        if self._store.query("owner_of_batch", batch_id=batch_id).height:
            self._store.write(lambda tx: tx.run("forget_history_batch", batch_id=batch_id))
            return None
        try:
            batch = self._gateway.retrieve(batch_id)
        except BatchMissing as error:
            missing = {"batch_id": batch_id, "standing": Standing.BROKEN, "reason": str(error)}
            self._store.write(lambda tx: tx.run("stand_history_batch", **missing))
            return None
        self._note(batch)
        return batch

    def _note(self, *batches: RemoteBatch) -> None:
        """Store how batches stand, where that is news."""
        rows = history_rows([(batch, standing_of(batch), _reason(batch)) for batch in batches])
        if rows.height:
            stored = self._store.query("history_seen").select(rows.columns)
            news = rows.join(stored, on=rows.columns, how="anti", nulls_equal=True)
            if news.height:
                self._store.write(lambda tx: tx.merge("put_history_batches", news))

    def _put(self, batch: RemoteBatch, standing: Standing, reason: str) -> None:
        rows = history_rows([(batch, standing, reason)])
        self._store.write(lambda tx: tx.merge("put_history_batches", rows))

    def _in(self, standing: Standing) -> list[str]:
        return self._store.query("history_in", standing=standing)["batch_id"].to_list()


def standing_of(batch: RemoteBatch) -> Standing:
    """Where a batch stands that no look has seen yet."""
    if batch.status != "ended":
        return Standing.RUNNING
    return Standing.GONE if batch.archived else Standing.WAITING


def _reason(batch: RemoteBatch) -> str | None:
    return _GONE if batch.archived else None
