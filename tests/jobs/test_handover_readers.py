"""The readers of the documentation: killed at random moments and started again, they meet every result once."""

import random
import re
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.jobs.handing import NAMES, Ledger

LIVES = 5


def reader(checkout: Path, number: int) -> str:
    """One of the programs in the documentation, as it stands there."""
    text = (checkout / "docs" / "handover.md").read_text("utf-8")
    programs: list[str] = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(programs) == len(NAMES)
    return programs[number]


def answers(path: Path) -> list[tuple[int, str, str]]:
    """What a reader has made of the results, in the order in which it came."""
    if not path.exists():
        return []
    with closing(sqlite3.connect(path, timeout=30)) as done:
        if not done.execute("SELECT 1 FROM sqlite_master WHERE name = 'answer'").fetchall():
            return []
        return done.execute("SELECT seq, item_id, text FROM answer ORDER BY rowid").fetchall()


@pytest.mark.parametrize("number", range(len(NAMES)), ids=NAMES)
def test_a_reader_that_is_killed_meets_every_result_once(
    workspace_dir: Path, tmp_path: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """SIGKILL in the middle of its work, while results go on coming in: no gap, no double, in order."""
    monkeypatch.setattr("core.handover.part.PART_ROWS", 10)
    rng = random.Random(20261122 + number)
    done = tmp_path / "answers.sqlite"
    command = [sys.executable, "-c", reader(checkout, number)]
    ledger = Ledger(workspace_dir)
    ledger.add(NAMES[number])
    command += [str(ledger.out / NAMES[number]), str(done)]

    met = 0
    for life in range(LIVES):
        ledger.complete(f"{life}-{item:02d}" for item in range(40))
        ledger.feed()
        with subprocess.Popen(command) as process:
            # It is killed some moments after it has met something new, wherever it is then.
            deadline = time.monotonic() + 60
            while len(answers(done)) == met and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.02)
            time.sleep(rng.uniform(0, 0.02))
            process.kill()
        met = len(answers(done))
    expected = ledger.ledger()
    for _ in range(20):
        if len(answers(done)) < len(expected):
            subprocess.run(command, check=True, timeout=60)

    read = answers(done)
    assert [seq for seq, _, _ in read] == list(range(1, len(expected) + 1))
    assert [item for _, item, _ in read] == expected
    assert all(text == f"Answer to {item}. End." for _, item, text in read)
    ledger.close()
