"""Which item goes into which job, and when: by a policy, as jobs of any size and cadence, primed or not."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.simulation.work import Economics, Flags, Floats, Ints, Traffic

Grouping = Literal["class", "packed", "arrival"]
"""How items share jobs: one class a job, and what is not marked together; whole classes together up to the size, in the
order in which their items came, so that they keep each other's entries alive; or all as they came."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Policy:
    """How items become jobs.

    `size`: items of a job at most, one for all or (by class) per class; `life`: seconds that a class's entry lives at
    the API, 0 = no marks, one for all or per class; `primed`: one item of each marked class goes ahead in a job of its
    own; `least`: items of a class in one round from which priming it is worth while; `every`, `phase`: seconds between
    two rounds of sending and the first of them, `every` None = as `Traffic.sent` says; `idempotent`: a repair sends
    only what failed, else the whole job.
    """

    grouping: Grouping
    size: Ints | int
    life: Floats | float
    primed: bool
    least: Ints | int = 2
    every: float | None = None
    phase: float = 0.0
    idempotent: bool = True


@dataclass(frozen=True, kw_only=True, eq=False)
class Dispatch:
    """Jobs and their items.

    Per item in sending order (job by job): `item`, its number in the traffic; `job`; `life`, seconds that its entry
    lives at the API, 0 = not marked. Per job: `send_at`, the earliest second; `after`, the job that has to end first,
    or -1; `primer`.
    """

    item: Ints
    job: Ints
    life: Floats
    send_at: Floats
    after: Ints
    primer: Flags
    idempotent: bool

    @property
    def jobs(self) -> int:
        """How many jobs there are."""
        return len(self.send_at)

    @property
    def items(self) -> Ints:
        """Items of each job."""
        return np.bincount(self.job, minlength=self.jobs)


def dispatch(traffic: Traffic, economics: Economics, policy: Policy) -> Dispatch:
    """The jobs that the policy makes of the traffic; every item is in exactly one."""
    classes = len(economics.models)
    times, rounds = np.unique(released(traffic, every=policy.every, phase=policy.phase), return_inverse=True)
    cell = rounds * classes + traffic.of
    life = np.broadcast_to(policy.life, classes)[traffic.of]
    marked = economics.cacheable[traffic.of] & (life > 0)
    head = np.zeros(len(cell), dtype=np.bool_)
    if policy.primed:
        marked &= _count(cell)[cell] >= np.broadcast_to(policy.least, classes)[traffic.of]
        head[np.unique(np.where(marked, cell, -1), return_index=True)[1]] = True
        head &= marked
    group, order = _grouped(policy, rounds, cell, marked, classes)
    order = order[np.argsort(~head[order], kind="stable")]
    body = order[int(head.sum()) :]
    primers, primer_of = np.unique(rounds[order[: int(head.sum())]], return_inverse=True)
    number, first = _cut(group[body], np.broadcast_to(policy.size, classes)[traffic.of[body]])
    inside = np.lexsort((body, number))
    order[len(order) - len(body) :] = body = body[inside]
    send_at = np.concatenate([times[primers], times[rounds[body[first]]]])
    after = np.full(len(first), -1, dtype=np.int64)
    if len(primers):
        waits = np.zeros(len(first), dtype=np.bool_)
        waits[number[marked[body]]] = True
        after[waits] = np.searchsorted(primers, rounds[body[first]])[waits]
    return Dispatch(
        item=order,
        job=np.concatenate([primer_of, len(primers) + number]),
        life=np.where(marked, life, 0.0)[order],
        send_at=send_at,
        after=np.concatenate([np.full(len(primers), -1, dtype=np.int64), after]),
        primer=np.arange(len(send_at)) < len(primers),
        idempotent=policy.idempotent,
    )


def released(traffic: Traffic, *, every: float | None, phase: float = 0.0) -> Floats:
    """Per item, the second of the round in which it is sent; `every`, `phase` as in `Policy`."""
    if every is None:
        return traffic.sent
    return np.ceil((traffic.at - phase) / every) * every + phase


def _grouped(policy: Policy, rounds: Ints, cell: Ints, marked: Flags, classes: int) -> tuple[Ints, Ints]:
    """Per item the group whose items may share jobs; and the items in sending order, group by group."""
    if policy.grouping == "class":
        group = np.where(marked, cell + rounds + 1, rounds * (classes + 1))
        return group, np.argsort(group, kind="stable")
    return rounds, np.argsort(cell if policy.grouping == "packed" else rounds, kind="stable")


def _cut(group: Ints, size: Ints) -> tuple[Ints, Ints]:
    """Cut every group (items sorted by it) into the fewest even jobs of at most `size` (its first item's).

    Returns the job of each item, counted from 0, and the place of each job's first item.
    """
    begin = np.flatnonzero(np.diff(group, prepend=-1))
    count = np.diff(begin, append=len(group))
    parts = -(-count // size[begin])
    place = np.arange(len(group)) - np.repeat(begin, count)
    before = np.cumsum(parts) - parts
    number = np.repeat(before, count) + place * np.repeat(parts, count) // np.repeat(count, count)
    return number, np.flatnonzero(np.diff(number, prepend=-1))


def _count(cell: Ints) -> Ints:
    return np.bincount(cell)
