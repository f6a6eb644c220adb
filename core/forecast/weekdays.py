"""The shape of a week: the usual share of each weekday, and how single weeks departed from it."""

import numpy as np

from core.forecast.draws import Floats

_FADING = 0.9
"""What a week counts relative to the one after it."""
_DEVIATIONS = 26
"""The last weeks whose departures from the usual shape are drawn from."""


def profile(weeks: Floats) -> Floats:
    """The share of each of seven days in a week (they sum to 1), newer weeks counting more; `weeks` is weeks x 7."""
    totals = weeks.sum(axis=1)
    counts = _FADING ** np.arange(len(weeks))[::-1] * (totals > 0)
    days: Floats = (counts[:, None] * weeks).sum(axis=0)
    total = float(days.sum())
    return days / total if total > 0 else np.full(7, 1 / 7)


def deviations(weeks: Floats) -> Floats:
    """How each of the last weeks departed from the shape that was known before it: weeks x 7, at least one row."""
    totals = weeks.sum(axis=1)
    ages = _FADING ** np.arange(len(weeks))[::-1]
    # What profile() gives before every week, all at once: fading cancels in the ratio.
    counted = (ages * (totals > 0))[:, None] * weeks
    known = np.cumsum(counted, axis=0)[:-1]
    sums = known.sum(axis=1, keepdims=True)
    known = np.divide(known, sums, out=np.full_like(known, 1 / 7), where=sums > 0)
    later, own = weeks[1:], totals[1:, None]
    found: Floats = (np.divide(later, own, out=np.zeros_like(later), where=own > 0) - known)[own[:, 0] > 0]
    return found[-_DEVIATIONS:] if len(found) else np.zeros((1, 7))


def split(totals: Floats, usual: Floats, departures: Floats) -> Floats:
    """Weekly totals as days: paths x weeks and the departures of each (paths x weeks x 7) to paths x (weeks * 7)."""
    shares = np.clip(usual + departures, 0, None)
    sums = shares.sum(axis=2, keepdims=True)
    shares = np.divide(shares, sums, out=np.full_like(shares, 1 / 7), where=sums > 0)
    days: Floats = (totals[:, :, None] * shares).reshape(len(totals), -1)
    return days
