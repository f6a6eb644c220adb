"""The waterfall from list price to paid: bars that meet, signs that are right, and the same in words."""

from decimal import Decimal
from typing import Any

import polars as pl

from core.charts import Figure, waterfall

SCHEMA: dict[str, Any] = {"step": pl.String, "usd": pl.Decimal(38, 12)}


def steps(**usd: str) -> pl.DataFrame:
    """Steps from the list price down; `paid` follows from them."""
    amounts = {step: Decimal(amount) for step, amount in usd.items()}
    paid = amounts["list"] - sum(amount for step, amount in amounts.items() if step != "list")
    return pl.DataFrame([*amounts.items(), ("paid", paid)], schema=SCHEMA, orient="row")


def bars(figure: Figure) -> list[dict[str, Any]]:
    """The rows behind the bars, from top to bottom."""
    assert figure.chart is not None
    (rows,) = figure.chart.to_dict()["datasets"].values()
    found: list[dict[str, Any]] = rows
    return found


def test_each_bar_begins_where_the_one_before_ended() -> None:
    """From the list price to zero, then lever by lever down to what was paid."""
    drawn = bars(waterfall(steps(list="100", routing="40", batch="30", caching="10")))
    assert [row["name"] for row in drawn] == ["list price", "routing", "batch", "caching", "paid"]
    levers = drawn[1:-1]
    assert [row["start"] for row in levers] == [100, 60, 30]
    assert [row["end"] for row in levers] == [60, 30, 20]
    assert (drawn[-1]["start"], drawn[-1]["end"]) == (0, 20)


def test_a_lever_that_cost_money_goes_the_other_way() -> None:
    """Cache writes that nobody read make the bill longer: another colour, a plus in the label, and it is said."""
    figure = waterfall(steps(list="10", batch="5", caching="-2"))
    caching = bars(figure)[2]
    assert (caching["kind"], caching["start"], caching["end"], caching["label"]) == (
        "cost more than it saved",
        5,
        7,
        "+$2.00",
    )
    assert "caching -$2.00" in figure.alt


def test_levers_of_zero_are_left_out() -> None:
    """A bar of no length tells nothing; the words leave it out too."""
    figure = waterfall(steps(list="10", routing="0", batch="5"))
    assert [row["name"] for row in bars(figure)] == ["list price", "batch", "paid"]
    assert "routing" not in figure.alt


def test_labels_add_up_by_eye() -> None:
    """Thousands and cents have the same decimals, and so have tenths of a cent; the axis never counts in milli."""
    for list_cost, batch, labels in (
        ("2431.84", "1810.61", ["$2,431.84", "-$1,810.61", "$621.23"]),
        ("0.00323", "0.00161", ["$0.00323", "-$0.00161", "$0.00162"]),
    ):
        figure = waterfall(steps(list=list_cost, batch=batch))
        assert [row["label"] for row in bars(figure)] == labels
        assert all(label.lstrip("-") in figure.alt for label in labels)
        assert figure.chart is not None
        axis = figure.chart.to_dict()["layer"][0]["encoding"]["x"]["axis"]
        assert not axis["format"].endswith("s"), "of the type s, 0.0005 is $500µ"


def test_the_words_say_what_the_picture_shows() -> None:
    """The text alternative has both ends, the share saved and every lever."""
    figure = waterfall(steps(list="100", batch="50", caching="30"))
    assert figure.alt == (
        "From $100.00 at list price, answered at once, uncached, to $20.00 paid, 80 % less. "
        "What each lever took off: batch $50.00 and caching $30.00."
    )
    assert figure.chart is not None
    assert figure.chart.to_dict()["description"] == figure.alt
    alone = waterfall(steps(list="10"))
    assert alone.alt.endswith("No lever took anything off.")


def test_without_work_it_says_what_to_do() -> None:
    """Nothing spent is no picture of nothing."""
    figure = waterfall(steps(list="0"))
    assert figure.chart is None
    assert figure.empty is not None
    assert "send a job" in figure.empty
