"""What attempts cost: exact decimals from the price of their day, one at a time, in bulk, or predicted."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import polars as pl

from core.errors import LotwiseError
from core.prices import NaiveTime, PriceBook
from core.prices.book import MONEY, utc

FREE_OUTCOMES = ("errored", "canceled", "expired")
"""Outcomes that are never billed ("Batch processing", checked 2026-09-26)."""

BILLED_REFUSALS = ("bio", "frontier_llm", "reasoning_extraction")
"""Categories whose refusals are billed even before any output ("Refusals", checked 2026-09-26)."""

BILLED_REFUSALS_SINCE = datetime(2026, 9, 24, tzinfo=UTC)
"""Before this day no refusal without output was billed (Release notes of 2026-09-24)."""

_COUNTS = (
    "input_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "cache_read_tokens",
    "output_tokens",
    "web_searches",
)
_RATES = ("input", "cache_write_5m", "cache_write_1h", "cache_read", "output", "web_search")
_ALWAYS = ("input_tokens", "output_tokens")
_WORDS = ("model", "outcome", "stop_reason", "refusal_category", "service_tier", "inference_geo")


class UnknownOutcome(LotwiseError):
    """This outcome is not one Lotwise knows, so what it costs is not certain. Look at the result itself."""


class NegativeCount(LotwiseError):
    """This usage counts less than nothing, so what it costs is not certain. Look at the result itself."""


@dataclass(frozen=True, kw_only=True)
class Usage:
    """The billed counts of one attempt.

    A result without the 5-minute/1-hour split of its cache writes belongs in `cache_write_5m_tokens`.
    """

    input_tokens: int = 0
    """Only what was neither written to the cache nor read from it."""
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    cache_read_tokens: int = 0
    output_tokens: int = 0
    web_searches: int = 0
    service_tier: str | None = None
    """None means batch: batch results may leave it out. Any tier but batch is priced at standard rates."""
    inference_geo: str | None = None

    @property
    def total_input_tokens(self) -> int:
        """All input of the request, cached or not: what a price cliff is measured against."""
        return self.input_tokens + self.cache_write_5m_tokens + self.cache_write_1h_tokens + self.cache_read_tokens


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a class of similar work should cost as one batch, in USD."""

    plain_usd: Decimal
    """Without caching."""
    primed_usd: Decimal
    """One item writes the prefix for an hour, all others read it; equal to plain where nothing is cached."""
    cacheable: bool
    """Whether the prefix reaches the model's cache floor."""


def billed(
    outcome: str,
    *,
    stop_reason: str | None,
    refusal_category: str | None,
    output_tokens: int,
    at: datetime,
) -> bool:
    """Whether an attempt is charged: all that succeeded, except most refusals before any output."""
    instant = utc(at)
    if outcome in FREE_OUTCOMES:
        return False
    if outcome != "succeeded":
        raise UnknownOutcome(outcome=outcome)
    if stop_reason == "refusal" and output_tokens == 0:
        return refusal_category in BILLED_REFUSALS and instant >= BILLED_REFUSALS_SINCE
    return True


def attempt_cost(
    book: PriceBook,
    usage: Usage,
    *,
    model: str,
    at: datetime,
    outcome: str = "succeeded",
    stop_reason: str | None = None,
    refusal_category: str | None = None,
) -> Decimal:
    """The exact cost of one attempt in USD; zero, whatever its model, where nothing is billed."""
    instant = utc(at)
    if not billed(
        outcome,
        stop_reason=stop_reason,
        refusal_category=refusal_category,
        output_tokens=usage.output_tokens,
        at=instant,
    ):
        return Decimal(0)
    if min(getattr(usage, count) for count in _COUNTS) < 0:
        raise NegativeCount(model=model, at=instant.isoformat())
    rates = book.rates(
        model,
        at=instant,
        total_input_tokens=usage.total_input_tokens,
        batch=usage.service_tier in (None, "batch"),
        geo=usage.inference_geo,
    )
    return (
        usage.input_tokens * rates.input
        + usage.cache_write_5m_tokens * rates.cache_write_5m
        + usage.cache_write_1h_tokens * rates.cache_write_1h
        + usage.cache_read_tokens * rates.cache_read
        + usage.output_tokens * rates.output
        + usage.web_searches * rates.web_search
    )


def price_attempts(frame: pl.DataFrame, book: PriceBook) -> pl.DataFrame:
    """Add `cost_usd` to a frame of attempts, in their order and equal to `attempt_cost` row by row.

    The column is Decimal(38, 12): rates have at most 12 decimals and counts are whole, so nothing is rounded.
    A cost that cannot be known is null, never zero: a model without prices, no price on that day, no or an unknown
    outcome; and where it is billed, a negative count, or no count of input or output, which every message has. Any
    other count that is null is taken as zero, a null `service_tier` as batch.
    """
    if getattr(frame.schema["at"], "time_zone", None) is None:
        raise NaiveTime(column="at")
    rates = book.rate_frame()
    codes = {model: code for code, model in enumerate(rates["model"].unique())}
    instants = pl.concat([rates["valid_from"], rates["valid_to"].drop_nulls()]).unique().sort()
    sizes = rates["min_input_tokens"].unique().sort()
    attempts = frame.select(
        pl.col("at").dt.convert_time_zone("UTC").dt.cast_time_unit("us"),
        pl.col(_WORDS).cast(pl.String),
        pl.col(_COUNTS).cast(pl.Int64),
    )
    names = book.priced_names(attempts["model"].drop_nulls().unique())
    priced = attempts.select(
        *("at", "outcome", "stop_reason", "refusal_category", *_COUNTS),
        _piece(
            pl.col("model").replace_strict({name: codes.get(model) for name, model in names.items()}, default=None),
            batch=(pl.col("service_tier") == "batch").fill_null(True),
            geo_us=pl.col("inference_geo").eq_missing("us"),
            since=instants.search_sorted(attempts["at"], side="right"),
            over=sizes.search_sorted(attempts.select(pl.sum_horizontal(_COUNTS[:4])).to_series(), side="right"),
        ),
    ).join(_pieces(rates, codes, instants, sizes), on="piece", how="left", maintain_order="left")
    known = (pl.col("outcome") == "succeeded") & pl.col("at", "input", *_ALWAYS).is_not_null()
    return frame.with_columns(
        priced.select(
            pl.when(_free())
            .then(pl.lit(Decimal(0), MONEY))
            .when(known, pl.min_horizontal(_COUNTS) >= 0)
            .then(_cost())
            .alias("cost_usd")
        ).to_series()
    )


def class_cost(
    book: PriceBook,
    *,
    model: str,
    at: datetime,
    items: int,
    prefix_tokens: int,
    suffix_tokens: float | Decimal,
    output_tokens: float | Decimal,
    geo: str | None = None,
) -> Prediction:
    """Predict a class of `items` that share a prefix; `suffix_tokens` and `output_tokens` are means per item.

    Every item is taken to have the mean size: a class whose items straddle a price cliff is approximated.
    """
    suffix, output = Decimal(str(suffix_tokens)), Decimal(str(output_tokens))
    rates = book.rates(model, at=at, total_input_tokens=prefix_tokens + math.ceil(suffix), geo=geo)
    cacheable = prefix_tokens >= book.model(model).cache_floor_tokens

    def item(prefix_rate: Decimal) -> Decimal:
        return prefix_tokens * prefix_rate + suffix * rates.input + output * rates.output

    plain = items * item(rates.input)
    primed = item(rates.cache_write_1h) + (items - 1) * item(rates.cache_read) if items else Decimal(0)
    return Prediction(plain_usd=plain, primed_usd=primed if cacheable else plain, cacheable=cacheable)


def _free() -> pl.Expr:
    """`billed`, negated, as an expression; false where the outcome or the time is not known."""
    category = pl.col("refusal_category").is_in(BILLED_REFUSALS).fill_null(False)
    refused = (pl.col("stop_reason") == "refusal").fill_null(False) & (pl.col("output_tokens") == 0)
    unbilled = refused & ~(category & (pl.col("at") >= BILLED_REFUSALS_SINCE))
    outcome = pl.col("outcome")
    return (outcome.is_in(FREE_OUTCOMES) | ((outcome == "succeeded") & unbilled)).fill_null(False)


def _cost() -> pl.Expr:
    """Counts times rates; whole numbers times decimals, so the sum is exact."""
    return pl.sum_horizontal(
        pl.col(count).cast(pl.Decimal(38, 0)) * pl.col(rate) for count, rate in zip(_COUNTS, _RATES, strict=True)
    ).cast(MONEY)


def _pieces(rates: pl.DataFrame, codes: dict[str, int], instants: pl.Series, sizes: pl.Series) -> pl.DataFrame:
    """Rates cut at every instant and at every size of request at which any of them changes: so each piece is found by
    how many of these bounds it has reached, and is one number.
    """
    return (
        rates.join(pl.DataFrame({"instant": instants}).with_row_index("since", offset=1), how="cross")
        .join(pl.DataFrame({"size": sizes}).with_row_index("over", offset=1), how="cross")
        .filter(
            pl.col("instant") >= pl.col("valid_from"),
            (pl.col("instant") < pl.col("valid_to")).fill_null(True),
            pl.col("size") >= pl.col("min_input_tokens"),
            (pl.col("size") <= pl.col("max_input_tokens")).fill_null(True),
        )
        .select(
            _piece(
                pl.col("model").replace_strict(codes),
                batch=pl.col("batch"),
                geo_us=pl.col("geo_us"),
                since=pl.col("since"),
                over=pl.col("over"),
            ),
            *_RATES,
        )
    )


def _piece(
    model: pl.Expr, *, batch: pl.Expr, geo_us: pl.Expr, since: pl.Expr | pl.Series, over: pl.Expr | pl.Series
) -> pl.Expr:
    """All of it in one number, which is quick to join on; no price book has 65,536 dates or cliffs."""
    where = (model.cast(pl.Int64) * 2 + batch) * 2 + geo_us
    return ((where * 2**16 + since) * 2**16 + over).alias("piece")
