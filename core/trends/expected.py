"""Spend by day beside what was to be expected of it."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import polars as pl

from core.trends.anomalies import SCORE, SHARE, usual
from core.trends.change_points import MOST
from core.trends.episodes import restated
from core.trends.movement import MONTH_DAYS, Movement
from core.trends.movements import FLOOR_USD, SPEND_SHARE

_SCHEMA: dict[str, type[pl.DataType]] = {
    "day": pl.Date,
    "usd": pl.Float64,
    "expected_usd": pl.Float64,
    "low_usd": pl.Float64,
    "high_usd": pl.Float64,
    "flagged": pl.Boolean,
}


def expected(cells: pl.DataFrame, *, last: date, told: Sequence[Movement] = ()) -> pl.DataFrame:
    """One row a day up to `last`: `day`, `usd`, and, from the fifth week on, `expected_usd` and what is still as usual.

    `low_usd` to `high_usd`: a day outside that is worth it is `flagged`, once six weeks are known. Steps that were
    `told` are part of what is expected. `cells`: rows of `work_cell`.
    """
    lines = cells.group_by("class_name", "day").agg(pl.col("cost_usd").cast(pl.Float64).sum())
    first = lines["day"].min()
    if not isinstance(first, date):
        return pl.DataFrame(schema=_SCHEMA)
    days = pl.date_range(first, last, eager=True).tail(MOST).alias("day")
    spent = pl.DataFrame({"day": days}).join(
        lines.group_by("day").agg(pl.col("cost_usd").sum().alias("usd")), on="day", how="left", maintain_order="left"
    )
    usd = spent["usd"].fill_null(0.0).to_numpy()
    named = {str(name): line for (name,), line in lines.group_by("class_name", maintain_order=True)}
    values = restated(days, named, told)
    found = usual(values)
    # Back from what a unit costs at the end to what it cost on the day.
    then = found.expected * np.divide(usd, values, out=np.ones(len(usd)), where=values > 0)
    reach = np.exp(SCORE * found.spreads)
    floor = max(float(FLOOR_USD), float(SPEND_SHARE) * float(usd[-MONTH_DAYS:].sum()))
    flagged = found.flagged(values) & (np.abs(usd - then) >= floor)
    return pl.DataFrame(
        {
            "day": days,
            "usd": usd,
            "expected_usd": pl.Series(then).fill_nan(None),
            "low_usd": pl.Series(then * np.minimum(1 / reach, 1 - SHARE)).fill_nan(None),
            "high_usd": pl.Series(then * np.maximum(reach, 1 + SHARE)).fill_nan(None),
            "flagged": flagged,
        },
        schema=_SCHEMA,
    )
