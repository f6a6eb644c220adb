"""The fault suite in short: every fault but killed commands, with fixed seeds. `make chaos` is the long one."""

import pytest

from tests.chaos.ground import Ground
from tests.chaos.processes import PROCESSES
from tests.chaos.suite import EVERY_FAULT, attempt, tasks
from tests.chaos.troubles import TROUBLES

SEEDS = (1,)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("fault", [fault for fault in EVERY_FAULT if fault != PROCESSES])
def test_nothing_is_paid_twice_or_lost(ground: Ground, fault: str) -> None:
    """Whatever goes wrong: one bill an item, no batch of ours that nobody owns, all complete and handed over once."""
    for seed in SEEDS:
        outcome = attempt(ground, fault, seed)
        assert outcome.run is not None and not outcome.errors, outcome.errors
        assert outcome.good, f"seed {seed}: {outcome.run.verdict}\n" + "\n".join(outcome.run.story)


def test_a_seed_repeats_a_run(ground: Ground) -> None:
    """What a failure prints is enough to see it again: the same seed tells the same story."""
    first, second = (attempt(ground, "lists-lag", 3) for _ in range(2))
    assert first == second
    assert first.run is not None and first.run.recovery is not None, "no fault struck"


def test_the_long_suite_covers_every_fault() -> None:
    """Two thousand runs are spread over all faults, and the table has a row for each, and one for all."""
    asked = tasks(EVERY_FAULT, 2000, seed=1)
    assert len(asked) == len(set(asked)) == 2000
    assert {fault for fault, _ in asked} == set(EVERY_FAULT) >= set(TROUBLES)
