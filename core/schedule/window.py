"""Whether all results are there in time: primer, check, body, and one round of repair, as one distribution.

Jobs sent together are slow together. What they have in common is one normal factor z (the one-factor copula of Vasicek
1987, as `Turnaround` holds it), taken to last from the first job to the last, which is the cautious reading. Given z
all jobs are independent: stages that follow each other are convolved on a grid, jobs side by side are multiplied, and
the result is averaged over z.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.errors import LotwiseError
from core.sizing.normal import Floats
from core.sizing.turnaround import Turnaround

# Nodes of the trapezoid rule over z, which converges exponentially for such integrands (Trefethen and Weideman 2014).
Z = np.linspace(-3.84, 3.84, 25)
WEIGHTS = np.exp(-(Z**2) / 2) / np.exp(-(Z**2) / 2).sum()
_STEPS = 360
# The grid may leave out what takes longer in fewer than so many runs; of one job, at most the last in 25,000.
_BEYOND, _RAREST = 0.0005, 0.00004
# So many finer splits in a row have to be worse before none is looked for any more.
_FALLS = 2
# Sizes tried where no size is in time: down to a hundredth of the largest.
_TRIED = 8
_HALVINGS = 50


class OddWindow(LotwiseError):
    """The chance of being in time cannot be asked for like this. A confidence lies above 0 and below 1, and there is at
    least one job, of at least one item."""


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """When everything is there, counted from the sending of the first job.

    `given`: one row a node of `Z`, the distribution function at 0, `step`, 2 `step`, … seconds where nothing expires;
    `expiry`: chance that something does, which then takes `expires_seconds` more, and everything once again.
    """

    step: float
    given: Floats
    expiry: float
    expires_seconds: float

    def at(self, seconds: npt.ArrayLike) -> Floats:
        """Chance that all is there within so many seconds where nothing expires, at each node of `Z`.

        `seconds`: of any shape whose last axis is one entry, or one a node; so is what comes out, one entry a node.
        """
        last = self.given.shape[1] - 1
        place = np.clip(np.asarray(seconds, dtype=np.float64) / self.step, 0.0, last)
        below = np.minimum(place.astype(np.int64), last - 1)
        part, nodes = place - below, np.arange(len(Z))
        chances: Floats = (1 - part) * self.given[nodes, below] + part * self.given[nodes, below + 1]
        return chances

    def on_time(self, seconds: float) -> float:
        """Chance that all is there within so many seconds."""
        late = WEIGHTS @ self.at(seconds - self.expires_seconds) if self.expiry else 0.0
        return float((1 - self.expiry) * (WEIGHTS @ self.at(seconds)) + self.expiry * late)

    def needed(self, confidence: float) -> float:
        """Seconds within which all is there with this probability; infinite where the grid does not reach so far."""
        high: float = self.step * (self.given.shape[1] - 1) + self.expires_seconds
        if self.on_time(high) < confidence:
            return math.inf
        curve = (1 - self.expiry) * (WEIGHTS @ self.given)
        after = int(np.searchsorted(curve, confidence))
        if 0 < after < len(curve) and after * self.step <= self.expires_seconds:
            part = (confidence - curve[after - 1]) / (curve[after] - curve[after - 1])
            return float(self.step * (after - 1 + part))
        low = 0.0
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (low, middle) if self.on_time(middle) >= confidence else (middle, high)
        return high


def arrival(
    body: Turnaround,
    *,
    chains: Mapping[int, int],
    primer: Turnaround | None = None,
    repair: Turnaround | None = None,
    repair_chance: float = 0.0,
) -> Arrival:
    """The distribution of the time until all is there.

    `chains`: how many jobs end as the first, second, third, … of bodies that wait for each other, {1: 5} for five sent
    at once; `repair_chance`: of one body. Repairs of a chain go when its last body has ended, which is cautious.
    """
    longest = max(chains, default=0)
    if longest < 1 or min(chains) < 1 or min(chains.values()) < 1 or not 0 <= repair_chance <= 1:
        raise OddWindow(chains=dict(chains), repair_chance=repair_chance)
    step = _reach(body, chains, primer, repair) / (_STEPS - 1)
    ends = _given(body, step)
    together = np.ones_like(ends)
    mended = ends if repair is None or not repair_chance else _after(_mass(_given(repair, step)), ends)
    for length, count in sorted(chains.items()):
        chance = 1 - (1 - repair_chance) ** length
        last = ends + chance * (mended - ends)
        together *= (last if length == 1 else _after(_mass(ends), last, length - 1)) ** count
    whole = together if primer is None else _after(_mass(_given(primer, step)), together)
    whole[:, 0] = 0.0
    return Arrival(
        step=step,
        given=np.maximum.accumulate(np.clip(whole, 0.0, 1.0), axis=1),
        expiry=_expiry(body, longest, primer, repair, repair_chance),
        expires_seconds=body.expires_seconds,
    )


def on_time(
    body: Turnaround,
    *,
    jobs: int,
    seconds: float,
    at_once: int | None = None,
    primer: Turnaround | None = None,
    repair: Turnaround | None = None,
    repair_chance: float = 0.0,
) -> float:
    """Probability that primer, all `jobs` and a repair of each that needs one end within so many seconds.

    `at_once`: bodies that the queue has room for; the others wait for earlier ones. `repair_chance`: that a body needs
    one, 1 - (1 - φ)^n for n items of which a share φ fails.
    """
    chains = in_chains(jobs, at_once)
    return arrival(body, chains=chains, primer=primer, repair=repair, repair_chance=repair_chance).on_time(seconds)


def time_needed(
    body: Turnaround,
    *,
    jobs: int,
    confidence: float,
    at_once: int | None = None,
    primer: Turnaround | None = None,
    repair: Turnaround | None = None,
    repair_chance: float = 0.0,
) -> float:
    """Seconds before a deadline at which the first job must be sent, to be in time with this confidence.

    The inverse of `on_time`; infinite where it cannot be told.
    """
    if not 0 < confidence < 1:
        raise OddWindow(confidence=confidence)
    chains = in_chains(jobs, at_once)
    return arrival(body, chains=chains, primer=primer, repair=repair, repair_chance=repair_chance).needed(confidence)


def largest_in_time(
    turnaround_of: Callable[[int], Turnaround],
    *,
    items: int,
    most: int,
    seconds: float,
    confidence: float,
    queue_room: int | None = None,
    primer: Turnaround | None = None,
    repair_of: Callable[[int], Turnaround] | None = None,
    fault_rate: float = 0.0,
) -> int | None:
    """The largest size of a job, up to `most`, at which `items` are all there in time; None where none is.

    Looked for among the even splits of the items, each about a fifth finer than the one before, until finer ones no
    longer help; `most` where the window does not bind. `repair_of`: turnaround of a repair of so many items.
    """
    if items < 1 or most < 1 or not 0 < confidence < 1:
        raise OddWindow(items=items, most=most, confidence=confidence)
    room = min(most, queue_room) if queue_room is not None else most
    if room < 1 or on_time(turnaround_of(1), jobs=1, seconds=seconds, primer=primer) < confidence:
        return None
    fewest, reached, falls = -(-items // room), 0.0, 0
    for jobs in splits(items, fewest):
        size, before = -(-items // jobs), reached
        reached = on_time(
            turnaround_of(size),
            jobs=jobs,
            seconds=seconds,
            at_once=None if queue_room is None else max(queue_room // size, 1),
            primer=primer,
            repair=None if repair_of is None else repair_of(max(round(size * fault_rate), 1)),
            repair_chance=0.0 if repair_of is None else repair_needed(size, fault_rate),
        )
        if reached >= confidence:
            return most if jobs == fewest else size
        # While jobs wait for room, uneven rounds make a finer split worse now and then.
        falls = falls + 1 if reached < before else 0
        if falls > _FALLS:
            return None
    return None


def surest_in_time(chance_of: Callable[[int], float], *, items: int, most: int) -> int:
    """The size up to `most` with the highest `chance_of` being in time: the one to take where none is sure enough.

    Looked for among even splits, each twice as fine as the one before; of several, the largest.
    """
    fewest = -(-items // most)
    sizes: list[int] = [-(-items // min(fewest << power, items)) for power in range(_TRIED)]
    return max(sizes, key=chance_of)


def largest_alone(
    turnaround_of: Callable[[int], Turnaround], *, most: int, seconds: float, confidence: float
) -> int | None:
    """The largest size up to `most` of which one job by itself ends in time; None where none does.

    Found by halving: a larger job is never sooner done.
    """

    def late(size: int) -> bool:
        return float(turnaround_of(size).quantile(confidence)) > seconds

    return (bisect_left(range(1, most + 1), True, key=late) if late(most) else most) or None


def repair_needed(items: int, fault_rate: float) -> float:
    """Chance that a job of so many items needs a repair: that at least one of them fails."""
    return -math.expm1(items * math.log1p(-min(fault_rate, 1 - 1e-12)))


def splits(items: int, fewest: int) -> list[int]:
    """Numbers of jobs into which items may be split, from the fewest on, each about a fifth more than the last."""
    found = [fewest]
    while found[-1] < items:
        found.append(min(max(found[-1] + 1, math.ceil(found[-1] * 1.2)), items))
    return found


def in_chains(jobs: int, at_once: int | None) -> dict[int, int]:
    """So many jobs as evenly long chains, as many side by side as there is room for."""
    side_by_side = jobs if at_once is None else min(jobs, at_once)
    if side_by_side < 1:
        raise OddWindow(jobs=jobs, at_once=at_once)
    length, longer = divmod(jobs, side_by_side)
    return {length + 1: longer, length: side_by_side - longer} if longer else {length: side_by_side}


def _reach(body: Turnaround, chains: Mapping[int, int], primer: Turnaround | None, repair: Turnaround | None) -> float:
    """Seconds that the grid has to span: every stage at its slowest, the slowest of all jobs side by side."""
    slowest = 1 - max(_BEYOND / sum(chains.values()), _RAREST)
    seconds = float(body.quantile(slowest)) + (max(chains) - 1) * float(body.quantile(1 - _BEYOND))
    if primer is not None:
        seconds += float(primer.quantile(1 - _BEYOND))
    return seconds if repair is None else seconds + float(repair.quantile(slowest))


def _given(turnaround: Turnaround, step: float) -> Floats:
    """Distribution function at the steps of the grid, one row a node of z."""
    return turnaround.given(np.arange(_STEPS) * step, Z[:, None])


def _mass(ends: Floats) -> Floats:
    """Probability at each step: that of the half cells around it, which keeps the mean."""
    cells = np.diff(ends, axis=1, prepend=0.0)
    return 0.5 * (cells + np.append(cells[:, 1:], np.zeros((len(cells), 1)), axis=1))


def _after(first: Floats, then: Floats, times: int = 1) -> Floats:
    """Distribution function of the sum of `times` of the first and one of the other."""
    size = 2 * _STEPS
    transformed = np.fft.rfft(first, size) ** times * np.fft.rfft(then, size)
    return np.clip(np.fft.irfft(transformed, size)[:, :_STEPS], 0.0, 1.0)


def _expiry(
    body: Turnaround, longest: int, primer: Turnaround | None, repair: Turnaround | None, repair_chance: float
) -> float:
    """Chance that anything expires: one event for jobs that are sent together, and a new one at every later sending."""
    spared = (1 - body.expiry) ** longest
    if primer is not None:
        spared *= 1 - primer.expiry
    if repair is not None:
        spared *= 1 - repair_chance * repair.expiry
    return 1 - spared
