"""The terms of a contract as dated inputs: everything that is asked for, offered or signed, and nothing assumed."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from typing import Any, Self

from core.commitment.bands import Band, ladder
from core.commitment.payment import Rate, TermsContradict
from core.forecast.events import day_of

_MOST_MONTHS = 60
_EVEN = 1e-6


@dataclass(frozen=True, kw_only=True)
class Terms:
    """A commitment contract. Shares are 0 to 1, money is USD."""

    name: str
    as_of: date
    """When these terms were stated: they are somebody's word of that day."""
    first: date
    """First day of the term."""
    months: int = 12
    bands: tuple[tuple[float, float], ...] = ()
    """Pairs of a commitment and the discount that it earns, on all of it."""
    protection: float = 0.0
    """Share of the discount that overage keeps: 0 = list price, 1 = protected; below 0 = a surcharge on list."""
    kept: float = 0.0
    """Value of an unused dollar after the term: the share that rolls over, times the chance that it is used then."""
    shares: tuple[float, ...] = (1.0,)
    """Of the commitment by equal periods of the term: one = a pool; (.25, .25, .25, .25) = use it by quarter or lose
    it; growing ones = a ramp."""
    true_down_after: int | None = None
    """Months after which the rest of the commitment may be lowered, if the run rate says that it will not be used."""
    true_down_to: float = 1.0
    """What of that rest must be kept at least."""
    prepaid: float = 0.0
    """Share of the commitment paid on the first day; the rest as it is used, what is left over at the end."""
    interest: float = 0.0
    """What money costs a year."""
    drawn_at_list: bool = False
    """Whether usage draws the commitment down at list price (as on marketplaces) instead of at the discounted one."""
    price_changes: tuple[tuple[int, float], ...] = ()
    """(month of the term, factor on list price from then on)."""
    locked: bool = False
    """Whether prices are locked: then no price change touches the term."""
    ask: float | None = None
    """The commitment that the vendor asks for."""
    signed: float | None = None
    """The commitment that was signed, where one was."""

    def __post_init__(self) -> None:
        """Refuse what contradicts itself, by name."""
        if not 1 <= self.months <= _MOST_MONTHS:
            raise TermsContradict(months=self.months, why=f"a term has 1 to {_MOST_MONTHS} months")
        if not self.shares or min(self.shares) < 0 or abs(sum(self.shares) - 1) > _EVEN:
            raise TermsContradict(shares=self.shares, why="the shares of the periods are 0 or more and sum to 1")
        if self.months % len(self.shares):
            raise TermsContradict(shares=self.shares, why=f"{self.months} months do not part into as many periods")
        for name in ("true_down_to", "prepaid", "interest"):
            if not 0 <= getattr(self, name) <= 1:
                raise TermsContradict(name=name, found=getattr(self, name), why="it is between 0 and 1")
        if self.protection > 1:
            raise TermsContradict(protection=self.protection, why="overage cannot keep more than the whole discount")
        if self.true_down_after is not None and not 0 < self.true_down_after < self.months:
            raise TermsContradict(true_down_after=self.true_down_after, why="it lies within the term")
        if self.true_down_after is not None and len(self.shares) > 1:
            raise TermsContradict(why="a true-down and floors by period: give one of them")
        if any(not 1 <= month <= self.months or factor <= 0 for month, factor in self.price_changes):
            raise TermsContradict(price_changes=self.price_changes, why="a month of the term and a factor above 0")
        for name in ("ask", "signed"):
            amount = getattr(self, name)
            if amount is not None and not (math.isfinite(amount) and amount >= 0):
                raise TermsContradict(name=name, found=amount, why="a commitment is 0 or more")
        self.ladder()

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Self:
        """Terms from a TOML document: `[[band]]` tables of commit and discount beside the fields of the same names."""
        known = {one.name for one in fields(cls)} - {"bands"} | {"band", "currency"}
        if unknown := sorted(set(document) - known):
            raise TermsContradict(unknown=unknown, known=sorted(known))
        if document.get("currency", "USD") != "USD":
            raise TermsContradict(currency=document["currency"], why="only USD is reckoned here: convert it first")
        plain = {name: value for name, value in document.items() if name not in ("band", "currency")}
        try:
            bands = tuple((float(band["commit"]), float(band["discount"])) for band in document.get("band", []))
            shares = tuple(float(share) for share in plain.pop("shares", (1.0,)))
            changes = tuple(
                (int(change["month"]), float(change["factor"])) for change in plain.pop("price_changes", [])
            )
            days: dict[str, Any] = {name: day_of(plain.pop(name)) for name in ("as_of", "first") if name in plain}
            return cls(bands=bands, shares=shares, price_changes=changes, **days, **plain)
        except (KeyError, TypeError, ValueError) as error:
            raise TermsContradict(why=f"cannot be read: {error}") from error

    def ladder(self) -> tuple[Band, ...]:
        """The bands with what overage and an unused rest are worth in each. Raises `TermsContradict`."""
        return ladder(
            [Band(threshold=start, rate=self._rate(discount)) for start, discount in self.bands or ((0.0, 0.0),)]
        )

    def _rate(self, discount: float) -> Rate:
        # A surcharge is one on list price; protection is a share of the discount.
        overage = self.protection * discount if self.protection >= 0 else self.protection
        return Rate(discount=discount, overage_discount=overage, kept=self.kept)
