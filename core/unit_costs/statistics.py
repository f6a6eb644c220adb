"""What a unit costs: cost over units by any dimension of the cost cells, with bands over the jobs that made it."""

from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import polars as pl

from core.prices.book import MONEY
from core.unit_costs.unit import ITEM

Floats = npt.NDArray[np.float64]
Band = tuple[float | None, float | None]

# Student's t at 0.95 with 1 to 8 degrees of freedom, and with any number of them. In between it is taken as linear in
# their inverse: at most a tenth too wide below two of them, and a hundredth above.
_T95 = (6.313752, 2.919986, 2.353363, 2.131847, 2.015048, 1.943180, 1.894579, 1.859548, 1.644854)
_INVERSE = (*(1 / freedom for freedom in range(1, 9)), 0.0)
_RATIO = ("counted_usd", "counted_units")
_SUMS = ("cost_usd", "attempts", "usable_items", "unpriced", "uncounted", "units", *_RATIO)
_NAMES = ("unit", "mixes")


def unit_cost(cells: pl.DataFrame, by: Sequence[str], *, bands: bool = True) -> pl.DataFrame:
    """Cost per unit of cost cells by these columns (none: of all), in their order.

    Columns read: those of `by`, job_id, cost_usd, attempts, usable, units, unit, unpriced, uncounted. Gives
    those of `by`, `cost_usd` (all of it: the sums of any dimension are the ledger's), `attempts`, `usable_items`,
    `unpriced`, `uncounted`, `jobs`, `unit`, `units`, `unit_cost_usd`, `low`, `high`, and `mixes`.

    Units of several kinds are never added up: a row that holds some is per usable item, and `mixes` names them.
    Usable items whose count is not known (`uncounted`) are left out of both sides of the unit cost, and so are attempts
    of unknown cost; null where nothing is left. The bands are at 90 %, in USD, and hold the estimate: by the jackknife
    over jobs (Tukey, Annals of Mathematical Statistics 29, 1958) with Student's t, whose degrees of freedom are one
    less than the effective number of jobs (Kish, Survey Sampling, 1965, section 8.2), as one large job among small ones
    decides nearly alone. Null where fewer than two jobs have units, which says nothing of how jobs scatter, and where
    no `bands` are wanted. Jobs are ranked by what they hold, so that no order of rows matters.
    """
    keys = list(by)
    if not keys:
        return unit_cost(cells.with_columns(_all=pl.lit(0)), ["_all"], bands=bands).drop("_all")
    jobs = (
        _with_ratio(_in_one_unit(cells, keys))
        .group_by(list(dict.fromkeys([*keys, "job_id"])))
        .agg(pl.col(_SUMS).sum(), pl.col(_NAMES).first())
    )
    rows = jobs.group_by(keys).agg(pl.col(_SUMS).sum(), pl.len().alias("jobs"), pl.col(_NAMES).first())
    ordered = rows.sort(keys, nulls_last=True)
    each = [_divided(usd, units) for usd, units in ordered.select(_RATIO).iter_rows()]
    found = _bands(ordered, jobs, keys) if bands else [(None, None)] * ordered.height
    return ordered.drop(_RATIO).with_columns(
        pl.Series("unit_cost_usd", each, dtype=MONEY),
        pl.Series("low", [low for low, _ in found], dtype=pl.Float64),
        pl.Series("high", [high for _, high in found], dtype=pl.Float64),
    )


def weekly_cost(cells: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """The rows of `unit_cost` by these columns and `week`, without bands; a row that mixes units does so every week.

    What a week happens to hold does not change what it is divided by, so that weeks can be compared.
    """
    alike = _in_one_unit(cells, list(by)) if by else _in_one_unit(cells.with_columns(_all=pl.lit(0)), ["_all"])
    return unit_cost(alike.drop("mixes"), [*by, "week"], bands=False)


def _in_one_unit(cells: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """The cells with one unit for each of these keys: their own, or usable items where there are several."""
    kinds = cells.group_by(keys).agg(kinds=pl.col("unit").drop_nulls().unique().sort())
    several = pl.col("kinds").list.len() > 1
    usable = pl.when("usable").then("attempts").otherwise(0)
    return (
        cells.join(kinds, on=keys, how="left", nulls_equal=True)
        .with_columns(
            units=pl.when(several).then(usable).otherwise("units"),
            uncounted=pl.when(several).then(0).otherwise("uncounted"),
            unit=pl.when(several).then(pl.lit(ITEM)).otherwise(pl.col("kinds").list.first()),
            mixes=pl.when(several).then("kinds").otherwise(pl.lit([], dtype=pl.List(pl.String))),
        )
        .drop("kinds")
    )


def _with_ratio(cells: pl.DataFrame) -> pl.DataFrame:
    """The cells with the cost and the units that the cost per unit rests on."""
    # A cell holds attempts that are alike: those of unknown price or count have cells of their own.
    known = (pl.col("unpriced") == 0) & (pl.col("uncounted") == 0)
    return cells.with_columns(
        usable_items=pl.when("usable").then("attempts").otherwise(0),
        counted_usd=pl.when(known).then(pl.col("cost_usd").cast(MONEY)).otherwise(pl.lit(0, MONEY)),
        counted_units=pl.when(known).then("units").otherwise(0),
    )


def _bands(rows: pl.DataFrame, jobs: pl.DataFrame, keys: list[str]) -> list[Band]:
    """The band of each row."""
    paid = jobs.filter((pl.col("counted_units") > 0) | (pl.col("counted_usd") != 0))
    ranked = paid.select(*keys, pl.col(_RATIO).cast(pl.Float64)).sort("counted_units", "counted_usd")
    parts = ranked.group_by(keys, maintain_order=True).agg(pl.col(_RATIO))
    of_rows = rows.select(keys).join(parts, on=keys, how="left", nulls_equal=True, maintain_order="left")
    return [_band(*np.array(row)) if row[0] else (None, None) for row in of_rows.select(_RATIO).iter_rows()]


def _divided(usd: Decimal, units: int) -> Decimal | None:
    return round(usd / units, MONEY.scale) if units else None


def _band(usd: Floats, units: Floats) -> Band:
    """Where the cost per unit lies, from the cost and the units of each job."""
    if np.count_nonzero(units) < 2:
        return None, None
    jobs, estimate = len(units), float(usd.sum() / units.sum())
    without = (usd.sum() - usd) / (units.sum() - units)
    error = np.sqrt(np.square(without - without.mean()).sum() * (jobs - 1) / jobs)
    effective = units.sum() ** 2 / np.square(units).sum()
    # Of less than one degree of freedom no t is known.
    reach = float(error * np.interp(1 / max(1.0, effective - 1), _INVERSE[::-1], _T95[::-1]))
    return max(0.0, estimate - reach), estimate + reach
