"""A commitment problem as plain data: sample paths of demand and the terms, for programs of others."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from core.commitment.bands import Band, Choice, cheapest, expected_pay, ladder
from core.commitment.payment import Floats, Rate, TermsContradict

_KEYS = frozenset(("demand", "d", "d_o", "rho", "commit", "bands", "protected"))
_PAIR = 2


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Totals of list value, one a future, and the bands of the contract."""

    demand: Floats
    bands: tuple[Band, ...]
    commit: float | None
    """None: find the one that costs least."""

    @classmethod
    def parse(cls, document: Any) -> Self:
        """Read `{"demand": [[USD a period, …], …], "d", "d_o", "rho", "commit", "bands": [[USD, d], …], "protected"}`.

        Without bands every commitment earns `d`. `protected` is the share of a band's discount that overage keeps
        and stands in place of `d_o`. All periods of a path are one pool. Raises `TermsContradict`.
        """
        if not isinstance(document, Mapping):
            raise TermsContradict(why="a problem is one JSON object")
        if unknown := sorted(set(document) - _KEYS):
            raise TermsContradict(unknown=unknown, known=sorted(_KEYS))
        protected = _number(document, "protected", None)
        overage, kept = _number(document, "d_o", 0.0), _number(document, "rho", 0.0)
        if protected is not None and document.get("d_o"):
            raise TermsContradict(why="both d_o and protected: give one of them")

        def rate(discount: float) -> Rate:
            return Rate(
                discount=discount, overage_discount=overage if protected is None else protected * discount, kept=kept
            )

        given = document.get("bands")
        pairs = [(0.0, _number(document, "d", 0.0))] if given is None else _pairs(given)
        bands = ladder([Band(threshold=start, rate=rate(discount)) for start, discount in pairs])
        commit = _number(document, "commit", None)
        if commit is not None and commit < 0:
            raise TermsContradict(commit=commit, why="a commitment is 0 or more")
        return cls(demand=_demand(document.get("demand")), bands=bands, commit=commit)

    def solve(self) -> Choice:
        """The least costly commitment, or the price of the given one."""
        if self.commit is None:
            return cheapest(self.demand, self.bands)
        return Choice(commit=self.commit, expected_pay=expected_pay(self.demand, self.commit, self.bands))


def _number(document: Mapping[str, Any], name: str, default: float | None) -> Any:
    value = document.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise TermsContradict(name=name, found=value, why="not a number")
    return float(value)


def _pairs(given: Any) -> list[tuple[float, float]]:
    if not isinstance(given, list) or not all(isinstance(pair, list) and len(pair) == _PAIR for pair in given):
        raise TermsContradict(bands=given, why="bands are pairs of a commitment and its discount")
    return [(_number({"band": start}, "band", 0.0), _number({"band": share}, "band", 0.0)) for start, share in given]


def _demand(given: Any) -> Floats:
    try:
        paths: Floats = np.array(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise TermsContradict(why="demand is a list of paths, each a list of as many numbers") from None
    if paths.ndim == 1:
        paths = paths[:, None]
    if paths.ndim != _PAIR or not paths.size or not np.isfinite(paths).all() or (paths < 0).any():
        raise TermsContradict(why="demand takes at least one path, of numbers that are 0 or more")
    sums: Floats = paths.sum(axis=1)
    return sums
