"""Many runs, shared among processes: which fault with which seed, and where they take place."""

import tempfile
from collections.abc import Iterator, Sequence
from multiprocessing import get_context
from pathlib import Path

from tests.chaos.ground import Ground
from tests.chaos.processes import PROCESSES, run_processes
from tests.chaos.runs import Run, run
from tests.chaos.troubles import ALL_TROUBLES

EVERY_FAULT = (*ALL_TROUBLES, PROCESSES)
# A run with real processes takes ten times as long as another one.
_ROUNDS_TO_PROCESSES = 3
_here: list[Ground] = []


def tasks(faults: Sequence[str], runs: int, seed: int) -> list[tuple[str, int]]:
    """Every fault in turn, each round with the next seed."""
    found: list[tuple[str, int]] = []
    for number in range(runs):
        rare = number % _ROUNDS_TO_PROCESSES and len(faults) > 1
        found += [(fault, seed + number) for fault in faults if not (rare and fault == PROCESSES)]
        if len(found) >= runs:
            break
    return found[:runs]


def run_all(asked: Sequence[tuple[str, int]], *, workers: int) -> Iterator[Run]:
    """The runs as they end, from as many processes."""
    with (
        tempfile.TemporaryDirectory(prefix="lotwise-chaos-") as folder,
        get_context("spawn").Pool(workers, _settle_down, [Path(folder)]) as pool,
    ):
        yield from pool.imap_unordered(_one, asked)
        pool.close()
        pool.join()


def run_one(ground: Ground, fault: str, seed: int) -> Run:
    """One run of any fault."""
    return run_processes(ground, seed) if fault == PROCESSES else run(ground, fault, seed)


def _settle_down(folder: Path) -> None:
    _here.append(Ground(folder))


def _one(task: tuple[str, int]) -> Run:
    return run_one(_here[0], *task)
