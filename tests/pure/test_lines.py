"""Reading lines: what was written comes back, however it is packed, cut or read, in bounded memory."""

import gzip
import io
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from core.requests import lines as reading
from core.requests.files import EmptyFile, NoSuchFile, NothingToRead, request_files
from core.requests.lines import FileTornApart, FileUnreadable, Oversize, read_lines

BOM = b"\xef\xbb\xbf"


def zstd(data: bytes) -> bytes:
    """The data as one zstd frame."""
    return zstandard.ZstdCompressor().compress(data)


def frames(data: bytes, pack: Callable[[bytes], bytes] = zstd) -> bytes:
    """The data as three frames or members, the middle one empty."""
    half = len(data) // 2
    return pack(data[:half]) + pack(b"") + pack(data[half:])


PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "zstd": zstd,
    "gzip members": lambda data: frames(data, gzip.compress),
    "zstd frames": frames,
}
PACKED = [name for name in PACKINGS if name != "plain"]


def read(path: Path, **options: Any) -> list[bytes]:
    """All lines; one that is too long is read back from where it was put."""
    found = []
    for line in read_lines(path, **options):
        if isinstance(line, Oversize):
            with line.spool:
                found.append(line.spool.read())
            assert len(found[-1]) == line.size
        else:
            found.append(line)
    return found


def read_torn(path: Path) -> list[bytes]:
    """The lines before the point where the file is torn, which must be reported."""
    found = []

    def collect() -> Iterator[bytes]:
        for line in read_lines(path):
            assert isinstance(line, bytes)
            yield line

    with pytest.raises(FileTornApart, match=path.name):
        for line in collect():
            found.append(line)  # noqa: PERF402 - what came before the error is wanted
    return found


@given(
    wanted=st.lists(st.binary(max_size=60).map(lambda line: line.replace(b"\n", b"")), max_size=12),
    end=st.sampled_from([b"\n", b"\r\n"]),
    final=st.booleans(),
    packing=st.sampled_from(list(PACKINGS)),
    read_bytes=st.integers(2, 200),
    packed_bytes=st.integers(1, 200),
    max_line=st.integers(1, 80),
)
def test_lines_read_back_are_the_lines_written(
    tmp_path_factory: pytest.TempPathFactory,
    *,
    wanted: list[bytes],
    end: bytes,
    final: bool,
    packing: str,
    read_bytes: int,
    packed_bytes: int,
    max_line: int,
) -> None:
    """Packing, line ends, the size of a read and the limit of a line change nothing in what is read."""
    data = end.join([*wanted, b""] if final else wanted)
    if data.startswith((BOM, b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18")):
        data = b"{" + data
    path = tmp_path_factory.getbasetemp() / "round.jsonl"
    path.write_bytes(PACKINGS[packing](data))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "_READ_BYTES", read_bytes)
        patch.setattr(reading, "_PACKED_BYTES", packed_bytes)
        found = read(path, max_line=max_line)

    assert b"".join(found) == data
    assert found == io.BytesIO(data).readlines()


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("rest", [b'{"a":1}\n{"b":2}\n', b"\n", b"x", b""], ids=["lines", "blank", "one", "nothing"])
def test_a_byte_order_mark_at_the_start_is_no_part_of_the_first_line(tmp_path: Path, packing: str, rest: bytes) -> None:
    """Editors on Windows put three bytes before the first line; they are skipped there and nowhere else."""
    path = tmp_path / "mark.jsonl"
    path.write_bytes(PACKINGS[packing](BOM + rest))

    assert io.BytesIO(rest).readlines() == read(path)

    path.write_bytes(PACKINGS[packing](b"{}\n" + BOM + rest))
    assert [b"{}\n", *io.BytesIO(BOM + rest).readlines()] == read(path)


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_byte_order_mark_does_not_count_as_part_of_the_longest_line(tmp_path: Path, packing: str) -> None:
    """A first line of exactly the limit stays one line, with the mark and without."""
    path = tmp_path / "mark.jsonl"
    path.write_bytes(PACKINGS[packing](BOM + b"12345678\n12345678\n"))

    lines = list(read_lines(path, max_line=9))

    assert lines == [b"12345678\n"] * 2


@pytest.mark.parametrize("packing", PACKED)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_every_complete_line_before_a_cut_is_read(tmp_path: Path, packing: str, share: float) -> None:
    """A download that broke off loses only what is not there: all that unpacks is read, then the cut is reported."""
    wanted = [b'{"n":%d,"hash":%d}\n' % (number, number * 2654435761 % 2**32) for number in range(40_000)]
    data = b"".join(wanted)
    packed = PACKINGS[packing](data)
    packed = packed[: int(len(packed) * share)]
    path = tmp_path / "cut.jsonl"
    path.write_bytes(packed)

    found = read_torn(path)

    assert found == wanted[: len(found)]
    assert unpackable(packed).count(b"\n") == len(found)


def unpackable(packed: bytes) -> bytes:
    """All that can be had of cut bytes, by the libraries' own streaming decompressors."""
    found = b""
    while packed:
        one: Any = zlib.decompressobj(31) if packed[:2] == b"\x1f\x8b" else zstandard.ZstdDecompressor().decompressobj()
        found += one.decompress(packed)
        packed = one.unused_data
    return found


@pytest.mark.parametrize("packing", PACKED)
def test_damage_and_junk_are_reported_not_taken_for_an_end(tmp_path: Path, packing: str) -> None:
    """A flipped byte or something foreign behind the last frame is said; what came before is kept."""
    data = b'{"a":1}\n' * 1_000
    path = tmp_path / "damaged.jsonl"
    path.write_bytes(PACKINGS[packing](data) + b"junk behind the end")

    assert read_torn(path) == [b'{"a":1}\n'] * 1_000

    packed = bytearray(PACKINGS[packing](data))
    packed[len(packed) // 3] ^= 0xFF
    path.write_bytes(packed)
    read_torn(path)


def test_frames_to_be_skipped_are_skipped(tmp_path: Path) -> None:
    """`pzstd` puts such a frame before every other one, and so at the start of the file."""
    skipped = b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"abcd"
    path = tmp_path / "pzstd.jsonl.zst"
    path.write_bytes(skipped + zstd(b"a\n") + skipped + zstd(b"b\n"))

    assert read(path) == [b"a\n", b"b\n"]


def test_zeros_behind_a_gzip_file_are_padding(tmp_path: Path) -> None:
    """Tapes and some object stores pad files with zeros: gzip itself reads them as nothing."""
    path = tmp_path / "padded.jsonl.gz"
    path.write_bytes(gzip.compress(b"a\n") + b"\0" * 40_000 + gzip.compress(b"b\n") + b"\0" * 3)

    assert read(path) == [b"a\n", b"b\n"]


@pytest.mark.parametrize("pack", [gzip.compress, zstd], ids=["gzip", "zstd"])
def test_what_packs_extremely_well_is_still_unpacked_in_pieces(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    """A few kilobytes may unpack to hundreds of megabytes; never more than some of them are held at once."""
    path = tmp_path / "dense.jsonl"
    path.write_bytes(pack((b" " * 65_535 + b"\n") * 2_048))

    tracemalloc.start()
    try:
        count = sum(1 for _ in read_lines(path))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert count == 2_048
    assert peak < 40_000_000


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_line_over_the_limit_is_kept_aside_whole(tmp_path: Path, packing: str) -> None:
    """50 MB in one line are no request, but not lost either; the lines around it are read."""
    long = b"x" * 50_000_000
    path = tmp_path / "long.jsonl"
    path.write_bytes(PACKINGS[packing](b"before\n" + long + b"\nafter\n" + long))

    lines = list(read_lines(path))

    assert [line for line in lines if isinstance(line, bytes)] == [b"before\n", b"after\n"]
    for line, wanted in zip(lines[1::2], [long + b"\n", long], strict=True):
        assert isinstance(line, Oversize)
        with line.spool:
            assert line.size == len(wanted)
            assert line.spool.read() == wanted


def test_the_longest_line_a_request_may_have_is_a_line(tmp_path: Path) -> None:
    """The limit itself is inside the limit, whether the line has an end or not."""
    path = tmp_path / "border.jsonl"
    path.write_bytes(b"1234567\n12345678\n12345678")

    kinds = []
    for line in read_lines(path, max_line=8):
        kinds.append(type(line))
        if isinstance(line, Oversize):
            line.spool.close()

    assert kinds == [bytes, Oversize, bytes]


@pytest.mark.parametrize("packing", PACKED)
def test_a_packed_file_of_nothing_has_no_lines(tmp_path: Path, packing: str) -> None:
    """Nothing in, nothing out, no complaint."""
    path = tmp_path / "none.jsonl"
    path.write_bytes(PACKINGS[packing](b""))

    assert read(path) == []


def test_what_cannot_be_opened_says_which_file_and_why(tmp_path: Path) -> None:
    """A missing file and a folder are refused by name, with the reason of the operating system."""
    with pytest.raises(FileUnreadable, match="No such file") as missing:
        read(tmp_path / "missing.jsonl")
    with pytest.raises(FileUnreadable, match="directory"):
        read(tmp_path)

    assert missing.value.context["file"] == tmp_path / "missing.jsonl"


def test_a_folder_stands_for_its_request_files_in_name_order(tmp_path: Path) -> None:
    """All suffixes count, subfolders and other files do not."""
    for name in ("b.jsonl", "a.jsonl.gz", "c.ndjson.zst", "notes.txt", ".b.jsonl.part", "d.json"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "sub.jsonl").mkdir()

    found = request_files([tmp_path, tmp_path / "notes.txt"])

    assert [path.name for path in found] == ["a.jsonl.gz", "b.jsonl", "c.ndjson.zst", "notes.txt"]


def test_nothing_to_read_is_said_before_anything_is_read(tmp_path: Path) -> None:
    """A missing path, an empty file and a folder without request files have a message each, naming the path."""
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "folder").mkdir()

    with pytest.raises(NoSuchFile, match=r"missing\.jsonl"):
        request_files([tmp_path / "missing.jsonl"])
    with pytest.raises(EmptyFile, match=r"empty\.jsonl"):
        request_files([tmp_path / "empty.jsonl"])
    with pytest.raises(NothingToRead, match="folder"):
        request_files([tmp_path / "folder"])
