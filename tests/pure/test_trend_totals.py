"""Days summed up: ratios of sums, one unit for all or usable items, and nothing known is nothing, not zero."""

from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from core.trends.totals import USABLE, in_one_unit, totals, unit_of

_COUNTS = (
    "attempts",
    "units",
    "usable",
    "failures",
    "reruns",
    "unpriced",
    "cache_read_tokens",
    "cache_write_tokens",
    "input_tokens",
    "output_tokens",
)
_MONEY = ("cost_usd", "counted_usd", "wasted_usd")


def days(*rows: dict[str, Any]) -> pl.DataFrame:
    """Rows of `trend_days`, as far as they are summed; what a test does not name is nothing."""
    schema: dict[str, Any] = {"day": pl.Date, "class_name": pl.String, "unit": pl.String}
    schema |= dict.fromkeys(_COUNTS, pl.Int64) | dict.fromkeys(_MONEY, pl.Decimal(38, 12))
    usual = {"day": date(2026, 11, 2), "class_name": "Triage", "unit": USABLE} | dict.fromkeys(_COUNTS, 0)
    return pl.DataFrame([usual | row for row in rows], schema=schema)


def one(frame: pl.DataFrame) -> dict[str, Any]:
    """The only row."""
    assert frame.height == 1
    return frame.row(0, named=True)


def test_ratios_are_those_of_the_sums() -> None:
    """A day of one item does not weigh as much as a day of a thousand."""
    small = {"attempts": 1, "units": 1, "usable": 1, "cost_usd": Decimal(9), "counted_usd": Decimal(9)}
    large = {
        "attempts": 1_001,
        "units": 999,
        "usable": 999,
        "failures": 2,
        "reruns": 1,
        "cost_usd": Decimal(991),
        "counted_usd": Decimal(991),
        "cache_read_tokens": 900,
        "cache_write_tokens": 100,
    }
    total = one(totals(days(small, large)))

    assert Decimal(1_000) == total["cost_usd"]
    assert total["unit_cost_usd"] == pytest.approx(1)
    assert total["hit_rate"] == pytest.approx(0.9)
    assert total["failed_share"] == pytest.approx(2 / 1_002)
    assert total["rerun_share"] == pytest.approx(1 / 1_002)
    assert total["input_each"] == pytest.approx(1_000 / 1_002)


def test_lines_sum_to_the_whole_dearest_first() -> None:
    """Whatever the rows are told apart by, nothing is lost."""
    frame = days(
        {"class_name": "Calls", "attempts": 3, "cost_usd": Decimal(1)},
        {"class_name": "Triage", "attempts": 4, "cost_usd": Decimal(5)},
        {"class_name": "Triage", "attempts": 5, "cost_usd": None},
        {"class_name": "Unpriced", "attempts": 6, "cost_usd": None},
    )
    lines = totals(frame, "class_name")

    assert lines["class_name"].to_list() == ["Triage", "Calls", "Unpriced"]
    assert lines["cost_usd"].to_list() == [Decimal(5), Decimal(1), None]
    assert lines["attempts"].sum() == one(totals(frame))["attempts"]


def test_what_is_not_known_is_not_zero() -> None:
    """Nothing but unknown costs have no sum, and nothing is divided by nothing."""
    total = one(totals(days({"attempts": 2, "cost_usd": None, "counted_usd": None})))

    assert total["cost_usd"] is None
    assert total["unit_cost_usd"] is None
    assert total["hit_rate"] is None


def test_classes_that_count_differently_share_usable_items() -> None:
    """Output tokens and items have no sum: together, every class counts usable items; alone, its own unit."""
    tokens = {
        "unit": "output token",
        "units": 5_000,
        "usable": 10,
        "attempts": 10,
        "cost_usd": Decimal(4),
        "counted_usd": Decimal(3),
    }
    items = {"units": 10, "usable": 10, "attempts": 10, "cost_usd": Decimal(2), "counted_usd": Decimal(2)}

    assert unit_of(days(tokens)) == "output token"
    assert one(totals(days(tokens)))["unit_cost_usd"] == pytest.approx(3 / 5_000)
    both = days(tokens, items)
    assert unit_of(both) == USABLE
    assert in_one_unit(both)["units"].to_list() == [10, 10]
    assert one(totals(both))["unit_cost_usd"] == pytest.approx(6 / 20)
