"""The seasonal random walk: each day as the same weekday before it. What a forecast has to beat, and its fallback."""

import numpy as np

from core.forecast.draws import Draws, Floats, pick


def naive(days: Floats, horizon: int, draws: Draws) -> Floats:
    """Sample paths, paths x `horizon`: last week repeated, plus past differences between weeks, added up."""
    weeks = days[len(days) % 7 :].reshape(-1, 7)
    # Differences of the same weekday: a day on which nothing is ever sent has none.
    differences = np.diff(weeks, axis=0)
    drawn = pick(draws.jumps, len(differences)).reshape(draws.paths, -1, 7)
    jumps = differences[drawn, np.arange(7)] * draws.turns.reshape(draws.paths, -1, 7)
    paths: Floats = (weeks[-1] + jumps.cumsum(axis=1)).reshape(draws.paths, -1)[:, :horizon]
    return paths
