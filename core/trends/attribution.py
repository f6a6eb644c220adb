"""Why spend differs between two periods: an additive split that depends on no order and leaves no rest.

Spend is usable items times the shares of the lines of work times what an item of each costs, and that is a product too
(`factors.py`). The difference is split by the Shapley value; the factors of the cost per unit enter as one union beside
volume and mix (Owen, "Values of games with a priori unions", 1977), so that volume and mix are the same however finely
the cost per unit is split.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from itertools import combinations
from math import factorial

import polars as pl

from core.prices import PriceBook
from core.prices.rates import RATE_DECIMALS
from core.trends.factors import FACTORS, UnitCosts
from core.trends.lines import Line, Period, listed, periods_of, unit_of
from core.trends.totals import USABLE

PARTS = ("volume", "mix", *FACTORS)
"""What can move spend: usable items, their shares among the lines of work, and the factors of what one costs."""

_DIGITS = 60
"""Of the arithmetic: what its divisions cut off is far below the last decimal that is kept."""
_QUANTUM = Decimal(1).scaleb(-RATE_DECIMALS)
_ZERO = Decimal(0)


@dataclass(frozen=True, kw_only=True)
class Part:
    """So many dollars of a difference come from this; below zero it saved them."""

    name: str
    amount: Decimal


@dataclass(frozen=True, kw_only=True)
class LineMove:
    """The same for one line of work: its spend before and after, and the parts of the difference."""

    class_name: str
    before_usd: Decimal
    after_usd: Decimal
    before_units: int
    after_units: int
    parts: tuple[Part, ...]


@dataclass(frozen=True, kw_only=True)
class Attribution:
    """The difference between two amounts as parts that sum to it exactly, largest first; none of them is zero.

    `before_usd` and `after_usd` are spend, or the cost of a usable item where that was asked for. `unknown`: attempts
    of either period whose price is not known; they are on neither side.
    """

    before_usd: Decimal
    after_usd: Decimal
    parts: tuple[Part, ...]
    lines: tuple[LineMove, ...]
    unknown: int
    unit: str = USABLE
    """What a cost per unit is divided by."""

    def amount(self, name: str) -> Decimal:
        """What one part comes to; zero where it is not among them."""
        return sum((part.amount for part in self.parts if part.name == name), _ZERO)


def attribute(
    before: pl.DataFrame, after: pl.DataFrame, *, book: PriceBook, days: tuple[int, int] = (1, 1)
) -> Attribution:
    """Split the change of spend (USD) between two frames of cells (rows of `work_cell`).

    `book`: its list prices count; what was paid beside them is the part `contract`. `days`: what the spend of each
    frame is divided by, where they cover stretches of different length. Tokens are compared as the characters that they
    stand for (`Model.chars_per_token`), so that a move to another tokenizer is not taken for longer prompts. A line
    that is in one period only has the cost per unit of that one in both: it is volume and mix. What a line cost that
    gave nothing usable is `reruns`.
    """
    return attribute_listed(*(listed(cells, book.listed()) for cells in (before, after)), book=book, days=days)


def attribute_unit_cost(before: pl.DataFrame, after: pl.DataFrame, *, book: PriceBook) -> Attribution | None:
    """The same for the cost of a usable item, so without volume; None where a period has no usable item."""
    return attribute_listed_unit_cost(*(listed(cells, book.listed()) for cells in (before, after)), book=book)


def attribute_listed(
    before: pl.DataFrame, after: pl.DataFrame, *, book: PriceBook, days: tuple[int, int] = (1, 1)
) -> Attribution:
    """`attribute` of cells whose list prices are there already: rows of `listed`."""
    with localcontext(prec=_DIGITS):
        first, last, unknown = periods_of(before, after, book.listed())
        return _Split(first, last, (1 / Decimal(days[0]), 1 / Decimal(days[1])), book.listed()).attribution(unknown)


def attribute_listed_unit_cost(before: pl.DataFrame, after: pl.DataFrame, *, book: PriceBook) -> Attribution | None:
    """`attribute_unit_cost` of the same."""
    with localcontext(prec=_DIGITS):
        first, last, unknown = periods_of(before, after, book.listed())
        if not first.units or not last.units:
            return None
        scales = (1 / Decimal(first.units), 1 / Decimal(last.units))
        return replace(_Split(first, last, scales, book.listed()).attribution(unknown), unit=unit_of(before, after))


@dataclass(frozen=True)
class _Split:
    """Two periods, what their amounts are multiplied by, and the list prices."""

    first: Period
    last: Period
    scales: tuple[Decimal, Decimal]
    book: PriceBook

    def attribution(self, unknown: int) -> Attribution:
        """All lines together, and each of them."""
        names = sorted(self.first.lines.keys() | self.last.lines.keys())
        moves = {name: self._line(name) for name in names}
        whole = {part: sum((amounts[part] for amounts in moves.values()), _ZERO) for part in PARTS}
        start, end = self._paid(self.first.cost_usd, self.last.cost_usd)
        return Attribution(
            before_usd=start,
            after_usd=end,
            parts=_exact(whole, end - start),
            lines=tuple(self._move(name, amounts) for name, amounts in moves.items()),
            unknown=unknown,
        )

    def _line(self, name: str) -> dict[str, Decimal]:
        """The parts of one line, unrounded."""
        amounts = dict.fromkeys(PARTS, _ZERO)
        pair = self._pair(name)
        for sign, line, scale in zip((-1, 1), pair, self.scales, strict=True):
            if not line.whole:
                amounts["reruns"] += sign * line.cost_usd * scale
        known = [line for line in pair if line.whole]
        if not known:
            return amounts
        start, end = (line if line.whole else known[0] for line in pair)
        costs = UnitCosts(start, end, days=(self.first.last, self.last.first), book=self.book)
        cost0, cost1 = costs.cost(frozenset()), costs.cost(frozenset(FACTORS))
        share0, share1 = self._shares(pair)
        volume0, volume1 = (
            Decimal(period.units) * scale for period, scale in zip(self._periods, self.scales, strict=True)
        )
        amounts["volume"] = (volume1 - volume0) * _between(share0, share1, cost0, cost1)
        amounts["mix"] = (share1 - share0) * _between(volume0, volume1, cost0, cost1)
        weight = _between(volume0, volume1, share0, share1)
        for factor, amount in shapley(costs).items():
            amounts[factor] += weight * amount
        return amounts

    def _shares(self, pair: tuple[Line, Line]) -> tuple[Decimal, Decimal]:
        """The line's share of the usable items; in a period that has none, as in the other."""
        start, end = (
            Decimal(line.units) / period.units if period.units else None
            for line, period in zip(pair, self._periods, strict=True)
        )
        return (start if start is not None else end or _ZERO), (end if end is not None else start or _ZERO)

    def _move(self, name: str, amounts: Mapping[str, Decimal]) -> LineMove:
        before, after = self._pair(name)
        start, end = self._paid(before.cost_usd, after.cost_usd)
        return LineMove(
            class_name=name,
            before_usd=start,
            after_usd=end,
            before_units=before.units,
            after_units=after.units,
            parts=_exact(amounts, end - start),
        )

    def _pair(self, name: str) -> tuple[Line, Line]:
        return self.first.lines.get(name, Line()), self.last.lines.get(name, Line())

    def _paid(self, before: Decimal, after: Decimal) -> tuple[Decimal, Decimal]:
        return (before * self.scales[0]).quantize(_QUANTUM), (after * self.scales[1]).quantize(_QUANTUM)

    @property
    def _periods(self) -> tuple[Period, Period]:
        return self.first, self.last


def _between(first0: Decimal, first1: Decimal, second0: Decimal, second1: Decimal) -> Decimal:
    """The mean of a product over the orders in which it and a third factor can change: the Shapley weights of three."""
    return (2 * first0 * second0 + first1 * second0 + first0 * second1 + 2 * first1 * second1) / 6


def shapley(costs: UnitCosts) -> dict[str, Decimal]:
    """The change of a line's cost per unit by factor: the mean of what each adds over all orders."""
    players = [name for name in FACTORS if name not in costs.equal]
    count = len(players)
    worth = {
        chosen: costs.cost(chosen)
        for size in range(count + 1)
        for chosen in map(frozenset, combinations(players, size))
    }
    weights = [Decimal(factorial(size) * factorial(count - size - 1)) / factorial(count) for size in range(count)]
    return {
        player: sum(
            (
                weights[len(chosen)] * (worth[chosen | {player}] - cost)
                for chosen, cost in worth.items()
                if player not in chosen
            ),
            _ZERO,
        )
        for player in players
    }


def _exact(amounts: Mapping[str, Decimal], total: Decimal) -> tuple[Part, ...]:
    """The amounts to the last decimal of a price, what rounding leaves going to the largest; those of zero left out."""
    rounded = {name: amount.quantize(_QUANTUM) for name, amount in amounts.items()}
    largest = max(rounded, key=lambda name: abs(rounded[name]))
    rounded[largest] += total - sum(rounded.values(), _ZERO)
    ordered = sorted((name for name in rounded if rounded[name]), key=lambda name: (-abs(rounded[name]), name))
    return tuple(Part(name=name, amount=rounded[name]) for name in ordered)
