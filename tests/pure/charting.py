"""Days of work as charts take them, and what a chart says to the browser."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from core.charts import Figure
from core.charts.steps import Step

FIRST = date(2026, 10, 1)
STEP = FIRST + timedelta(days=20)

COUNTS = ("attempts", "units", "failures", "reruns")
TOKENS = ("input_tokens", "cache_write_tokens", "cache_read_tokens", "output_tokens")
DAY_SCHEMA: dict[str, Any] = (
    {"day": pl.Date, "class_id": pl.String, "class_name": pl.String, "model": pl.String}
    | dict.fromkeys(COUNTS, pl.Int64)
    | {"cost_usd": pl.Decimal(38, 12), "wasted_usd": pl.Decimal(38, 12)}
    | dict.fromkeys(TOKENS, pl.Int128)
)


def days(*rows: dict[str, Any]) -> pl.DataFrame:
    """Rows of `unit_cost_day`; what a test does not name is ordinary."""
    names = {"class_id": "c1", "class_name": "Triage", "model": "claude-haiku-5-5"}
    counts = {"attempts": 100, "units": 100, "failures": 0, "reruns": 0}
    tokens = dict(zip(TOKENS, (1_000, 1_000, 9_000, 500), strict=True))
    usual = {"day": FIRST, **names, **counts, **tokens, "cost_usd": Decimal("0.5"), "wasted_usd": None}
    return pl.DataFrame([usual | row for row in rows], schema=DAY_SCHEMA)


def trend() -> pl.DataFrame:
    """Two classes over 40 days; "Invoices" costs four times as much from `STEP` on and reads nothing more."""
    stretch = [FIRST + timedelta(days=number) for number in range(40)]
    before = {"class_id": "c2", "class_name": "Invoices"}
    after = before | {"cost_usd": Decimal(2), "cache_read_tokens": 0}
    invoices = [{"day": day} | (after if day >= STEP else before) for day in stretch]
    return days(*({"day": day} for day in stretch), *invoices)


def step(**stated: Any) -> Step:
    """The step of "Invoices" in `trend()`; what a test states is otherwise."""
    usual: dict[str, Any] = {
        "class_name": "Invoices",
        "day": STEP,
        "before_usd": 0.005,
        "after_usd": 0.02,
        "weekly_usd": 10.5,
    }
    return Step(**usual | stated)


def spec_of(drawn: Figure) -> dict[str, Any]:
    """The specification that the browser gets."""
    assert drawn.chart is not None
    spec: dict[str, Any] = drawn.chart.to_dict()
    return spec
