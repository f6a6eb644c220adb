"""What goes wrong with a simulated job: faults that void it whole, and items that have to be repeated."""

from dataclasses import dataclass

import numpy as np

from core.simulation.dispatch import Dispatch
from core.simulation.work import Economics, Floats, Ints

_MOST_RERUNS = 50
"""Nobody runs a job more often than that: what is not well by then is given up."""
_TINY = 1e-12


@dataclass(frozen=True, kw_only=True, eq=False)
class Hazards:
    """Chances per job: `unvoided` (that nothing voids it), and the shares of its items that fail, billed and not.

    `trouble`: share of jobs that meet item faults at all: the others have none, and these have as many more.
    """

    trouble: Floats
    unvoided: Floats
    fault_rate: Floats
    unbilled_rate: Floats

    @classmethod
    def of(cls, jobs: Dispatch, of: Ints, economics: Economics, *, canary: float, trouble: float) -> "Hazards":
        """`of`: class of each item in sending order; `canary`: share of voiding faults that a primer shows first;
        `trouble`: see there."""
        seen = np.where(jobs.after >= 0, 1 - canary, 1.0)
        count = jobs.items

        def mean(rate: Floats) -> Floats:
            return np.bincount(jobs.job, rate[of], minlength=jobs.jobs) / count

        survived = np.bincount(jobs.job, np.log1p(-economics.void_rate)[of], minlength=jobs.jobs)
        billed, unbilled = mean(economics.fault_rate), mean(economics.unbilled_rate)
        return cls(
            trouble=np.maximum(trouble, billed + unbilled),
            unvoided=np.exp(survived * seen),
            fault_rate=billed,
            unbilled_rate=unbilled,
        )

    def voided(self, rng: np.random.Generator) -> tuple[Ints, Floats]:
        """How often each job is voided before it comes through, and what share of it was sent by then, added up.

        A job comes through with the chance `unvoided`; where in it a fault strikes is geometric over its items.
        """
        failing = 1 - self.unvoided
        times = np.log(1 - rng.random(len(failing))) / np.log(np.clip(failing, 1e-300, 1 - _TINY))
        count = np.minimum(times, _MOST_RERUNS).astype(np.int64)
        hit = np.repeat(np.flatnonzero(count), count[count > 0])
        sent = np.log1p(-rng.random(len(hit)) * failing[hit]) / np.log(np.maximum(self.unvoided[hit], 1e-300))
        return count, np.bincount(hit, sent, minlength=len(count)).astype(np.float64)

    def failed(self, items: Ints, job: Ints, rng: np.random.Generator) -> tuple[Ints, Ints]:
        """Of so many items of these jobs, how many fail billed and how many unbilled."""
        trouble = self.trouble[job]
        worse = np.where(rng.random(len(job)) < trouble, 1 / np.maximum(trouble, _TINY), 0.0)
        fault_rate = np.minimum(self.fault_rate[job] * worse, 1.0)
        billed = rng.binomial(items, fault_rate)
        of_the_rest = self.unbilled_rate[job] * worse / np.maximum(1 - fault_rate, _TINY)
        return billed, rng.binomial(items - billed, np.minimum(of_the_rest, 1.0))
