"""How much of a prefix is really read: learned from finished jobs, to predict the next one.

Of unprimed jobs the *effective width* is learned: the number of items in flight that would explain the writes seen.
Of primed bodies, the probability of a read: a Beta posterior, decided on with caution and published with the
interval in which the next job is expected.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Assumed before any result, in imagined (reads, misses): a primed body mostly reads, an unprimed one mostly does not.
_PRIMED_PRIOR, _UNPRIMED_PRIOR = (9.0, 1.0), (1.0, 4.0)
# Items of one job read or miss together, so a job says no more than this many independent items would.
_MOST_OBSERVATIONS = 10
_HALF_LIFE_DAYS = 30.0
_CAUTION = 0.2
_COVERAGE = 0.8
_HALVINGS = 60
# Most classes of a backlog have one of few rates: what is worked out for one is kept for the others.
_REMEMBERED = 1 << 14
# Of the continued fraction: more terms than any posterior needs, when to stop, and what stands in for a zero.
_MOST_TERMS, _PRECISION, _TINY = 10_000, 1e-15, 1e-300


def expected_writes(items: Floats, share: Floats, width: float) -> Floats:
    """Items of each class expected to write in a cold job: those in the first wave that holds any of the class.

    `items`: per class; `share`: of the class in its job (1 where it has one of its own); `width`: items in flight, may
    be infinite. A wave of C holds C s items of the class on average, and none with probability (1 - s)^C.
    """
    if math.isinf(width):
        return items
    with np.errstate(divide="ignore"):
        held = -np.expm1(width * np.log1p(-share))
    return np.minimum(items, width * share / held)


def effective_width(items: Floats, share: Floats, written: float, *, weight: Floats | float = 1.0) -> float:
    """The width that explains what a cold job wrote; infinite where everything was written.

    `written`: items that wrote, over all classes; with `weight` (tokens of each class's prefix) tokens written.
    Entries that expired between waves look like width too.
    """
    if written >= float((weight * items).sum()):
        return math.inf
    low, high = 0.0, math.log(float(items.sum()))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        explained = float((weight * expected_writes(items, share, math.exp(middle))).sum())
        low, high = (middle, high) if explained < written else (low, middle)
    return math.exp(low)


def predicted_hit_rate(items: Floats, share: Floats, prefix: Floats, width: float) -> float:
    """Tokens read over tokens read or written that a cold job will show; `prefix`: tokens per class."""
    return 1 - float((prefix * expected_writes(items, share, width)).sum() / (prefix * items).sum())


@dataclass(frozen=True, kw_only=True)
class ReadRate:
    """What is known of the probability that an item reads its prefix: a Beta distribution of `reads` and `misses`."""

    reads: float
    misses: float

    @property
    def mean(self) -> float:
        """Expected probability of a read."""
        return self.reads / (self.reads + self.misses)

    def surely_above(self, share: float) -> bool:
        """Whether the probability is above `share` (the break-even) with a certainty of 80 %: what is decided with."""
        return beta_cdf(share, self.reads, self.misses) < _CAUTION

    def interval(self, items: int) -> tuple[float, float]:
        """Hit rates between which the next job of so many items lies with a probability of 80 % or more.

        It is the interval of the job's *outcome* (beta-binomial), wider than that of the probability itself: a job that
        reads everything must not look like a stray where reading everything is the rule.
        """
        trials, weight = min(items, _MOST_OBSERVATIONS), 1.0
        weights = [weight]
        for k in range(trials):
            # From k reads to one more: the ratio of the binomial coefficients times that of the Beta functions.
            weight *= (trials - k) / (k + 1) * (k + self.reads) / (trials - k - 1 + self.misses)
            weights.append(weight)
        below = list(accumulate(weights))
        tail = (1 - _COVERAGE) / 2
        low, high = (bisect_left(below, level * below[-1]) for level in (tail, 1 - tail))
        return low / trials, high / trials


def read_rate(hit_rates: Floats, items: Floats, age_days: Floats, *, primed: bool) -> ReadRate:
    """Learn from finished jobs of one kind: their token-weighted hit rates, item counts and ages.

    A job counts as at most ten observations, and half as much for every 30 days of age.
    """
    reads, misses = _PRIMED_PRIOR if primed else _UNPRIMED_PRIOR
    weight = np.minimum(items, _MOST_OBSERVATIONS) * 0.5 ** (age_days / _HALF_LIFE_DAYS)
    return ReadRate(
        reads=reads + float((weight * hit_rates).sum()), misses=misses + float((weight * (1 - hit_rates)).sum())
    )


def has_strayed(actual: Sequence[float], predicted: Sequence[tuple[float, float]]) -> bool:
    """Whether the two latest actual hit rates, oldest first, both left the interval predicted for them."""
    latest = list(zip(actual, predicted, strict=True))[-2:]
    return len(latest) == 2 and all(not low <= rate <= high for rate, (low, high) in latest)


@lru_cache(_REMEMBERED)
def beta_cdf(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b), by its continued fraction (DLMF 8.17.22)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    front = math.exp(a * math.log(x) + b * math.log1p(-x) - _log_beta(a, b))
    # Beyond this point the fraction converges fast only for the other tail.
    if x > (a + 1) / (a + b + 2):
        return 1 - front * _beta_fraction(1 - x, b, a) / b
    return front * _beta_fraction(x, a, b) / a


def _beta_fraction(x: float, a: float, b: float) -> float:
    """1 / (1 + d1 / (1 + d2 / (1 + ...))) of DLMF 8.17.22, forwards by the method of Lentz as modified by Thompson."""
    numerator, denominator = 1.0, 1 / (1 - (a + b) * x / (a + 1))
    value = denominator
    for m in range(1, _MOST_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        before = value
        for term in (even, odd):
            denominator = 1 / ((1 + term * denominator) or _TINY)
            numerator = (1 + term / numerator) or _TINY
            value *= numerator * denominator
        if abs(value - before) <= _PRECISION * abs(value):
            break
    return value


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
