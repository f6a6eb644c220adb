"""Hostile files, names and texts, met without a store."""

import csv
import gzip
import io
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from core.commands.plain_text import plain, visible
from core.confinement import OutsideWorkspace, fit_name, named, within
from core.requests import lines
from core.requests.lines import FileOverflows, FileTornApart, Oversize, read_lines
from core.spreadsheets import csv_of, inert
from tests.nasty import NASTY

LINE = b'{"custom_id": "a"}\n'
LONG = b'{"custom_id": "' + b"a" * 20_000 + b'"}\n'
ZEROS = bytes(1 << 20)
FORMULA_STARTS = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
STEERING = st.characters(categories=["Cc", "Cf"], exclude_characters="\n\u00ad")

Pack = Callable[[bytes], bytes]
PACKERS: list[Pack] = [gzip.compress, zstandard.ZstdCompressor(write_content_size=False).compress]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds far below the real ones, so that a bomb of megabytes stands for one of gigabytes."""
    monkeypatch.setattr(lines, "_FREE_BYTES", 20_000_000)
    monkeypatch.setattr(lines, "MAX_UNPACKED_BYTES", 30_000_000)
    monkeypatch.setattr(lines, "_ENDLESS_BYTES", 256_000)


def read_all(path: Path) -> list[bytes | Oversize]:
    """Every line up to the one that is refused, which is raised behind them."""
    found: list[bytes | Oversize] = []
    with pytest.raises(FileTornApart) as refused:
        found.extend(read_lines(path, max_line=32_000))
    assert isinstance(refused.value, FileOverflows), refused.value
    return found


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("pack", PACKERS, ids=["gzip", "zstd"])
def test_a_file_that_unpacks_beyond_measure_is_read_no_further(tmp_path: Path, pack: Pack) -> None:
    """Beyond all measure or a thousandfold past the free gigabyte: what was read before that point is whole lines."""
    path = tmp_path / "bomb.jsonl"
    path.write_bytes(pack(LONG * 2_500))

    found = read_all(path)

    assert set(found) == {LONG}
    assert 10_000_000 < len(LONG) * len(found) <= 30_000_000


@pytest.mark.usefixtures("small")
def test_the_same_lines_unpacked_are_read(tmp_path: Path) -> None:
    """The bound is on what packing hides: who unpacked a file knows its size."""
    path = tmp_path / "plain.jsonl"
    path.write_bytes(LONG * 2_500)

    assert sum(line == LONG for line in read_lines(path)) == 2_500


@pytest.mark.usefixtures("small")
def test_what_packs_well_and_is_no_bomb_is_read(tmp_path: Path) -> None:
    """Requests with one heavy prefix pack a hundredfold and more: that is their nature."""
    path = tmp_path / "heavy.jsonl"
    rules = " ".join(str(number * 7_919) for number in range(10_000)).encode()
    written = [b'{"n": %d, "prefix": "' % n + rules + b'"}\n' for n in range(300)]
    path.write_bytes(zstandard.compress(b"".join(written)))

    assert list(read_lines(path)) == written
    assert path.stat().st_size < sum(map(len, written)) / 200


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("pack", [*PACKERS, bytes], ids=["gzip", "zstd", "plain"])
def test_a_line_without_end_is_no_line(tmp_path: Path, pack: Pack) -> None:
    """What comes before it went in; it is neither kept in memory nor copied to disk without bound."""
    path = tmp_path / "endless.jsonl"
    path.write_bytes(pack(LINE + ZEROS))

    assert read_all(path) == [LINE]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("pack", PACKERS, ids=["gzip", "zstd"])
def test_many_small_members_are_bounded_together(tmp_path: Path, pack: Pack) -> None:
    """Concatenated frames are one file: the bound is on their sum."""
    path = tmp_path / "members.jsonl"
    path.write_bytes(pack(LONG * 50) * 40)

    assert 900 < len(read_all(path)) < 1_500


def test_a_frame_that_asks_for_much_memory_is_refused(tmp_path: Path) -> None:
    """A zstd header may ask for gigabytes before a byte is unpacked."""
    path = tmp_path / "wide.jsonl"
    params = zstandard.ZstdCompressionParameters(window_log=30, enable_ldm=True)
    packer = zstandard.ZstdCompressor(compression_params=params).compressobj()
    path.write_bytes(packer.compress(LINE * 1_000) + packer.flush())

    with pytest.raises(FileTornApart):
        list(read_lines(path))


def test_an_archive_within_an_archive_is_not_opened(tmp_path: Path) -> None:
    """Only the outer packing is taken off: what is below are lines that are no requests."""
    path = tmp_path / "nested.jsonl.gz"
    inner = gzip.compress(LINE * 1_000)
    path.write_bytes(gzip.compress(inner))

    assert b"".join(line for line in read_lines(path) if isinstance(line, bytes)) == inner


TEXTS = st.one_of(st.text(max_size=20), st.sampled_from(sorted(NASTY.values())), st.just("-5"))


@given(st.lists(st.tuples(TEXTS, st.integers(-9, 9), st.floats(allow_nan=False, allow_infinity=False)), max_size=5))
def test_no_cell_of_a_csv_can_be_run(rows: list[tuple[str, int, float]]) -> None:
    """Whatever a text begins with, and however it is quoted; numbers stay numbers, and the text itself is all there."""
    frame = pl.DataFrame(
        rows, schema={"text": pl.String, "whole": pl.Int64, "real": pl.Float64}, orient="row"
    ).with_columns(money=pl.col("whole").cast(pl.Decimal(18, 9)))

    read = list(csv.DictReader(io.StringIO(csv_of(frame), newline="")))

    assert len(rows) == len(read)
    for cells, (text, whole, real) in zip(read, rows, strict=True):
        assert not cells["text"].startswith(FORMULA_STARTS)
        assert not cells["text"].lstrip().startswith(FORMULA_STARTS)
        assert cells["text"] in (text, f"'{text}")
        assert (int(cells["whole"]), float(cells["money"])) == (whole, whole)
        assert float(cells["real"]) == real


@pytest.mark.parametrize("start", FORMULA_STARTS)
def test_every_start_of_a_formula_is_neutralised(start: str) -> None:
    """The list of OWASP's page on CSV injection, full-width signs included."""
    frame = pl.DataFrame({"text": [f"{start}1+1", f"  {start}x", f"a{start}b", None]})

    assert [f"'{start}1+1", f"'  {start}x", f"a{start}b", None][::3] == inert(frame)["text"].to_list()[::3]
    assert inert(frame)["text"][2] == f"a{start}b"


@given(st.text(st.one_of(st.characters(codec="utf-8"), STEERING)))
def test_nothing_in_the_plain_output_steers_a_terminal(text: str) -> None:
    """Escapes, bells, carriage returns and turned directions are spelled out; what was plain stays as it was."""
    shown = plain("status", {"trouble": text, "jobs": [{"job_id": text, "role": text}]})

    assert not any(visible(sign) != sign for sign in shown)
    assert visible("Grüße, 日本 – “ok”") == "Grüße, 日本 – “ok”"


def test_a_cell_of_a_table_keeps_to_its_line() -> None:
    """A line end in a name cannot make a row that is not there."""
    shown = plain("status", {"jobs": [{"job_id": "a\njob-9  body  done"}]})

    assert len(shown.strip().splitlines()) == 2


@given(st.one_of(st.text(), st.sampled_from(["..", "../../x.jsonl", "/etc/passwd", "C:\\x", "a\0b", ".", ""])))
def test_any_upload_gets_a_name_that_stays_in_its_folder(name: str) -> None:
    """Its last part, short, without separators and control characters."""
    fit = fit_name(name)

    assert fit
    assert fit not in (".", "..")
    assert Path("inbox") / fit == Path("inbox", fit)
    assert (Path("/inbox") / fit).parent == Path("/inbox")
    assert len(fit.encode()) <= 200
    assert visible(fit) == fit


@pytest.mark.parametrize(
    "name", ["../../x.jsonl", "..", "a/b.jsonl", "/etc/passwd", "a\0.jsonl", "", ".lock", "ü.jsonl"]
)
def test_an_id_that_is_none_makes_no_path(name: str) -> None:
    """A crafted store or call cannot name a file elsewhere."""
    with pytest.raises(OutsideWorkspace):
        named(Path("results"), name)
    assert named(Path("results"), "a1b2-c_3.jsonl") == Path("results/a1b2-c_3.jsonl")


def test_links_are_followed_before_a_path_is_believed(tmp_path: Path) -> None:
    """A link inside that leads outside is outside."""
    folder, outside = tmp_path / "workspace", tmp_path / "secret.jsonl"
    folder.mkdir()
    outside.write_text("secret")
    (folder / "link.jsonl").symlink_to(outside)
    (folder / "own.jsonl").write_text("own")
    (folder / "alias.jsonl").symlink_to(folder / "own.jsonl")

    assert within(folder, folder / "alias.jsonl") == folder / "alias.jsonl"
    for path in (folder / "link.jsonl", outside, folder / ".." / "secret.jsonl"):
        with pytest.raises(OutsideWorkspace):
            within(folder, path)
