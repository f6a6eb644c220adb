"""Many runs, shared among processes: which fault with which seed, where they take place, and what became of each."""

import signal
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import TimeoutError as NothingCame
from multiprocessing import get_context
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tests.chaos.ground import Ground
from tests.chaos.processes import PROCESSES, run_processes
from tests.chaos.runs import Run, run
from tests.chaos.troubles import ALL_TROUBLES

EVERY_FAULT = (*ALL_TROUBLES, PROCESSES)
# A run with real processes takes ten times as long as another one.
_ROUNDS_TO_PROCESSES = 3
_ATTEMPTS = 2
# For one attempt on a busy machine, where others take seconds; only what hangs takes longer.
_LONGEST_SECONDS = 1800.0
_here: list[Ground] = []


class RunHangs(Exception):
    """A run took longer than any run can."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a task: a verdict, or what the harness met instead each time that it tried."""

    fault: str
    seed: int
    run: Run | None
    errors: tuple[str, ...] = ()
    """For each attempt that failed: what it was in the first line, then where, and the story up to there."""

    @property
    def good(self) -> bool:
        """Whether the promise was kept; a run that was only brought to an end at the second attempt counts as well."""
        return self.run is not None and self.run.verdict.good


def tasks(faults: Sequence[str], runs: int, seed: int) -> list[tuple[str, int]]:
    """Every fault in turn, each round with the next seed."""
    found: list[tuple[str, int]] = []
    for number in range(runs):
        rare = number % _ROUNDS_TO_PROCESSES and len(faults) > 1
        found += [(fault, seed + number) for fault in faults if not (rare and fault == PROCESSES)]
        if len(found) >= runs:
            break
    return found[:runs]


def run_all(asked: Sequence[tuple[str, int]], *, workers: int) -> Iterator[Outcome]:
    """What becomes of the runs, as they end, from as many processes; those that a lost process took along come last."""
    missing = dict.fromkeys(asked)
    with (
        tempfile.TemporaryDirectory(prefix="lotwise-chaos-", ignore_cleanup_errors=True) as folder,
        get_context("spawn").Pool(workers, _settle_down, [Path(folder)]) as pool,
    ):
        coming = pool.imap_unordered(_one, asked)
        while missing:
            try:
                outcome = coming.next(timeout=(_ATTEMPTS + 1) * _LONGEST_SECONDS)
            except NothingCame:
                break
            del missing[(outcome.fault, outcome.seed)]
            yield outcome
        else:
            pool.close()
            pool.join()
    for fault, seed in missing:
        yield Outcome(fault=fault, seed=seed, run=None, errors=("Its process was lost.",))


def run_one(ground: Ground, fault: str, seed: int) -> Run:
    """One run of any fault; where this raises, the ground must be renewed."""
    return run_processes(ground, seed) if fault == PROCESSES else run(ground, fault, seed)


def attempt(ground: Ground, fault: str, seed: int, *, seconds: float = _LONGEST_SECONDS) -> Outcome:
    """One run of any fault, repeated once on a new ground where it raises, or takes longer than so many seconds."""
    errors: list[str] = []
    for _ in range(_ATTEMPTS):
        try:
            with _at_most(seconds):
                done = run_one(ground, fault, seed)
            return Outcome(fault=fault, seed=seed, run=done, errors=tuple(errors))
        except Exception as error:  # whatever it was: the suite goes on, and shows it
            told = "".join(traceback.format_exception(error, chain=False))
            errors.append(f"{type(error).__name__}: {error}\n{told}")
            ground.renew()
    return Outcome(fault=fault, seed=seed, run=None, errors=tuple(errors))


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    def give_up(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise RunHangs(f"no end after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _settle_down(folder: Path) -> None:
    """Begin one process of the suite: what it leaves in temporary folders goes with the suite's."""
    tempfile.tempdir = str(folder)
    ground = Ground(folder)

    def leave(_signal: int, _frame: FrameType | None) -> NoReturn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        ground.close()
        raise SystemExit

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, lambda *_: None)  # the first process tells the others when to end
    _here.append(ground)


def _one(task: tuple[str, int]) -> Outcome:
    return attempt(_here[0], *task)
