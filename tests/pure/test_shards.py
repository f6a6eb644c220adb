"""Shards: however a file is cut, together they give its lines, each once, with the numbers that they have in it."""

import gzip
import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.requests import lines as reading
from core.requests.lines import FileTornApart, FileUnreadable, Oversize, is_packed, read_lines
from core.requests.shards import Shard, read_shard, shards_of
from tests.pure.test_lines import BOM, PACKED, PACKINGS

# Small pieces, so that ends of lines, ends of files and cuts fall on each other in every way.
contents = st.lists(st.sampled_from([b"\n", b"\r\n", b"a", b"bb", b"c" * 9, BOM, b" ", b"\0"]), max_size=30).map(
    b"".join
)


def whole(line: bytes | Oversize) -> bytes:
    """The bytes of a line, wherever they were put."""
    if isinstance(line, bytes):
        return line
    with line.spool:
        return b"long:" + line.spool.read()


def numbered(shards: list[Shard]) -> list[tuple[int, bytes]]:
    """The lines of all shards with their numbers in the file, made as the docstring of `read_shard` says."""
    found: list[tuple[int, bytes]] = []
    before = 0
    for shard in shards:
        before = 0 if shard.start == 0 else before
        lines = [(before + number, whole(line)) for number, line in read_shard(shard)]
        before += len(lines)
        found += lines
    return found


@given(
    data=contents,
    cuts=st.sets(st.integers(1, 80), max_size=8),
    packing=st.sampled_from(["plain", "plain", "gzip", "zstd frames"]),
    read_bytes=st.integers(2, 40),
    max_line=st.integers(1, 12),
)
@example(data=BOM + b"\nx", cuts={1, 2, 3, 4}, packing="plain", read_bytes=9, max_line=9)
@example(data=b"a\nbb\n", cuts={1, 2, 3, 4, 5}, packing="plain", read_bytes=9, max_line=9)
@example(data=b"ccccccccc\na", cuts={3, 6, 10}, packing="plain", read_bytes=2, max_line=4)
def test_any_cuts_give_every_line_once(
    tmp_path_factory: pytest.TempPathFactory,
    *,
    data: bytes,
    cuts: set[int],
    packing: str,
    read_bytes: int,
    max_line: int,
) -> None:
    """Ranges that cover a file give its lines: blank, long, unfinished, with either line end, after a mark."""
    path = tmp_path_factory.getbasetemp() / "cut.jsonl"
    path.write_bytes(PACKINGS[packing](data))
    starts = [0, *sorted(cuts)]
    ranges = list(zip(starts, [*starts[1:], None], strict=True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "_READ_BYTES", read_bytes)
        wanted = [whole(line) for line in read_lines(path, max_line=max_line)]
        found = [
            [whole(line) for line in read_lines(path, start=start, stop=stop, max_line=max_line)]
            for start, stop in ranges
        ]

    assert [line for part in found for line in part] == wanted
    if packing == "plain" and not data.startswith(BOM):
        begins = [len(data) - len(rest) for rest in rests(data)]
        assert [len(part) for part in found] == [
            sum(start <= at < (len(data) if stop is None else stop) for at in begins) for start, stop in ranges
        ]


def rests(data: bytes) -> Iterator[bytes]:
    """The data from every beginning of a line on."""
    while data:
        yield data
        data = data.partition(b"\n")[2]


@given(files=st.lists(contents.filter(bool), min_size=1, max_size=3), shard_bytes=st.integers(1, 60))
def test_shards_number_the_lines_of_each_file(
    tmp_path_factory: pytest.TempPathFactory, files: list[bytes], shard_bytes: int
) -> None:
    """A rejected line is reported by the number that an editor shows, in whichever shard it was found."""
    folder = tmp_path_factory.mktemp("files")
    paths = [folder / f"{position}.jsonl" for position in range(len(files))]
    for path, data in zip(paths, files, strict=True):
        path.write_bytes(data)

    shards = shards_of(paths, shard_bytes)

    wanted = [pair for path in paths for pair in enumerate(read_lines(path), 1)]
    assert numbered(shards) == wanted
    assert list(dict.fromkeys(shard.path for shard in shards)) == paths
    for path, data in zip(paths, files, strict=True):
        ranges = [(shard.start, shard.stop) for shard in shards if shard.path == path]
        assert [start for start, _ in ranges] == [0, *(stop for _, stop in ranges[:-1])]
        assert ranges[-1][1] is None
        assert all(0 < (len(data) if stop is None else stop) - start <= shard_bytes for start, stop in ranges)


@pytest.mark.parametrize("packing", PACKED)
def test_a_packed_file_is_one_shard(tmp_path: Path, packing: str) -> None:
    """Nothing in a stream says where a line begins, so it is read whole, told by its first bytes and not its name."""
    path = tmp_path / "packed.jsonl"
    path.write_bytes(PACKINGS[packing](b'{"a":1}\n' * 1_000))

    assert is_packed(path)
    assert shards_of([path], 10) == [Shard(path=path)]
    assert len(numbered(shards_of([path], 10))) == 1_000


def test_an_empty_file_is_one_shard_without_lines(tmp_path: Path) -> None:
    """It has no line, and its report should not be missing."""
    path = tmp_path / "empty.jsonl"
    path.touch()

    assert [list(read_shard(shard)) for shard in shards_of([path], 10)] == [[]]


def test_a_shard_names_its_file_wherever_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker may stand in another folder than the one who asked; a message names file and bytes."""
    (tmp_path / "a.jsonl").write_bytes(b"x\n" * 10)
    monkeypatch.chdir(tmp_path)

    first, last = shards_of([Path("a.jsonl")], 10)

    assert str(first) == f"{tmp_path / 'a.jsonl'}, bytes 0 to 10"
    assert str(last) == f"{tmp_path / 'a.jsonl'}, bytes 10 to the end"


def test_shards_inside_one_long_line_look_no_further_than_their_end(tmp_path: Path) -> None:
    """A file of one line of 20 GB must not be read to its end by each of its shards, nor held in memory."""
    path = tmp_path / "sparse.jsonl"
    path.touch()
    os.truncate(path, 20 << 30)

    tracemalloc.start()
    try:
        found = [list(read_shard(Shard(path=path, start=n << 20, stop=(n + 20) << 20))) for n in range(1, 400, 20)]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert found == [[]] * 20
    assert peak < 4_000_000


def test_what_cannot_be_read_is_said_as_for_whole_files(tmp_path: Path) -> None:
    """Cutting a missing file, reading a shard of one, and reading a torn one name the file."""
    missing = tmp_path / "missing.jsonl"
    torn = tmp_path / "torn.jsonl.gz"
    torn.write_bytes(gzip.compress(b'{"n":1}\n' * 10_000)[:-20])

    with pytest.raises(FileUnreadable, match=r"missing\.jsonl"):
        shards_of([missing], 10)
    with pytest.raises(FileUnreadable, match=r"missing\.jsonl"):
        list(read_shard(Shard(path=missing, start=5, stop=9)))
    with pytest.raises(FileTornApart, match=r"torn\.jsonl"):
        numbered(shards_of([torn], 10))
