"""The wave model: what the items of a set of jobs would read, write and send uncached. The simulator of every plan.

A job works on at most `width` items at a time, in waves of equal length; an entry can be read once the wave that wrote
it is a quarter over (its writer has begun to answer), and lives on from its latest use. It is a model: on the real
service reads are best effort, the width is unknown and the order inside a batch is not promised.

Because an item uses every mark on its path, the history of one entry depends on no other entry, and all of them are
worked out at once: uses of an entry that follow each other within its life are one life, whose first wave writes and
whose later ones read.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

WAVE_SECONDS = 20.0
PRIMER_SECONDS = 240.0
"""Assumed time from sending a primer to sending what follows it."""
_BEGUN = 0.25


@dataclass(frozen=True, kw_only=True)
class Served:
    """Tokens of input per item: read from an entry, written to one, and neither."""

    read: Floats
    written: Floats
    uncached: Floats

    @property
    def hit_share(self) -> float:
        """Share of all input tokens that is read."""
        return float(self.read.sum() / (self.read + self.written + self.uncached).sum())

    def cost_index(self, *, write: Floats | float, read: Floats | float, price: Floats | float = 1.0) -> float:
        """Cost of the input as a share of what it costs without caching.

        `write` and `read` multiply the plain price; `price` weighs items of unequal models. One for all, or per item.
        """
        paid = read * self.read + write * self.written + self.uncached
        return float((price * paid).sum() / (price * (self.read + self.written + self.uncached)).sum())


def wave_times(
    job: Ints,
    starts: Floats,
    *,
    width: float,
    primer_round: Ints | None = None,
    wave_seconds: float = WAVE_SECONDS,
    primer_seconds: float = PRIMER_SECONDS,
) -> Floats:
    """Per item, the second at which its wave begins.

    `job`: per item in sending order, the job it belongs to; `starts`: per job, its first second; `width`: items in
    flight, may be `math.inf`; `primer_round`: per item, 0 for the body and k for the k-th primer round. Rounds are one
    wave each, whatever the width, and follow each other after `primer_seconds`, as does the body.
    """
    rounds = np.zeros(len(job), dtype=np.int64) if primer_round is None else primer_round
    last_round = np.zeros(len(starts), dtype=np.int64)
    np.maximum.at(last_round, job, rounds)
    primed = rounds > 0
    wave = np.zeros(len(job)) if math.isinf(width) else _place_in_body(job, primed) // width
    body_at = starts[job] + last_round[job] * primer_seconds + wave * wave_seconds
    return np.where(primed, starts[job] + (rounds - 1) * primer_seconds, body_at)


def first_of_prefix(job: Ints, prefix: Ints) -> Ints:
    """Per item, 1 where it is the first of its prefix in its job, else 0: the primer round of one mark a prefix.

    `prefix`: per item, or negative where it has none that can be cached.
    """
    _, first = np.unique(np.stack((job, prefix)), axis=1, return_index=True)
    rounds = np.zeros(len(job), dtype=np.int64)
    rounds[first] = prefix[first] >= 0
    return rounds


def serve(
    at: Floats,
    tokens: Floats,
    *,
    item: Ints,
    entry: Ints,
    depth: Floats,
    life: Floats | float,
    wave_seconds: float = WAVE_SECONDS,
) -> Served:
    """Work out what every item reads and writes.

    `at`, `tokens`: per item, the second of its wave and its input. The marks are triples: `item` carries a mark for
    `entry`, `depth` tokens into its prompt; leave out those under the model's floor. `life`: seconds, one for all or
    per triple. An item reads up to its deepest readable mark and writes from there to its deepest mark.
    """
    order = np.lexsort((at[item], entry))
    use, of = at[item][order], entry[order]
    begun = _BEGUN * wave_seconds
    new_life = np.ones(len(use), dtype=np.bool_)
    dead = use[1:] - (use[:-1] + begun) > np.broadcast_to(life, len(use))[order][1:]
    new_life[1:] = (of[1:] != of[:-1]) | dead
    born = use[np.maximum.accumulate(np.where(new_life, np.arange(len(use)), 0))]
    hit = use >= born + begun
    read, marked = np.zeros(len(at)), np.zeros(len(at))
    np.maximum.at(read, item[order][hit], depth[order][hit])
    np.maximum.at(marked, item, depth)
    return Served(read=read, written=marked - read, uncached=tokens - marked)


def _place_in_body(job: Ints, primed: npt.NDArray[np.bool_]) -> Floats:
    """Per item of the body, how many of its job's body stand before it."""
    order = np.lexsort((primed, job))
    of = job[order]
    head = np.concatenate(([True], of[1:] != of[:-1]))
    begin = np.maximum.accumulate(np.where(head, np.arange(len(of)), 0))
    place = np.zeros(len(job))
    place[order] = np.arange(len(of)) - begin
    return place
