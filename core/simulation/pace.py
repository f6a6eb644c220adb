"""How long simulated jobs take: drawn from what is known of turnarounds, together for jobs of the same hour."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from core.simulation.work import Flags, Floats, Ints
from core.sizing.normal import normal_cdf
from core.sizing.turnaround import Turnaround

TurnaroundOf = Callable[[str, int, datetime], Turnaround]
"""What to expect of a job: by its model, its items and when it is sent."""

HOUR = 3600.0
_SCORES = np.linspace(-4.0, 4.0, 161)
_STEP = _SCORES[1] - _SCORES[0]
# Sizes of jobs are told apart in steps of the square root of two: the turnaround of a size hardly differs inside one.
_STEPS_AN_OCTAVE = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Pace:
    """The turnaround of every job as a table over normal scores: `row` of each job in `seconds`.

    `shared`, `expiry` and `expires_seconds` as in `Turnaround`, per row.
    """

    row: Ints
    seconds: Floats
    shared: Floats
    expiry: Floats
    expires_seconds: Floats

    @classmethod
    def of(
        cls,
        models: tuple[str, ...],
        model: Ints,
        items: Ints,
        send_at: Floats,
        *,
        epoch: datetime,
        turnaround: TurnaroundOf,
    ) -> "Pace":
        """Per job its model (a number in `models`), its items and the second it is meant to be sent."""
        octave = np.rint(_STEPS_AN_OCTAVE * np.log2(np.maximum(items, 1))).astype(np.int64)
        hour = (send_at // HOUR).astype(np.int64)
        week = hour % (7 * 24)
        keys, row = np.unique(np.stack((model, octave, week)), axis=1, return_inverse=True)
        known = [
            turnaround(models[of], round(2 ** (size / _STEPS_AN_OCTAVE)), epoch + timedelta(hours=int(at)))
            for of, size, at in keys.T
        ]
        shares = normal_cdf(_SCORES)
        return cls(
            row=row.reshape(-1),
            seconds=np.array([one.quantile(shares) for one in known]),
            shared=np.array([one.shared for one in known]),
            expiry=np.array([one.expiry for one in known]),
            expires_seconds=np.array([one.expires_seconds for one in known]),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Weather:
    """What jobs sent in the same hour share: by hour, a normal score, and a number from 0 to 1 that tells of expiry."""

    score: Floats
    share: Floats

    @classmethod
    def draw(cls, hours: int, rng: np.random.Generator) -> "Weather":
        """The weather of so many hours; after them it begins anew."""
        return cls(score=rng.standard_normal(hours), share=rng.random(hours))

    def lasts(self, pace: Pace, job: Ints, sent: Floats, rng: np.random.Generator) -> tuple[Floats, Flags]:
        """Seconds that jobs sent at these seconds take, and which of them ran into the limit of the API."""
        row, hour = pace.row[job], (sent // HOUR).astype(np.int64) % len(self.score)
        shared = pace.shared[row]
        score = np.sqrt(shared) * self.score[hour] + np.sqrt(1 - shared) * rng.standard_normal(len(job))
        place = np.clip((score - _SCORES[0]) / _STEP, 0.0, len(_SCORES) - 1.000001)
        below = place.astype(np.int64)
        part = place - below
        seconds = pace.seconds[row, below] * (1 - part) + pace.seconds[row, below + 1] * part
        expired = self.share[hour] < pace.expiry[row]
        return np.where(expired, pace.expires_seconds[row], seconds), expired
