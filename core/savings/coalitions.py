"""The same attempts, re-priced with some of the levers as they were and the others taken away."""

from collections.abc import Mapping

import polars as pl

from core.prices import PriceBook, UnknownModel
from core.prices.book import MONEY
from core.prices.repricing import reprice

LEVERS = ("routing", "batch", "caching", "sizing", "contract")
"""What saves, in the order in which it is shown; the order changes no amount."""
COALITIONS = 1 << len(LEVERS)
"""Sets of levers: lever p is in set c where bit p of c is set. 0 is the list price, the last one is what was paid."""
NOTES = ("unknown", "attempts", "routed", "no_baseline", "under_floor", "again")
"""What is counted on the way, see `Savings`."""

_ROUTING, _BATCH, _CACHING, _SIZING, _CONTRACT = (1 << place for place in range(len(LEVERS)))
_CACHED = ("cache_write_5m_tokens", "cache_write_1h_tokens", "cache_read_tokens")
_COUNTS = ("input_tokens", *_CACHED, "output_tokens", "web_searches")
_WAYS = ("model", "baseline", "service_tier", "inference_geo", "above_tokens", "billed", "again", "prices")
"""What the price of a token hangs on, and how often it would have been paid."""


def coalition_costs(cells: pl.DataFrame, by: str, *, book: PriceBook, baselines: Mapping[str, str]) -> pl.DataFrame:
    """A row for each value of the column `by`, called `part`: the cost in USD with each set of levers, and the notes.

    The costs are `v0` to `v31`, exact: counts times rates, added up. Arguments as in `decompose_by`.
    """
    listed = book.listed()
    cells = cells.with_columns(pl.col(by).alias("part"))
    priced = _noted(_priced(_merged(_with_defaults(cells, (book, listed), baselines)), book, listed), listed)
    unknown = cells.group_by("part", maintain_order=True).agg(pl.col("unpriced").sum().alias("unknown"))
    costs = priced.group_by("part").agg(
        *(pl.col(f"v{levers}").sum() for levers in range(COALITIONS)), pl.col(NOTES[1:]).sum()
    )
    return unknown.join(costs, on="part", how="left", nulls_equal=True, maintain_order="left").with_columns(
        pl.col("^v[0-9]+$").cast(MONEY).fill_null(0), pl.col(NOTES).fill_null(0)
    )


def _with_defaults(
    cells: pl.DataFrame, books: tuple[PriceBook, PriceBook], baselines: Mapping[str, str]
) -> pl.DataFrame:
    """What has a price, with the model it would have run on, and the stretch of days of one price it lies in."""
    known = cells.filter(pl.col("unpriced") == 0)
    if "again" not in known.columns:
        known = known.with_columns(pl.lit(0).alias("again"))
    changes = pl.concat([book.rate_frame()[name] for book in books for name in ("valid_from", "valid_to")]).drop_nulls()
    own = pl.col("class_id").replace_strict(dict(baselines), default=None, return_dtype=pl.String)
    return known.with_columns(
        own.fill_null(pl.col("model")).alias("baseline"),
        changes.unique().sort().search_sorted(known["submitted_at"], side="right").alias("prices"),
    )


def _merged(cells: pl.DataFrame) -> pl.DataFrame:
    """Cells that every re-pricing treats alike, added up: their cost is the sum of their costs."""
    return cells.group_by("part", *_WAYS, maintain_order=True).agg(
        pl.col("submitted_at").min(),
        pl.col("attempts", "unpriced", *_COUNTS).sum(),
        pl.col("cost_usd").sum().cast(MONEY),
    )


def _priced(cells: pl.DataFrame, book: PriceBook, listed: PriceBook) -> pl.DataFrame:
    """The cost of each cell with each set of levers, `v0` to `v31`."""
    prices = _prices(cells, book, listed)
    # What the ledger says was paid beside the book's prices is between its owner and Anthropic: contract.
    beside = cells["cost_usd"] - prices[COALITIONS - 1 ^ _SIZING]
    columns = {}
    for levers, price in prices.items():
        cost = price + beside if levers & _CONTRACT else price
        columns[f"v{levers | _SIZING}"] = cost.cast(MONEY)
        columns[f"v{levers}"] = (cost * (cells["again"] + 1).cast(pl.Decimal(38, 0))).cast(MONEY)
    return cells.with_columns(**columns)


def _prices(cells: pl.DataFrame, book: PriceBook, listed: PriceBook) -> dict[int, pl.Series]:
    """What one run of each cell costs with each set of levers but sizing, in USD; all in one re-pricing a book."""
    usages = [levers for levers in range(COALITIONS) if not levers & (_SIZING | _CONTRACT)]
    asked = pl.concat([_asked(cells, levers) for levers in usages])
    costs = {_CONTRACT: reprice(asked, book), 0: reprice(asked, listed)}
    prices = {
        levers | contract: found.slice(place * cells.height, cells.height)
        for contract, found in costs.items()
        for place, levers in enumerate(usages)
    }
    # Where a model was not to be had, or has no list price, there is nothing to compare with: no difference.
    for lever in (_CONTRACT, _ROUTING):
        for levers in (each for each in prices if not each & lever):
            prices[levers] = prices[levers].zip_with(prices[levers].is_not_null(), prices[levers | lever])
    return {levers: price.zip_with(price.is_not_null(), cells["cost_usd"]) for levers, price in prices.items()}


def _asked(cells: pl.DataFrame, levers: int) -> pl.DataFrame:
    """The cells as they would have been sent without the levers that are not in the set."""
    without = []
    if not levers & _ROUTING:
        without.append(pl.col("baseline").alias("model"))
    if not levers & _BATCH:
        without.append(pl.lit("standard").alias("service_tier"))
    if not levers & _CACHING:
        without.append(pl.sum_horizontal("input_tokens", *_CACHED).alias("input_tokens"))
        without += [pl.lit(0, pl.Int64).alias(name) for name in _CACHED]
    return cells.with_columns(*without)


def _noted(cells: pl.DataFrame, listed: PriceBook) -> pl.DataFrame:
    """What is to be said of the comparison, in attempts."""
    names = dict(listed.priced_names(pl.concat([cells["model"], cells["baseline"]]).unique()))
    on, baseline = (
        pl.col(name).replace_strict(names, default=name, return_dtype=pl.String) for name in ("model", "baseline")
    )
    floors = {name: _floor(listed, name) for name in cells["baseline"].unique()}
    prefix = pl.sum_horizontal(_CACHED)
    floor = pl.col("baseline").replace_strict(floors, default=0, return_dtype=pl.Int64) * pl.col("attempts")
    routed = pl.col("billed").fill_null(False) & (on != baseline)
    at_list = reprice(cells, listed, model="baseline")
    count = pl.col("attempts")
    return cells.with_columns(
        routed=pl.when(routed).then(count).otherwise(0),
        no_baseline=pl.when(routed & pl.lit(at_list.is_null())).then(count).otherwise(0),
        under_floor=pl.when(routed & (prefix > 0) & (prefix < floor)).then(count).otherwise(0),
        again=count * pl.col("again"),
    )


def _floor(book: PriceBook, model: str) -> int:
    try:
        return book.model(model).cache_floor_tokens
    except UnknownModel:
        return 0
