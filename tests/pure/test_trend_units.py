"""Work whose unit is not the item: what moved is put down to what moved it, in one unit throughout."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest

from core.trends.anomalies import LEARNED_DAYS, LEAST_KNOWN, usual
from core.trends.attribution import attribute, attribute_unit_cost
from core.trends.measures import UNIT_COST
from core.trends.movements import movements
from core.trends.sentences import unit_sentences
from core.trends.steps import _interval
from tests.pure.test_attribution import BOOK, SCHEMA, USUAL

TODAY = date(2026, 11, 2)
MODEL = "claude-sonnet-4-6"


def sent(ago: int, *, output: int, unit: str, units: int, uncounted: int = 0, items: int = 2_000) -> dict[str, Any]:
    """A job of so many items, so many days before the end, every one of which is usable."""
    rates = BOOK.rates(MODEL, at=datetime(2026, 11, 1, tzinfo=UTC))
    row = {"job_id": f"j{ago}", "class_id": "c", "class_name": "Pages", "model": MODEL, "attempts": items}
    cached = {"cache_write_1h_tokens": 0, "cache_read_tokens": 0}
    tokens = {"input_tokens": 500 * items, "output_tokens": output * items, **cached}
    cost = tokens["input_tokens"] * rates.input + tokens["output_tokens"] * rates.output
    counted = {"unit": unit, "units": units, "uncounted": uncounted, "cost_usd": cost}
    return USUAL | row | tokens | counted | {"day": TODAY - timedelta(days=ago)}


def frame(*rows: dict[str, Any]) -> pl.DataFrame:
    """Cells of them."""
    return pl.DataFrame(list(rows), schema=SCHEMA, orient="row")


def test_longer_answers_are_no_failures_where_the_unit_is_a_token() -> None:
    """Nothing failed and nothing was asked again: twice the tokens an item are units in an item, and longer output."""
    before = frame(sent(9, output=100, unit="output token", units=200_000))
    after = frame(sent(2, output=200, unit="output token", units=400_000))

    spend, each = attribute(before, after, book=BOOK), attribute_unit_cost(before, after, book=BOOK)

    assert each is not None
    for split in (spend, each):
        assert split.amount("reruns") == 0
        assert split.amount("output") > 0
        assert split.amount("units_per_item") < 0
        assert sum((part.amount for part in split.parts), Decimal(0)) == split.after_usd - split.before_usd
    assert next(unit_sentences(each)).startswith("The cost of 1,000 output tokens fell from")


def test_a_line_is_counted_in_one_unit_throughout() -> None:
    """The pages of old items are not known: dollars a month are what they are, not a tenth of it."""
    rng = np.random.default_rng(1)
    rows = []
    for ago in range(90, 0, -1):
        output, old = round((150 if ago <= 20 else 100) * rng.lognormal(0, 0.03)), ago > 60
        rows.append(sent(ago, output=output, unit="page", units=0 if old else 20_000, uncounted=2_000 if old else 0))
    cells = frame(*rows)

    def spent(first: int, last: int) -> float:
        days = pl.col("day").is_between(TODAY - timedelta(days=first), TODAY - timedelta(days=last))
        return float(cells.filter(days)["cost_usd"].sum())

    (step,) = (one for one in movements(cells, book=BOOK, today=TODAY) if one.kind == "step")
    assert float(step.usd_month) == pytest.approx((spent(20, 1) - spent(40, 21)) / 20 * 30, rel=0.03)


@pytest.mark.parametrize("count", [5, 8, 15, 25])
def test_the_interval_of_a_step_holds_what_is_true(count: int) -> None:
    """Nine times of ten, or nearly, however few days there are on either side; and one day says nothing."""
    rng = np.random.default_rng(count)
    held = 0
    for _ in range(100):
        sides = [
            pl.DataFrame({"cost_usd": level * rng.lognormal(0, 0.15, count), "units": np.ones(count)})
            for level in (1.0, 1.3)
        ]
        low, high = _interval((sides[0], sides[1]), UNIT_COST)
        held += low <= 0.3 * np.exp(0.15**2 / 2) <= high
    assert held >= 83
    alone = pl.DataFrame({"cost_usd": [1.0], "units": [1.0]})
    assert _interval((alone, sides[1]), UNIT_COST) == (-np.inf, np.inf)


@pytest.mark.parametrize(("spread", "weekdays"), [(0.25, range(7)), (0.15, (0, 3)), (0.2, (0,))])
def test_noise_alone_raises_few_flags(spread: float, weekdays: tuple[int, ...]) -> None:
    """A right tail is no alarm: fewer than one flagged day a quarter, none before six weeks or from few values."""
    rng = np.random.default_rng(5)
    flags = 0
    for _ in range(60):
        values = rng.lognormal(0, spread, 118)
        values[~np.isin(np.arange(118) % 7, list(weekdays))] = np.nan
        found = usual(values).flagged(values)
        assert not found[:LEARNED_DAYS].any()
        flags += int(found.sum())
    assert flags <= 60
    if len(weekdays) * 8 < LEAST_KNOWN:
        assert flags == 0
