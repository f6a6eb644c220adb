"""How long an entry should live, and whether it should be written at all: what a shared prefix costs.

All costs are in units of the prefix at the plain input price, so that they hold for every model and both in and out of
batches. Multipliers and lives: platform.claude.com, Prompt caching; the multipliers in force stand in the price book.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Lifetime = Literal["5m", "1h"]
LIFE_SECONDS: Mapping[Lifetime, float] = {"5m": 300.0, "1h": 3600.0}


@dataclass(frozen=True, kw_only=True)
class Multipliers:
    """What reading and writing cache tokens cost on a model, as multiples of plain input."""

    read: float
    write_5m: float
    write_1h: float

    def write(self, lifetime: Lifetime) -> float:
        """The multiplier of writing an entry of that life."""
        return self.write_5m if lifetime == "5m" else self.write_1h


@dataclass(frozen=True, kw_only=True)
class LifetimeChoice:
    """The cheapest way to send a class: `lifetime` (None: no marks), and the expected prefix `costs` of all three."""

    lifetime: Lifetime | None
    costs: Mapping[Lifetime | None, float]

    @property
    def cost(self) -> float:
        """Expected prefix cost of the chosen way, in prefixes of plain input."""
        return self.costs[self.lifetime]


def choose_lifetime(items: int, multipliers: Multipliers, *, alive_5m: float, alive_1h: float) -> LifetimeChoice:
    """Choose between no marks, a 5-minute and a 1-hour entry for `items` (the primer's item included).

    `alive_5m`, `alive_1h`: probability that the entry still lives when the body's first requests start. Where costs
    are equal, no marks come before marks, and the shorter life before the longer.
    """
    costs: dict[Lifetime | None, float] = {
        None: float(items),
        "5m": primed_prefix_cost(items, write=multipliers.write_5m, read=multipliers.read, alive=alive_5m),
        "1h": primed_prefix_cost(items, write=multipliers.write_1h, read=multipliers.read, alive=alive_1h),
    }
    return LifetimeChoice(lifetime=min(costs, key=lambda lifetime: costs[lifetime]), costs=costs)


def primed_prefix_cost(items: int, *, write: float, read: float, alive: float) -> float:
    """Expected cost of the prefix over `items`, one of which primes: `w + (n - 1)(u r + (1 - u) w)`.

    Should the entry be dead when the body starts, all of the body runs in parallel and every item writes.
    """
    return write + (items - 1) * (alive * read + (1 - alive) * write)


def least_items(*, write: float, read: float) -> int:
    """The fewest items with which one writing and the others surely reading is cheaper: n > (w - r) / (1 - r)."""
    return math.floor((write - read) / (1 - read)) + 1


def prefix_saving(hit_rate: float, *, write: float, read: float) -> float:
    """Saving on the prefix as a share of its plain cost, when that share of its tokens is read and the rest written."""
    return 1 - (hit_rate * read + (1 - hit_rate) * write)


def break_even_hit_rate(*, write: float, read: float) -> float:
    """The share of prefix tokens that must be read for marks to pay: h* = (w - 1) / (w - r)."""
    return (write - 1) / (write - read)


def items_to_amortise(prefix: float, rest: float, *, write: float, read: float, excess: float = 0.05) -> float:
    """Items a job needs for its cost per item to be within `excess` of what it tends to.

    `prefix`: tokens; `rest`: the other tokens of a mean item at the input price, that is its suffix plus its output
    times the ratio of output to input price. The writer pays `(w - r) P` more than a reader's `r P + rest`.
    """
    return (write - read) * prefix / (excess * (read * prefix + rest))


def top_up_threshold(floor: float, items: int, *, write: float, read: float) -> float:
    """Tokens above which a prefix under the `floor` is cheaper filled up to it and cached than left as it is.

    Sent plain, n items pay n P; filled up and primed, m (w + (n - 1) r) = n m (r + (w - r) / n).
    """
    return floor * (read + (write - read) / items)


def keep_warm_periods(prefix: float, rest: float, *, write: float, read: float) -> float:
    """Idle lives that may be bridged, with one tiny item each, before writing the entry again is cheaper.

    `rest`: tokens of the tiny item besides the prefix, at the input price, its output included. Each bridge reads the
    prefix; writing again costs `(w - r) P` more than the read it replaces.
    """
    return (write - read) * prefix / (read * prefix + rest)
