"""Drift: whether what comes in now still is what was learned, noticed soon and rarely in vain. Pure.

Each new value gets its rank among those before it. While nothing changes, ranks are uniform and independent whatever
the values' distribution (Vovk et al., Algorithmic Learning in a Random World, ch. 8). So the Shiryaev-Roberts sum of
likelihood ratios against shifted ranks rises by one a value on average, and cannot pass a limit before as many values
on average (e-detectors: Shin, Ramdas and Rinaldo 2024).
"""

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from core.sizing.normal import Floats, normal_score
from core.sizing.turnaround import HALF_LIFE_DAYS

FALSE_ALARM_AFTER = 5_000
"""Values of a series, on average at least, until it is called adrift for nothing."""

SERIES_SCHEMA = pl.Schema(
    {
        "measure": pl.String(),
        "subject": pl.String(),
        "name": pl.String(),
        "at": pl.Datetime("us", "UTC"),
        "value": pl.Float64(),
    }
)
"""One value a row: what was measured, of which class or model (its id and its name), when, and what came."""

# Shifts that are bet on, in standard deviations: small ones that last, and large ones that show at once.
_SHIFTS = np.array([-2.0, -1.0, -0.5, 0.5, 1.0, 2.0])
# With fewer values there is nothing learned to leave; older ones than the newest so many are not looked at.
_LEAST, _MOST = 10, 500


@dataclass(frozen=True, kw_only=True)
class Drift:
    """One series that left what was learned: since when, its mean before and since then, and from how many values."""

    measure: str
    subject: str
    name: str
    since: datetime
    before: float
    after: float
    values: int


def drifts(series: pl.DataFrame, *, now: datetime) -> tuple[Drift, ...]:
    """The series (columns of `SERIES_SCHEMA`) that left what was learned in the last 30 days, newest first.

    What changed before that has been learned meanwhile.
    """
    found = []
    for _, rows in series.sort("at", maintain_order=True).group_by("measure", "subject", maintain_order=True):
        values = rows.tail(_MOST)
        since = changed_at(values["value"].to_numpy())
        if since is None or values["at"][since] < now - timedelta(days=HALF_LIFE_DAYS):
            continue
        found.append(
            Drift(
                measure=values["measure"][0],
                subject=values["subject"][0],
                name=values["name"][-1],
                since=values["at"][since],
                before=float(values["value"][:since].mean()),  # type: ignore[arg-type]
                after=float(values["value"][since:].mean()),  # type: ignore[arg-type]
                values=values.height - since,
            )
        )
    return tuple(sorted(found, key=lambda drift: drift.since, reverse=True))


def changed_at(values: Floats) -> int | None:
    """The place in a series, oldest value first, from which on it is another one; None where it is one still."""
    if len(values) < _LEAST:
        return None
    ratios = np.outer(_scores(values), _SHIFTS) - _SHIFTS**2 / 2
    evidence = np.zeros(len(_SHIFTS))
    for ratio in np.exp(ratios):
        evidence = (evidence + 1) * ratio
    return None if float(evidence.mean()) < FALSE_ALARM_AFTER else _split(values)


def _split(values: Floats) -> int:
    """The place at which two parts differ most in their ranks: the largest Mann-Whitney statistic (Pettitt 1979)."""
    ranks = np.searchsorted(np.sort(values), values) + np.searchsorted(np.sort(values), values, side="right")
    before = np.arange(1, len(values))
    off = np.abs(np.cumsum(ranks - ranks.mean())[:-1])
    return int((off / np.sqrt(before * (len(values) - before))).argmax()) + 1


def _scores(values: Floats) -> Floats:
    """The normal score of each value's rank among those before it; equal ones are ranked at random."""
    lots = np.random.default_rng(0).random(len(values))
    before: list[float] = []
    ranks = []
    for value, lot in zip(values.tolist(), lots.tolist(), strict=True):
        below, up_to = bisect_left(before, value), bisect_right(before, value)
        ranks.append((below + lot * (up_to - below + 1)) / (len(before) + 1))
        insort(before, value)
    return normal_score(ranks)
