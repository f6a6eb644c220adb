"""Re-addressing: what waits of a class is asked of another model than its owner named; and back, byte for byte.

The parameters that an owner sent stay where they lie; the re-addressed ones are written behind them, into the payload
file of the same import. An item keeps its id and the hash of its owner's content, so that its file stays known.
"""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from core.audit import note
from core.errors import LotwiseError
from core.intake.payloads import PayloadReader, PayloadWriter
from core.planning.identity import new_job_id
from core.prices import PriceBook, UnknownModel
from core.prices.model import Model
from core.requests.adapting import CannotAdapt, Change, adapted
from core.requests.blocks import chain_of
from core.requests.request import parse_params
from core.store import Store, Transaction

# Items and bytes of parameters that are read, adapted and written between two syncs to the disk.
_CHUNK_ITEMS = 1_000
_CHUNK_BYTES = 8 << 20
_SCHEMA: dict[str, Any] = {
    "item_id": pl.String,
    "was_offset": pl.Int64,
    "model": pl.String,
    "payload_offset": pl.Int64,
    "payload_bytes": pl.Int64,
    "chain": pl.List(pl.UInt64),
    "depths": pl.List(pl.Int64),
    "overheads": pl.List(pl.Int16),
    "heads": pl.List(pl.UInt64),
    "max_tokens": pl.Int64,
}
ID_SCHEMA: dict[str, Any] = {"item_id": pl.String}
Row = dict[str, Any]


class CannotRoute(LotwiseError):
    """A request of this class cannot be asked of that model, so nothing was changed. Choose another model."""


@dataclass(frozen=True, kw_only=True)
class Route:
    """Where the work of a class goes: from the model that its owner names to another one.

    `trial_id`: the trial that proved it, None where it was applied without proof; `withdrawn_at`: when somebody, or the
    next route of the class, ended it.
    """

    route_id: str
    class_id: str
    from_model: str
    model: str
    trial_id: str | None
    applied_at: datetime
    applied_by: str
    withdrawn_at: datetime | None
    withdrawn_by: str | None


@dataclass(frozen=True, kw_only=True)
class Readdressed:
    """What re-addressing did: how many items, and what is sent instead, each change said once.

    `left`: item ids and why they stay with their owner's model.
    """

    items: int
    changes: tuple[Change, ...] = ()
    left: tuple[tuple[str, str], ...] = ()


def all_routes(store: Store, *, applied: bool = False) -> tuple[Route, ...]:
    """Every route, newest first, or only those that are in force."""
    return tuple(Route(**row) for row in store.query("routes", applied=applied).iter_rows(named=True))


def readdress_class(
    store: Store, folder: Path, class_id: str, to: Model, *, route: Route, dry_run: bool = False
) -> Readdressed:
    """Put a route into force: everything of the class that waits is asked of `to`, in one transaction.

    A route that the class had ends; its items are adapted from what their owner sent, never twice. What is under way
    or complete stays. A dry run adapts every request and keeps nothing. Raises `CannotRoute`, and then nothing was
    changed. The caller holds the worker's turn, and finds the classes anew.
    """
    rows = store.query("routable_items", class_id=class_id, model=to.id, import_id=None)
    work = _Adapting(folder, to, keep=not dry_run)
    frame = work.run(rows)
    if work.left:
        item_id, why = work.left[0]
        raise CannotRoute(item=item_id, why=why, items=len(work.left))
    done = Readdressed(items=rows.height, changes=tuple(work.changes))
    if dry_run:
        return done

    def put(tx: Transaction) -> int:
        tx.run("end_route", class_id=class_id, now=route.applied_at, by=route.applied_by)
        about = {"class_id": class_id, "from_model": route.from_model, "model": to.id, "trial_id": route.trial_id}
        tx.run("add_route", route_id=route.route_id, now=route.applied_at, by=route.applied_by, **about)
        return _readdress(tx, frame, route.route_id)

    return Readdressed(items=store.write(put), changes=done.changes)


def new_route(class_id: str, *, from_model: str, to: str, trial_id: str | None, now: datetime, by: str) -> Route:
    """A route that begins now."""
    return Route(
        route_id=new_job_id(),
        class_id=class_id,
        from_model=from_model,
        model=to,
        trial_id=trial_id,
        applied_at=now,
        applied_by=by,
        withdrawn_at=None,
        withdrawn_by=None,
    )


def follow_routes(store: Store, folder: Path, book: PriceBook, import_id: str, regroup: Callable[[], None]) -> None:
    """Re-address what came into routed classes; what cannot be asked of the new model stays, and the log says why.

    `regroup` finds the classes anew; it is called only where something was re-addressed.
    """
    moved = 0
    for route in all_routes(store, applied=True):
        rows = store.query("routable_items", class_id=route.class_id, model=route.model, import_id=import_id)
        if rows.is_empty():
            continue
        came = set(rows.filter(pl.col("import_id") == import_id)["item_id"])
        try:
            work = _Adapting(folder, book.model(route.model), keep=True)
        except UnknownModel as error:
            store.write(partial(_follow, route, pl.DataFrame(schema=_SCHEMA), [(item, str(error)) for item in came]))
            continue
        frame = work.run(rows)
        moved += store.write(partial(_follow, route, frame, [left for left in work.left if left[0] in came]))
    if moved:
        regroup()
        store.write(follow_classes)


def follow_classes(tx: Transaction) -> None:
    """What was said of a class goes with its work: the schedules that send it, and that its text may be split."""
    tx.run("follow_with_schedules")
    tx.run("follow_with_splits")


def _follow(route: Route, frame: pl.DataFrame, left: list[tuple[str, str]], tx: Transaction) -> int:
    items = _readdress(tx, frame, route.route_id)
    if items or left:
        why = left[0][1] if left else None
        note(tx, "readdress", class_id=route.class_id, model=route.model, items=items, left=len(left), why=why)
    return items


def _readdress(tx: Transaction, frame: pl.DataFrame, route_id: str) -> int:
    tx.merge("keep_owners_requests", frame, route_id=route_id)
    moved = pl.DataFrame(tx.merge("readdress_items", frame), schema=ID_SCHEMA)
    tx.merge("take_over_items", moved, route_id=route_id)
    return moved.height


@dataclass
class _Adapting:
    """Adapts stored parameters to a model, chunk by chunk; on disk before it returns, where it is to `keep` them."""

    folder: Path
    to: Model
    keep: bool
    changes: dict[Change, None] = field(default_factory=dict)
    left: list[tuple[str, str]] = field(default_factory=list)

    def run(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The items as they would be; columns as `readdress_items` takes them."""
        frames = [pl.DataFrame(schema=_SCHEMA)]
        with PayloadReader(self.folder) as reader:
            for import_id, items in groupby(rows.iter_rows(named=True), key=itemgetter("import_id")):
                with PayloadWriter(self.folder, import_id) if self.keep else nullcontext() as writer:
                    frames += [self._adapt(chunk, reader, writer) for chunk in _chunks(items)]
        return pl.concat(frames)

    def _adapt(self, chunk: list[Row], reader: PayloadReader, writer: PayloadWriter | None) -> pl.DataFrame:
        payloads: list[bytes] = []
        out: list[Row] = []
        for row in chunk:
            params = reader.params(row["import_id"], row["payload_offset"], row["payload_bytes"])
            try:
                params, changes = adapted(params, self.to)
            except CannotAdapt as error:
                self.left.append((row["item_id"], error.message))
                continue
            self.changes.update(dict.fromkeys(changes))
            payload = orjson.dumps(params)
            payloads.append(payload)
            chain, depths, overheads, heads = chain_of(parse_params(payload))
            out.append(
                {
                    "item_id": row["item_id"],
                    "was_offset": row["was_offset"],
                    "model": self.to.id,
                    "payload_bytes": len(payload),
                    "chain": chain,
                    "depths": depths,
                    "overheads": overheads,
                    "heads": heads,
                    "max_tokens": params["max_tokens"],
                }
            )
        offsets = writer.append(payloads) if writer and payloads else [0] * len(payloads)
        places = [row | {"payload_offset": offset} for row, offset in zip(out, offsets, strict=True)]
        return pl.DataFrame(places, schema=_SCHEMA)


def _chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    chunk: list[Row] = []
    size = 0
    for row in rows:
        chunk.append(row)
        size += row["payload_bytes"]
        if len(chunk) >= _CHUNK_ITEMS or size > _CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
