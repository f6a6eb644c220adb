"""The twin: jobs sent, read, failed, repaired and billed as the service would, many times over, without a request.

Jobs are the grain of chance: when each is sent, how long it takes, whether it is voided and how many of its items have
to be repeated. What an item costs follows from its class and from whether it finds its prefix in the cache
(`hits`). Everything is a mean in dollars and seconds; the same seed gives the same result, and scenarios of one seed
meet the same weather.
"""

from dataclasses import dataclass

import numpy as np

from core.caching.learned import SURELY_ALIVE
from core.caching.waves import WAVE_SECONDS
from core.simulation.billing import JobPrices
from core.simulation.deadlines import DueTimes
from core.simulation.dispatch import Dispatch
from core.simulation.hits import runs
from core.simulation.mishaps import Hazards
from core.simulation.outcome import Outcome, Replicate, Round
from core.simulation.pace import HOUR, Pace, TurnaroundOf, Weather
from core.simulation.queue import admitted
from core.simulation.work import Economics, Flags, Floats, Ints, Traffic

_MOST_ROUNDS = 12
"""Repairs of a job: what is not complete after so many is given up."""
_SPARE_HOURS = 7 * 24


@dataclass(frozen=True, kw_only=True)
class World:
    """What the service and its user are taken to be like.

    `turnaround`: what to expect of a job, by model, items and moment; `width`: items of a job in flight at once;
    `queue_limit`: requests that the account's queue takes; `job_usd`: fixed cost of every body and repair, primers
    have none; `canary`: share of voiding faults that a primer shows before the body is sent; `trouble`: share of jobs
    that meet item faults at all, 1 where faults strike items without regard to their jobs; `life_scale`: how long a
    cache entry lives, as a share of its life at the real API.
    """

    turnaround: TurnaroundOf
    width: float = 50.0
    queue_limit: int | None = None
    job_usd: float = 0.0
    canary: float = 0.0
    trouble: float = 1.0
    wave_seconds: float = WAVE_SECONDS
    life_scale: float = 1.0


def simulate(
    traffic: Traffic, economics: Economics, jobs: Dispatch, world: World, *, replicates: int = 20, seed: int = 0
) -> Outcome:
    """Run the jobs `replicates` times."""
    twin = Twin(traffic, economics, jobs, world)
    return Outcome.of(twin.run(seed, number) for number in range(replicates))


class Twin:
    """Jobs ready to be run: what does not depend on chance is worked out once."""

    def __init__(self, traffic: Traffic, economics: Economics, jobs: Dispatch, world: World) -> None:
        self._traffic, self._economics, self._jobs, self._world = traffic, economics, jobs, world
        of = traffic.of[jobs.item]
        self._of = of
        self._hazards = Hazards.of(jobs, of, economics, canary=world.canary, trouble=world.trouble)
        self._runs = runs(
            jobs, of, economics, width=world.width, wave_seconds=world.wave_seconds, life_scale=world.life_scale
        )
        self._read_rate = economics.read_rate[self._runs.entry]
        self._prices = JobPrices.of(jobs, of, economics, self._runs)
        self._due = DueTimes.of(jobs, traffic)
        self._pace = self._paced(jobs.items)
        failing = np.minimum(self._hazards.fault_rate + self._hazards.unbilled_rate, 1.0)
        again = np.ceil(jobs.items * failing).astype(np.int64) if jobs.idempotent else jobs.items
        self._repair_pace = self._paced(again)

    def _paced(self, items: Ints) -> Pace:
        """The turnarounds of the jobs, each with so many items; where it has several models, of its first item's."""
        names, model = np.unique(np.array(self._economics.models), return_inverse=True)
        first = np.flatnonzero(np.diff(self._jobs.job, prepend=-1))
        return Pace.of(
            tuple(str(name) for name in names),
            model[self._of[first]],
            items,
            self._jobs.send_at,
            epoch=self._traffic.epoch,
            turnaround=self._world.turnaround,
        )

    def run(self, seed: int, number: int) -> Replicate:
        """One replicate; `number` tells it from the others of its seed."""
        hours = int(self._jobs.send_at.max(initial=0.0) // HOUR) + _SPARE_HOURS
        weather = Weather.draw(hours, np.random.default_rng([seed, number, 0]))
        rng = np.random.default_rng([seed, number, 1])
        every = np.arange(self._jobs.jobs)
        lasts, expired = weather.lasts(self._pace, every, self._jobs.send_at, rng)
        primed = self._primed(weather, lasts, rng)
        start = self._start(primed, lasts)
        writers = self._runs.writers(np.where(self._jobs.primer, primed.wrote_at, start), ~primed.cold[self._runs.job])
        missed = (self._jobs.after[self._runs.job] >= 0) & (rng.random(len(writers)) >= self._read_rate)
        writers = np.where(missed, self._runs.items, writers)
        prices = self._prices
        bill = prices.bill(writers, primed.cold)
        voids, share = self._hazards.voided(rng)
        end = start + lasts
        for more in range(int(voids.max(initial=0))):
            redone = every[voids > more]
            end[redone] += weather.lasts(self._pace, redone, end[redone], rng)[0]
        wasted = share * bill + voids * prices.once_usd
        result = self._repaired(weather, _Sent(start=start, end=end, bill_usd=bill, expired=expired), rng)
        # A person looks at bodies and repairs; what became of a primer is seen by the program.
        bodies = ~self._jobs.primer
        fixed_usd = self._world.job_usd * (int(bodies.sum()) + int(voids[bodies].sum()) + result.repairs)
        return Replicate(
            jobs=self._jobs,
            rounds=result.rounds,
            billed_usd=result.billed_usd + wasted + np.where(primed.again, prices.once_usd, 0.0),
            rerun_usd=float(wasted.sum()) + result.wasted_usd + fixed_usd - self._world.job_usd * int(bodies.sum()),
            fixed_usd=fixed_usd,
            sent_jobs=self._jobs.jobs + int(voids.sum()) + int(primed.again.sum()) + result.repairs,
            on_time=result.on_time / self._due.items if self._due.items else None,
            read_share=prices.read_share(writers, primed.cold),
            hours=(result.ready_at - float(self._traffic.at.mean())) / HOUR,
            unfinished=result.unfinished,
            seed=(seed, number, 2),
        )

    def _primed(self, weather: Weather, lasts: Floats, rng: np.random.Generator) -> "_Primed":
        """Primers that took so long that what they wrote may be dead are sent once more; then bodies go unmarked."""
        jobs = self._jobs
        primer = np.flatnonzero(jobs.primer)
        again, dead = np.zeros(jobs.jobs, dtype=np.bool_), np.zeros(jobs.jobs, dtype=np.bool_)
        wrote_at, ready = jobs.send_at.copy(), jobs.send_at + lasts
        late = primer[lasts[primer] > SURELY_ALIVE * self._prices.life[primer]]
        if len(late):
            second, _ = weather.lasts(self._pace, late, ready[late], rng)
            again[late] = True
            wrote_at[late] = ready[late]
            ready[late] += second
            dead[late] = second > SURELY_ALIVE * self._prices.life[late]
        cold = (jobs.after >= 0) & dead[jobs.after]
        return _Primed(wrote_at=wrote_at, ready=ready, again=again, cold=cold)

    def _start(self, primed: "_Primed", lasts: Floats) -> Floats:
        jobs = self._jobs
        wanted = np.where(jobs.after >= 0, np.maximum(jobs.send_at, primed.ready[jobs.after]), jobs.send_at)
        body = ~jobs.primer
        start = wanted.copy()
        start[body] = admitted(wanted[body], lasts[body], jobs.items[body], self._world.queue_limit)
        return start

    def _repaired(self, weather: Weather, first: "_Sent", rng: np.random.Generator) -> "_Repaired":
        """Send again what failed, round by round, until every item is complete."""
        jobs, prices, items = self._jobs, self._prices, self._jobs.items
        job, sent, ready, expired = np.arange(jobs.jobs), items, first.end, first.expired
        touched, left = first.start + prices.lasting, items.copy()
        result = _Repaired(billed_usd=np.zeros(jobs.jobs), rounds=[])
        price = first.bill_usd / items
        while True:
            billed, unbilled = self._hazards.failed(sent, job, rng)
            unbilled = np.where(expired, sent, unbilled)
            billed = np.where(expired, 0, billed)
            result.billed_usd[job] += price * (sent - unbilled)
            failed = billed + unbilled
            lost = billed if jobs.idempotent else np.where(failed > 0, sent - unbilled, 0)
            result.wasted_usd += float((price * lost).sum())
            done = left[job] - failed if jobs.idempotent else np.where(failed > 0, 0, left[job])
            left[job] -= done
            result.add(job, ready, done, items, self._due)
            more = (failed > 0) & (len(result.rounds) < _MOST_ROUNDS)
            if not more.any():
                result.unfinished = int(left.sum())
                return result
            job, sent, ready = job[more], (failed if jobs.idempotent else sent)[more], ready[more]
            warm = ready - touched[job] <= SURELY_ALIVE * prices.life[job]
            price = np.where(warm, prices.warm_usd[job], prices.plain_usd[job])
            touched[job] = np.where(warm, ready, -np.inf)
            lasts, expired = weather.lasts(self._repair_pace, job, ready, rng)
            ready = ready + lasts
            result.repairs += len(job)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Primed:
    """What became of priming, per job: when its entries were written and its bodies may go, what had to be sent again,
    and bodies whose entries were dead in the end."""

    wrote_at: Floats
    ready: Floats
    again: Flags
    cold: Flags


@dataclass(frozen=True, kw_only=True, eq=False)
class _Sent:
    """The first time that jobs came through, per job: its start and end, its bill, and whether its items expired."""

    start: Floats
    end: Floats
    bill_usd: Floats
    expired: Flags


@dataclass(kw_only=True, eq=False)
class _Repaired:
    """All rounds of repair: dollars billed per job, dollars in all for nothing usable, and what was ready when."""

    billed_usd: Floats
    rounds: list[Round]
    repairs: int = 0
    wasted_usd: float = 0.0
    on_time: float = 0.0
    unfinished: int = 0
    _ready_sum: float = 0.0
    _done: int = 0

    def add(self, job: Ints, ready: Floats, done: Ints, items: Ints, due: DueTimes) -> None:
        """So many items of these jobs were complete at that second; which of a job's items they are is chance."""
        at = np.full(len(items), -np.inf)
        at[job] = ready
        self.rounds.append(Round(job=job, ready=ready, done=done))
        self.on_time += float((due.met(at)[job] * (done / items[job])).sum()) if due.items else 0.0
        self._ready_sum += float((done * ready).sum())
        self._done += int(done.sum())

    @property
    def ready_at(self) -> float:
        """The mean second at which a complete item was ready."""
        return self._ready_sum / self._done if self._done else float("nan")
