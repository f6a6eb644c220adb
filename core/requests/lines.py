"""Lines of a request file: streamed, unpacked on the way, bounded in memory whatever the file holds."""

import io
import os
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import zstandard

from core.errors import LotwiseError

# A single request may not exceed 32 MB (errors page of the API's documentation), so no line needs more.
MAX_LINE_BYTES = 32_000_000
# What weighs as much as a whole batch may (256 MB, batch processing page) is no line at all.
_ENDLESS_BYTES = 256_000_000
# Far more than a backlog has: 125 full batches.
MAX_UNPACKED_BYTES = 32_000_000_000
# Requests that share a heavy prefix may pack a thousandfold; past a gigabyte that is a bomb until its owner unpacks it.
_FREE_BYTES = 1_000_000_000
_MAX_RATIO = 1_000
# Memory that one zstd frame may ask for: what the zstd command itself allows unless told otherwise.
_ZSTD_WINDOW = 1 << 27
# Large reads halve the cost of a line against the default buffer of 8 KB.
_READ_BYTES = 1 << 18
# Packed bytes unpacked at once: zstd may turn four bytes into 128 KB, so this bounds a piece to 16 MB.
_PACKED_BYTES = 1 << 9
_GZIP_WBITS = 31
_GZIP_MAGIC = b"\x1f\x8b"
# The second one opens a frame to be skipped, as pzstd writes before every other.
_ZSTD_MAGICS = (b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18")
# Some editors put it at the start of a file; it is no part of the first line.
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class FileUnreadable(LotwiseError):
    """This file could not be read. Check the path and its permissions, then import it again."""


class FileTornApart(LotwiseError):
    """The compressed file ends early or is damaged. Every complete line before that point went in; copy the file
    again and import it again: what is already known stays as it is."""


class FileOverflows(FileTornApart):
    """This file holds a line without end, or unpacks to far more than it weighs, so it was read no further. Every
    complete line before that point went in; if the file is meant to be so, unpack it and import it in parts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Oversize:
    """A line longer than a request may be: kept in a temporary file, for the rejects."""

    size: int
    spool: IO[bytes]


def read_lines(
    path: Path, *, start: int = 0, stop: int | None = None, max_line: int = MAX_LINE_BYTES
) -> Iterator[bytes | Oversize]:
    """Yield the lines of a plain, gzip or zstd file (told by its first bytes) with their line ends, in order.

    Only those that begin in the bytes from `start` up to `stop` (None: to the end; else more than `start`), so that
    ranges which cover a file give every line exactly once. A packed file cannot be cut: all its lines count as
    beginning at 0, as does the first line behind a byte order mark. Memory is bounded by `max_line`.

    Raises `FileUnreadable`, `FileTornApart` after the last line that could be unpacked, or `FileOverflows` where a
    line has no end or a packed file grows beyond all measure.
    """
    try:
        with path.open("rb", buffering=_READ_BYTES) as file:
            stream, left = _at_first_line(file, start, sys.maxsize if stop is None else stop)
            readline, enough = stream.readline, max_line + 1
            # One call a line, and nearly as fast as iterating over the file.
            while left > 0 and (line := readline(enough)):
                if (size := len(line)) <= max_line:
                    yield line
                else:
                    long = _spooled(line, stream)
                    size = long.size
                    yield long
                left -= size
    except _Overflow as overflow:
        raise FileOverflows(file=path, why=str(overflow)) from overflow
    except (EOFError, zlib.error, zstandard.ZstdError) as error:
        raise FileTornApart(file=path, why=str(error)) from error
    except OSError as error:
        raise FileUnreadable(file=path, why=error.strerror or str(error)) from error


def is_packed(path: Path) -> bool:
    """Tell a gzip or zstd file from a plain one by its first bytes. Raises `FileUnreadable`."""
    try:
        with path.open("rb", buffering=0) as file:
            return _packing(_head(file)) is not None
    except OSError as error:
        raise FileUnreadable(file=path, why=error.strerror or str(error)) from error


class _Overflow(Exception):
    """Reading on would fill the disk."""


def _spooled(piece: bytes, stream: IO[bytes]) -> Oversize:
    spool = tempfile.TemporaryFile()  # noqa: SIM115 - closed by whoever keeps the line
    size = spool.write(piece)
    while not piece.endswith(b"\n") and (piece := stream.readline(_READ_BYTES)):
        size += spool.write(piece)
        if size > _ENDLESS_BYTES:
            spool.close()
            raise _Overflow(f"a line of more than {_ENDLESS_BYTES:,} bytes")
    spool.seek(0)
    return Oversize(size=size, spool=spool)


def _at_first_line(file: IO[bytes], start: int, stop: int) -> tuple[IO[bytes], int]:
    """The stream where the first line that begins in the range begins, and the bytes in which others may begin."""
    head = _head(file)
    if new_frame := _packing(head):
        pieces = _bounded(_pieces(file, new_frame), file)
        return io.BufferedReader(_Unpacked(pieces), _READ_BYTES), 0 if start else sys.maxsize
    if start:
        return file, stop - _behind_begun_line(file, start, stop)
    first = file.seek(len(_BYTE_ORDER_MARK) if head.startswith(_BYTE_ORDER_MARK) else 0)
    return file, max(stop - first, 1)


def _behind_begun_line(file: IO[bytes], start: int, stop: int) -> int:
    """Skip the line with the byte before `start`, however long it is, and return the position behind it.

    Looks hardly further than `stop`: what begins there or later is not wanted.
    """
    at = file.seek(start - 1)
    while at < stop and (piece := file.readline(_READ_BYTES)):
        at += len(piece)
        if piece.endswith(b"\n"):
            break
    return at


def _head(file: Any) -> bytes:
    """The first bytes, by which the packing is told; the file stays where it is."""
    return os.pread(file.fileno(), len(_ZSTD_MAGICS[0]), 0)


def _packing(head: bytes) -> Callable[[], Any] | None:
    """What unpacks one frame of a file that begins like this; None for a plain file."""
    if head in _ZSTD_MAGICS:
        return zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj
    return partial(zlib.decompressobj, _GZIP_WBITS) if head.startswith(_GZIP_MAGIC) else None


class _Unpacked(io.RawIOBase):
    """Unpacked bytes of consecutive frames; the libraries' own readers take a cut frame for a finished one (zstd),
    or lose what they had unpacked before the cut (gzip)."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = _without_byte_order_mark(pieces)
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._ready:
            self._ready = memoryview(next(self._pieces, b""))
        taken = min(len(buffer), len(self._ready))
        buffer[:taken] = self._ready[:taken]
        self._ready = self._ready[taken:]
        return taken


def _pieces(file: IO[bytes], new_frame: Callable[[], Any]) -> Iterator[bytes]:
    """What the file unpacks to, piece by piece; none is empty. Zeros behind a frame are padding."""
    frame, pending = None, b""
    while packed := pending or file.read(_PACKED_BYTES):
        frame, pending = frame or new_frame(), b""
        if piece := frame.decompress(packed):
            yield piece
        if frame.eof:
            pending, frame = frame.unused_data.lstrip(b"\0"), None
            while not pending and (packed := file.read(_PACKED_BYTES)):
                pending = packed.lstrip(b"\0")
    if frame is not None:
        raise EOFError("the last frame has no end")


def _bounded(pieces: Iterator[bytes], file: IO[bytes]) -> Iterator[bytes]:
    """The same pieces, up to where a file has grown beyond what it can honestly hold."""
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > _FREE_BYTES and (size > MAX_UNPACKED_BYTES or size > _MAX_RATIO * file.tell()):
            raise _Overflow(f"{size:,} bytes out of {file.tell():,}")
        yield piece


def _without_byte_order_mark(pieces: Iterator[bytes]) -> Iterator[bytes]:
    head = b""
    while len(head) < len(_BYTE_ORDER_MARK) and (piece := next(pieces, b"")):
        head += piece
    if head := head.removeprefix(_BYTE_ORDER_MARK):
        yield head
    yield from pieces
