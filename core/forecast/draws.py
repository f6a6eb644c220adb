"""Random choices that several classes share: what moved together in the past moves together ahead."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
BLOCK = 4
"""Weeks of past errors that are drawn in one piece."""


@dataclass(frozen=True, kw_only=True)
class Draws:
    """Uniform numbers in [0, 1) and signs for so many paths; the same for every class that is forecast together."""

    whole: Floats
    """Whether a path follows one past path of errors as a whole, against a class's own chance of that."""
    origin: Floats
    """Which past path that is."""
    first: Floats
    """Where the error of the first week comes from."""
    blocks: Floats
    """paths x blocks: where each block of later weeks comes from."""
    signs: Floats
    """paths x (2 + blocks): -1 or 1, for the whole path, the first week and each block."""
    days: Floats
    """paths x weeks: which past week gives a week ahead its deviation from the usual weekdays."""
    jumps: Floats
    """paths x days ahead: which past difference between a day and the same weekday before is taken."""
    turns: Floats
    """paths x days ahead: -1 or 1, its sign."""
    stretch: Floats
    """How much wider (above 0) or narrower a path's distance from the middle is: normal, cut at 2."""

    @classmethod
    def make(cls, paths: int, horizon: int, *, seed: int) -> Self:
        """The draws of `paths` sample paths over `horizon` days; the same seed gives the same."""
        rng = np.random.default_rng([seed, horizon])
        weeks = -(-horizon // 7)
        blocks = weeks  # one a week is enough for any length of block
        return cls(
            whole=rng.random(paths),
            origin=rng.random(paths),
            first=rng.random(paths),
            blocks=rng.random((paths, blocks)),
            signs=rng.choice([-1.0, 1.0], (paths, 2 + blocks)),
            days=rng.random((paths, weeks)),
            jumps=rng.random((paths, weeks * 7)),
            turns=rng.choice([-1.0, 1.0], (paths, weeks * 7)),
            stretch=np.clip(rng.standard_normal(paths), -2, 2),
        )

    @property
    def paths(self) -> int:
        """How many."""
        return int(self.whole.size)


def pick(uniform: Floats, count: int) -> Ints:
    """Numbers in [0, 1) as positions among `count`, counted from the newest: so classes of unlike age stay aligned."""
    return count - 1 - np.minimum((uniform * count).astype(np.int64), count - 1)
