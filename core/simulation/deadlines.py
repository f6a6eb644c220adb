"""How many items of each job are on time, whenever it ends: looked up, not counted again for every replicate."""

from dataclasses import dataclass

import numpy as np

from core.simulation.dispatch import Dispatch
from core.simulation.work import Floats, Ints, Traffic


@dataclass(frozen=True, kw_only=True, eq=False)
class DueTimes:
    """Deadlines of items that have one, sorted job by job; `begin`, `end`: those of each job."""

    keys: Floats
    begin: Ints
    end: Ints
    apart: float

    @classmethod
    def of(cls, jobs: Dispatch, traffic: Traffic) -> "DueTimes":
        """The deadlines of the jobs' items."""
        due = traffic.due[jobs.item]
        known = np.isfinite(due)
        apart = 2.0 * float(due[known].max(initial=0.0)) + 1.0
        keys = np.sort(jobs.job[known] * apart + np.maximum(due[known], 0.0))
        edges = np.concatenate([[0], np.cumsum(np.bincount(jobs.job[known], minlength=jobs.jobs))])
        return cls(keys=keys, begin=edges[:-1], end=edges[1:], apart=apart)

    @property
    def items(self) -> int:
        """Items that have a deadline."""
        return len(self.keys)

    def met(self, ready: Floats) -> Ints:
        """Per job, how many of its items have a deadline that is not before this second."""
        wanted = np.arange(len(ready)) * self.apart + np.clip(ready, 0.0, self.apart - 0.5)
        found: Ints = self.end - np.searchsorted(self.keys, wanted, side="left")
        return found
