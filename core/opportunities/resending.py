"""What the same requests would have cost if they had met the cache otherwise: whole cells, re-priced exactly."""

import polars as pl

from core.opportunities.workload import Workload
from core.prices.book import PriceBook, UnknownModel
from core.prices.repricing import reprice

WARM = 0.9
"""Share of its cached tokens that a primed class reads at least: savings are reckoned against it, or against what the
class's own primed jobs read where that is more."""

NEAR_FLOOR = 0.5
"""A prefix below this share of the floor is not topped up: the addition would outweigh the prompt."""

# Tokens of a prefix are estimated: so near to what was cached it is what was cached.
_ALIKE = 0.8
_SENT = ("primer", "body", "history")
_CACHED = ("cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
_SEND, _DAY = ("class_id", "send"), ("class_id", "send_day")
WAYS = ("primed_usd", "grouped_usd", "plain_usd", "topped_usd")


def resent(work: Workload, cells: pl.DataFrame) -> pl.DataFrame:
    """Cells of work that was sent for the first time, with what they would have cost in other ways, exactly.

    Adds `send` (a primer and its bodies are one), `floor`, `cached` and `written` (tokens), `send_attempts`, and in
    USD: `primed_usd`, with one request of each send writing the prefix and the others reading it; `grouped_usd`, the
    same with one a day; `plain_usd`, without marks; `topped_usd`, with the prefix filled up to the floor. A way that
    is not open to a cell, or costs more, is what was paid. Repairs and what has no price are left out.
    """
    known = (
        cells.filter(pl.col("role").is_in(_SENT), pl.col("unpriced") == 0, pl.col("billed"))
        .join(work.jobs, on="job_id", how="left")
        .join(work.classes.select("class_id", "prefix_tokens", "reads"), on="class_id", how="left")
        .with_columns(
            pl.col("send").fill_null(pl.col("job_id")),
            misses=1 - pl.max_horizontal("reads", pl.lit(WARM)),
            floor=pl.col("model").replace_strict(_floors(cells, work.book), default=None, return_dtype=pl.Int64),
            cached=pl.sum_horizontal(_CACHED),
            written=pl.sum_horizontal(_CACHED[1:]),
        )
    )
    # A primer is an attempt of the day of its bodies, even where midnight lies between them.
    known = known.with_columns(
        pl.col("day").min().over("class_id", "send").alias("send_day"),
        send_attempts=pl.col("attempts").sum().over("class_id", "send"),
    )
    return known.with_columns(
        primed_usd=_cheaper(known, _cached_by(known, _SEND), _SEND, work.book),
        grouped_usd=_cheaper(known, _cached_by(known, _DAY), _DAY, work.book),
        # What one send writes another of the day may read.
        plain_usd=_cheaper(known, _unmarked(known), _DAY, work.book),
        topped_usd=_cheaper(known, _topped(known), _SEND, work.book),
    )


def _cheaper(cells: pl.DataFrame, otherwise: pl.DataFrame, by: tuple[str, ...], book: PriceBook) -> pl.Series:
    """What the cells cost otherwise; what was paid, where all that is alike in `by` would not cost less."""
    both = cells.select(*by, "cost_usd").with_columns(usd=reprice(otherwise, book))
    less = pl.col("usd").sum().over(by) < pl.col("cost_usd").sum().over(by)
    return both.select(pl.when(less & pl.col("usd").is_not_null()).then("usd").otherwise("cost_usd")).to_series()


def _cached_by(cells: pl.DataFrame, by: tuple[str, ...]) -> pl.DataFrame:
    """The cells as if one request of all that is alike in `by` had written the prefix, and nearly all others read."""
    cached, written, attempts = (pl.col(name).sum().over(by) for name in ("cached", "written", "attempts"))
    marked = pl.col("attempts").filter(pl.col("cached") > 0).sum().over(by)
    # The prefix as it was cached; where nothing was, as it was estimated, if the model caches that.
    shared = pl.when(cached > 0).then(cached / marked).otherwise(pl.col("prefix_tokens"))
    open_to = (
        pl.when(cached > 0)
        # What others sent shares what it cached, as far as anybody can tell.
        .then((pl.col("prefix_tokens") >= _ALIKE * shared).fill_null(True))
        .otherwise(shared >= pl.col("floor"))
    ).fill_null(False)
    needed = pl.max_horizontal(pl.col("misses") * shared * attempts, shared)
    # Requests that cached nothing carry the prefix in their plain input.
    carried = pl.when(open_to & (pl.col("cached") == 0)).then(_prefix_of("prefix_tokens")).otherwise(0)
    lacking = pl.when(written < needed).then(needed - written).otherwise(0.0)
    # What a primed class misses at times is no leak.
    leaks = open_to & (written > pl.max_horizontal((1 - WARM) * cached, needed))
    needless = pl.when(leaks).then(1 - needed / written).otherwise(0.0)
    return _moved(
        cells.with_columns(
            less_5m=(pl.col("cache_write_5m_tokens") * needless).round().cast(pl.Int64),
            less_1h=(pl.col("cache_write_1h_tokens") * needless).round().cast(pl.Int64),
            carried=carried,
            writes=pl.min_horizontal(carried, lacking * carried / carried.sum().over(by).clip(1))
            .round()
            .cast(pl.Int64),
        )
    )


def _moved(cells: pl.DataFrame) -> pl.DataFrame:
    """Tokens moved from writes and from plain input to reads, and a part of the latter to writes for an hour."""
    reads = pl.col("less_5m") + pl.col("less_1h") + pl.col("carried") - pl.col("writes")
    return cells.with_columns(
        input_tokens=pl.col("input_tokens") - pl.col("carried"),
        cache_write_5m_tokens=pl.col("cache_write_5m_tokens") - pl.col("less_5m"),
        cache_write_1h_tokens=pl.col("cache_write_1h_tokens") - pl.col("less_1h") + pl.col("writes"),
        cache_read_tokens=pl.col("cache_read_tokens") + reads,
    )


def _unmarked(cells: pl.DataFrame) -> pl.DataFrame:
    """The cells as if no request had carried a mark: everything is plain input."""
    nothing = pl.lit(0, pl.Int64)
    return cells.with_columns(input_tokens=pl.col("input_tokens") + pl.col("cached"), **dict.fromkeys(_CACHED, nothing))


def _topped(cells: pl.DataFrame) -> pl.DataFrame:
    """The cells as if a prefix just below the floor had been filled up to it, and the class primed."""
    near = pl.col("prefix_tokens").is_between(NEAR_FLOOR * pl.col("floor"), pl.col("floor"), closed="left")
    open_to = (near & (pl.col("cached") == 0)).fill_null(False)
    filled = pl.when(open_to).then(pl.col("floor") * pl.col("attempts")).otherwise(0)
    writes = (filled * pl.max_horizontal("misses", 1 / pl.col("send_attempts"))).round().cast(pl.Int64)
    return cells.with_columns(
        input_tokens=pl.col("input_tokens") - pl.when(open_to).then(_prefix_of("prefix_tokens")).otherwise(0),
        cache_write_1h_tokens=pl.col("cache_write_1h_tokens") + writes,
        cache_read_tokens=pl.col("cache_read_tokens") + filled - writes,
    )


def _prefix_of(tokens: str) -> pl.Expr:
    """The tokens of the prefix in the plain input of a cell, never more than there are."""
    return pl.min_horizontal(pl.col(tokens).fill_null(0) * pl.col("attempts"), pl.col("input_tokens"))


def _floors(cells: pl.DataFrame, book: PriceBook) -> dict[str, int]:
    """The shortest prefix that is cached, of every model that the price book lists."""
    floors = {}
    for model in cells["model"].unique():
        try:
            floors[model] = book.model(model).cache_floor_tokens
        except UnknownModel:
            continue
    return floors
