"""What goes wrong, by name: each trouble arranges a world so that it strikes at moments drawn from the seed."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from core.sandbox import CreateFault, ResultsFault
from tests.chaos.account import KillAt
from tests.chaos.world import World

Trouble = Callable[[World], None]

_LOST = (
    CreateFault.DROP_AFTER_COMMIT,
    CreateFault.ERROR_500_AFTER_COMMIT,
    CreateFault.ERROR_502_AFTER_COMMIT,
    CreateFault.TIMEOUT_504_AFTER_COMMIT,
    CreateFault.OVERLOADED_AFTER_COMMIT,
    CreateFault.DROP_BEFORE_COMMIT,
    CreateFault.ERROR_500_BEFORE_COMMIT,
    CreateFault.OVERLOADED,
)
# How many lines a life runs in the watched rooms from its birth to the end of its jobs, and around one create call.
_LINES_OF_A_LIFE = 4000
_LINES_OF_A_STEP = 700
_SECONDS_OF_A_LIFE = 0.6


def _creates(world: World, *faults: CreateFault, most: int = 3) -> None:
    """Some of the first creates meet one of these faults, the others pass."""
    struck = world.rng.randint(1, most)
    spared = world.rng.randint(0, 2)
    coming = [world.rng.choice(faults) for _ in range(struck)] + [None] * spared
    world.rng.shuffle(coming)
    world.account.faults.coming.extend(coming)


def _kill_at(world: World, moment: KillAt) -> None:
    world.account.kill(world.pid, moment)


def _lost_replies(world: World) -> None:
    _creates(world, *_LOST)


def connection_refused(world: World) -> None:
    """Nothing listens for a few steps."""
    down = world.rng.randint(0, 3)
    world.at(down, world.switch_off)
    world.at(down + world.rng.randint(1, 4), world.account.up)


def dropped_after_acceptance(world: World) -> None:
    """The batch is there, the connection closes without an answer."""
    _creates(world, CreateFault.DROP_AFTER_COMMIT)


def dropped_before_acceptance(world: World) -> None:
    """The connection closes without an answer, and there is no batch."""
    _creates(world, CreateFault.DROP_BEFORE_COMMIT)


def error_after_acceptance(world: World) -> None:
    """The batch is there, and the answer is a 500, 502, 504 or 529."""
    _creates(
        world,
        CreateFault.ERROR_500_AFTER_COMMIT,
        CreateFault.ERROR_502_AFTER_COMMIT,
        CreateFault.TIMEOUT_504_AFTER_COMMIT,
        CreateFault.OVERLOADED_AFTER_COMMIT,
    )


def error_before_acceptance(world: World) -> None:
    """A 500 or 529, and no batch: the same words as above, with the other meaning."""
    _creates(world, CreateFault.ERROR_500_BEFORE_COMMIT, CreateFault.OVERLOADED)


def read_timeout(world: World) -> None:
    """The batch is there, and the answer does not come while the client waits."""
    world.impatient = True
    _creates(world, CreateFault.HANG_AFTER_COMMIT, most=2)


def late_acceptance(world: World) -> None:
    """The connection closes, and the batch appears seconds to minutes later, within the settling time."""
    world.account.faults.late_seconds = world.rng.uniform(1, 0.9 * world.settings["settle_seconds"])
    _creates(world, CreateFault.LATE_COMMIT)


def accepted_after_settling(world: World) -> None:
    """The batch appears when its job was sent again already; it has not begun when it is found."""
    world.settings["shared_account"] = False
    settle = world.settings["settle_seconds"]
    world.account.faults.late_seconds = world.rng.uniform(settle, settle + 900)
    world.haste = timedelta(seconds=3 * settle + 1200)
    _creates(world, CreateFault.LATE_COMMIT, most=1)


def killed_at_a_line(world: World) -> None:
    """SIGKILL before a line of the rooms that send, journal and store: anywhere in a life, or around a call."""
    for _ in range(world.rng.randint(1, 3)):
        if world.rng.random() < 0.5:
            world.kills.append({"kill_line": world.rng.randint(1, _LINES_OF_A_LIFE)})
        else:
            lines = world.rng.randint(1, _LINES_OF_A_STEP)
            world.at(world.rng.randint(0, 4), partial(world.command, "trip", lines=lines))


def killed_at_any_instruction(world: World) -> None:
    """A signal that nothing handles, from a timer: between any two instructions, inside DuckDB and the SDK too."""
    for _ in range(world.rng.randint(1, 3)):
        world.kills.append({"kill_seconds": world.rng.uniform(0.001, _SECONDS_OF_A_LIFE)})


def killed_during_the_call(world: World) -> None:
    """SIGKILL when the call arrives, when its batch is made, or when its answer is on the way."""
    for step in range(world.rng.randint(1, 3)):
        moment = world.rng.choice(list(KillAt))
        world.at(step, partial(_kill_at, world, moment))


def not_found_at_first(world: World) -> None:
    """A new batch is a 404 for a while."""
    if world.rng.random() < 0.5:
        world.account.faults.missing_retrieves = world.rng.randint(1, 6)
    else:
        world.account.faults.retrieve_lag_seconds = world.rng.uniform(10, 600)


def lists_lag(world: World) -> None:
    """New batches are missing from lists for a while, and replies get lost."""
    world.account.faults.list_lag_seconds = world.rng.uniform(5, 0.9 * world.settings["settle_seconds"])
    _lost_replies(world)


def too_large(world: World) -> None:
    """A proxy refuses the body with a 413 and an HTML page."""
    _creates(world, CreateFault.TOO_LARGE_HTML)


def rate_limited(world: World) -> None:
    """A 429, with or without retry-after."""
    world.account.faults.retry_after_seconds = world.rng.choice([1, 30, 600])
    _creates(world, CreateFault.RATE_LIMITED, CreateFault.RATE_LIMITED_BARE)


def slow_network(world: World) -> None:
    """Every answer is slow; the one to a create may come too late."""
    world.impatient = True
    world.account.faults.latency_seconds = world.rng.uniform(0.0, 0.03)
    world.account.faults.slow_seconds = world.rng.choice([0.05, 0.1, 0.6])
    _creates(world, CreateFault.SLOW)


def disk_full(world: World) -> None:
    """For some steps no file can grow beyond a size, and replies may get lost meanwhile."""
    for step in sorted(world.rng.sample(range(5), world.rng.randint(1, 3))):
        limit = world.rng.choice([0, 200, 4_000, 60_000, 2_000_000])
        world.at(step, partial(world.fill_disk, limit))
    if world.rng.random() < 0.5:
        _lost_replies(world)


def second_process(world: World) -> None:
    """Somebody starts Lotwise on the same folder, and replies get lost."""
    for _ in range(world.rng.randint(1, 3)):
        world.at(world.rng.randint(0, 5), world.second_process)
    _lost_replies(world)


def only_cron(world: World) -> None:
    """No app runs: every step is a new process, as `status` from cron is, and replies get lost."""
    world.only_cron = True
    _lost_replies(world)


def clock_jumps(world: World) -> None:
    """This machine's clock is set forwards or backwards by up to hours, and replies get lost."""
    for _ in range(world.rng.randint(1, 4)):
        jump = timedelta(seconds=world.rng.choice([-1, 1]) * world.rng.uniform(60, 6 * 3600))
        world.at(world.rng.randint(0, 5), partial(world.set_clock, jump))
    _lost_replies(world)


def broken_results(world: World) -> None:
    """Results come truncated, twice, malformed, in another order, or with lines that are not ours."""
    faults = list(ResultsFault)
    world.account.faults.results.extend(world.rng.choice(faults) for _ in range(world.rng.randint(1, 6)))


def credit_exhausted(world: World) -> None:
    """The account runs out of credit; some steps later somebody pays, and releases what is held."""
    faults = world.account.faults

    def run_out() -> None:
        world.struck()
        world.account_fixed = False
        faults.credit_exhausted = True

    def pay() -> None:
        world.account_fixed = True
        faults.credit_exhausted = False

    start = world.rng.randint(0, 2)
    world.at(start, run_out)
    world.at(start + world.rng.randint(1, 5), pay)


def api_away_for_hours(world: World) -> None:
    """Replies get lost, and then nobody answers for hours."""
    down = world.rng.randint(1, 3)
    _lost_replies(world)
    world.at(down, world.switch_off)
    for step in range(down + 1, down + 4):
        world.at(step, partial(world.pass_time, world.rng.uniform(1800, 4 * 3600)))
    world.at(down + 4, world.account.up)


def strangers_of_the_same_size(world: World) -> None:
    """Others send batches with as many requests as ours have, and replies get lost."""
    sizes = [len(world.cargo.requests), 1, 2, 3]
    for _ in range(world.rng.randint(1, 4)):
        size = world.rng.choice(sizes)
        world.at(world.rng.randint(0, 4), partial(world.account.strange_batch, size))
    _lost_replies(world)


TROUBLES: dict[str, Trouble] = {
    trouble.__name__.replace("_", "-"): trouble
    for trouble in (
        connection_refused,
        dropped_after_acceptance,
        dropped_before_acceptance,
        error_after_acceptance,
        error_before_acceptance,
        read_timeout,
        late_acceptance,
        accepted_after_settling,
        killed_at_a_line,
        killed_at_any_instruction,
        killed_during_the_call,
        not_found_at_first,
        lists_lag,
        too_large,
        rate_limited,
        slow_network,
        disk_full,
        second_process,
        only_cron,
        clock_jumps,
        broken_results,
        credit_exhausted,
        api_away_for_hours,
        strangers_of_the_same_size,
    )
}
"""By the name that the table shows."""

# Not mixed with others: each promises something that holds only while nothing else makes an answer later still.
_ALONE = {"accepted-after-settling"}


def mixed(world: World) -> None:
    """Two to four of the others at once."""
    for name in world.rng.sample(sorted(TROUBLES.keys() - _ALONE), world.rng.randint(2, 4)):
        TROUBLES[name](world)


MIXED = "mixed"
ALL_TROUBLES: dict[str, Trouble] = {**TROUBLES, MIXED: mixed}
