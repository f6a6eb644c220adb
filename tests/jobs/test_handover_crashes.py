"""Hand-over under death: killed at every line, broken off anywhere, torn in the middle of a line; no gap, no double."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.jobs.handing import NAMES, Ledger

ROOM = str(Path("core") / "handover")
# Each life hands two parts of one result over to every sink, and is killed when it comes to its n-th new line of what
# writes. Forked before DuckDB or Polars run: they survive no fork.
LIVES = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from core.handover import part
from tests.jobs.handing import NOW, Ledger
part.PART_ROWS = 1

STEPS = ("write", "_feed", "_advance")

def life(number):
    ledger = Ledger(Path(sys.argv[2]))
    seen, asked = set(), []

    def enough():
        asked.append(None)
        return len(asked) % 4 == 0

    def line(frame, event, argument):
        if event == "line":
            seen.add((frame.f_code.co_filename, frame.f_lineno))
            if len(seen) == number:
                os.kill(os.getpid(), signal.SIGKILL)
        return line

    def writes(frame, event, argument):
        return line if sys.argv[3] in frame.f_code.co_filename and frame.f_code.co_name in STEPS else None

    sys.settrace(writes)
    ledger.handover.feed(now=NOW, stop=enough)
    sys.settrace(None)
    ledger.close()

number, died = 0, True
while died:
    number += 1
    child = os.fork()
    if not child:
        life(number)
        os._exit(0)
    died = os.WIFSIGNALED(os.waitpid(child, 0)[1])
    names = sorted(path.stem for path in (Path(sys.argv[2]) / "delivered" / "parts").glob("part-*"))
    ends = [(int(name[5:17]), int(name[18:])) for name in names]
    assert all(first == before + 1 for (_, before), (first, _) in zip([(0, 0), *ends], ends)), names
print(number)
"""


@pytest.mark.timeout(300)
def test_killed_at_every_line(workspace_dir: Path, checkout: Path) -> None:
    """SIGKILL wherever it hurts, one life after the other on one workspace: every sink has every item once."""
    ledger = Ledger(workspace_dir)
    ledger.add(*NAMES)
    ledger.complete(f"item-{number:03d}" for number in range(200))
    ledger.close()

    done = subprocess.run(
        [sys.executable, "-c", LIVES, str(checkout), str(workspace_dir), ROOM],
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 25

    ledger.reopen()
    assert all(sink["waiting"] for sink in ledger.handover.standing().sinks)
    ledger.feed()
    expected = ledger.ledger()
    assert [ledger.held(name) == expected for name in NAMES] == [True] * 3
    assert not list(ledger.out.rglob(".*"))
    ledger.close()


class BrokenOff(BaseException):
    """What a test raises in the middle of a hand-over; nothing may catch it."""


class Reader:
    """Follows the JSON Lines file from where it stopped, and keeps every byte that it was shown."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.seen = b""

    def look(self) -> None:
        """Read on: what is there must be a continuation, byte by byte, of what was there."""
        shown = self._path.read_bytes()
        assert shown[: len(self.seen)] == self.seen[: len(shown)]
        self.seen += shown[len(self.seen) :]

    @property
    def items(self) -> list[str]:
        """The items of whole lines, in their order."""
        return [json.loads(row)["item_id"] for row in self.seen[: self.seen.rfind(b"\n") + 1].splitlines()]


def broken_off(act: Callable[[], None], after: int) -> None:
    """Run `act`, and break it off when it comes to its n-th line of the hand-over."""
    lines = 0
    before = sys.gettrace()

    def line(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal lines
        if event == "line":
            lines += 1
            if lines == after:
                raise BrokenOff
        return line

    sys.settrace(lambda frame, event, _: line if ROOM in frame.f_code.co_filename else None)
    try:
        act()
    except BrokenOff:
        pass
    finally:
        sys.settrace(before)


def torn(ledger: Ledger, cut: int) -> None:
    """The machine fails while lines are being written: whole ones, and the head of one, are on disk."""
    path = ledger.out / NAMES[1]
    before = path.stat().st_size
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger.handover, "_advance", _fail)
        with pytest.raises(BrokenOff):
            ledger.feed()
    if path.stat().st_size > before:
        os.truncate(path, before + cut % (path.stat().st_size - before))


def _fail(*_: object) -> None:
    raise BrokenOff


@pytest.fixture(scope="module")
def blank() -> Iterator[Path]:
    """Give a workspace with nothing in it, to be copied."""
    with tempfile.TemporaryDirectory() as name:
        ledger = Ledger(Path(name))
        ledger.close()
        yield Path(name)


ITEMS = st.sets(st.integers(0, 12).map(lambda number: f"item-{number:02d}"), min_size=1, max_size=5)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("complete"), ITEMS),
        st.tuples(st.just("feed"), st.none()),
        st.tuples(st.just("break off"), st.integers(1, 320)),
        st.tuples(st.just("tear"), st.integers(0, 5_000)),
        st.tuples(st.just("reopen"), st.none()),
        st.tuples(st.just("look"), st.none()),
    ),
    min_size=3,
    max_size=9,
)


@settings(max_examples=15)
@given(steps=STEPS, part_rows=st.integers(1, 4))
def test_any_order_of_results_hand_overs_and_accidents(
    blank: Path, steps: list[tuple[str, Any]], part_rows: int
) -> None:
    """Whatever comes in, breaks off or starts again: each reader meets every item once, in the order of the ledger.

    Items come again (late twins) as they like; the reader of lines never sees a byte change.
    """
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr("core.handover.part.PART_ROWS", part_rows)
        folder = Path(shutil.copytree(blank, Path(name) / "workspace"))
        ledger = Ledger(folder)
        ledger.add(*NAMES)
        reader = Reader(ledger.out / NAMES[1])
        completed: set[str] = set()
        for step, argument in steps:
            match step:
                case "complete":
                    ledger.complete(sorted(argument))
                    completed |= argument
                case "feed":
                    ledger.feed()
                case "break off":
                    broken_off(ledger.feed, argument)
                case "tear":
                    if ledger.handover.standing().sinks[0]["waiting"]:
                        torn(ledger, argument)
                case "reopen":
                    ledger.reopen()
                case "look":
                    reader.look()
        ledger.feed()
        reader.look()

        expected = ledger.ledger()
        assert set(expected) == completed
        assert len(expected) == len(completed)
        assert [ledger.held(name) for name in NAMES] == [expected] * 3
        assert reader.items == expected
        assert reader.seen == (ledger.out / NAMES[1]).read_bytes()
        assert ledger.troubles() == [None] * 3
        ledger.close()
