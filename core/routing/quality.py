"""How many of a model's answers are right, and how sure that is. Pure."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from core.errors import LotwiseError

Floats = npt.NDArray[np.float64]


class BadQuality(LotwiseError):
    """These are no shares of right answers. Each must be from 0 to 1, and the share within its bounds."""


@dataclass(frozen=True, kw_only=True)
class Quality:
    """The share of a model's answers that are usable, with its bounds, and how many labels it rests on.

    `basis`: "measured" by labels, or "assumed" where nobody looked. Raises `BadQuality`.
    """

    share: float
    lower: float
    upper: float
    labels: int
    basis: Literal["measured", "assumed"]

    def __post_init__(self) -> None:
        if not 0 <= self.lower <= self.share <= self.upper <= 1:
            raise BadQuality(share=self.share, lower=self.lower, upper=self.upper)


def usable_usd(item_usd: npt.ArrayLike, share: npt.ArrayLike, wrong_usd: float) -> Floats:
    """Dollars per usable item where each costs `item_usd` and this share is usable; `inf` where none is.

    Each item that is not usable costs `wrong_usd` besides; both are paid for by those that are: (c + (1 - s) w) / s.
    """
    shares = np.asarray(share, dtype=np.float64)
    paid = np.asarray(item_usd, dtype=np.float64) + (1 - shares) * wrong_usd
    usable: Floats = np.divide(paid, shares, out=np.full(np.broadcast(paid, shares).shape, np.inf), where=shares > 0)
    return usable
