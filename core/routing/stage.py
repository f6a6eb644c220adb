"""One stage of a cascade: a model, and what any number of a class's items costs on it. Pure."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.routing.quality import Floats


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A model as a stage of a cascade.

    `sizes`, `usd`: increasing numbers of items and what so many cost together in dollars, writing the prefix included;
    in between, dollars grow evenly. `seconds`: median turnaround.
    """

    model: str
    sizes: Floats
    usd: Floats
    seconds: float

    def total_usd(self, items: npt.ArrayLike) -> Floats:
        """Dollars of so many items together, for an array of numbers; beyond the largest size as there."""
        wanted = np.asarray(items, dtype=np.float64)
        inside = np.interp(wanted, np.append(0.0, self.sizes), np.append(0.0, self.usd))
        found: Floats = inside * np.maximum(wanted / self.sizes[-1], 1.0)
        return found
