"""The chart of costs per unit: ranges where there are some, words for who cannot see it, and no more than fits."""

from typing import Any

import polars as pl

from core.charts import unit_bands
from core.charts.unit_bands import ROWS

SCHEMA: dict[str, Any] = {
    "name": pl.String,
    "unit": pl.String,
    "cost_usd": pl.Float64,
    "unit_cost_usd": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "word": pl.String,
}


def rows(*given: tuple[Any, ...]) -> pl.DataFrame:
    """Rows as the page gives them."""
    return pl.DataFrame(given, schema=SCHEMA, orient="row")


FIGURES = rows(
    ("Triage", None, 9.0, 0.001, 0.0, 0.002, "steady"),
    ("Invoices", "line", 30.0, 0.05, 0.04, 0.06, "moving"),
    ("Calls", None, 1.0, 0.002, None, None, "too little data"),
    ("Letters", "page", 5.0, None, None, None, "too little data"),
)


def drawn(frame: pl.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """What each layer draws, checked against the Vega-Lite schema."""
    figure = unit_bands(frame)
    assert figure.chart is not None
    spec = figure.chart.to_dict()
    assert spec["description"] == figure.alt
    return {layer["name"]: spec["datasets"][layer["data"]["name"]] for layer in spec["layer"]}


def test_the_words_name_the_dearest_its_range_and_what_is_steady() -> None:
    """Who cannot see the chart learns the same."""
    assert unit_bands(FIGURES).alt == (
        "Cost per 1,000 units of 3 rows, the dearest in all first: Invoices, per line $50.00 (between $40.00 and "
        "$60.00). Steady from week to week: 1."
    )


def test_a_range_that_begins_at_nothing_has_a_left_end() -> None:
    """A logarithm of zero is no place: the bar begins at the axis, and its words still say zero."""
    layers = drawn(FIGURES)

    (triage,) = [row for row in layers["ranges"] if row["row"] == "Triage"]
    assert (triage["low"], triage["high"]) == (0.0, 2.0)
    assert 0 < triage["low_drawn"] < triage["cost"]
    assert {row["row"] for row in layers["ranges"]} == {"Triage", "Invoices, per line"}
    assert {row["row"] for row in layers["costs"]} == {"Triage", "Invoices, per line", "Calls"}


def test_only_what_costs_most_is_drawn() -> None:
    """A picture is read in five seconds; the table beside it has all rows."""
    many = rows(*((f"Class {n}", None, float(n), 0.01, None, None, "moving") for n in range(1, 40)))

    layers = drawn(many)

    assert [row["row"] for row in layers["costs"]] == [f"Class {n}" for n in range(39, 39 - ROWS, -1)]
    assert unit_bands(FIGURES.clear()).chart is None
    assert unit_bands(FIGURES.filter(name="Letters")).empty
