"""Medians of many rows at once."""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def medians(rows: Values) -> Values:
    """The median of each row (along the last axis) of what is not NaN; NaN where nothing is, without a warning."""
    ordered = np.sort(rows, axis=-1)
    count = (~np.isnan(ordered)).sum(axis=-1, keepdims=True)
    low, high = np.maximum((count - 1) // 2, 0), np.minimum(count // 2, rows.shape[-1] - 1)
    middle = (np.take_along_axis(ordered, low, -1) + np.take_along_axis(ordered, high, -1)) / 2
    found: Values = np.where(count > 0, middle, np.nan)[..., 0]
    return found
