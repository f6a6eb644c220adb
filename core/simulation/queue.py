"""Jobs before a full queue: the account takes so many requests at once, and the next job waits for its turn."""

import heapq

import numpy as np

from core.simulation.work import Floats, Ints


def admitted(send_at: Floats, lasts: Floats, items: Ints, limit: int | None) -> Floats:
    """When each job is taken in: in the order in which they are meant to be sent, as soon as its requests fit.

    A job leaves the queue when it ends. One that is larger than the limit is taken in when nothing else is there.
    """
    if limit is None or _fits(send_at, lasts, items, limit):
        return send_at
    taken = send_at.copy()
    under_way: list[tuple[float, int]] = []
    queued, turn = 0, 0.0
    for job in np.argsort(send_at, kind="stable"):
        turn = max(turn, float(send_at[job]))
        while under_way and (under_way[0][0] <= turn or queued + items[job] > limit):
            ended, left = heapq.heappop(under_way)
            turn, queued = max(turn, ended), queued - left
        taken[job] = turn
        queued += int(items[job])
        heapq.heappush(under_way, (turn + float(lasts[job]), int(items[job])))
    return taken


def _fits(send_at: Floats, lasts: Floats, items: Ints, limit: int) -> bool:
    """Whether nothing ever has to wait."""
    times = np.concatenate([send_at, send_at + lasts])
    change = np.concatenate([items, -items])
    order = np.lexsort((change, times))
    return bool(np.cumsum(change[order]).max(initial=0) <= limit)
