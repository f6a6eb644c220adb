"""What a simulation says: one replicate with all its jobs and items, and many of them as distributions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.simulation.dispatch import Dispatch
from core.simulation.work import Floats, Ints


@dataclass(frozen=True, kw_only=True, eq=False)
class Round:
    """One round of sending: when each of these jobs was ready, and how many of its items were complete with that."""

    job: Ints
    ready: Floats
    done: Ints


@dataclass(frozen=True, kw_only=True, eq=False)
class Replicate:
    """One run of all jobs. Dollars; `billed_usd` per job with all its reruns and repairs.

    `rerun_usd`: of the cost, what went into attempts that gave nothing usable, and the fixed cost of the extra jobs;
    `fixed_usd`: of all bodies and repairs that were sent; `sent_jobs`: they and the primers; `on_time`: share of the
    items that have a deadline, None where none has; `read_share`: of the marked prefixes, None where nothing is marked;
    `hours`: mean time from an item's coming in to its result; `unfinished`: items given up.
    """

    jobs: Dispatch
    rounds: Sequence[Round]
    billed_usd: Floats
    rerun_usd: float
    fixed_usd: float
    sent_jobs: int
    on_time: float | None
    read_share: float | None
    hours: float
    unfinished: int
    seed: tuple[int, int, int]

    @property
    def cost_usd(self) -> float:
        """Everything: what is billed, and the fixed cost of the jobs."""
        return self.items_usd + self.fixed_usd

    @property
    def items_usd(self) -> float:
        """What is billed for the items of all jobs."""
        return float(self.billed_usd.sum())

    @property
    def job_ready(self) -> Floats:
        """Per job, the second at which its last item was complete; infinite where one never was."""
        ready, done = np.full(self.jobs.jobs, -np.inf), np.zeros(self.jobs.jobs, dtype=np.int64)
        for one in self.rounds:
            ready[one.job] = np.where(one.done > 0, one.ready, ready[one.job])
            done[one.job] += one.done
        return np.where(done == self.jobs.items, ready, np.inf)

    @property
    def item_ready(self) -> Floats:
        """Per item of the traffic, the second at which its result was there; infinite where it never was.

        Which items of a job failed is drawn here, the same at every look.
        """
        jobs = self.jobs
        chance = np.random.default_rng(self.seed).random(len(jobs.item))
        begin = np.concatenate([[0], np.cumsum(jobs.items)])
        ready = np.full(len(jobs.item), np.inf)
        # Sorted by chance inside each job: the first so many of a job are those that came through first.
        order = np.lexsort((chance, jobs.job))
        taken = begin[:-1].copy()
        for one in self.rounds:
            count = one.done
            place = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
            ready[order[np.repeat(taken[one.job], count) + place]] = np.repeat(one.ready, count)
            taken[one.job] += count
        found = np.empty(len(ready))
        found[jobs.item] = ready
        return found


_TOTALS = (
    "cost_usd",
    "items_usd",
    "rerun_usd",
    "fixed_usd",
    "sent_jobs",
    "hours",
    "unfinished",
    "on_time",
    "read_share",
)


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """A figure over all replicates."""

    mean: float
    p10: float
    p50: float
    p90: float

    @classmethod
    def of(cls, values: Floats) -> "Distribution":
        """The distribution of these values."""
        low, middle, high = np.quantile(values, (0.1, 0.5, 0.9))
        return cls(mean=float(values.mean()), p10=float(low), p50=float(middle), p90=float(high))


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """All replicates, one value each; `on_time` and `read_share` are None where they mean nothing (see `Replicate`).

    Per job, means over the replicates: `job_usd` (billed) and `job_ready`.
    """

    cost_usd: Floats
    items_usd: Floats
    rerun_usd: Floats
    fixed_usd: Floats
    sent_jobs: Floats
    hours: Floats
    unfinished: Floats
    on_time: Floats | None
    read_share: Floats | None
    job_usd: Floats
    job_ready: Floats

    @classmethod
    def of(cls, replicates: Iterable[Replicate]) -> "Outcome":
        """Gather replicates of the same jobs, one at a time: of their jobs only the means are kept."""
        totals: list[list[float | None]] = []
        job_usd = job_ready = np.zeros(1)
        for one in replicates:
            totals.append([getattr(one, name) for name in _TOTALS])
            job_usd, job_ready = job_usd + one.billed_usd, job_ready + one.job_ready
        columns = dict(zip(_TOTALS, zip(*totals, strict=True), strict=True))
        arrays: dict[str, Any] = {
            name: None if None in column else np.array(column) for name, column in columns.items()
        }
        return cls(job_usd=job_usd / len(totals), job_ready=job_ready / len(totals), **arrays)

    def distributions(self) -> dict[str, Distribution]:
        """By name, every figure that means something."""
        named = {
            "cost_usd": self.cost_usd,
            "items_usd": self.items_usd,
            "rerun_usd": self.rerun_usd,
            "fixed_usd": self.fixed_usd,
            "on_time": self.on_time,
            "read_share": self.read_share,
            "hours": self.hours,
            "jobs": self.sent_jobs,
        }
        return {name: Distribution.of(values) for name, values in named.items() if values is not None}
