"""Hand-over: each item's first usable result, exactly once, in order, to every kind of sink."""

import json
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from core.handover.handover import NoSuchSink
from core.handover.sink import Sink
from tests.jobs.handing import NAMES, NOW, Ledger, rows_of


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


def test_names_with_signs_of_patterns_are_names(ledger: Ledger) -> None:
    """Brackets and stars in a folder's name look for no other files."""
    ledger.add("out [1]*")
    for item in "ab":
        ledger.complete(item)
        ledger.feed()

    assert ledger.held("out [1]*") == ["a", "b"]


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


def test_a_sink_elsewhere_is_named_by_its_true_path(ledger: Ledger, tmp_path: Path) -> None:
    """Two links to one folder are one sink."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    ledger.handover.add(Sink.named(str(tmp_path / "link" / "out")), now=NOW)
    ledger.handover.add(Sink.named(str(tmp_path / "real" / "out")), now=NOW)

    assert [sink["target"] for sink in ledger.handover.standing().sinks] == [str(tmp_path / "real" / "out")]
