"""What the items of one simulated job used: tokens by kind, drawn all at once."""

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from core.demo.scenario import ClassOfWork
from core.demo.texts import prefix
from core.prices import Model

Tokens = NDArray[np.int64]

SPREAD = 0.3
"""Spread (sigma of the logarithm) of the sizes of items and of their output."""

WARM_READS = 0.985
"""Share of a primed body that reads: best effort, so not all of it."""

_STAMP_TOKENS = 14


class Caching(Enum):
    """How a job meets the cache."""

    NONE = "no mark, or a prefix under the floor"
    COLD = "marked, but nobody primed it: most items write, few read"
    PRIMER = "the item that writes the prefix"
    PRIMED = "the prefix is there when the body starts"
    BROKEN = "every prefix begins differently: all write, none reads"


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Token counts, one entry an item."""

    input: Tokens
    write_5m: Tokens
    write_1h: Tokens
    read: Tokens
    output: Tokens


def draw(work: ClassOfWork, model: Model, chars: Tokens, caching: Caching, rng: np.random.Generator) -> Usage:
    """Draw what items with `chars` characters of their own used on that model."""
    count = chars.size
    suffix = np.maximum(np.rint(chars / model.chars_per_token), 1).astype(np.int64)
    output = np.clip(np.rint(work.output_tokens * rng.lognormal(0, SPREAD, count)), 8, work.max_tokens - 1)
    reading = {Caching.PRIMED: WARM_READS, Caching.COLD: float(np.clip(rng.normal(0.24, 0.08), 0.05, 0.5))}
    reads = rng.random(count) < reading.get(caching, 0)
    whole = np.full(count, prefix_tokens(work, model) + _STAMP_TOKENS * (caching is Caching.BROKEN))
    plain = caching is Caching.NONE
    written = np.where(reads | plain, 0, whole)
    none = np.zeros(count, np.int64)
    return Usage(
        input=suffix + whole * plain,
        write_5m=written if caching is Caching.COLD else none,
        write_1h=none if caching is Caching.COLD else written,
        read=np.where(reads, whole, 0),
        output=output.astype(np.int64),
    )


def prefix_tokens(work: ClassOfWork, model: Model) -> int:
    """Tokens of the shared prefix, as that model counts them."""
    return round(len(prefix(work)) / model.chars_per_token)
