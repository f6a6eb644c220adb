"""Hand-over in trouble: full, gone, held, changed or somebody else's; it is said, and nothing is written over."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from core.handover.sink import Sink
from core.handover.target import SinkChanged, SinkFailed, SinkGone
from tests.jobs.handing import NAMES, NOW, Ledger


def trouble(ledger: Ledger) -> str:
    """What keeps the only sink from getting on."""
    (found,) = ledger.troubles()
    assert found is not None
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_sink_that_is_gone_waits_to_be_brought_back(ledger: Ledger, tmp_path: Path, name: str) -> None:
    """An unplugged disk leaves an empty place: writing there would scatter the results over two."""
    ledger.add(name)
    ledger.complete("ab")
    ledger.feed()
    away = shutil.move(ledger.out / name, tmp_path / "away")
    ledger.complete("c")
    ledger.feed()
    assert trouble(ledger).startswith(str(SinkGone()))
    assert not (ledger.out / name).exists()

    shutil.move(away, ledger.out / name)
    ledger.feed()

    assert ledger.held(name) == ["a", "b", "c"]
    assert ledger.troubles() == [None]


@pytest.mark.parametrize("name", NAMES[1:])
def test_a_sink_that_lost_results_is_left_alone(ledger: Ledger, name: str) -> None:
    """A file put back from yesterday's copy would get a gap: it is said, and nothing is written behind it."""
    ledger.add(name)
    ledger.complete("ab")
    ledger.feed()
    old = (ledger.out / name).read_bytes()
    ledger.complete("c")
    ledger.feed()
    (ledger.out / name).write_bytes(old)
    ledger.complete("d")
    ledger.feed()

    assert trouble(ledger).startswith(str(SinkChanged()))
    assert ledger.held(name) == ["a", "b"]


@pytest.mark.parametrize("name", NAMES)
def test_what_another_workspace_handed_over_is_left_alone(ledger: Ledger, tmp_path: Path, name: str) -> None:
    """Two workspaces into one place would mix two counts; the second one is refused when it is chosen."""
    ledger.complete("xyz")
    (tmp_path / "other").mkdir()
    other = Ledger(tmp_path / "other")
    other.complete("ab")
    other.handover.add(Sink.named(str(ledger.out / name)), now=NOW)
    other.feed()
    other.close()

    with pytest.raises(SinkChanged):
        ledger.add(name)
    assert ledger.troubles() == []
    assert ledger.held(name) == ["a", "b"]


@pytest.mark.parametrize("text", ["no line at all", '{"other": 1}\n', '{"seq": "x", "item_id": "a"}\n', "[1]\nmore"])
def test_a_file_of_somebody_else_is_left_as_it_is(ledger: Ledger, text: str) -> None:
    """A wrong name must not cost a file."""
    ledger.complete("a")
    (ledger.out).mkdir()
    (ledger.out / "lines.jsonl").write_text(text)

    with pytest.raises(SinkChanged):
        ledger.add("lines.jsonl")
    assert (ledger.out / "lines.jsonl").read_text() == text


def test_a_part_that_is_no_parquet_file_is_found(ledger: Ledger) -> None:
    """A part that somebody overwrote is said to be unreadable; nothing goes on behind it."""
    ledger.add("parts")
    ledger.complete("ab")
    ledger.feed()
    (part,) = (ledger.out / "parts").iterdir()
    part.write_text("overwritten")
    ledger.complete("c")
    ledger.feed()

    assert "why" in trouble(ledger)


def test_a_part_that_does_not_hold_what_its_name_says_is_found(ledger: Ledger) -> None:
    """The newest part says where to go on: it is looked into, not believed."""
    ledger.add("parts")
    ledger.complete("ab")
    ledger.feed()
    (part,) = (ledger.out / "parts").iterdir()
    part.rename(part.with_name("part-000000000001-000000000003.parquet"))
    ledger.complete("c")
    ledger.feed()

    assert trouble(ledger).startswith(str(SinkChanged()))


def test_a_locked_sink_keeps_no_other_from_getting_on(ledger: Ledger) -> None:
    """Somebody has the table open and somebody else the file: both are said, the folder gets everything."""
    ledger.add(*NAMES)
    ledger.complete("a")
    ledger.feed()
    ledger.complete("b")
    with holding(ledger.out / NAMES[2], ledger.out / NAMES[1]):
        ledger.feed()
        assert [("holds this sink" in str(found)) for found in ledger.troubles()] == [True, False, True]
    assert [ledger.held(name) for name in NAMES] == [["a", "b"], ["a"], ["a"]]

    ledger.feed()

    assert [ledger.held(name) for name in NAMES] == [["a", "b"]] * 3
    assert ledger.troubles() == [None] * 3


HOLD = """
import duckdb, fcntl, sys
table = duckdb.connect(sys.argv[1])
lines = open(sys.argv[2], "rb")
fcntl.flock(lines, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def holding(table: Path, lines: Path) -> Iterator[None]:
    """Have another process hold both files."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(table), str(lines)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield
        process.stdin.close()


def test_the_worker_leaves_a_sink_in_trouble_alone_for_a_while(ledger: Ledger) -> None:
    """A full disk is not filled every two seconds; who asks for a hand-over has it tried at once."""
    ledger.add("lines.jsonl")
    (ledger.out / "lines.jsonl").write_text("not ours\n")
    ledger.complete("a")
    ledger.handover.feed(now=NOW, patient=True)
    trouble(ledger)
    (ledger.out / "lines.jsonl").write_text("")
    ledger.handover.feed(now=NOW + timedelta(seconds=29), patient=True)
    assert ledger.held("lines.jsonl") == []

    ledger.handover.feed(now=NOW + timedelta(seconds=30), patient=True)

    assert ledger.held("lines.jsonl") == ["a"]


def test_trouble_is_written_once(ledger: Ledger) -> None:
    """Pages are drawn anew at every write: the same trouble, met again, is none."""
    ledger.add("lines.jsonl")
    (ledger.out / "lines.jsonl").write_text("not ours\n")
    ledger.complete("a")
    ledger.feed()
    version = ledger.store.version
    ledger.feed()

    assert ledger.store.version == version


FULL = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.jobs.handing import Ledger
ledger = Ledger(Path(sys.argv[2]))
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
ledger.handover._advance = lambda *_: sys.exit("the disk was not full")
ledger.feed()
"""


@pytest.mark.parametrize("name", NAMES)
def test_a_full_disk_leaves_nothing_half(ledger: Ledger, checkout: Path, name: str) -> None:
    """Wherever writing stops, a reader sees whole results only, and the next hand-over goes on behind them."""
    ledger.add(name)
    ledger.complete("ab")
    ledger.feed()
    ledger.complete((f"item-{number}" for number in range(400)), bulk=6_000)
    store = ledger.folder / "lotwise.duckdb"
    ledger.store.close()
    room = store.stat().st_size + 200_000

    subprocess.run([sys.executable, "-c", FULL, str(checkout), str(ledger.folder), str(room)], check=True, timeout=60)
    ledger.reopen()

    assert "why" in trouble(ledger)
    expected = ledger.ledger()
    seen = ledger.held(name)
    assert seen == expected[: len(seen)] != expected
    ledger.feed()
    assert ledger.held(name) == expected
    assert not list(ledger.out.rglob(".*"))


def test_a_table_of_another_form_is_not_written_to(ledger: Ledger) -> None:
    """The user's own table of that name keeps its rows; the sink says what is wrong."""
    ledger.out.mkdir()
    with duckdb.connect(str(ledger.out / "table.duckdb")) as table:
        table.execute("CREATE TABLE results AS SELECT 1 AS mine").fetchall()
    ledger.complete("a")
    ledger.add("table.duckdb")
    ledger.feed()

    assert "why" in trouble(ledger)
    with duckdb.connect(str(ledger.out / "table.duckdb")) as table:
        assert table.sql("FROM results").fetchall() == [(1,)]


def test_an_unreadable_raw_file_is_a_trouble_that_names_it(ledger: Ledger) -> None:
    """Nothing is skipped: the count would have a gap."""
    ledger.add("parts")
    job = ledger.complete("a")
    raw = ledger.folder / "results" / f"{job}.jsonl"
    good = raw.read_text()
    raw.write_text('{"custom_id": 1')
    ledger.feed()
    assert f"{job}.jsonl" in trouble(ledger)

    raw.write_text(good)
    ledger.feed()

    assert ledger.held("parts") == ["a"]


def test_what_nobody_foresaw_is_one_sinks_trouble(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault in writing one kind of sink is stored as its trouble; the others get on."""
    ledger.add(*NAMES)
    ledger.complete("a")

    def broken(*_: object) -> None:
        raise RuntimeError("out of luck")

    with monkeypatch.context() as patch:
        patch.setattr("core.handover.json_lines.JsonLines.write", broken)
        ledger.feed()
    assert ["out of luck" in str(found) for found in ledger.troubles()] == [True, False, False]
    ledger.feed()

    assert [ledger.held(name) for name in NAMES] == [["a"]] * 3


@pytest.mark.parametrize("name", ["file/lines.jsonl", "file/parts", "file/table.duckdb", "folder/table.duckdb"])
def test_a_place_that_cannot_be_written_to_is_refused_at_once(ledger: Ledger, name: str) -> None:
    """Whoever chooses a sink learns then, in a sentence, that nothing can go there."""
    (ledger.out / "folder" / "table.duckdb").mkdir(parents=True)
    (ledger.out / "file").write_text("taken")

    with pytest.raises(SinkFailed):
        ledger.add(name)
    assert ledger.troubles() == []
