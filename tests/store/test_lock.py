"""The lock: one process owns a workspace, everybody else is told which, and a dead one blocks nobody."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.store import Owner, Store, StoreBusy
from core.store.lock import read_owner

HOLD = """
import sys, time
from pathlib import Path
from core.store import Store
Store.open(Path(sys.argv[1]))
print("open", flush=True)
time.sleep(60)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store lies; the folder is not there yet."""
    return tmp_path / "workspace" / "lotwise.duckdb"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """A fresh store."""
    opened = Store.open(path)
    yield opened
    opened.close()


@pytest.fixture
def holder(path: Path, checkout: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that has the store open."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], cwd=checkout, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process
        process.kill()


def test_a_second_owner_is_refused_and_told_who_the_first_is(path: Path, holder: "subprocess.Popen[str]") -> None:
    """Process id, command, workspace and since when: enough to find and stop it."""
    with pytest.raises(StoreBusy) as refused:
        Store.open(path)

    owner = refused.value.owner
    assert owner is not None
    assert (holder.pid, None, None) == (owner.pid, owner.url, owner.token)
    assert datetime.fromisoformat(owner.since) <= datetime.now(UTC)
    for named in (str(holder.pid), str(path.parent), owner.since, "Use the running app"):
        assert named in str(refused.value)


def test_the_lock_ends_with_the_process_however_it_ends(path: Path, holder: "subprocess.Popen[str]") -> None:
    """A killed owner blocks nobody, and its name is no longer given."""
    holder.kill()
    holder.wait()
    store = Store.open(path)

    owner = read_owner(path.with_suffix(".lock"))
    assert owner is not None
    assert owner.pid != holder.pid
    store.close()
    assert read_owner(path.with_suffix(".lock")) is None


def test_one_process_cannot_own_it_twice_either(store: Store, path: Path) -> None:
    """Two stores in one process would be two writers."""
    with pytest.raises(StoreBusy):
        Store.open(path)

    assert store.write(lambda tx: "still works") == "still works"


def test_the_owner_says_where_its_local_api_answers(store: Store, path: Path) -> None:
    """Others can ask it instead; the note is for its own user alone."""
    store.lock.announce(url="http://127.0.0.1:1", token="secret")
    lock = path.with_suffix(".lock")

    owner = read_owner(lock)
    assert owner is not None
    assert (owner.url, owner.token) == ("http://127.0.0.1:1", "secret")
    assert lock.stat().st_mode & 0o777 == 0o600


def test_whoever_reads_the_note_never_finds_half_of_it(store: Store, path: Path) -> None:
    """A command line that starts in that very moment must be told who the owner is."""
    lock = path.with_suffix(".lock")
    stop = threading.Event()

    def announce() -> None:
        while not stop.is_set():
            store.lock.announce(url="http://127.0.0.1:1", token="a long one" * 20)
            store.lock.announce()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(announce)
        try:
            assert [number for number in range(3_000) if read_owner(lock) is None] == []
        finally:
            stop.set()
        running.result()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"pid":1,"command":"c","since":"s","more":1}'])
def test_an_unreadable_note_is_no_owner(tmp_path: Path, text: str) -> None:
    """An old or foreign note must not break the message."""
    (tmp_path / "x.lock").write_text(text)

    assert read_owner(tmp_path / "x.lock") is None
    assert read_owner(tmp_path / "none.lock") is None


def test_busy_without_a_name_is_still_said(tmp_path: Path) -> None:
    """The message stands without the note, too."""
    busy = StoreBusy(tmp_path / "x.lock", None)

    assert busy.owner is None
    assert str(tmp_path) in str(busy)
    assert "pid" in str(StoreBusy(tmp_path / "x.lock", Owner(pid=7, command="c", since="s")))


def test_the_note_names_the_command_without_its_folders(store: Store, path: Path) -> None:
    """`python -m core import` is recognised; where it is installed is nobody's business."""
    note = json.loads(path.with_suffix(".lock").read_text())

    assert "/" not in note["command"]
    assert len(note["command"].split()) <= 3
