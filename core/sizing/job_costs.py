"""What an item costs by the size of its job: the one cost model from which sizes are recommended. Pure."""

import math
from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from core.errors import LotwiseError
from core.sizing.normal import Floats

FLAT = 0.02
"""The range of sizes worth calling equally good: their cost is within this share of the least."""

LARGEST = 1_000_000_000
"""Sizes are weighed up to here; it stands for "the larger, the better" where nothing ever voids a job."""

# e to a higher power is no longer a number: such a job never gets done.
_HIGHEST_POWER = 700.0


class UnusableCosts(LotwiseError):
    """A job cannot be sized with these costs. Dollars must be zero or more, and chances from zero to below one."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The three terms of what an item costs, in dollars an item, one entry a size.

    `price_usd`: the item itself and its share of writing the prefix; `fixed_usd`: its share of what a job costs
    besides; `rerun_usd`: what is expected to be paid twice.
    """

    price_usd: Floats
    fixed_usd: Floats
    rerun_usd: Floats


@dataclass(frozen=True, kw_only=True)
class JobCosts:
    """The costs and chances of one class on its model with its cache plan, from which its cost by size follows.

    `hot_usd`: price of an item that reads the cache (of any item where nothing is primed). `once_usd`: what the item
    that writes costs more, once a job. `job_usd`: fixed cost of a job and its repair, such as an operator's minutes.
    `void_rate`: chance per item that a fault voids all that was sent of the job so far, which then starts anew.
    `fault_rate`, `unbilled_fault_rate`: shares of items that must be repeated, billed or not. `canary`: share of
    voiding faults that the primer shows before anything else is sent. `idempotent`: repair sends again only what
    failed, at `hot_usd` each; otherwise one failed item repeats the job, noticed when all of it was sent.

    Raises `UnusableCosts`.
    """

    hot_usd: float
    once_usd: float
    job_usd: float
    void_rate: float
    fault_rate: float
    unbilled_fault_rate: float = 0.0
    canary: float = 0.0
    idempotent: bool = True

    def __post_init__(self) -> None:
        usd = {"hot_usd": self.hot_usd, "once_usd": self.once_usd, "job_usd": self.job_usd}
        rates = {"fault_rate": self.fault_rate, "unbilled_fault_rate": self.unbilled_fault_rate}
        chances = {"void_rate": self.void_rate, **rates, "faults_together": sum(rates.values())}
        wrong = {name: value for name, value in usd.items() if not 0 <= value < math.inf}
        wrong |= {name: value for name, value in chances.items() if not 0 <= value < 1}
        wrong |= {} if 0 <= self.canary <= 1 else {"canary": self.canary}
        if wrong:
            raise UnusableCosts(None, **wrong)

    @cached_property
    def begin_usd(self) -> float:
        """What is paid at every start of a job, whatever its size."""
        return self.once_usd + self.job_usd

    def item_usd(self, items: npt.ArrayLike) -> Floats:
        """Expected dollars per finished item in jobs of so many items, for an array of sizes; `inf` beyond all hope.

        The expected cost of running n steps without interruption where every interruption begins anew (Daly 2006,
        "A higher order estimate of the optimum checkpoint interval"; the closed job is the checkpoint). With q the
        chance of a voiding fault and s of one that repeats the finished job, a start sends (1 - (1-q)^n)/q items on
        average, and (1-q)^-n (1-s)^-n starts are needed.
        """
        n = np.asarray(items, dtype=np.float64)
        power = (self._hazard + self._spoiling) * n
        sent = -np.expm1(-self._hazard * n) / self._void if self._void else n
        with np.errstate(over="ignore"):
            begun = (self.begin_usd + self.hot_usd * sent) * np.exp(np.minimum(power, _HIGHEST_POWER))
        return np.where(power < _HIGHEST_POWER, begun / n + self._repeats_usd, self._hopeless_usd)

    def usd_at(self, items: float) -> float:
        """`item_usd` of one size, in a microsecond: searches ask for dozens."""
        power = (self._hazard + self._spoiling) * items
        if power >= _HIGHEST_POWER:
            return self._hopeless_usd
        sent = -math.expm1(-self._hazard * items) / self._void if self._void else items
        return (self.begin_usd + self.hot_usd * sent) * math.exp(power) / items + self._repeats_usd

    def parts(self, items: npt.ArrayLike) -> Parts:
        """The terms of `item_usd` apart: price, fixed cost, and the expected cost of reruns."""
        n = np.asarray(items, dtype=np.float64)
        price, fixed = self.hot_usd + self.once_usd / n, self.job_usd / n
        # Rounding must not leave a cost of less than nothing.
        return Parts(price_usd=price, fixed_usd=fixed, rerun_usd=np.maximum(self.item_usd(n) - price - fixed, 0.0))

    def at_risk_usd(self, items: npt.ArrayLike) -> Floats:
        """Dollars of items that one voiding fault can turn into waste, by size."""
        return self.hot_usd * np.asarray(items, dtype=np.float64)

    def young(self) -> int:
        """About the best size, by the first-order rule sqrt(2 begin / (q hot)) (Young 1974)."""
        lost_usd = (self._void + 2 * self._spoil) * self.hot_usd
        return max(1, min(round(math.sqrt(2 * self.begin_usd / lost_usd)), LARGEST)) if lost_usd else LARGEST

    def best(self, most: int) -> int:
        """The size from 1 to `most` at which an item costs least, exactly; the largest of several."""
        return 1 + bisect_left(range(1, most), True, key=self._one_more_is_dearer)

    def flat_range(self, most: int, share: float = FLAT) -> tuple[int, int]:
        """The smallest and the largest size up to `most` that cost at most `share` more than the best one."""
        best = self.best(most)
        usd = self.usd_at(best) * (1 + share)
        low = 1 + bisect_left(range(1, best), True, key=lambda items: self.usd_at(items) <= usd)
        return low, self.largest_within(usd, best, most)

    def largest_within(self, usd: float, best: int, most: int) -> int:
        """The largest size from `best` to `most` at which an item costs at most `usd`."""
        return best + bisect_left(range(best + 1, most + 1), True, key=lambda items: self.usd_at(items) > usd)

    def amortising(self, share: float) -> float:
        """Items from which on writing the prefix adds at most `share` to an item's price."""
        if not self.once_usd:
            return 1.0
        return self.once_usd / (share * self.hot_usd) if self.hot_usd else math.inf

    @cached_property
    def _void(self) -> float:
        """Chance per item of a fault that voids what was sent, and that the primer did not show."""
        return self.void_rate * (1 - self.canary)

    @cached_property
    def _spoil(self) -> float:
        """Chance per item of a fault for which the whole job is sent again once it is done."""
        return 0.0 if self.idempotent else self.fault_rate + self.unbilled_fault_rate

    @cached_property
    def _hazard(self) -> float:
        return -math.log1p(-self._void)

    @cached_property
    def _spoiling(self) -> float:
        return -math.log1p(-self._spoil)

    @cached_property
    def _repeats_usd(self) -> float:
        """What repair pays per item for those that were billed and failed, repeats of repeats included."""
        return self.hot_usd * self.fault_rate / (1 - self.fault_rate) if self.idempotent else 0.0

    @cached_property
    def _hopeless_usd(self) -> float:
        """What an item costs in a job so large that it never gets done: what is free stays so."""
        return math.inf if self.begin_usd + self.hot_usd else 0.0

    def _one_more_is_dearer(self, items: int) -> bool:
        """Whether an item costs more in a job of `items` + 1.

        The sign of n g(n+1) - (n+1) g(n) with g the cost of a whole job, divided by its number of starts: no power
        that could overflow, and no difference of nearly equal costs. g is convex, so the sign changes once.
        """
        q, s = self._void, self._spoil
        sent = -math.expm1(-self._hazard * items) / q if q else items
        again = (q + s - q * s) / ((1 - q) * (1 - s))
        begin = self.begin_usd * (items * again - 1)
        return begin + self.hot_usd * (items * again + items * sent * s / (1 - s) + (items - sent)) > 0
