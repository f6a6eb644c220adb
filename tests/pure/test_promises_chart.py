"""The picture of promises: what was promised beside what came, in few marks, and in words."""

from decimal import Decimal
from typing import Any

import polars as pl

from core.charts import Figure, promises

MONEY = pl.Decimal(38, 12)
USD = ("promised_usd", "realised_usd", "low_usd", "high_usd")


def rows(*savings: tuple[Any, ...]) -> pl.DataFrame:
    """Savings: name, promised, realised, low, high."""
    return pl.DataFrame(savings, schema={"name": pl.String, **dict.fromkeys(USD, MONEY)}, orient="row")


def saving(name: str, promised: int, realised: int | None) -> tuple[Any, ...]:
    """A saving whose range is two dollars wide."""
    if realised is None:
        return name, Decimal(promised), None, None, None
    return name, Decimal(promised), Decimal(realised), Decimal(realised - 1), Decimal(realised + 1)


def drawn(figure: Figure) -> dict[str, Any]:
    """The specification, which Altair holds to the schema of Vega-Lite."""
    assert figure.chart is not None
    spec: dict[str, Any] = figure.chart.to_dict()
    assert spec["description"] == figure.alt
    return spec


def test_the_words_say_what_fell_short() -> None:
    """Whoever cannot see the picture learns the sums, and which saving is surely less than promised."""
    figure = promises(rows(saving("Triage: priming", 40, 41), saving("Calls: batches", 30, 10)))

    assert "$51.00 realised of $70.00 promised so far" in figure.alt
    assert "Surely less than promised: Calls: batches." in figure.alt
    drawn(figure)


def test_what_cannot_be_judged_is_not_drawn() -> None:
    """Too early is no zero; and with nothing to judge the page says when there will be."""
    figure = promises(rows(saving("Triage: priming", 40, 41), saving("Calls: batches", 30, None)))
    assert len(next(iter(drawn(figure)["datasets"].values()))) == 1

    empty = promises(rows(saving("Calls: batches", 30, None)))
    assert empty.chart is None
    assert "five jobs on three days" in (empty.empty or "")


def test_a_picture_holds_nine_savings() -> None:
    """The newest nine: a tenth bar would be read by nobody."""
    figure = promises(rows(*(saving(f"Class {number}: priming", 10, 9) for number in range(12))))

    names = {row["name"] for data in drawn(figure)["datasets"].values() for row in data}
    assert names == {f"Class {number}: priming" for number in range(9)}
