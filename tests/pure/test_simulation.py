"""The twin: against the wave model, the cost model and real traffic, and what must hold for any jobs."""

import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.sizing_study import TOLERANCE, Work, against_best, study, workloads
from core.caching.waves import serve, wave_times
from core.prices import PriceBook
from core.simulation.advice import Bounds, advised
from core.simulation.deadlines import DueTimes
from core.simulation.dispatch import Dispatch, Policy, dispatch
from core.simulation.hits import runs
from core.simulation.outcome import Outcome
from core.simulation.queue import admitted
from core.simulation.replay import Replay
from core.simulation.scenario import BadScenario, Scenario, Setting
from core.simulation.twin import Twin, World, simulate
from core.simulation.work import ClassOfWork, Economics, Floats, Ints, Traffic
from core.sizing.job_costs import JobCosts
from core.sizing.turnaround import Turnarounds

EPOCH = datetime(2026, 11, 2, tzinfo=UTC)
BOOK = PriceBook.load()
WORLD = World(turnaround=Turnarounds().of)
DAY = 86_400.0
GRADING = ClassOfWork(
    key="grading", model="claude-sonnet-5-5", prefix_tokens=2_000.0, suffix_tokens=200.0, output_tokens=50.0
)


def priced(*classes: ClassOfWork) -> Economics:
    """Their prices on the first day of these tests."""
    return Economics.of(classes, book=BOOK, now=EPOCH)


def coming(at: Floats, of: Ints | None = None, *, within: float = DAY) -> Traffic:
    """Items that come in at these seconds, of the first class unless said otherwise."""
    of = np.zeros(len(at), dtype=np.int64) if of is None else of
    return Traffic(epoch=EPOCH, at=at, of=of, due=at + within, sent=at)


def at_once(items: int) -> Traffic:
    """So many items, all there at the beginning."""
    return coming(np.zeros(items))


def primed(size: int, **more: Any) -> Policy:
    """Jobs of one class, primed for an hour."""
    return Policy(grouping="class", size=size, life=3600.0, primed=True, **more)


def plain(size: int, **more: Any) -> Policy:
    """The same without any caching."""
    return Policy(grouping="class", size=size, life=0.0, primed=False, **more)


def played(traffic: Traffic, economics: Economics, policy: Policy, world: World = WORLD, **more: Any) -> Outcome:
    """What becomes of it."""
    return simulate(traffic, economics, dispatch(traffic, economics, policy), world, **more)


@st.composite
def jobs(draw: st.DrawFn) -> tuple[Dispatch, Ints, Floats]:
    """Any few jobs, the class of each item in sending order, and when each job starts."""
    job = np.unique(draw(st.lists(st.integers(0, 5), min_size=1, max_size=40)), return_inverse=True)[1]
    job = np.sort(job).astype(np.int64)
    count, starts = len(job), int(job.max()) + 1
    of = np.array(draw(st.lists(st.integers(0, 3), min_size=count, max_size=count)), dtype=np.int64)
    marked = draw(st.lists(st.booleans(), min_size=count, max_size=count))
    life = draw(st.sampled_from([25.0, 300.0]))
    at = draw(st.lists(st.sampled_from([0.0, 1.0, 3.0, 10.0, 300.0, 310.0, 900.0]), min_size=starts, max_size=starts))
    sent = Dispatch(
        item=np.arange(count),
        job=job,
        life=np.where(marked, life, 0.0),
        send_at=np.array(at),
        after=np.full(starts, -1, dtype=np.int64),
        primer=np.zeros(starts, dtype=np.bool_),
        idempotent=True,
    )
    return sent, of, np.array(at)


@settings(max_examples=60)
@given(jobs(), st.sampled_from([1.0, 2.0, 7.0, math.inf]))
def test_hits_are_those_of_the_wave_model(case: tuple[Dispatch, Ints, Floats], width: float) -> None:
    """Runs of jobs only save work: what each job writes is what the wave model says, item by item."""
    sent, of, starts = case
    found = runs(sent, of, priced(*[GRADING] * 4), width=width)
    writers = found.writers(starts, np.ones(len(found.job), dtype=np.bool_))
    item = np.flatnonzero(sent.life > 0)
    depth = np.full(len(item), 1.0)
    waves = serve(
        wave_times(sent.job, starts, width=width),
        np.ones(len(of)),
        item=item,
        entry=of[item],
        depth=depth,
        life=sent.life[item],
    )

    written = np.bincount(found.job, writers, minlength=sent.jobs)
    assert written == pytest.approx(np.bincount(sent.job, waves.written, minlength=sent.jobs))


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2)), min_size=1, max_size=60),
    st.sampled_from(["class", "packed", "arrival"]),
    st.integers(1, 20),
    st.booleans(),
)
def test_every_item_is_in_exactly_one_job_of_the_size(
    items: list[tuple[int, int]], grouping: Any, size: int, go_ahead: bool
) -> None:
    """Nothing is sent twice or forgotten, no body is too large, and a body waits only for a primer of its round."""
    items = sorted(items)
    traffic = coming(np.array([at * 3600.0 for at, _ in items]), np.array([of for _, of in items], dtype=np.int64))
    short = replace(GRADING, prefix_tokens=100.0)
    policy = Policy(grouping=grouping, size=size, life=3600.0, primed=go_ahead, every=7200.0)
    made = dispatch(traffic, priced(GRADING, GRADING, short), policy)

    assert sorted(made.item) == list(range(len(items)))
    assert (np.diff(made.job) >= 0).all()
    assert (made.items >= 1).all()
    assert (made.items[~made.primer] <= size).all()
    waiting = made.after >= 0
    assert made.primer[made.after[waiting]].all()
    assert (made.send_at[made.after[waiting]] == made.send_at[waiting]).all()
    assert (made.send_at[made.job] >= traffic.at[made.item]).all()
    assert not made.life[traffic.of[made.item] == 2].any(), "a prefix under the floor is never marked"
    assert go_ahead or not made.primer.any()


@pytest.mark.parametrize(
    ("faults", "idempotent", "items"),
    [
        ({"void_rate": 1e-3}, True, 500),
        ({"fault_rate": 0.02, "unbilled_rate": 0.03}, True, 500),
        ({"void_rate": 1e-3, "fault_rate": 0.01}, True, 300),
        ({"fault_rate": 0.001}, False, 200),
    ],
)
def test_costs_are_expected_as_the_cost_model_says(faults: dict[str, Any], idempotent: bool, items: int) -> None:
    """Sizes are recommended from that formula: what it promises is what many jobs come to."""
    economics = priced(replace(GRADING, prefix_tokens=0.0, **faults))
    total = 1_000 * items
    found = played(at_once(total), economics, plain(items, idempotent=idempotent), replicates=4)
    costs = JobCosts(
        hot_usd=float(economics.plain_usd[0]),
        once_usd=0.0,
        job_usd=0.0,
        void_rate=faults.get("void_rate", 0.0),
        fault_rate=faults.get("fault_rate", 0.0),
        unbilled_fault_rate=faults.get("unbilled_rate", 0.0),
        idempotent=idempotent,
    )

    assert found.items_usd.mean() / total == pytest.approx(costs.item_usd(items), rel=0.02)


def test_the_same_seed_gives_the_same_figures() -> None:
    """Whoever asks twice gets the same answer, and another seed another one."""
    economics = priced(replace(GRADING, fault_rate=0.05))

    first, second, other = (played(at_once(300), economics, primed(50), seed=seed) for seed in (1, 1, 2))
    assert first.distributions() == second.distributions()
    assert (first.job_usd == second.job_usd).all()
    assert (first.cost_usd != other.cost_usd).any()


def test_counts_and_times_of_one_replicate_add_up() -> None:
    """Every item is ready exactly once, not before its job was sent; sums over jobs are the totals."""
    traffic = coming(np.linspace(0, 10 * DAY, 4_000), np.arange(4_000) % 3)
    economics = priced(*[replace(GRADING, fault_rate=0.1, unbilled_rate=0.05, void_rate=1e-3)] * 3)
    made = dispatch(traffic, economics, primed(100, every=DAY))
    one = Twin(traffic, economics, made, replace(WORLD, job_usd=0.5)).run(3, 0)
    ready = one.item_ready

    assert sum(int(part.done.sum()) for part in one.rounds) == 4_000
    assert one.unfinished == 0
    assert np.isfinite(ready).all()
    assert (ready[made.item] > made.send_at[made.job]).all()
    assert one.job_ready == pytest.approx(np.maximum.reduceat(ready[made.item], np.r_[0, np.cumsum(made.items)[:-1]]))
    assert one.hours == pytest.approx((ready - traffic.at).mean() / 3600)
    assert one.cost_usd == pytest.approx(one.billed_usd.sum() + one.fixed_usd)
    assert one.on_time == pytest.approx((ready <= traffic.due).mean(), abs=0.02)
    assert (one.item_ready == ready).all()


def test_jobs_of_an_hour_are_slow_together() -> None:
    """Turnarounds are those that were predicted, one by one, and correlated inside an hour."""
    made = dispatch(at_once(4_000), priced(GRADING), plain(2))
    twin = Twin(at_once(4_000), priced(GRADING), made, WORLD)
    found = [np.log(twin.run(5, number).job_ready) for number in range(40)]
    expected = WORLD.turnaround(GRADING.model, 2, EPOCH)

    assert math.exp(float(np.median(found))) == pytest.approx(float(expected.quantile(0.5)), rel=0.3)
    between, whole = float(np.var([one.mean() for one in found])), float(np.var(found))
    assert between / whole == pytest.approx(expected.shared, abs=0.2)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20), st.integers(1, 10)), min_size=1, max_size=25),
    st.integers(5, 15),
)
def test_the_queue_is_never_fuller_than_its_limit(case: list[tuple[int, int, int]], limit: int) -> None:
    """No job goes before its time or overtakes an earlier one, and only a job too large for it fills the queue over."""
    send_at, lasts, items = (np.array(values) for values in zip(*case, strict=True))
    begun = admitted(send_at.astype(np.float64), lasts.astype(np.float64), items, limit)

    assert (begun >= send_at).all()
    assert (np.diff(begun[np.argsort(send_at, kind="stable")]) >= 0).all()
    for moment in begun:
        there = (begun <= moment) & (begun + lasts > moment)
        assert items[there].sum() <= limit or there.sum() == 1
    assert (admitted(send_at.astype(np.float64), lasts.astype(np.float64), items, None) == send_at).all()


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40)), min_size=1, max_size=40), st.data())
def test_deadlines_are_counted_as_one_would_by_hand(rows: list[tuple[int, int]], data: st.DataObject) -> None:
    """Looking up how many items of a job are on time is counting them; some have no deadline."""
    job = np.unique([one for one, _ in rows], return_inverse=True)[1].astype(np.int64)
    due = np.array([math.inf if seconds == 40 else float(seconds) for _, seconds in rows])
    order = np.argsort(job, kind="stable")
    traffic = Traffic(epoch=EPOCH, at=np.zeros(len(job)), of=np.zeros(len(job), np.int64), due=due, sent=due)
    count = int(job.max()) + 1
    nothing = np.zeros(count)
    sent = Dispatch(
        item=order,
        job=job[order],
        life=np.zeros(len(job)),
        send_at=nothing,
        after=nothing.astype(np.int64) - 1,
        primer=nothing > 0,
        idempotent=True,
    )
    ready = np.array(data.draw(st.lists(st.integers(0, 60), min_size=count, max_size=count)), dtype=np.float64)

    by_hand = [int(((due >= ready[one]) & np.isfinite(due) & (job == one)).sum()) for one in range(count)]
    assert DueTimes.of(sent, traffic).met(ready).tolist() == by_hand


# Input cost over uncached input cost, own floors, jobs of the day as they came: computed apart from this code.
@pytest.mark.parametrize(
    ("every", "life", "width", "index"),
    [
        (3600.0, 300.0, 50.0, 0.310),
        (3600.0, 300.0, 500.0, 0.997),
        (3600.0, 3600.0, 50.0, 0.214),
        (DAY, 300.0, 50.0, 0.200),
        (DAY, 300.0, 500.0, 0.231),
        (DAY, 300.0, math.inf, 1.222),
        (DAY, 3600.0, math.inf, 1.887),
    ],
)
def test_a_day_of_real_prompts_hits_as_computed_elsewhere(
    day: Work, every: float, life: float, width: float, index: float
) -> None:
    """Grouping alone creates no hit: the same table that decided the design comes out of the twin."""
    factor = {"claude-sonnet-5-5": 1.3, "claude-haiku-5-5": 1.3, "claude-haiku-4-5": 1.0}
    known = [
        replace(
            one,
            prefix_tokens=one.prefix_tokens / factor[one.model],
            suffix_tokens=one.suffix_tokens / factor[one.model],
            output_tokens=0.0,
        )
        for one in day.classes
    ]
    economics = priced(*known)
    policy = Policy(grouping="arrival", size=100_000, life=life, primed=False, every=every)
    found = played(day.traffic, economics, policy, replace(WORLD, width=width), replicates=1)

    uncached = float(economics.plain_usd[day.traffic.of].sum())
    assert found.items_usd[0] / uncached == pytest.approx(index, abs=0.003)


@pytest.fixture(scope="module")
def day(shared_data: Path) -> Work:
    """Give the day of shared prompts."""
    return workloads(days=1, folder=shared_data)


@pytest.mark.parametrize(("faults", "width", "most"), [("none", 50.0, TOLERANCE), ("many", math.inf, 0.6)])
def test_advised_jobs_are_never_dearer_than_the_usual_ways(day: Work, faults: str, width: float, most: float) -> None:
    """Within 2 % of hourly, giant and tiny jobs with the marks that serve those best, and far below where it counts."""
    cells = study(day, faults=faults, width=width, replicates=40)

    assert against_best(cells) <= most
    assert cells[0].on_time > 0.9


def test_priming_makes_the_width_not_matter() -> None:
    """A primed body reads at every width; an unprimed one reads only behind its first wave."""
    economics, traffic = priced(GRADING), at_once(400)
    ideal = float(economics.hot_usd[0]) * 400
    widths = (1.0, 50.0, math.inf)

    for width in widths:
        found = played(traffic, economics, primed(400), replace(WORLD, width=width), replicates=20)
        assert float(np.median(found.items_usd)) == pytest.approx(ideal, rel=0.1)
    cold = [
        played(traffic, economics, replace(primed(400), primed=False), replace(WORLD, width=width), replicates=1)
        for width in widths
    ]
    shares = [float(one.read_share[0]) for one in cold if one.read_share is not None]
    assert shares == pytest.approx([399 / 400, 350 / 400, 0.0])


def test_another_model_has_its_own_tokens_prices_and_floor() -> None:
    """Texts count about 30 % more on a newer tokenizer, and a prefix under the other model's floor is not cached."""
    moved = GRADING.on("claude-haiku-4-5", BOOK)
    assert moved.prefix_tokens == pytest.approx(2_000 / 1.3)
    assert priced(GRADING).cacheable[0]
    assert not priced(moved).cacheable[0]
    assert priced(GRADING.on(GRADING.model, BOOK)).plain_usd == pytest.approx(priced(GRADING).plain_usd)


def test_faults_cost_and_repairing_only_what_failed_saves() -> None:
    """More failures, more reruns; whoever has to repeat whole jobs pays more for the same failures."""
    some, more = (priced(replace(GRADING, fault_rate=rate)) for rate in (0.002, 0.02))

    spent = [float(played(at_once(2_000), one, plain(200)).rerun_usd.mean()) for one in (some, more)]
    whole = float(played(at_once(2_000), some, plain(200, idempotent=False)).rerun_usd.mean())
    assert 0 < spent[0] < spent[1]
    assert spent[0] < whole


def test_advice_primes_what_pays_and_sizes_what_is_at_risk() -> None:
    """A short prefix is left alone, a shared one primed; more voiding faults make smaller jobs, never larger ones."""
    classes = (GRADING, replace(GRADING, prefix_tokens=100.0))
    traffic = coming(np.zeros(4_000), np.arange(4_000) % 2)
    bounds = Bounds(requests=100_000, bytes=256_000_000, blast_usd=25.0, blast_hours=24.0, confidence=0.9)
    world = replace(WORLD, job_usd=0.25)
    found = [
        advised(traffic, priced(*(replace(one, void_rate=rate) for one in classes)), world, bounds)
        for rate in (1e-6, 1e-4, 1e-2)
    ]

    for policy in found:
        assert np.broadcast_to(policy.life, 2)[0] > 0
        assert np.broadcast_to(policy.life, 2)[1] == 0
    sizes = [np.broadcast_to(policy.size, 2) for policy in found]
    assert (sizes[0] >= sizes[1]).all()
    assert (sizes[1] > sizes[2]).all()


def test_a_scenario_changes_what_it_names_and_nothing_else() -> None:
    """Each control moves its own figure; the plain scenario of what waits is what is advised."""
    traffic = coming(np.linspace(0, 3 * DAY, 900))
    replay = Replay(traffic=traffic, classes=(GRADING,), jobs=None, unpriced=0)
    bounds = Bounds(requests=100_000, bytes=256_000_000)
    setting = Setting(replay=replay, world=replace(WORLD, job_usd=0.1), bounds=bounds, book=BOOK, now=EPOCH)

    def mean(name: str, **asked: Any) -> float:
        found = setting.outcome(Scenario(every_hours=24, **asked), replicates=10, seed=0)
        return found.distributions()[name].mean

    assert mean("jobs", size=50) > mean("jobs", size=500)
    assert mean("rerun_usd", fault_rate=0.2) > mean("rerun_usd")
    assert mean("items_usd", model="claude-haiku-5-5") < mean("items_usd") < mean("items_usd", model="claude-opus-5-5")
    assert mean("items_usd", grouping="arrival", width=1_000.0) > mean("items_usd", grouping="arrival", width=10.0)
    assert mean("items_usd") < mean("items_usd", grouping="arrival", width=1_000.0)
    same = setting.outcome(Scenario(), replicates=3, seed=4), setting.baseline(replicates=3, seed=4)
    assert same[0].distributions() == same[1].distributions()


@pytest.mark.parametrize(
    "asked", [{"size": 0}, {"every_hours": 0}, {"every_hours": 800}, {"fault_rate": 1}, {"width": 0}]
)
def test_what_cannot_be_is_refused(asked: dict[str, Any]) -> None:
    """A sentence names what is wrong, before anything is simulated."""
    with pytest.raises(BadScenario, match=next(iter(asked))):
        Scenario(**asked)
