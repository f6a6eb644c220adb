"""What jobs are billed, as far as chance has no say: worked out once, so that a replicate only multiplies."""

from dataclasses import dataclass

import numpy as np

from core.simulation.dispatch import Dispatch
from core.simulation.hits import Runs
from core.simulation.work import Economics, Flags, Floats, Ints


@dataclass(frozen=True, kw_only=True, eq=False)
class JobPrices:
    """What jobs cost as far as chance has no say, per job.

    `base_usd`: without the prefixes of marked items; `marked_usd`: those at the plain price; `plain_usd`, `warm_usd`:
    of its mean item, uncached and reading; `once_usd`: what writing its classes' prefixes costs above reading them,
    where they are written apart; `life`: the shortest of its entries; `lasting`: seconds from its start to the last use
    of an entry. Per run, `prefix_usd`: of one item's prefix at the plain price.
    """

    runs: Runs
    base_usd: Floats
    marked_usd: Floats
    plain_usd: Floats
    warm_usd: Floats
    once_usd: Floats
    life: Floats
    lasting: Floats
    prefix_usd: Floats

    @classmethod
    def of(cls, jobs: Dispatch, of: Ints, economics: Economics, found: Runs) -> "JobPrices":
        """The prices of the jobs; `of`: class of each item in sending order, `found`: their runs."""

        def total(values: Floats) -> Floats:
            return np.bincount(jobs.job, values, minlength=jobs.jobs).astype(np.float64)

        marked = jobs.life > 0
        prefix, rest = economics.prefix_usd[of], economics.rest_usd[of]
        hot = np.where(marked, prefix * economics.read[of], prefix)
        life, lasting = np.full(jobs.jobs, np.inf), np.zeros(jobs.jobs)
        np.minimum.at(life, found.job, found.life)
        np.maximum.at(lasting, found.job, found.last)
        # An entry of a job counts once, however many runs it has.
        pair = np.unique(found.job * len(economics.models) + found.entry, return_index=True)[1]
        own = (jobs.after >= 0) | jobs.primer
        once = np.bincount(found.job[pair], (found.write_usd - found.read_usd)[pair], minlength=jobs.jobs)
        return cls(
            runs=found,
            base_usd=total(rest + np.where(marked, 0.0, prefix)),
            marked_usd=total(np.where(marked, prefix, 0.0)),
            plain_usd=total(prefix + rest) / jobs.items,
            warm_usd=total(hot + rest) / jobs.items,
            once_usd=np.where(own, once, 0.0),
            life=np.where(np.isinf(life), 0.0, life),
            lasting=lasting,
            prefix_usd=economics.prefix_usd[found.entry],
        )

    def bill(self, writers: Ints, cold: Flags) -> Floats:
        """What each job is billed when nothing fails; `writers` per run, `cold`: jobs whose marks were taken off."""
        runs = self.runs
        prefixes = writers * runs.write_usd + (runs.items - writers) * runs.read_usd
        cached = np.bincount(runs.job, prefixes, minlength=len(self.base_usd))
        return self.base_usd + np.where(cold, self.marked_usd, cached)

    def read_share(self, writers: Ints, cold: Flags) -> float | None:
        """Of the marked prefixes, weighed by their price, the share that is read; None where nothing is marked."""
        weight = np.where(cold[self.runs.job], 0.0, self.prefix_usd)
        used = float((self.runs.items * weight).sum())
        return 1 - float((writers * weight).sum()) / used if used else None
