"""Whether a model clears its bar: clears, fails, or not yet, with a guarantee that outlasts every look.

A model that is not above its bar is ever said to clear with probability `error` at most, one that is not below it is
ever said to fail with probability `error` at most, after any number of looks at any times. Labels must come from a
random sample of the class.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from core.errors import LotwiseError
from core.routing.mixture import (
    Counts,
    Floats,
    labels_until,
    log_counter_evidence,
    log_evidence,
    lower_bound,
    more_labels,
    upper_bound,
)

Ints = npt.NDArray[np.int64]
AnyCount = TypeVar("AnyCount", int, Ints)
AnyFloat = TypeVar("AnyFloat", float, Floats)

_LOOKS_AT_ONCE = 16_384
_MOST_ERROR = 0.5


class BadBar(LotwiseError):
    """This is no bar. Give either a rate between 0 and 1 (0.9 is 90 %), or a margin of at least 0 and under 1, and an
    error over 0 and under 0.5.
    """


class BadTally(LotwiseError):
    """These counts contradict each other. No count is negative, and no part is larger than the labels."""


class Ruling(StrEnum):
    """What is certain so far."""

    CLEARS = "clears"
    """Above its bar."""
    FAILS = "fails"
    """Below its bar."""
    NOT_YET = "not_yet"
    """Neither is proven by these labels."""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """What a candidate must prove: a share of right answers over `rate`, or to be within `margin` of the reference.

    Exactly one of the two; `margin` is the share of right answers by which it may be worse on the same items. `error`:
    the chance of a wrong ruling that is accepted, each way. Raises `BadBar`.
    """

    rate: float | None = None
    margin: float | None = None
    error: float = 0.05

    def __post_init__(self) -> None:
        known = (self.rate is None) != (self.margin is None)
        rate = self.rate is None or 0 < self.rate < 1
        margin = self.margin is None or 0 <= self.margin < 1
        if not (known and rate and margin and 0 < self.error < _MOST_ERROR):
            raise BadBar(rate=self.rate, margin=self.margin, error=self.error)

    @property
    def mean(self) -> float:
        """The bar on the scale of outcomes from 0 to 1 (worse, alike and better are 0, 1/2 and 1)."""
        return (1 - (self.margin or 0.0)) / 2 if self.rate is None else self.rate

    def counts(self, labels: AnyCount, correct: AnyCount, better: AnyCount, worse: AnyCount) -> Counts:
        """The outcomes that this bar is about, from the parts of a tally or of an array of them."""
        if self.rate is not None:
            return Counts(wins=correct, losses=labels - correct)
        return Counts(wins=better, ties=labels - better - worse, losses=worse)

    def share(self, mean: AnyFloat) -> AnyFloat:
        """A mean outcome on the scale of the bar: the share itself, or a difference from -1 to 1."""
        return mean if self.rate is not None else 2 * mean - 1


@dataclass(frozen=True, kw_only=True)
class Tally:
    """Counts of labels; a verdict needs nothing else, and their order does not matter.

    `correct`: of the candidate. `better` and `worse`: only it was right, only the reference was; for a margin every
    label must be of an item that both answered, and the others count as alike. Raises `BadTally`.
    """

    labels: int = 0
    correct: int = 0
    better: int = 0
    worse: int = 0

    def __post_init__(self) -> None:
        least = min(self.labels, self.correct, self.better, self.worse)
        if least < 0 or self.correct > self.labels or self.better + self.worse > self.labels:
            raise BadTally(labels=self.labels, correct=self.correct, better=self.better, worse=self.worse)

    def counts(self, bar: Bar) -> Counts:
        """The outcomes that this bar is about."""
        return bar.counts(self.labels, self.correct, self.better, self.worse)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A ruling and what it rests on.

    `labels`: looked at until it was decided, or all of them. `estimate`: the share of right answers, or the mean
    difference to the reference; None without labels. `lower` and `upper`: each holds at all times with probability
    1 - error (both together with 1 - 2 error), and a candidate clears exactly when `lower` reaches its bar and fails
    exactly when `upper` does. `more_labels`: about how many more until it is decided, if answers stay as they are;
    None once decided, without labels, or where it may never be.
    """

    ruling: Ruling
    labels: int
    estimate: float | None
    lower: float
    upper: float
    more_labels: int | None


def rule(tally: Tally, bar: Bar) -> Verdict:
    """One look at counts."""
    counts = tally.counts(bar)
    wanted = math.log(1 / bar.error)
    ruling = Ruling.NOT_YET
    if log_evidence(counts, bar.mean) >= wanted:
        ruling = Ruling.CLEARS
    elif log_counter_evidence(counts, bar.mean) >= wanted:
        ruling = Ruling.FAILS
    more = more_labels(counts, above=bar.mean, below=bar.mean, error=bar.error)
    return Verdict(
        ruling=ruling,
        labels=tally.labels,
        estimate=bar.share(float(counts.mean)) if tally.labels else None,
        lower=bar.share(float(lower_bound(counts, bar.error))),
        upper=bar.share(float(upper_bound(counts, bar.error))),
        more_labels=more if ruling is Ruling.NOT_YET else None,
    )


def first_ruling(outcomes: pl.DataFrame, bar: Bar) -> Verdict:
    """Look after every label in order, and stop at the first ruling.

    Columns: order, correct, and for a margin reference (0 or 1 each, as `core.routing.outcomes` checks them).
    """
    wanted = math.log(1 / bar.error)
    tallies = _tallies(outcomes, bar)
    last = outcomes.height
    for start in range(0, outcomes.height, _LOOKS_AT_ONCE):
        counts = bar.counts(*_columns(tallies.slice(start, _LOOKS_AT_ONCE)))
        most = np.maximum(log_evidence(counts, bar.mean), log_counter_evidence(counts, bar.mean))
        decided = np.flatnonzero(most >= wanted)
        if decided.size:
            last = start + int(decided[0]) + 1
            break
    return rule(Tally(**tallies.row(last - 1, named=True)) if last else Tally(), bar)


def certainty_path(outcomes: pl.DataFrame, bar: Bar, *, looks: int = 200) -> pl.DataFrame:
    """How the bounds closed in, label by label: columns labels, lower, upper, at so many looks at most.

    `outcomes` as in `first_ruling`; the first and the last label are always looked at.
    """
    tallies = _tallies(outcomes, bar)
    if tallies.height > looks:
        tallies = tallies[np.linspace(0, tallies.height - 1, looks).round().astype(np.int64)]
    counts = bar.counts(*_columns(tallies))
    lower, upper = (bound(counts, bar.error) for bound in (lower_bound, upper_bound))
    return tallies.select("labels", lower=bar.share(lower), upper=bar.share(upper))


def labels_needed(rate: float, bar: Bar, *, differing: float = 0.2) -> int | None:
    """About how many labels (the median) until a candidate of this true rate is decided; None where it may never be.

    For a margin, `rate` is the true mean difference to the reference, and `differing` the share of items on which just
    one of the two is right, which is an assumption until there are labels.
    """
    shares = Counts(wins=rate, losses=1 - rate)
    if bar.rate is None:
        either = max(differing, abs(rate))
        shares = Counts(wins=(either + rate) / 2, ties=1 - either, losses=(either - rate) / 2)
    return labels_until(shares, bar.mean, error=bar.error)


def _tallies(outcomes: pl.DataFrame, bar: Bar) -> pl.DataFrame:
    """The tally after every label in order, one a row."""
    paired = bar.rate is None
    right, other = pl.col("correct").cast(pl.Int64), pl.col("reference" if paired else "correct").cast(pl.Int64)
    return outcomes.sort("order").select(
        labels=pl.int_range(1, pl.len() + 1, dtype=pl.Int64),
        correct=right.cum_sum(),
        better=(right > other).cast(pl.Int64).cum_sum(),
        worse=(right < other).cast(pl.Int64).cum_sum(),
    )


def _columns(tallies: pl.DataFrame) -> tuple[Ints, Ints, Ints, Ints]:
    labels, correct, better, worse = (column.to_numpy() for column in tallies.get_columns())
    return labels, correct, better, worse
