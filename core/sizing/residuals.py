"""What a model leaves open: an assumed shape, and what was seen, blended into one distribution."""

import numpy as np

from core.sizing.normal import Floats, normal_cdf, normal_score

# Coarser where next to nothing is left, but close enough for the slowest of a thousand jobs.
_TAIL = np.arange(4.25, 8.25, 0.25)
KNOTS = np.concatenate([-_TAIL[::-1], np.linspace(-4.0, 4.0, 161), _TAIL])
"""Normal scores at which a distribution is kept: dense in the middle, and out to where nothing is left."""

KNOT_SHARES = normal_cdf(KNOTS)
"""The same as shares."""

PRIOR_JOBS = 20.0
"""The assumed shape counts as so many jobs."""

_CELLS = 512


def blended(residuals: Floats, weight: Floats, sd: float) -> Floats:
    """The distribution at `KNOTS` of a normal one with this standard deviation, worth twenty jobs, and what was seen.

    It is the posterior mean under a Dirichlet process (Ferguson 1973). Each job seen is smeared a little (Silverman
    1986, eq. 3.31), so that the distribution has no steps. `weight`: what each counts as.
    """
    width = 0.9 * _spread(residuals, sd) * max(float(weight.sum()), 1.0) ** -0.2
    low = min(-8 * sd, float(residuals.min(initial=0.0)) - 8 * width)
    high = max(8 * sd, float(residuals.max(initial=0.0)) + 8 * width)
    grid = np.linspace(low, high, _CELLS)
    # Jobs in the same cell of the grid are smeared as one.
    cell = np.rint((residuals - low) / (grid[1] - grid[0])).astype(np.int64)
    smear = normal_cdf((grid[1] - grid[0]) / width * np.arange(1 - _CELLS, _CELLS))
    seen = np.convolve(np.bincount(cell, weight, minlength=_CELLS), smear)[_CELLS - 1 : 2 * _CELLS - 1]
    shares = (PRIOR_JOBS * normal_cdf(grid / sd) + seen) / (PRIOR_JOBS + float(weight.sum()))
    # A tilt that no eye sees keeps every knot apart from the next.
    found: Floats = np.interp(KNOTS, normal_score(shares) + 1e-9 * np.arange(_CELLS), grid) + 1e-9 * KNOTS
    return found


def _spread(residuals: Floats, sd: float) -> float:
    """Of what was seen, where that is narrower than what is assumed: half of what lies in the middle two thirds."""
    if len(residuals) < PRIOR_JOBS:
        return sd
    low, high = np.quantile(residuals, [0.16, 0.84])
    return min(sd, max(float(high - low) / 2, sd / _CELLS))
