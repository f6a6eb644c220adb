"""Cutting the items of a group into even jobs that keep the limits, counted to the byte."""

import math

import numpy as np
import numpy.typing as npt

from core.errors import LotwiseError


class RequestTooLarge(LotwiseError):
    """One request is larger than a job may be, so the backlog cannot be planned. Correct it with `import --replace`, or
    raise LOTWISE_MAX_JOB_BYTES if the API allows that."""


def split_evenly(sizes: npt.NDArray[np.int64], *, items: int, most_bytes: int) -> npt.NDArray[np.int64]:
    """Cut a sequence of requests of the given byte sizes into the fewest even parts within both limits.

    Returns the part number of each request; parts differ by at most one request. Raises `RequestTooLarge`
    where a single request exceeds `most_bytes`.
    """
    count, total = len(sizes), int(sizes.sum())
    if count <= items and total <= most_bytes:
        return np.zeros(count, dtype=np.int64)
    if int(sizes.max()) > most_bytes:
        raise RequestTooLarge(bytes=int(sizes.max()), most_bytes=most_bytes)
    parts = max(math.ceil(count / items), math.ceil(total / most_bytes))
    while True:
        part = np.arange(count, dtype=np.int64) * parts // count
        if int(np.bincount(part, weights=sizes).max()) <= most_bytes:
            return part
        parts += 1
