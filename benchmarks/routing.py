"""What a class costs on each model, and how surely a cascade of two is no worse than its bar.

The prompts are real: 115 prefixes with their items, planned for each model with its own tokens, floor and prices, on
which caching surely works. The outcomes of the cascade are drawn: both models just under the bar, and a score that says
nothing, so that every threshold is as good as any other and whatever clears does so by chance.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.certification import BORDER, ERROR, RATE, SHARED
from benchmarks.timing import Ratio
from core.caching.learned import HISTORY_SCHEMA, Learned
from core.prices import PriceBook
from core.routing.cascade import best_cascade
from core.routing.stage import Stage
from core.routing.verdict import Bar, Ruling
from core.routing.whole_cost import TierCost, tier_costs
from core.settings import Settings
from core.sizing.evidence import Evidence

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TODAY, LARGER = "claude-haiku-4-5", "claude-sonnet-5-5"
MODELS = (TODAY, "claude-haiku-5-5", LARGER, "claude-sonnet-4-6", "claude-opus-5-5")
REPLAYS, LABELS = 500, 1_000

_OUTPUT_TOKENS = 60.0
_CHARS_A_TOKEN = 4
_MARK_BYTES = 40
# Primed bodies that were all read, and primers that are back within the hour.
_READ = pl.DataFrame(
    {"class_id": "", "model": "", "hit_rate": 1.0, "items": 100, "age_days": 0.0}, schema=HISTORY_SCHEMA
)
_SURE = Evidence(learned=Learned(history=_READ.select(pl.all().repeat_by(500).explode()), alive={"5m": 0.0, "1h": 1.0}))


def measure() -> Iterator[Ratio]:
    """Print the table of models; then the figures that were promised."""
    found = [(items.height, costs(items, *MODELS)) for items in classes()]
    print(f"{len(found)} classes, {sum(n for n, _ in found):,} items: dollars without caching, with the cheapest plan")
    for place, model in enumerate(MODELS):
        plain, planned = (
            sum(n * _known(getattr(of[place], name)) for n, of in found) for name in ("plain_usd", "item_usd")
        )
        print(f"  {model:<20} {plain:8.2f} {planned:8.2f}")
    cheaper = sum(_known(of[MODELS.index(LARGER)].item_usd) < _known(of[0].item_usd) for _, of in found)
    yield Ratio(
        name=f"classes in which {LARGER} is cheaper than {TODAY}",
        seconds=cheaper,
        against="reference",
        against_seconds=29,
        ratio=cheaper / 29,
        goal="0.9 to 1.1",
        unit="classes",
    )
    wrong = false_clears(REPLAYS)
    yield Ratio(
        name=f"cascade: false clears at {BORDER}",
        seconds=wrong,
        against="accepted",
        against_seconds=ERROR,
        ratio=wrong / ERROR,
        goal="<= 1",
        unit="",
    )


def classes(folder: Path = SHARED) -> Iterator[pl.DataFrame]:
    """The items of each real prefix, as if all ran on `TODAY`, with answers of 60 tokens."""
    groups = pl.read_parquet(folder / "workloads" / "groups.parquet").sort("group_id")
    return (_class(row) for row in groups.iter_rows(named=True))


def costs(items: pl.DataFrame, *models: str) -> tuple[TierCost, ...]:
    """What these items cost on the models where jobs cost next to nothing besides."""
    free = Settings(job_cost_usd=Decimal(0))
    book = PriceBook.load()
    return tier_costs(items, models, qualities={}, book=book, settings=free, now=NOW, evidence=_SURE)


def false_clears(replays: int) -> float:
    """How often a cascade whose blend is under the bar clears it, with a look after every label."""
    bar, small, large = Bar(rate=RATE), _stage("small", 1.0), _stage("large", 8.0)
    found = (best_cascade(_under_the_bar(seed), small, large, items=1_000, bar=bar).verdict for seed in range(replays))
    return sum(verdict is not None and verdict.ruling is Ruling.CLEARS for verdict in found) / replays


def _under_the_bar(seed: int) -> pl.DataFrame:
    drawn = np.random.default_rng(seed).random((3, LABELS))
    return pl.DataFrame(
        {
            "order": np.arange(LABELS),
            "small_ok": drawn[0] < BORDER,
            "large_ok": drawn[1] < BORDER,
            "small_score": drawn[2],
        }
    )


def _stage(model: str, usd: float) -> Stage:
    sizes = np.array([1.0, 1_000.0])
    return Stage(model=model, sizes=sizes, usd=usd * sizes, seconds=900.0)


def _class(row: Mapping[str, Any]) -> pl.DataFrame:
    tokens, n = row["prefix_tok"], row["n"]
    prefix, behind = _CHARS_A_TOKEN * tokens, round(_CHARS_A_TOKEN * row["suffix_tok_sum"] / n)
    item = pl.int_range(n, eager=True)
    return pl.DataFrame(
        {
            "item_id": item.cast(pl.String),
            "chain": pl.Series([[1, 2, 3 + number] for number in range(n)], dtype=pl.List(pl.UInt64)),
            "payload_bytes": prefix + behind + item % 10,
        }
    ).with_columns(
        class_id=pl.lit(row["group_id"]),
        class_name=pl.lit(row["group_id"]),
        model=pl.lit(TODAY),
        prefix_blocks=1,
        cut_chars=pl.lit(0, pl.Int64),
        prefix_chars=pl.lit(prefix, pl.Int64),
        prefix_tokens=pl.lit(float(tokens)),
        prefix_key=pl.lit(f"{2:016x}"),
        cacheable=pl.lit(tokens >= PriceBook.load().model(TODAY).cache_floor_tokens),
        split_agreed=pl.lit(value=False),
        preview=pl.lit(""),
        max_tokens=200,
        chars=pl.lit(prefix + behind, pl.Int64),
        depths=pl.lit(pl.Series([[0, prefix, prefix + behind]])).first(),
        overheads=pl.lit(pl.Series([[0, _MARK_BYTES, _MARK_BYTES]], dtype=pl.List(pl.Int16))).first(),
        output_tokens=pl.lit(_OUTPUT_TOKENS),
        suffix_ratio=pl.lit(1 / _CHARS_A_TOKEN),
    )


def _known(usd: float | None) -> float:
    assert usd is not None
    return usd
