"""The same world in the hands of Hypothesis: any order of steps, faults, kills and clocks, shrunk where one fails."""

import itertools
import shutil
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from core.sandbox import CreateFault, SandboxOptions
from tests.chaos.account import KillAt
from tests.chaos.cargo import CARGOES
from tests.chaos.ground import Ground
from tests.chaos.runs import judged
from tests.chaos.world import World, prepared

FAULTS = st.sampled_from(
    [
        CreateFault.DROP_AFTER_COMMIT,
        CreateFault.DROP_BEFORE_COMMIT,
        CreateFault.ERROR_500_AFTER_COMMIT,
        CreateFault.OVERLOADED,
        CreateFault.LATE_COMMIT,
        CreateFault.RATE_LIMITED_BARE,
    ]
)
_numbers = itertools.count()


class Machine(RuleBasedStateMachine):
    """Rules are what may happen; the verdict is given when the storm is over."""

    ground: Ground

    def __init__(self) -> None:
        super().__init__()
        cargo = CARGOES[2]
        self.folder = self.ground.folder / f"machine-{next(_numbers)}"
        shutil.copytree(prepared(self.ground, cargo, submitted=True), self.folder)
        self.world = World(
            self.ground,
            self.folder,
            cargo=cargo,
            seed="machine",
            settings=cargo.settings | {"settle_seconds": 120.0, "shared_account": True},
            options=SandboxOptions(width=10_000),
        )

    @rule(seconds=st.integers(1, 600))
    def step(self, seconds: int) -> None:
        """Time passes, and the worker takes a step."""
        self.world.pass_time(seconds)
        self.world.command("tick")

    @rule(fault=FAULTS)
    def next_call_fails(self, fault: CreateFault) -> None:
        """The next create meets a fault."""
        self.world.account.faults.coming.append(fault)

    @rule(lines=st.integers(1, 700))
    def killed_at_a_line(self, lines: int) -> None:
        """The process dies before a line of its next step."""
        self.world.command("trip", lines=lines)

    @rule(moment=st.sampled_from(KillAt))
    def killed_during_the_next_call(self, moment: KillAt) -> None:
        """The process dies while its next create call is under way."""
        self.world.account.kill(self.world.pid, moment)

    @rule()
    def restarted(self) -> None:
        """The process ends in good order."""
        self.world.restart()

    @rule(hours=st.floats(-6, 6))
    def clock_set(self, hours: float) -> None:
        """Somebody sets this machine's clock."""
        self.world.set_clock(timedelta(hours=hours))

    @rule(size=st.integers(1, 3))
    def stranger(self, size: int) -> None:
        """Somebody else sends a batch."""
        self.world.account.strange_batch(size)

    def teardown(self) -> None:
        """The storm is over: everything comes right by itself, and the books agree."""
        try:
            self.world.run()
            verdict = judged(self.world)
            assert verdict.good, f"{verdict}\n" + "\n".join(self.world.story)
        finally:
            self.world.end()
            shutil.rmtree(self.folder)


@pytest.mark.timeout(900)
def test_any_order_of_faults_ends_well(ground: Ground) -> None:
    """Exactly once, whatever happens in whatever order."""
    Machine.ground = ground
    profile = settings(max_examples=5, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Machine, settings=profile)
