"""One run: from a seed to a verdict."""

import random
import shutil
from dataclasses import dataclass
from datetime import timedelta

from core.sandbox import SandboxOptions
from tests.chaos.cargo import CARGOES
from tests.chaos.ground import Ground
from tests.chaos.oracle import Verdict, judge
from tests.chaos.troubles import ALL_TROUBLES
from tests.chaos.world import World, prepared


@dataclass(frozen=True, kw_only=True)
class Run:
    """What became of a run; `seed` and `trouble` repeat it."""

    seed: int
    trouble: str
    cargo: str
    verdict: Verdict
    recovery: timedelta | None
    """On the account's clock, from the last fault until nothing was in doubt; None where no fault struck."""
    deaths: int
    story: tuple[str, ...]


def run(ground: Ground, trouble: str, seed: int) -> Run:
    """Make a world, let the trouble strike, and judge what is left; where this raises, the ground must be renewed."""
    rng = random.Random(f"{trouble}/{seed}")
    cargo = rng.choice(CARGOES)
    options = SandboxOptions(
        seed=seed,
        width=10_000,
        seconds_per_item=rng.choice([20, 20, 300, 1800]),
        queue_seconds=7200 if trouble == "accepted-after-settling" else rng.choice([0, 30, 600]),
        error_rate=rng.choice([0, 0, 0.15]),
        live_counts=rng.random() < 0.3,
    )
    submitted = rng.random() < 0.8
    settings = cargo.settings | {"settle_seconds": rng.choice([60.0, 120.0, 300.0]), "shared_account": True}
    folder = ground.folder / "run"
    stock = prepared(ground, cargo, submitted=submitted)
    shutil.copytree(stock, folder)
    world = World(ground, folder, cargo=cargo, seed=f"{trouble}/{seed}", settings=settings, options=options)
    try:
        world.skew = timedelta(seconds=rng.uniform(-240, 240))
        ALL_TROUBLES[trouble](world)
        world.begin(sink=rng.choice([None, "out.jsonl", "out.duckdb"]), submitted=submitted)
        world.run()
        recovery = world.recovery
        verdict = judged(world)
        world.end()
    except Exception as error:
        error.add_note("\n".join([f"Its story ({cargo.name}):", *world.story]))
        raise
    shutil.rmtree(ground.folder / "sinks", ignore_errors=True)
    shutil.rmtree(folder)
    return Run(
        seed=seed,
        trouble=trouble,
        cargo=cargo.name,
        verdict=verdict,
        recovery=recovery,
        deaths=world.deaths,
        story=tuple(world.story),
    )


def judged(world: World) -> Verdict:
    """The verdict on a world in which nothing goes wrong any more."""
    world.account.up()
    world.account.faults.end()
    world.kills.clear()
    report = world.command("look") or world.command("look")
    assert report is not None
    return judge(
        world.account.truth(),
        jobs=report.jobs,
        items=report.items,
        sent=[request["custom_id"] for request in world.cargo.requests],
        delivered=world.delivered(),
        violations=world.violations,
    )
