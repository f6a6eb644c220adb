"""Shapley values: one amount shared among players, whatever the order in which they are thought to have come."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from math import factorial

from core.prices.rates import RATE_DECIMALS


def shapley(costs: Sequence[Decimal]) -> list[Fraction]:
    """What each player takes off the cost: one exact share a player, in their order.

    `costs`: 2^n amounts, one a coalition; player p is in coalition c where bit p of c is set, so that the first is the
    cost without any and the last the cost with all. The shares sum to the first less the last: L. S. Shapley, A value
    for n-person games, 1953.
    """
    players = len(costs).bit_length() - 1
    exact = [Fraction(cost) for cost in costs]
    whole = factorial(players)
    orders = [factorial(others) * factorial(players - others - 1) for others in range(players)]
    return [
        sum(
            (
                orders[coalition.bit_count()] * (exact[coalition] - exact[coalition | 1 << player])
                for coalition in range(len(costs))
                if not coalition >> player & 1
            ),
            start=Fraction(),
        )
        / whole
        for player in range(players)
    ]


def apportioned(
    shares: Sequence[Fraction | Decimal], total: Decimal, *, decimals: int = RATE_DECIMALS
) -> list[Decimal]:
    """The shares in whole steps of `decimals` places whose sum is the total to that step: by largest remainder.

    Each is rounded down, and the steps that are missing go to those that lost most by it, the first of equals first.
    """
    step = 10**decimals
    scaled = [Fraction(share) * step for share in shares]
    lots = [part.numerator // part.denominator for part in scaled]
    missing = round(Fraction(total) * step) - sum(lots)
    losers = sorted(range(len(lots)), key=lambda place: lots[place] - scaled[place])
    for place in losers[:missing]:
        lots[place] += 1
    return [Decimal(lot).scaleb(-decimals) for lot in lots]
