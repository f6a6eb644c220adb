"""Which items of many jobs read the cache, by the wave model, at the grain at which chance moves them: whole jobs.

Where in its job an item stands decides the wave in which it goes, whenever the job starts. So the uses of an entry are
gathered once into runs (uses of one job that follow each other within the entry's life), and only the runs move with
the jobs: of each, the first wave writes if the entry is not readable then, and everything after it reads. That is
`core.caching.waves.serve` with one mark a prefix, without touching items again.
"""

import math
from dataclasses import dataclass

import numpy as np

from core.caching.waves import WAVE_SECONDS
from core.simulation.dispatch import Dispatch
from core.simulation.work import Economics, Flags, Floats, Ints

_BEGUN = 0.25
"""An entry can be read once the wave that writes it is so far over."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Runs:
    """Runs of uses of an entry in a job, one value each.

    `first`, `last`: seconds from the job's start to the first and the last wave; `items`: that use the entry;
    `leading`: of them, in the first wave; `life`: seconds; `read_usd`, `write_usd`: what the prefix of an item costs.
    """

    job: Ints
    entry: Ints
    life: Floats
    first: Floats
    last: Floats
    items: Ints
    leading: Ints
    read_usd: Floats
    write_usd: Floats
    begun: float

    def writers(self, starts: Floats, alive: Flags) -> Ints:
        """Items of each run that write, when each job starts at this second; `alive`: runs that are marked at all."""
        run = np.flatnonzero(alive)
        at = starts[self.job[run]] + self.first[run]
        order = run[np.lexsort((at, self.entry[run]))]
        at, entry = starts[self.job[order]] + self.first[order], self.entry[order]
        # The latest use so far of each entry: entries are lifted apart, so that one running maximum does for all.
        lift = entry * (2 * (np.ptp(starts) + self.last.max(initial=0.0) + self.life.max(initial=0.0)) + 1.0)
        touched = np.maximum.accumulate(starts[self.job[order]] + self.last[order] + lift) - lift
        new_life = np.ones(len(order), dtype=np.bool_)
        dead = at[1:] - (touched[:-1] + self.begun) > self.life[order][1:]
        new_life[1:] = (entry[1:] != entry[:-1]) | dead
        born = at[np.maximum.accumulate(np.where(new_life, np.arange(len(order)), 0))]
        writers = np.zeros(len(self.job), dtype=np.int64)
        writers[order] = np.where(at >= born + self.begun, 0, self.leading[order])
        return writers


def runs(
    jobs: Dispatch,
    of: Ints,
    economics: Economics,
    *,
    width: float,
    wave_seconds: float = WAVE_SECONDS,
    life_scale: float = 1.0,
) -> Runs:
    """Gather the marked items into runs; `of`: class of each item in sending order; others: see `World`."""
    begin = np.flatnonzero(np.diff(jobs.job, prepend=-1))
    place = np.arange(len(jobs.job)) - np.repeat(begin, np.diff(begin, append=len(jobs.job)))
    wave = np.zeros(len(place), dtype=np.int64) if math.isinf(width) else (place // width).astype(np.int64)
    marked = np.flatnonzero(jobs.life > 0)
    marked = marked[np.argsort(jobs.job[marked] * len(economics.models) + of[marked], kind="stable")]
    job, entry, life, wave = jobs.job[marked], of[marked], jobs.life[marked], wave[marked]
    at = wave * np.float64(wave_seconds)
    apart = np.ones(len(marked), dtype=np.bool_)
    gap = np.diff(at) - _BEGUN * wave_seconds
    apart[1:] = (
        (job[1:] != job[:-1]) | (entry[1:] != entry[:-1]) | (life[1:] != life[:-1]) | (gap > life_scale * life[1:])
    )
    head = np.flatnonzero(apart)
    items = np.diff(head, append=len(marked))
    leading = wave == np.repeat(wave[head], items)
    return Runs(
        job=job[head],
        entry=entry[head],
        life=life_scale * life[head],
        first=at[head],
        last=at[head + items - 1],
        items=items,
        leading=np.add.reduceat(leading, head) if len(head) else items,
        read_usd=(economics.prefix_usd * economics.read)[entry[head]],
        write_usd=economics.prefix_usd[entry[head]] * economics.write(life[head], entry[head]),
        begun=_BEGUN * wave_seconds,
    )
