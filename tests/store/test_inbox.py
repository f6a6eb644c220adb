"""The inbox: what lies still goes in, is put away under a free name, and nothing is overwritten."""

import io
import os
from pathlib import Path

import pytest

from core.intake.inbox import accept, inbox_folder, put_away, waiting_files

NOW = 1_800_000_000.0


def lay(folder: Path, name: str, *, age: float) -> Path:
    """A file in the inbox that was last written `age` seconds ago."""
    path = inbox_folder(folder) / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(name)
    os.utime(path, (NOW - age, NOW - age))
    return path


def waiting(folder: Path) -> list[str]:
    """Names of what may be imported now."""
    return [path.name for path in waiting_files(folder, clock_seconds=NOW)]


def test_only_request_files_that_lie_still_wait(tmp_path: Path) -> None:
    """A file still being written is left alone, and so is everything that is none of ours."""
    for name, age in {"b.jsonl": 3, "a.ndjson.gz": 2, "new.jsonl": 1.9, "notes.txt": 99, ".b.jsonl.part": 99}.items():
        lay(tmp_path, name, age=age)
    (inbox_folder(tmp_path) / "folder.jsonl").mkdir()

    assert waiting(tmp_path) == ["a.ndjson.gz", "b.jsonl"]


def test_without_an_inbox_nothing_waits(tmp_path: Path) -> None:
    """A workspace may never have had one; the clock of the machine is the default."""
    assert waiting(tmp_path) == []
    lay(tmp_path, "old.jsonl", age=0)
    os.utime(inbox_folder(tmp_path) / "old.jsonl", (1, 1))

    assert [path.name for path in waiting_files(tmp_path)] == ["old.jsonl"]


def test_what_is_imported_is_put_away_and_never_overwritten(tmp_path: Path) -> None:
    """The same name every night is three files after three nights."""
    for night in range(3):
        lay(tmp_path, "nightly.jsonl", age=9).write_text(str(night))
        put_away(inbox_folder(tmp_path) / "nightly.jsonl")

    done = inbox_folder(tmp_path) / "imported"
    assert {path.name: path.read_text() for path in done.iterdir()} == {
        "nightly.jsonl": "0",
        "2-nightly.jsonl": "1",
        "3-nightly.jsonl": "2",
    }
    assert waiting(tmp_path) == []


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("day.jsonl", "day.jsonl"),
        ("day.jsonl.zst", "day.jsonl.zst"),
        ("day.txt", "day.txt.jsonl"),
        ("../../etc/day.jsonl", "day.jsonl"),
        ("/abs/day.ndjson", "day.ndjson"),
        ("..", "unnamed.jsonl"),
        ("", "unnamed.jsonl"),
    ],
)
def test_an_upload_lands_in_the_inbox_whatever_its_name(tmp_path: Path, given: str, kept: str) -> None:
    """No name leads out of the folder, and every upload is a file that is read."""
    path = accept(tmp_path, given, io.BytesIO(b"{}\n"))

    assert inbox_folder(tmp_path) / kept == path
    assert path.read_bytes() == b"{}\n"
    assert [path] == list(waiting_files(tmp_path, clock_seconds=path.stat().st_mtime + 2))


def test_an_upload_never_replaces_another(tmp_path: Path) -> None:
    """Two people may call their files the same."""
    paths = [accept(tmp_path, "same.jsonl", io.BytesIO(b"%d" % number)) for number in range(3)]

    assert [path.name for path in paths] == ["same.jsonl", "2-same.jsonl", "3-same.jsonl"]
    assert [path.read_bytes() for path in paths] == [b"0", b"1", b"2"]


def test_an_upload_that_breaks_off_is_no_request_file(tmp_path: Path) -> None:
    """It becomes visible only when it is whole."""

    class Breaks(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError("the network is gone")

    with pytest.raises(OSError, match="network"):
        accept(tmp_path, "day.jsonl", Breaks())

    assert list(waiting_files(tmp_path, clock_seconds=NOW * 2)) == []
