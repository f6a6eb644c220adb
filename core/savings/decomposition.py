"""From list price to what was paid: the difference, split among the levers that made it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import polars as pl

from core.prices import PriceBook
from core.savings.coalitions import COALITIONS, LEVERS, NOTES, coalition_costs
from core.savings.shapley import apportioned, shapley

_CENT = Decimal("0.01")
_SIZING = 1 << LEVERS.index("sizing")


@dataclass(frozen=True, kw_only=True)
class Lever:
    """One thing that saved, and what it took off the cost, in USD; negative where it cost more than it saved."""

    name: str
    amount: Decimal


@dataclass(frozen=True, kw_only=True)
class Savings:
    """What work would have cost at list price, synchronous, uncached and on its baseline model, and what was paid: USD.

    The amounts of the levers sum to the difference exactly. In attempts: `unknown` have no price and are left out of
    both sides; `attempts` are in; `routed` went to another model than the baseline, which is priced at the tokens
    counted on theirs; the baseline of `no_baseline` of them has no price on their day, so they count as not routed;
    `under_floor` of them have a cached prefix too short for the baseline model; `again`: what whole jobs, run again
    after each failed slice, would have billed once more. `list_cost_sent` is the list price without those: of what was
    sent, as often as it was sent.
    """

    list_cost: Decimal
    paid: Decimal
    levers: tuple[Lever, ...]
    unknown: int
    attempts: int = 0
    routed: int = 0
    no_baseline: int = 0
    under_floor: int = 0
    again: int = 0
    list_cost_sent: Decimal = Decimal(0)

    @property
    def saved(self) -> Decimal:
        """Everything that the levers took off."""
        return self.list_cost - self.paid

    def of(self, lever: str) -> Decimal:
        """What one lever took off."""
        return next(each.amount for each in self.levers if each.name == lever)

    def cents(self) -> "Savings":
        """The same in whole cents that still add up: for display only."""
        first, last = self.list_cost.quantize(_CENT), self.paid.quantize(_CENT)
        amounts = apportioned([lever.amount for lever in self.levers], first - last, decimals=2)
        levers = tuple(replace(lever, amount=amount) for lever, amount in zip(self.levers, amounts, strict=True))
        sent = self.list_cost_sent.quantize(_CENT)
        return replace(self, list_cost=first, paid=last, levers=levers, list_cost_sent=sent)


NONE = Savings(
    list_cost=Decimal(0),
    paid=Decimal(0),
    levers=tuple(Lever(name=name, amount=Decimal(0)) for name in LEVERS),
    unknown=0,
)
"""Where there is no work, nothing was saved."""


def decompose(cells: pl.DataFrame, *, book: PriceBook, baselines: Mapping[str, str]) -> Savings:
    """What the levers saved on these cells together. Arguments as in `decompose_by`."""
    together = cells.with_columns(pl.lit("all").alias("together"))
    return decompose_by(together, "together", book=book, baselines=baselines).get("all", NONE)


def decompose_by(cells: pl.DataFrame, by: str, *, book: PriceBook, baselines: Mapping[str, str]) -> dict[Any, Savings]:
    """What the levers saved, for each value of the column `by`, in their order.

    `cells`: rows of `cost_cell`; in a column `again`, where there is one: how many times more the policy of running a
    whole job again after each failed slice would have billed the attempts of a cell. `book`: the prices in force,
    contract included. `baselines`: by class id, the model that its work would have run on; where none is named, the one
    that it ran on. The same counts are re-priced with each set of levers, and each lever is credited with its Shapley
    value; with all of them the cost is the ledger's.
    """
    rows = coalition_costs(cells, by, book=book, baselines=baselines)
    return {row["part"]: _savings(row) for row in rows.iter_rows(named=True)}


def _savings(row: Mapping[str, Any]) -> Savings:
    costs = [row[f"v{levers}"] for levers in range(COALITIONS)]
    amounts = apportioned(shapley(costs), costs[0] - costs[-1])
    return Savings(
        list_cost=costs[0],
        list_cost_sent=costs[_SIZING],
        paid=costs[-1],
        levers=tuple(Lever(name=name, amount=amount) for name, amount in zip(LEVERS, amounts, strict=True)),
        **{name: int(row[name]) for name in NOTES},
    )
