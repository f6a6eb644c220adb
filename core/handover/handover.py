"""The hand-over of a workspace: its sinks, and how each gets every result exactly once, in order."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from core.errors import LotwiseError
from core.handover.duckdb_table import DuckdbTable
from core.handover.json_lines import JsonLines
from core.handover.parquet_folder import ParquetFolder
from core.handover.part import make_part, scratch_connection
from core.handover.sink import Sink, SinkKind, UnknownSink
from core.handover.target import SinkChanged, SinkFailed, Target
from core.jobs.results import results_path
from core.store import Store

_log = logging.getLogger(__name__)
# A sink in trouble is left alone for so long by the worker; whoever asks for a hand-over has it tried at once.
_REST = timedelta(seconds=30)

_KINDS: dict[SinkKind, Callable[..., AbstractContextManager[Target]]] = {
    SinkKind.PARQUET: ParquetFolder.opened,
    SinkKind.JSON_LINES: JsonLines.opened,
    SinkKind.DUCKDB: DuckdbTable.opened,
}


class NoSuchSink(LotwiseError):
    """Nothing is handed over there. `sinks` lists where results go."""


class NoSinks(LotwiseError):
    """No sink is chosen yet. Name one: `deliver --to` a folder, NAME.jsonl or NAME.duckdb."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How far the hand-over is."""

    complete: int
    """Items with a usable result."""
    late_twins: int
    """Usable results of items that were complete already: kept in the attempts, never handed over."""
    without_message: int
    """Complete items whose raw results are no longer kept: they are handed over without message and text."""
    sinks: tuple[dict[str, Any], ...]
    """target, kind, delivered, waiting, trouble, created_at, delivered_at of each."""


class Handover:
    """Feeds the sinks of one workspace, one at a time; a crash anywhere leaves neither a gap nor a double.

    What lies in a target says where to go on, and the store says what must lie there; a target that disagrees with
    the ledger is left as it is. One sink's trouble is stored with it, and keeps no other sink from getting on.
    """

    def __init__(self, store: Store, folder: Path) -> None:
        self._store, self._folder = store, folder
        self._feeding = threading.Lock()
        self._rests: dict[str, datetime] = {}

    def add(self, sink: Sink, *, now: datetime) -> None:
        """Hand every result over to `sink` too, from the first one on; adding it again changes nothing.

        Raises `SinkInside`, or what keeps results from being written there: then it is not added.
        """
        sink.confined(self._folder)
        if sink.target in self._store.query("sinks")["target"]:
            return
        with _sentences(), self._opened(sink, delivered=0) as (target, _):
            self._end(target, delivered=0)
        self._store.write(lambda tx: tx.run("add_sink", target=sink.target, kind=sink.kind, now=now))

    def remove(self, target: str) -> None:
        """Hand nothing more over to a sink; what lies there stays. Raises `NoSuchSink`."""
        names = [target]
        with suppress(UnknownSink):
            names.append(Sink.named(target).target)
        if not self._store.write(lambda tx: tx.run("remove_sink", targets=names)):
            raise NoSuchSink(sink=target)

    def standing(self) -> Standing:
        """How many results there are, and how far each sink is."""
        counts = self._store.query("handover_counts").row(0, named=True)
        jobs = self._store.query("completed_jobs").iter_rows()
        return Standing(
            complete=counts["complete"],
            late_twins=counts["late_twins"],
            without_message=sum(items for job, items in jobs if not results_path(self._folder, job).exists()),
            sinks=tuple(self._store.query("sinks").iter_rows(named=True)),
        )

    def feed(self, *, now: datetime, patient: bool = False, stop: Callable[[], bool] = lambda: False) -> None:
        """Bring every sink up to the last result; `patient` leaves one in trouble alone for a while.

        Whatever goes wrong with a sink is stored as its trouble and never raised; `stop` is asked between parts.
        """
        with self._feeding:
            for row in self._store.query("sinks").iter_rows(named=True):
                target = row["target"]
                # A rest is never longer than it was meant, whatever became of the clock.
                rests = now < self._rests.get(target, now) <= now + _REST
                if stop() or not row["waiting"] or (patient and rests):
                    continue
                trouble = self._try(row, now=now, stop=stop)
                if trouble is not None:
                    self._rests[target] = now + _REST
                if trouble != row["trouble"]:
                    self._note(target, trouble)

    def _try(self, row: dict[str, Any], *, now: datetime, stop: Callable[[], bool]) -> str | None:
        """Feed one sink; return what kept it from getting on."""
        try:
            sink = Sink.stored(row["kind"], row["target"]).confined(self._folder)
            with _sentences():
                self._feed(sink, row["delivered"], now=now, stop=stop)
        except LotwiseError as error:
            return str(error)
        except Exception as error:  # one broken sink must keep neither the worker nor another sink from getting on
            _log.exception("sink %s met something unexpected", row["target"])
            return str(SinkFailed(why=f"{type(error).__name__}: {error}"))
        return None

    def _feed(self, sink: Sink, delivered: int, *, now: datetime, stop: Callable[[], bool]) -> None:
        with self._opened(sink, delivered=delivered) as (target, scratch):
            end = self._end(target, delivered=delivered)
            if end > delivered:  # a crash came between the target and the store
                self._advance(sink, end, now)
            while not stop() and (part := make_part(self._store, self._folder, scratch, after=end)) is not None:
                target.write(part.first, part.last)
                self._advance(sink, part.last, now)
                end = part.last

    @contextmanager
    def _opened(self, sink: Sink, *, delivered: int) -> Iterator[tuple[Target, duckdb.DuckDBPyConnection]]:
        """The sink as a target, with the connection in which parts are made for it."""
        with (
            scratch_connection(self._folder) as scratch,
            _KINDS[sink.kind](sink, scratch, started=delivered > 0) as target,
        ):
            yield target, scratch

    def _end(self, target: Target, *, delivered: int) -> int:
        """The last result that the target has, or that was taken out of it. Raises `SinkChanged`."""
        mark = target.mark()
        if mark is None or mark.seq < delivered:
            if delivered and not target.consumable:
                raise SinkChanged(found=mark.seq if mark else 0, delivered=delivered)
            return delivered
        if self._store.query("completed_item", seq=mark.seq)["item_id"].to_list() != [mark.item_id]:
            raise SinkChanged(found=mark.seq, item=mark.item_id)
        return mark.seq

    def _advance(self, sink: Sink, seq: int, now: datetime) -> None:
        self._store.write(lambda tx: tx.run("advance_sink", target=sink.target, seq=seq, now=now))

    def _note(self, target: str, trouble: str | None) -> None:
        self._store.write(lambda tx: tx.run("set_sink_trouble", target=target, trouble=trouble))


@contextmanager
def _sentences() -> Iterator[None]:
    """What the disk, DuckDB or Polars refuses, as `SinkFailed`."""
    try:
        yield
    except (OSError, duckdb.Error, pl.exceptions.PolarsError) as error:
        raise SinkFailed(why=str(error).splitlines()[0]) from error
