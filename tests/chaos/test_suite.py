"""The long suite itself: whatever happens to a run, the others go on, and the table tells of it."""

import signal
import time
from datetime import timedelta
from pathlib import Path

import pytest

from tests.chaos.ground import Ground
from tests.chaos.life import ROOMS
from tests.chaos.oracle import Verdict
from tests.chaos.runs import Run
from tests.chaos.suite import Outcome, attempt
from tests.chaos.table import table, tally
from tests.chaos.troubles import ALL_TROUBLES
from tests.chaos.world import World


def outcome(seed: int, *, duplicates: int = 0, errors: tuple[str, ...] = ()) -> Outcome:
    """The outcome of a run that came to an end."""
    verdict = Verdict(duplicates=duplicates, orphans=0, recovered=True, broken=())
    recovery = timedelta(minutes=seed)
    run = Run(seed=seed, trouble="some", cargo="one", verdict=verdict, recovery=recovery, deaths=1, story=())
    return Outcome(fault="some", seed=seed, run=run, errors=errors)


def test_a_run_that_hangs_is_given_up_and_repeated(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its error and its story are kept; the ground is good again, even with a life in the midst of a step."""
    tries: list[World] = []

    def hangs_at_first(world: World) -> None:
        tries.append(world)
        if len(tries) == 1:
            world.command("tick")
            signal.setitimer(signal.ITIMER_REAL, 0.01)  # its time is nearly up
            time.sleep(600)

    monkeypatch.setitem(ALL_TROUBLES, "hangs", hangs_at_first)
    came = attempt(ground, "hangs", 1, seconds=900)

    assert came.good and len(tries) == 2
    (error,) = came.errors
    assert error.startswith("RunHangs: no end after 900 s") and "0:00:00 tick" in error


def test_the_table_counts_what_is_wrong_apart() -> None:
    """A broken promise, a run that was repeated, a run that never ended: each in its own column."""
    lost = Outcome(fault="other", seed=9, run=None, errors=("first", "TimeoutError: late\nTraceback"))
    outcomes = [outcome(1), outcome(2, duplicates=3), outcome(3, errors=("once",)), lost]
    assert [each.good for each in outcomes] == [True, False, True, False]

    head, _, some, other, _, total, last = table(outcomes).splitlines()

    assert head.split()[:5] == ["fault", "runs", "struck", "killed", "duplicates"]
    assert some.split() == ["some", "3", "3", "3", "3", "0", "3", "0:02:00", "1", "0"]
    assert other.split() == ["other", "0", "0", "0", "0", "0", "0", "-", "0", "1"]
    assert total.split() == ["all", "3", "3", "3", "3", "0", "3", "0:02:00", "1", "1"]
    assert last == "never ended: other, seed 9: TimeoutError: late"
    assert tally(outcomes) == "3 duplicates, 0 orphans, 3 recovered, 1 harness errors"


def test_kills_are_counted_in_rooms_that_exist() -> None:
    """A room that moved would silently no longer be killed in."""
    assert [room for room in ROOMS if not Path(room).exists()] == []
