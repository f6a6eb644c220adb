"""Hand-over: each item's first usable result, exactly once, in order, to every kind of sink, whatever happens to it."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from core.handover.handover import NoSuchSink
from core.handover.sink import Sink
from core.handover.target import SinkChanged, SinkFailed, SinkGone
from tests.jobs.handing import NAMES, NOW, Ledger, rows_of


@pytest.fixture
def ledger(workspace_dir: Path) -> Iterator[Ledger]:
    """Give a workspace in which nothing is complete yet."""
    made = Ledger(workspace_dir)
    yield made
    made.close()


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two results make a part."""
    monkeypatch.setattr("core.handover.part.PART_ROWS", 2)


def trouble(ledger: Ledger) -> str:
    """What keeps the only sink from getting on."""
    (found,) = ledger.troubles()
    assert found is not None
    return found


@pytest.mark.parametrize("name", NAMES)
def test_the_first_usable_result_is_handed_over_once(ledger: Ledger, name: str) -> None:
    """Failures wait for their repair; what comes again for a complete item is counted, and never handed over."""
    ledger.add(name)
    ledger.complete(["b", "a"], failed=["c"])
    ledger.feed()
    ledger.complete(["c"])
    ledger.complete(["a", "d"])
    ledger.feed()
    ledger.feed()

    assert ledger.held(name) == ledger.ledger() == ["a", "b", "c", "d"]
    assert ledger.troubles() == [None]
    assert ledger.handover.standing().late_twins == 1
    assert {row["item_id"]: row["job_id"] for row in rows_of(ledger.out / name)}["a"] == "job00001"


@pytest.mark.parametrize("name", NAMES)
def test_a_row_says_what_was_asked_answered_and_paid(ledger: Ledger, name: str) -> None:
    """Ids, times and money with every digit, the text blocks as one text, and the message as the API gave it."""
    ledger.add(name)
    ledger.complete(["a"], text='"Zwölf" – \u2028{\n}')
    ledger.feed()

    (row,) = rows_of(ledger.out / name)
    message = json.loads(row["message"]) if isinstance(row["message"], str) else row["message"]
    assert (row["seq"], row["item_id"], row["job_id"], row["custom_id"]) == (1, "a", "job00001", "job00001-a")
    assert (row["stop_reason"], row["output_tokens"], row["simulated"]) == ("end_turn", 20, True)
    assert Decimal(row["cost_usd"]) == Decimal("0.000925")
    assert row["text"] == 'Answer to a. "Zwölf" – \u2028{\n}End.'
    assert [block["type"] for block in message["content"]] == ["text", "tool_use", "text"]
    completed = row["completed_at"]
    assert completed == "2026-11-20T10:00:00.000000Z" if isinstance(completed, str) else completed == NOW


@pytest.mark.parametrize("name", NAMES)
def test_a_sink_starts_with_the_first_result_of_all(ledger: Ledger, name: str) -> None:
    """It is chosen when work has been done already; choosing it again, under any spelling, changes nothing."""
    ledger.complete(["a", "b"])
    ledger.add(name)
    ledger.feed()
    ledger.add(name, f"../delivered/{name}")
    ledger.complete(["c"])
    ledger.feed()

    assert ledger.held(name) == ["a", "b", "c"]
    assert len(ledger.troubles()) == 1


def test_parts_are_named_by_what_they_hold_and_never_change(ledger: Ledger, small_parts: None) -> None:
    """A reader takes the files in the order of their names, and needs to look at each but once."""
    ledger.add("parts")
    ledger.complete("abcde")
    ledger.feed()
    first = {path.name: path.read_bytes() for path in (ledger.out / "parts").iterdir()}
    assert sorted(first) == [
        "part-000000000001-000000000002.parquet",
        "part-000000000003-000000000004.parquet",
        "part-000000000005-000000000005.parquet",
    ]

    ledger.complete(["f"])
    ledger.feed()

    assert first.items() < {path.name: path.read_bytes() for path in (ledger.out / "parts").iterdir()}.items()


@pytest.mark.parametrize("name", NAMES)
def test_results_larger_than_a_part_go_one_at_a_time(
    ledger: Ledger, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part is bounded in bytes too; a single result above the bound is no reason to stop."""
    monkeypatch.setattr("core.handover.part.PART_BYTES", 1)
    ledger.add(name)
    ledger.complete("abc")
    ledger.feed()

    assert ledger.held(name) == ["a", "b", "c"]


def test_a_reader_may_take_parts_away(ledger: Ledger) -> None:
    """Files that were read are often deleted: that is neither a gap to fill nor a fault."""
    ledger.add("parts")
    ledger.complete("ab")
    ledger.feed()
    for part in (ledger.out / "parts").iterdir():
        part.unlink()
    ledger.complete("c")
    ledger.feed()

    assert [row["seq"] for row in rows_of(ledger.out / "parts")] == [3]


def test_a_result_without_its_raw_file_is_handed_over_and_counted(ledger: Ledger) -> None:
    """What the model said may be kept no longer; the row says so with nulls, and the page with a number."""
    ledger.add("lines.jsonl")
    kept, lost = ledger.complete("a"), ledger.complete("bc")
    (ledger.folder / "results" / f"{lost}.jsonl").unlink()
    ledger.feed()

    rows = {row["item_id"]: (row["text"] is None, row["message"] is None) for row in rows_of(ledger.out / NAMES[1])}
    assert rows == {"a": (False, False), "b": (True, True), "c": (True, True)}
    assert kept == "job00001"
    assert ledger.handover.standing().without_message == 2


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


def test_names_with_signs_of_patterns_are_names(ledger: Ledger) -> None:
    """Brackets and stars in a folder's name look for no other files."""
    ledger.add("out [1]*")
    for item in "ab":
        ledger.complete(item)
        ledger.feed()

    assert ledger.held("out [1]*") == ["a", "b"]


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


@pytest.mark.parametrize("name", NAMES)
def test_a_removed_sink_that_comes_back_goes_on(ledger: Ledger, name: str) -> None:
    """Removing leaves what lies there; adding it again finds how far it was."""
    ledger.add(name)
    ledger.complete("ab")
    ledger.feed()
    ledger.handover.remove(str(ledger.out / name))
    ledger.complete("c")
    ledger.feed()
    assert ledger.held(name) == ["a", "b"]

    ledger.add(name)
    ledger.feed()

    assert ledger.held(name) == ["a", "b", "c"]
    with pytest.raises(NoSuchSink):
        ledger.handover.remove(str(ledger.out / "other"))


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


@pytest.mark.parametrize("name", NAMES)
def test_two_hand_overs_at_once_are_one_after_the_other(ledger: Ledger, small_parts: None, name: str) -> None:
    """The worker and an impatient user feed the same sink while results come in."""
    ledger.add(name)

    def impatient() -> None:
        for _ in range(4):
            ledger.feed()

    with ThreadPoolExecutor(3) as pool:
        feeding = [pool.submit(impatient) for _ in range(2)]
        for number in range(5):
            ledger.complete([f"{number}-a", f"{number}-b", f"{number}-c"])
        for done in feeding:
            done.result()
    ledger.feed()

    assert ledger.held(name) == ledger.ledger()
    assert ledger.troubles() == [None]


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


def test_tables_of_one_file_are_sinks_of_their_own(ledger: Ledger) -> None:
    """Each has its own place in the count, in the file itself."""
    ledger.complete("a")
    ledger.add("table.duckdb:first")
    ledger.feed()
    ledger.complete("b")
    ledger.add("table.duckdb:Second")
    ledger.feed()

    with duckdb.connect(str(ledger.out / "table.duckdb")) as table:
        for name in ("first", "Second"):
            assert table.sql(f'SELECT item_id FROM "{name}" ORDER BY seq').fetchall() == [("a",), ("b",)]
        marks = table.sql("SELECT table_name, seq FROM lotwise_handover ORDER BY seq, table_name").fetchall()
    assert marks == [("Second", 2), ("first", 2)]


def test_a_stop_comes_between_two_parts(ledger: Ledger, small_parts: None) -> None:
    """Closing the app does not wait for a large hand-over; the rest comes with the next start."""
    ledger.add("parts")
    ledger.complete("abcd")
    looks = iter([False, False, True, True])
    ledger.handover.feed(now=NOW, stop=lambda: next(looks))

    assert ledger.held("parts") == ["a", "b"]
    assert ledger.troubles() == [None]
    ledger.feed()
    assert ledger.held("parts") == ["a", "b", "c", "d"]


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


def test_a_sink_elsewhere_is_named_by_its_true_path(ledger: Ledger, tmp_path: Path) -> None:
    """Two links to one folder are one sink."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    ledger.handover.add(Sink.named(str(tmp_path / "link" / "out")), now=NOW)
    ledger.handover.add(Sink.named(str(tmp_path / "real" / "out")), now=NOW)

    assert [sink["target"] for sink in ledger.handover.standing().sinks] == [str(tmp_path / "real" / "out")]


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
