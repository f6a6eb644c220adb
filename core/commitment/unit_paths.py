"""What a unit costs on the days ahead: recent jobs, a walk from week to week, and gains that are still to come."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Self

import numpy as np
import polars as pl

from core.commitment.payment import Floats, TermsContradict
from core.forecast.events import day_of

_LEAST_WEEKS = 8
_DRIFT_MOST = 0.2
"""A week's change of the log unit cost that is taken at most: beyond it lie steps, which are not weather."""


@dataclass(frozen=True, kw_only=True)
class Gain:
    """An optimisation that is not in the history yet: what it does to the cost of a unit, and when."""

    name: str
    factor: float
    """On the list cost per unit where it is realised in full."""
    probability: float
    earliest: date
    likely: date
    latest: date
    realised: float = 1.0
    """Share of the effect that is expected to come."""
    classes: tuple[str, ...] = ()
    """None named: all."""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if not (self.factor > 0 and 0 <= self.probability <= 1 and 0 <= self.realised <= 1):
            raise TermsContradict(gain=self.name, why="a factor above 0, a probability and a share between 0 and 1")
        if not self.earliest <= self.likely <= self.latest:
            raise TermsContradict(gain=self.name, why="the earliest day comes first and the latest last")

    @classmethod
    def parse(cls, table: Mapping[str, Any]) -> Self:
        """A gain from a table of a TOML file. Raises `TermsContradict`."""
        try:
            days = {name: day_of(table[name]) for name in ("earliest", "likely", "latest")}
            return cls(**{**table, **days, "classes": tuple(table.get("classes", ()))})
        except (KeyError, TypeError, ValueError) as error:
            raise TermsContradict(gain=table.get("name"), why=f"cannot be read: {error}") from error


def ratio(jobs: pl.DataFrame) -> float:
    """List cost per unit over all jobs together."""
    return float(jobs["list_usd"].sum()) / float(jobs["units"].sum())


def drift(rows: pl.DataFrame, today: date) -> float:
    """Of the weekly log unit cost, robustly: 1.4826 times the median absolute change, 0 with less than eight weeks."""
    weeks = (
        rows.with_columns((pl.lit(today) - pl.col("day")).dt.total_days().floordiv(7).alias("week"))
        .group_by("week")
        .agg(pl.col("units", "list_usd").sum())
        .filter(pl.col("units") > 0, pl.col("list_usd") > 0)
        .sort("week")
    )
    if weeks.height < _LEAST_WEEKS:
        return 0.0
    changes = np.diff(np.log((weeks["list_usd"] / weeks["units"]).to_numpy()))
    # A week's own noise moves two changes, up and down again: only what they do not take back is a walk.
    walk = 1.4826 * float(np.median(np.abs(changes - np.median(changes))))
    return min(walk / math.sqrt(2), _DRIFT_MOST)


def unit_paths(jobs: pl.DataFrame, spread: float, shape: tuple[int, int], rng: np.random.Generator) -> Floats:
    """List cost per unit, paths x days: recent jobs drawn anew (Bayesian bootstrap), then a walk from week to week."""
    paths, horizon = shape
    weights = rng.exponential(1.0, (paths, jobs.height))
    level = (weights @ jobs["list_usd"].to_numpy()) / (weights @ jobs["units"].to_numpy().astype(np.float64))
    weeks = -(-horizon // 7)
    walk = (
        np.cumsum(rng.normal(-(spread**2) / 2, spread, (paths, weeks)), axis=1) if spread else np.zeros((paths, weeks))
    )
    costs: Floats = level[:, None] * np.exp(np.repeat(walk, 7, axis=1)[:, :horizon])
    return costs


def delivered_paths(label: str, gains: Sequence[Gain], today: date, shape: tuple[int, int], *, seed: int) -> Floats:
    """The factor that deliveries ahead put on a unit's cost, paths x days; the same draws for every class."""
    paths, horizon = shape
    factor = np.ones(shape)
    for place, gain in enumerate(gains):
        rng = np.random.default_rng([seed, 4, place])
        comes = rng.random(paths) < gain.probability
        low, mode, high = ((day - today).days for day in (gain.earliest, gain.likely, gain.latest))
        shipped = rng.triangular(low, mode, high, paths) if high > low else np.full(paths, float(low))
        if gain.classes and label not in gain.classes:
            continue
        effect = 1 + (gain.factor - 1) * gain.realised
        on = comes[:, None] & (np.arange(horizon) >= shipped[:, None])
        factor = np.where(on, factor * effect, factor)
    return factor
