"""From what something cost on some days to what it costs in a month, with an interval."""

import math
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from core.opportunities.workload import Pace

FOUR_OF_FIVE = 1.2816
"""Half the width, in standard errors, of the interval that holds a normal value four times of five."""

_MICRO = Decimal("0.000001")


@dataclass(frozen=True, kw_only=True)
class Monthly:
    """Dollars in 30 days, and between what they lie four times of five: None where one day alone tells."""

    usd: Decimal
    interval: tuple[Decimal, Decimal] | None


def monthly(rows: pl.DataFrame, pace: Pace) -> Monthly:
    """The dollars of these rows (day, attempts, saving_usd), an attempt, times the attempts of a month.

    Rows of days without a saving belong to it: they are part of the rate. The error is that of a ratio of sums over
    days (Cochran 1977, "Sampling Techniques", 6.4), and that of the pace; a saving is never below zero.
    """
    days = rows.group_by("day").agg(pl.sum("attempts", "saving_usd"))
    attempts, saved = int(days["attempts"].sum()), days["saving_usd"].sum() or Decimal(0)
    if not attempts:
        return Monthly(usd=Decimal(0), interval=None)
    usd = (Decimal(saved) * pace.attempts_month / attempts).quantize(_MICRO)
    if days.height < 2 or not usd:
        return Monthly(usd=usd, interval=None)
    rate = float(saved) / attempts
    off = days["saving_usd"].cast(pl.Float64) - rate * days["attempts"]
    error = math.sqrt(days.height / (days.height - 1) * float((off * off).sum())) / attempts / rate
    half = usd * Decimal(FOUR_OF_FIVE * math.hypot(error, pace.spread))
    return Monthly(usd=usd, interval=(max(Decimal(0), usd - half).quantize(_MICRO), (usd + half).quantize(_MICRO)))
