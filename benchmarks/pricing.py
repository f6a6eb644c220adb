"""Pricing a million attempts exactly, against a sum of the same columns."""

import numpy as np
import polars as pl

from benchmarks.timing import Ratio, compare
from core.prices import PriceBook
from core.prices.costs import price_attempts

_ROWS = 1_000_000
_COUNTS = (
    "input_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "cache_read_tokens",
    "output_tokens",
    "web_searches",
)


def measure() -> list[Ratio]:
    """A year of every model, tier and place, both sides of every cliff; to be priced in less than 2 s."""
    book = PriceBook.load()
    attempts = _attempts([model.id for model in book.models()])
    return [
        compare(
            "price 1,000,000 attempts, exactly",
            lambda: price_attempts(attempts, book),
            "sum the same columns",
            lambda: attempts.select(pl.col(_COUNTS).sum()),
            goal="<= 200, and < 2 s",
        )
    ]


def _attempts(models: list[str]) -> pl.DataFrame:
    rng = np.random.default_rng(7)

    def drawn(*values: str | None, weights: list[float] | None = None) -> pl.Series:
        return pl.Series(values).gather(rng.choice(len(values), _ROWS, p=weights))

    seconds = rng.integers(0, 320 * 86_400, _ROWS).astype("timedelta64[s]")
    return pl.DataFrame(
        {
            "model": drawn(*models),
            "at": pl.Series(np.datetime64("2026-01-01", "us") + seconds).dt.replace_time_zone("UTC"),
            "outcome": drawn("succeeded", "errored", "expired", weights=[0.96, 0.02, 0.02]),
            "stop_reason": drawn("end_turn", "max_tokens", "refusal", weights=[0.97, 0.02, 0.01]),
            "refusal_category": drawn(None, "cyber", "bio"),
            "input_tokens": rng.integers(1, 5_000, _ROWS),
            "cache_write_5m_tokens": rng.integers(0, 2, _ROWS) * 4_000,
            "cache_write_1h_tokens": rng.integers(0, 2, _ROWS) * 4_000,
            "cache_read_tokens": rng.integers(0, 220_000, _ROWS),
            "output_tokens": rng.integers(0, 1_000, _ROWS),
            "web_searches": rng.integers(0, 2, _ROWS),
            "service_tier": drawn("batch", "standard", None),
            "inference_geo": drawn("us", "global"),
        }
    )
