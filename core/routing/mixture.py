"""Evidence about a mean, from counts alone and valid however often one looks.

Outcomes y of 0, 1/2 or 1 (right or wrong, or a comparison with ties) have a true mean. Against "the mean is at most m"
a bettor stakes the share u of what it owns on every outcome and owns `1 - u + u y / m` times as much after it: never
more on average, as long as the mean really is at most m. So what a mixture of bettors owns is a non-negative
supermartingale from 1, and exceeds 1/error at some time ever with probability error at most (Ville's inequality).
For outcomes of 0 and 1 each bettor is the likelihood ratio of one larger rate: Robbins' mixture test.

Sources: Ville, Etude critique de la notion de collectif, 1939; Robbins, Annals of Mathematical Statistics 41, 1970;
Waudby-Smith and Ramdas, Estimating means of bounded random variables by betting, JRSS-B 86, 2024.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Numbers = float | Floats | npt.NDArray[np.int64]

GRID = 40
"""Bettors of the mixture. Their stakes are spread evenly: against the rate m they are the rates from m up to 1."""

_STAKES: Floats = (np.arange(GRID) + 0.5) / GRID
# A bound is found to within 1e-12.
_SECTIONS, _SECTIONINGS = 32, 8

_UNDER_FACTOR = 1.3
"""Labels until "under", against what the divergence says: measured at a bar of 0.7 (benchmarks/certification.py)."""

_NEVER = 1_000_000
"""More labels than anybody gives: a mean so near its bar may never be told from it."""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How many outcomes were 1, 1/2 and 0, as numbers or as arrays of one shape."""

    wins: Numbers
    ties: Numbers = 0
    losses: Numbers = 0

    @property
    def total(self) -> Floats:
        """All outcomes."""
        return np.asarray(self.wins + self.ties + self.losses, dtype=np.float64)

    @property
    def mean(self) -> Floats:
        """The mean outcome seen; not a number without any."""
        return np.asarray((self.wins + self.ties / 2) / self.total, dtype=np.float64)

    @property
    def mirrored(self) -> "Counts":
        """The counts of 1 - y."""
        return Counts(wins=self.losses, ties=self.ties, losses=self.wins)


def log_evidence(counts: Counts, mean: npt.ArrayLike) -> Floats:
    """Log of what the mixture owns, that is the evidence against "the mean is at most `mean`" (in (0, 1)).

    Never rises with `mean`, never falls with another win in the place of a loss. Shape: of counts and mean together.
    """
    owned = _owned(counts, mean)
    most = owned.max(axis=-1, keepdims=True)
    logs: Floats = most[..., 0] + np.log(np.exp(owned - most).mean(axis=-1))
    return logs


def log_counter_evidence(counts: Counts, mean: npt.ArrayLike) -> Floats:
    """The mirror image: evidence against "the mean is at least `mean`"."""
    return log_evidence(counts.mirrored, 1 - np.asarray(mean, dtype=np.float64))


def lower_bound(counts: Counts, error: float) -> Floats:
    """The largest mean against which there is evidence of 1/error: the true one lies below it, ever, with chance error.

    0 without such evidence. Since evidence falls with the mean, exactly the means under this bound are refused.
    """
    wanted = math.log(1 / error)
    wins, ties, losses = (np.asarray(one)[..., None] for one in (counts.wins, counts.ties, counts.losses))
    each = Counts(wins=wins, ties=ties, losses=losses)
    low, width = np.zeros(np.broadcast_shapes(wins.shape, ties.shape, losses.shape)), 1.0
    for _ in range(_SECTIONINGS):
        width /= _SECTIONS
        refused = log_evidence(each, low + width * np.arange(1, _SECTIONS)) >= wanted
        low = low + width * refused.sum(axis=-1, keepdims=True)
    return low[..., 0]


def upper_bound(counts: Counts, error: float) -> Floats:
    """The mirror image: the true mean lies above it at some time ever with chance error at most; 1 without evidence."""
    bound: Floats = 1 - lower_bound(counts.mirrored, error)
    return bound


def labels_until(shares: Counts, mean: float, *, error: float) -> int | None:
    """About how many labels (the median) until it is certain on which side of `mean` the true one lies.

    `shares`: of outcomes, as they are presumed to be in truth. None where it may never be.
    """
    wanted = math.log(1 / error)
    return _whole(min(wanted * _pace(shares, mean), wanted * _pace(shares.mirrored, 1 - mean) * _UNDER_FACTOR))


def more_labels(counts: Counts, *, above: float, below: float, error: float) -> int | None:
    """About how many labels more until the mean is certain to lie over `above` or under `below`.

    If they stay as these are; None without any, and where it may never be.
    """
    if not counts.total:
        return None
    over, under = _lacking(counts, above, error), _lacking(counts.mirrored, 1 - below, error) * _UNDER_FACTOR
    return _whole(min(over, under))


def _lacking(counts: Counts, mean: float, error: float) -> float:
    """What all labels would take at this pace, less the ones that are there.

    Where chance has cost so much evidence that more is lacking: half of what that takes, since a sum of varying steps
    comes to its goal by a lucky run about twice as soon as on average (measured at bars of 0.7).
    """
    pace = _pace(counts, mean)
    if math.isinf(pace):
        return math.inf
    wanted = math.log(1 / error)
    return max(wanted * pace - float(counts.total), (wanted - float(log_evidence(counts, mean))) * pace / 2)


def _pace(counts: Counts, mean: float) -> float:
    """The best bettor's log rises by as much with every label (Wald, Annals of Mathematical Statistics 16, 1945).

    For outcomes of 0 and 1 by the divergence KL(share of wins || mean), up to the distance of two bettors.
    """
    if mean >= 1:
        return math.inf
    most = float(_owned(counts, mean).max())
    return float(counts.total) / most if most > 0 else math.inf


def _owned(counts: Counts, mean: npt.ArrayLike) -> Floats:
    """Log of what each bettor owns, along a last axis of its own."""
    wins, ties, losses, bar = (
        np.asarray(one, dtype=np.float64)[..., None] for one in (counts.wins, counts.ties, counts.losses, mean)
    )
    owned: Floats = wins * np.log1p(_STAKES * (1 / bar - 1)) + losses * np.log1p(-_STAKES)
    return owned + ties * np.log1p(_STAKES * (0.5 / bar - 1)) if ties.any() else owned


def _whole(labels: float) -> int | None:
    return max(1, math.ceil(labels)) if labels <= _NEVER else None
