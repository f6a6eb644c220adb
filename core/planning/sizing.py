"""How many items one job should carry: large enough to amortise, small enough to be an affordable loss."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# A job may stay smaller than its best size once its fixed costs are within this share of an item's price.
_AMORTISED = 0.05


@dataclass(frozen=True, kw_only=True)
class Size:
    """Items a job should carry at most, and the word for what decided it."""

    items: int
    decided_by: str


def job_size(
    *, item_usd: float, once_usd: float, job_usd: float, fault_rate: float, blast_usd: float, most: int
) -> Size:
    """The first size rule: the classic checkpoint interval (Young 1974, Daly 2006), clamped.

    `item_usd`: price of an item that reads the cache; `once_usd`: what writing the prefix costs above reading it;
    `job_usd`: fixed cost of a job; `fault_rate`: chance per item that a fault voids all that was sent of the job;
    `blast_usd`: dollars that one job may put at risk; `most`: the API's limit. With q the fault rate, cost per item
    is `hot + (once + job)/n + q n hot/2`, least at `n = sqrt(2 (once + job) / (q hot))`.
    """
    if item_usd <= 0:
        return Size(items=most, decided_by="limit of the API")
    lost_usd = fault_rate * item_usd
    best = math.sqrt(2 * (once_usd + job_usd) / lost_usd) if lost_usd > 0 else math.inf
    amortised = once_usd / (_AMORTISED * item_usd)
    candidates = [
        (max(best, amortised), "amortised fixed costs against rerun costs"),
        (blast_usd / item_usd, "affordable blast radius"),
        (float(most), "limit of the API"),
    ]
    items, decided_by = min(candidates)
    return Size(items=max(1, int(items)), decided_by=decided_by)


def split_evenly(sizes: npt.NDArray[np.int64], *, items: int, most_bytes: int) -> npt.NDArray[np.int64]:
    """Cut a sequence of requests of the given byte sizes into the fewest even parts within both limits.

    Returns the part number of each request; parts differ by at most one request. Raises `ValueError` where a
    single request exceeds `most_bytes`.
    """
    count, total = len(sizes), int(sizes.sum())
    if count <= items and total <= most_bytes:
        return np.zeros(count, dtype=np.int64)
    if int(sizes.max()) > most_bytes:
        raise ValueError(f"one request of {int(sizes.max())} bytes is over the limit of {most_bytes}")
    parts = max(math.ceil(count / items), math.ceil(total / most_bytes))
    while True:
        part = np.arange(count, dtype=np.int64) * parts // count
        if int(np.bincount(part, weights=sizes).max()) <= most_bytes:
            return part
        parts += 1
