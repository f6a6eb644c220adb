"""Rewrites: a change of parameters as a value, applied to one request or to a whole file, never over it."""

import gzip
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

import msgspec
import zstandard
from msgspec import Raw

from core.doctor.texts import Params
from core.errors import LotwiseError
from core.requests.blocks import chain_of
from core.requests.lines import Oversize, read_lines
from core.requests.request import NotARequest, parse_request

_COPY_BYTES = 1 << 20


class Rewrite(Protocol):
    """A change that is the same for every request of a class, and none for all others."""

    @property
    def model(self) -> str:
        """The model whose requests it changes."""

    def apply(self, params: Params) -> Params:
        """The changed parameters; the very same object where the rewrite does not apply. Never in place."""

    def document(self) -> dict[str, Any]:
        """The change as plain values, to show or to keep."""


class WouldOverwrite(LotwiseError):
    """There is a file of that name already, and a rewrite never replaces one. Name another folder."""


@dataclass(frozen=True, kw_only=True)
class Rewritten:
    """What became of one file."""

    source: str
    target: str
    lines: int
    changed: int


def rewrite_params(params: Params, rewrites: Sequence[Rewrite]) -> Params:
    """Apply rewrites in order; the same object comes back where none applies."""
    for rewrite in rewrites:
        if rewrite.model == params["model"]:
            params = rewrite.apply(params)
    return params


def rewrite_line(line: bytes, rewrites: Sequence[Rewrite]) -> bytes:
    """Apply rewrites to one line; a line that none changes, or that is no request, comes back as it is.

    Parameters that stay the same keep their bytes, those that change are written as compact JSON.
    """
    try:
        chain_of(parse_request(line).params)
        params = json.loads(line)["params"]
    except (NotARequest, RecursionError, ValueError):
        return line
    changed = rewrite_params(params, rewrites)
    if changed is params:
        return line
    request = msgspec.json.decode(line, type=dict[str, Raw])
    sent = msgspec.json.decode(request["params"], type=dict[str, Raw])
    kept = {key: sent[key] if value is params.get(key) else _raw(value) for key, value in changed.items()}
    request["params"] = Raw(msgspec.json.encode(kept))
    return msgspec.json.encode(request) + line[len(line.rstrip(b"\r\n")) :]


def _raw(value: Any) -> Raw:
    # The standard library keeps whole numbers of any size, which the faster ones turn into floats.
    return Raw(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def rewrite_file(source: Path, folder: Path, rewrites: Sequence[Rewrite]) -> Rewritten:
    """Write a rewritten copy of a request file into a folder, under its own name and packed as that says.

    Line by line, so memory is bounded. Raises `WouldOverwrite`, `FileUnreadable` or `FileTornApart`; what is not
    complete never gets the name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / source.name
    if target.exists():
        raise WouldOverwrite(file=target)
    part = target.with_name(f"{target.name}.part")
    lines = changed = 0
    try:
        with _writer(part) as sink:
            for line in read_lines(source):
                lines += 1
                if isinstance(line, Oversize):
                    with line.spool as spool:
                        while piece := spool.read(_COPY_BYTES):
                            sink.write(piece)
                    continue
                written = rewrite_line(line, rewrites)
                changed += written is not line
                sink.write(written)
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)
    return Rewritten(source=str(source), target=str(target), lines=lines, changed=changed)


@contextmanager
def _writer(path: Path) -> Iterator[IO[bytes]]:
    name = path.name.removesuffix(".part")
    with path.open("xb") as file:
        if name.endswith(".gz"):
            with gzip.open(file, "wb") as packed:
                yield packed  # type: ignore[misc]
        elif name.endswith(".zst"):
            with zstandard.ZstdCompressor().stream_writer(file, closefd=False) as stream:
                yield stream
        else:
            yield file
