"""Importing request files: good lines become items, bad ones are set aside with a reason; twice changes nothing."""

import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import IO, Any

import orjson
import polars as pl

from core.confinement import named
from core.intake.payloads import PayloadWriter, without_marks
from core.intake.tags import NO_TAGS, TagInvalid, Tags, TagSets, TooManyTagSets
from core.requests.blocks import Chain, chain_of
from core.requests.content import content_hash
from core.requests.lines import FileTornApart, FileUnreadable, Oversize, read_lines
from core.requests.request import NotARequest, parse_request, why_not
from core.store import Store, Transaction

# Lines and bytes of parameters gathered before they are stored in one transaction.
_CHUNK_LINES = 5_000
_CHUNK_BYTES = 8 << 20
_EMPTY = "There is no line in this file. Check that the export that wrote it has finished."
# More lines set aside than that tell nobody more, and would fill the store.
_MOST_REJECTS = 1_000_000
_TOO_MANY = "More than a million lines are no requests, so the file was read no further. Is it the right file?"
_STOPPED = "Stopped before its end. Import it again: nothing goes in twice."
_OTHER_BODY = (
    "custom_id is already taken by an item with other content: give the changed request a new custom_id, or replace"
    " what waits or failed"
)
_SENT = "custom_id was sent with other content already, and is under way or complete: give the request a new custom_id"

_ITEM_SCHEMA: dict[str, Any] = {
    "item_id": pl.String,
    "content_hash": pl.UInt64,
    "import_id": pl.String,
    "line": pl.Int64,
    "model": pl.String,
    "payload_offset": pl.Int64,
    "payload_bytes": pl.Int64,
    "chain": pl.List(pl.UInt64),
    "depths": pl.List(pl.Int64),
    "overheads": pl.List(pl.Int16),
    "heads": pl.List(pl.UInt64),
    "max_tokens": pl.Int64,
    "created_at": pl.Datetime("us", "UTC"),
}
_REJECT_SCHEMA: dict[str, Any] = {
    "import_id": pl.String,
    "line": pl.Int64,
    "custom_id": pl.String,
    "reason": pl.String,
    "bytes": pl.Int64,
}


@dataclass(kw_only=True)
class ImportReport:
    """What became of one file: lines read, items added, already known (of these with other tags now), replaced,
    rejected."""

    import_id: str
    source: str
    bytes: int = 0
    lines: int = 0
    added: int = 0
    known: int = 0
    retagged: int = 0
    replaced: int = 0
    rejected: int = 0
    torn: str | None = None

    @property
    def counts(self) -> dict[str, int]:
        """The figures that the store keeps."""
        return {name: getattr(self, name) for name in ("bytes", "lines", "added", "known", "replaced", "rejected")}


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One request as it was read: what the store keeps of it, and its parameters without marks.

    `tags`: None where the line says nothing of them.
    """

    number: int
    item_id: str
    content_hash: int
    model: str
    max_tokens: int
    chain: Chain
    payload: bytes
    raw: bytes
    tags: Tags | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reject:
    line: int
    custom_id: str | None
    reason: str
    size: int
    raw: bytes | IO[bytes]


@dataclass(kw_only=True)
class _Rejects:
    """Lines set aside: their bytes in a file of their own, as they came, and the reasons for the store."""

    path: Path
    import_id: str
    waiting: list[_Reject] = field(default_factory=list)
    _border: bytes = b""

    def add(self, line: int, reason: str, raw: bytes | IO[bytes], *, size: int, custom_id: str | None = None) -> None:
        self.waiting.append(_Reject(line=line, custom_id=custom_id, reason=reason, size=size, raw=raw))

    def put_aside(self) -> pl.DataFrame:
        """Write the lines that wait to the file, in their order, and return their rows."""
        rejects, self.waiting = sorted(self.waiting, key=lambda reject: reject.line), []
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            for reject in rejects:
                file.write(self._border)
                last = _copy(reject.raw, file)
                self._border = b"" if last == b"\n" else b"\n"
        rows = [(self.import_id, one.line, one.custom_id, one.reason, one.size) for one in rejects]
        return pl.DataFrame(rows, schema=_REJECT_SCHEMA, orient="row")


def _copy(raw: bytes | IO[bytes], to: IO[bytes]) -> bytes:
    """Copy a line and return its last byte; a temporary file is closed, and with that gone."""
    if isinstance(raw, bytes):
        to.write(raw)
        return raw[-1:]
    with raw:
        shutil.copyfileobj(raw, to, 1 << 20)
        raw.seek(-1, os.SEEK_END)
        return raw.read(1)


def import_file(
    store: Store,
    folder: Path,
    path: Path,
    *,
    now: datetime,
    source: str | None = None,
    replace: bool = False,
    tags: Tags = NO_TAGS,
) -> ImportReport:
    """Read a request file into the store of the workspace `folder`; memory stays bounded.

    Every item gets these `tags` and those of its line, which count where both say something. A line of an item that is
    known gives it its tags anew, at whatever stage it is; one without any leaves them as they are.

    Lines that are no requests go to `rejects/<import_id>.jsonl` as they came, with file, line and reason in the
    store. With `replace` a line takes the place of an item of the same id that waits, or all of whose attempts failed:
    what was sent before stays on record with them. One that is under way or complete stays what it is. A compressed
    file that ends early is imported up to there and reported in `torn`. Raises `FileUnreadable` for a file that cannot
    be read at all.
    """
    report = ImportReport(import_id=secrets.token_hex(6), source=source or path.name)
    rejects = _Rejects(path=rejects_path(folder, report.import_id), import_id=report.import_id)
    store.write(lambda tx: tx.run("start_import", import_id=report.import_id, source=report.source, started_at=now))
    note: str | None = _STOPPED
    try:
        with PayloadWriter(folder, report.import_id) as payloads:
            intake = _Intake(report, rejects, payloads, now, replace, tags)
            for chunk in _chunks(path, report, rejects):
                store.write(partial(intake.store, chunk))
        note = report.torn or (None if report.added + report.known + report.replaced + report.rejected else _EMPTY)
    except FileUnreadable:
        store.write(lambda tx: tx.run("drop_import", import_id=report.import_id))
        raise
    finally:
        store.write(partial(_finish, report, note, now))
    return report


def rejects_path(folder: Path, import_id: str) -> Path:
    """Where the lines of an import that were set aside lie, byte for byte."""
    return named(folder / "rejects", f"{import_id}.jsonl")


def _finish(report: ImportReport, note: str | None, now: datetime, tx: Transaction) -> None:
    tx.run("advance_import", import_id=report.import_id, finished_at=now, note=note, **report.counts)


def _chunks(path: Path, report: ImportReport, rejects: _Rejects) -> Iterator[list[Line]]:
    chunk: list[Line] = []
    size = 0
    try:
        for number, raw in enumerate(read_lines(path), 1):
            length = raw.size if isinstance(raw, Oversize) else len(raw)
            report.lines = number
            report.bytes += length
            size += length
            if isinstance(raw, Oversize):
                rejects.add(number, "longer than the 32 MB that a request may have", raw.spool, size=length)
            elif not raw.isspace():
                try:
                    chunk.append(parsed_line(number, raw))
                except NotARequest as wrong:
                    rejects.add(number, str(wrong), raw, size=length)
            if len(chunk) + len(rejects.waiting) >= _CHUNK_LINES or size > _CHUNK_BYTES:
                yield chunk
                chunk, size = [], 0
                if report.rejected > _MOST_REJECTS:
                    report.torn = _TOO_MANY
                    return
    except FileTornApart as torn:
        report.torn = str(torn)
    yield chunk


def parsed_line(number: int, raw: bytes) -> Line:
    """Read one line. Raises `NotARequest`."""
    request = parse_request(raw)
    try:
        params = orjson.loads(raw)["params"]
        chain = chain_of(request.params)
        payload = orjson.dumps(without_marks(params))
        canonical = orjson.dumps(params, option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError) as error:
        raise NotARequest(why_not(raw, error)) from None
    return Line(
        number=number,
        item_id=request.custom_id,
        content_hash=content_hash(canonical),
        model=request.params.model,
        max_tokens=request.params.max_tokens,
        chain=chain,
        payload=payload,
        raw=raw,
        tags=request.tags,
    )


@dataclass(frozen=True)
class _Intake:
    """Stores chunk after chunk of one import: what is new, and why the rest is not."""

    report: ImportReport
    rejects: _Rejects
    payloads: PayloadWriter
    now: datetime
    replace: bool
    tags: Tags

    def store(self, chunk: list[Line], tx: Transaction) -> None:
        """Store one chunk in the caller's transaction; a payload is on disk before its row."""
        report, rejects = self.report, self.rejects
        ids = pl.DataFrame({"item_id": [line.item_id for line in chunk]}, schema={"item_id": pl.String})
        stored = {row["item_id"]: row for row in tx.merge("known_items", ids)}
        new: dict[str, Line] = {}
        replaced: list[str] = []
        corrected: list[str] = []
        tag_sets, sets = dict[str, int](), TagSets(tx)
        for line in chunk:
            known = stored.get(line.item_id)
            tag_set = tag_sets.get(line.item_id, known["tag_set"] if known else 0)
            try:
                wanted = tag_set if line.tags is None and not self.tags else sets.number(self._tags_of(line))
            except (TagInvalid, TooManyTagSets) as wrong:
                rejects.add(line.number, wrong.message, line.raw, size=len(line.raw), custom_id=line.item_id)
                continue
            content = new[line.item_id].content_hash if line.item_id in new else known and known["content_hash"]
            if content is None:
                new[line.item_id] = line
            elif self.replace and known and (known["waits"] or known["failed"]) and line.item_id not in new:
                # Equal content too: its parameters may be gone from disk.
                new[line.item_id] = line
                replaced.append(line.item_id)
                if known["failed"] and content != line.content_hash:
                    corrected.append(line.item_id)
            elif content == line.content_hash:
                report.known += 1
                report.retagged += wanted != tag_set
            else:
                wanted = tag_set
                reason = _OTHER_BODY if known is None or known["waits"] or not self.replace else _SENT
                rejects.add(line.number, reason, line.raw, size=len(line.raw), custom_id=line.item_id)
            tag_sets[line.item_id] = wanted
        if corrected:
            was_failed = pl.DataFrame({"item_id": corrected})
            tx.merge("keep_former_items", was_failed, now=self.now)
            tx.merge("forget_set_aside", was_failed)
        if replaced:
            tx.merge("drop_items", pl.DataFrame({"item_id": replaced}))
            tx.merge("forget_routed_items", pl.DataFrame({"item_id": replaced}))
            report.replaced += len(replaced)
        if new:
            lines = list(new.values())
            offsets = self.payloads.append([line.payload for line in lines])
            rows = item_rows(lines, offsets, report.import_id, self.now)
            tx.merge("add_items", rows.with_columns(tag_set=pl.Series([tag_sets[one] for one in new], dtype=pl.UInt32)))
            report.added += len(lines) - len(replaced)
        _tag(tx, stored, tag_sets)
        if rejects.waiting:
            report.rejected += len(rejects.waiting)
            tx.merge("add_rejects", rejects.put_aside())
        tx.run("advance_import", import_id=report.import_id, finished_at=None, note=None, **report.counts)

    def _tags_of(self, line: Line) -> Tags:
        return {**self.tags, **(line.tags or {})}


def _tag(tx: Transaction, stored: dict[str, Any], tag_sets: dict[str, int]) -> None:
    """Give items that are known the tags with which they came again: what they cost so far counts by these, too."""
    known = [(item, number) for item, number in tag_sets.items() if item in stored]
    changed = [(item, number) for item, number in known if stored[item]["tag_set"] != number]
    if changed:
        schema: dict[str, Any] = {"item_id": pl.String, "tag_set": pl.UInt32}
        tx.merge("set_tags", pl.DataFrame(changed, schema=schema, orient="row"))


def item_rows(lines: list[Line], offsets: list[int], import_id: str, now: datetime) -> pl.DataFrame:
    """The rows of `item` for lines whose payloads lie at these offsets."""
    columns: dict[str, list[Any]] = {
        "item_id": [line.item_id for line in lines],
        "content_hash": [line.content_hash for line in lines],
        "import_id": [import_id] * len(lines),
        "line": [line.number for line in lines],
        "model": [line.model for line in lines],
        "payload_offset": offsets,
        "payload_bytes": [len(line.payload) for line in lines],
        "chain": [line.chain[0] for line in lines],
        "depths": [line.chain[1] for line in lines],
        "overheads": [line.chain[2] for line in lines],
        "heads": [line.chain[3] for line in lines],
        "max_tokens": [line.max_tokens for line in lines],
        "created_at": [now] * len(lines),
    }
    return pl.DataFrame(columns, schema=_ITEM_SCHEMA)
