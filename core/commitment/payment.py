"""What a term costs under a commitment: drawn down at a discount, more at the overage rate, the rest kept in part."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.errors import LotwiseError

Floats = npt.NDArray[np.float64]


class TermsContradict(LotwiseError):
    """These contract terms cannot all hold. Correct the one that is named; nothing was computed."""


class TermsUnreadable(TermsContradict):
    """This file cannot be read as contract terms. Correct what is named; nothing was computed."""


@dataclass(frozen=True, kw_only=True)
class Rate:
    """What one band of a contract grants."""

    discount: float
    """On what is drawn from the commitment: 0 up to, not including, 1."""
    overage_discount: float = 0.0
    """On what goes beyond it: 0 = list price, the same as `discount` = protected, below 0 = a surcharge."""
    kept: float = 0.0
    """Value kept of an unused dollar, 0 to 1: the share that rolls over, times the chance that it is used then."""

    def __post_init__(self) -> None:
        """Refuse what no contract can mean."""
        if not 0 <= self.discount < 1:
            raise TermsContradict(discount=self.discount, why="a discount is at least 0 and below 1")
        if not self.overage_discount <= self.discount:
            raise TermsContradict(
                overage_discount=self.overage_discount, why=f"more than the discount on commitment, {self.discount}"
            )
        if not 0 <= self.kept <= 1:
            raise TermsContradict(kept=self.kept, why="the value kept of an unused dollar is between 0 and 1")

    @property
    def quantile(self) -> float:
        """Of list value: the commitment that costs least covers exactly this share of the futures; 0 or less: none.

        r = (d - d_o) / ((1 - d_o) - rho (1 - d)), the critical ratio of the newsvendor problem (Arrow, Harris and
        Marschak 1951) with shortfall at (1 - rho) of a committed dollar and overage at what the discount forgoes.
        """
        margin = self.discount - self.overage_discount
        return margin / ((1 - self.overage_discount) - self.kept * (1 - self.discount)) if margin > 0 else 0.0


def pay(demand: Floats, commit: float | Floats, rate: Rate) -> Floats:
    """USD paid for each total of list value in `demand` under a commitment of `commit` USD.

    C + (1 - d_o) max(0, X - K) - rho max(0, C - (1 - d) X), with the list capacity K = C / (1 - d).
    """
    return pay_as_used(demand, commit, rate) + (1 - rate.kept) * unused(demand, commit, rate)


def pay_as_used(demand: Floats, commit: float | Floats, rate: Rate) -> Floats:
    """The same without any floor: the discount up to the capacity, the overage rate beyond it."""
    capacity = commit / (1 - rate.discount)
    committed: Floats = (1 - rate.discount) * np.minimum(demand, capacity)
    return committed + (1 - rate.overage_discount) * np.maximum(demand - capacity, 0)


def unused(demand: Floats, commit: float | Floats, rate: Rate) -> Floats:
    """USD of the commitment that are left at the end."""
    left: Floats = np.maximum(commit - (1 - rate.discount) * demand, 0)
    return left
