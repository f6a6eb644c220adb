"""Shards: parts of request files that can be read apart, by different processes, and give every line exactly once."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from core.requests.lines import Oversize, is_packed, read_lines


@dataclass(frozen=True, kw_only=True, slots=True)
class Shard:
    """The lines of a file that begin in its bytes from `start` up to `stop` (None: to the end)."""

    path: Path
    start: int = 0
    stop: int | None = None

    def __str__(self) -> str:
        return f"{self.path}, bytes {self.start} to {'the end' if self.stop is None else self.stop}"


def shards_of(paths: Iterable[Path], shard_bytes: int) -> list[Shard]:
    """Cut plain files into equal parts of at most `shard_bytes`; a packed file, which cannot be cut, is one shard.

    The shards stand in the order of the paths and of the lines, with absolute paths: who reads them may stand in
    another folder. Raises `FileUnreadable`.
    """
    shards = []
    for path in paths:
        size = 1 if is_packed(path) else path.stat().st_size
        parts = max(1, -(-size // shard_bytes))
        cuts = [size * part // parts for part in range(parts)]
        shards += [
            Shard(path=path.absolute(), start=start, stop=stop)
            for start, stop in zip(cuts, [*cuts[1:], None], strict=True)
        ]
    return shards


def read_shard(shard: Shard) -> Iterator[tuple[int, bytes | Oversize]]:
    """Yield the lines of a shard, numbered from 1 within it; a shard may have none.

    The last number is the shard's count of lines. A shard with `start` 0 opens its file, so a line's number in the
    file is its number here plus the counts of the shards before it since then. Raises as `read_lines` does.
    """
    return enumerate(read_lines(shard.path, start=shard.start, stop=shard.stop), 1)


def lines_at(shard: Shard, numbers: Iterable[int]) -> Iterator[bytes]:
    """Yield the lines of these numbers, given in ascending order and perhaps several times over.

    Lines that were too long to be read are not among them. Nothing is read behind the last one.
    """
    wanted = iter(numbers)
    number = next(wanted, None)
    for at, line in read_shard(shard):
        if isinstance(line, Oversize):
            line.spool.close()
            continue
        while at == number:
            yield line
            number = next(wanted, None)
        if number is None:
            return
