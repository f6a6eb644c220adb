"""The files of the local server: results, and, in a given folder, all it needs to go on after a restart.

    state.json            the prompt cache and the next ordinal, written whenever no batch is running
    batches/000001/
      batch.json          its record; a batch without one was never committed
      requests.json       its requests in compact form, until the next state.json
      results.jsonl       once ended

Every file is written beside its place and moved there, so a reader finds the old one or the new one. A file
that is damaged all the same costs its batch, never the start of the server.
"""

import logging
import shutil
import tempfile
import weakref
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from core.sandbox.batch import Answer, Batch, Draft, Shape
from core.sandbox.outcomes import STATUSES
from core.sandbox.params import Problem
from core.sandbox.prompt import Prefix

_log = logging.getLogger(__name__)
_DAMAGED = (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError)
_CHUNK = 1 << 20


@dataclass(slots=True)
class Restored:
    """What a folder held: the state at the last quiet moment and every batch since or ended."""

    next_ordinal: int = 1
    cache: dict[str, Any] = field(default_factory=dict)
    batches: list[Batch] = field(default_factory=list)


class SandboxFolder:
    """Reads and writes the files of one server; without a path, in a folder that goes with the object."""

    def __init__(self, path: Path | None) -> None:
        self.durable = path is not None
        if path is None:
            path = Path(tempfile.mkdtemp(prefix="lotwise-sandbox-"))
            self._cleaner = weakref.finalize(self, shutil.rmtree, path, ignore_errors=True)
        self._path = path
        self._batches = path / "batches"
        path.mkdir(mode=0o700, parents=True, exist_ok=True)  # it holds prompts
        self._batches.mkdir(exist_ok=True)

    def results(self, batch: Batch) -> Path:
        """Where the results of this batch are."""
        return self._of(batch) / "results.jsonl"

    def commit(self, batch: Batch) -> None:
        """Keep a new batch; it exists from the moment its record does."""
        self._of(batch).mkdir(exist_ok=True)
        if self.durable and batch.draft is not None:
            _replace(self._of(batch) / "requests.json", [orjson.dumps(_draft_columns(batch.draft), default=tuple)])
        self.record(batch)

    def record(self, batch: Batch) -> None:
        """Keep the state of a batch."""
        if not self.durable:
            return
        state = {
            "id": batch.id,
            "ordinal": batch.ordinal,
            "accepted_us": batch.accepted_us,
            "created_us": batch.created_us,
            "total": batch.total,
            "cancel_us": batch.cancel_us,
            "ended_us": batch.ended_us,
            "counts": batch.counts,
            "deleted": batch.deleted,
        }
        _replace(self._of(batch) / "batch.json", [orjson.dumps(state)])

    def write_results(self, batch: Batch, lines: Iterable[bytes]) -> None:
        """Keep the results of a batch."""
        _replace(self.results(batch), lines)

    def remove(self, batch: Batch) -> None:
        """Drop everything of a deleted batch."""
        shutil.rmtree(self._of(batch), ignore_errors=True)

    def quiet(self, *, at_us: int, next_ordinal: int, cache: dict[str, Any], batches: Iterable[Batch]) -> None:
        """No batch is running: keep the cache, and drop the requests, which nobody will simulate again."""
        if not self.durable:
            return
        state = {"at_us": at_us, "next_ordinal": next_ordinal, "cache": cache}
        _replace(self._path / "state.json", [orjson.dumps(state)])
        for batch in batches:
            (self._of(batch) / "requests.json").unlink(missing_ok=True)

    def load(self) -> Restored:
        """What an earlier process left here."""
        if not self.durable:
            return Restored()
        restored, quiet_us = self._state()
        for place in sorted(self._batches.iterdir()):
            if place.name.isdecimal():
                restored.next_ordinal = max(restored.next_ordinal, int(place.name) + 1)
            try:
                restored.batches.append(_load_batch(place, quiet_us))
            except _DAMAGED as error:
                _log.warning("skipped %s: %s", place, error)
        return restored

    def _state(self) -> tuple[Restored, int]:
        try:
            state = orjson.loads((self._path / "state.json").read_bytes())
            return Restored(next_ordinal=int(state["next_ordinal"]), cache=dict(state["cache"])), int(state["at_us"])
        except FileNotFoundError:
            pass
        except _DAMAGED as error:
            _log.warning("started with an empty cache: %s", error)
        return Restored(), 0

    def _of(self, batch: Batch) -> Path:
        return self._batches / f"{batch.ordinal:06d}"


def _replace(path: Path, parts: Iterable[bytes]) -> None:
    beside = path.with_suffix(".part")
    with beside.open("wb", buffering=_CHUNK) as file:
        file.writelines(parts)
    beside.replace(path)


def _load_batch(place: Path, quiet_us: int) -> Batch:
    record = orjson.loads((place / "batch.json").read_bytes())
    ended_us = record["ended_us"]
    draft = None
    if ended_us is None or int(ended_us) > quiet_us:
        # Ended after the last quiet moment: the others are repeated together with it, as they ran.
        try:
            draft = _draft((place / "requests.json").read_bytes())
        except _DAMAGED:
            if ended_us is None:
                raise
    batch = Batch(
        id=str(record["id"]),
        ordinal=int(record["ordinal"]),
        accepted_us=int(record.get("accepted_us", record["created_us"])),
        created_us=int(record["created_us"]),
        total=int(record["total"]),
        draft=draft,
    )
    if draft is not None and len(draft.custom_ids) != batch.total:
        raise ValueError("its requests are incomplete")
    batch.cancel_us = None if record["cancel_us"] is None else int(record["cancel_us"])
    batch.ended_us = None if ended_us is None else int(ended_us)
    batch.counts = record["counts"] and {status: int(record["counts"][status]) for status in STATUSES}
    batch.deleted = bool(record["deleted"])
    return batch


def _draft_columns(draft: Draft) -> dict[str, Any]:
    return {
        "custom_ids": draft.custom_ids,
        "shape_of": draft.shape_of.tolist(),
        "tokens": draft.tokens.tolist(),
        "topics": draft.topics.tolist(),
        "shapes": [astuple(shape) for shape in draft.shapes],
    }


def _draft(data: bytes) -> Draft:
    columns = orjson.loads(data)
    return Draft(
        custom_ids=columns["custom_ids"],
        shape_of=array("L", columns["shape_of"]),
        tokens=array("Q", columns["tokens"]),
        topics=array("Q", columns.get("topics") or [0] * len(columns["tokens"])),  # none before tiers differed
        shapes=list(_shapes(columns["shapes"])),
    )


def _shapes(rows: Iterable[Any]) -> Iterator[Shape]:
    for model, max_tokens, geo, prefix, answer, problem in rows:
        yield Shape(
            model=model,
            max_tokens=max_tokens,
            geo=geo,
            prefix=prefix and Prefix(tuple(prefix[0]), tuple(prefix[1]), tuple((p, t) for p, t in prefix[2])),
            answer=Answer(*answer),
            problem=problem and Problem(*problem),
        )
