"""How good a forecast of a total was: the continuous ranked probability score of its sample."""

import numpy as np

from core.forecast.draws import Floats


def crps(sample: Floats, came: float) -> float:
    """Mean |s - x| minus half the mean |s - s'|, in the unit of the sample; 0 is best (Gneiting and Raftery 2007)."""
    ordered = np.sort(sample)
    count = len(ordered)
    spread = float((2 * np.arange(count) - count + 1) @ ordered) / count**2
    return float(np.abs(ordered - came).mean()) - spread


def within(sample: Floats, came: float, low: float, high: float) -> bool:
    """Whether what came lies between two quantiles of the sample."""
    lower, upper = np.quantile(sample, [low, high])
    return bool(lower <= came <= upper)
