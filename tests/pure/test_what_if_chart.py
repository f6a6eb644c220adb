"""The chart of a scenario: it says what it draws, and draws what happened beside it."""

import polars as pl

from core.charts import what_if

FIGURES = pl.DataFrame(
    [
        {"what": "scenario", "figure": "cost_usd", "p10": 8.0, "p50": 9.0, "p90": 11.0},
        {"what": "actual", "figure": "cost_usd", "p10": 12.0, "p50": 12.0, "p90": 12.0},
        {"what": "scenario", "figure": "rerun_usd", "p10": 0.0, "p50": 0.5, "p90": 1.0},
        {"what": "scenario", "figure": "hours", "p10": 1.0, "p50": 2.0, "p90": 3.0},
    ]
)


def test_the_words_name_the_range_and_what_happened() -> None:
    """Who cannot see the chart learns the same: medians with their ranges, and the truth without one."""
    drawn = what_if(FIGURES)

    assert drawn.alt == (
        "Cost in all: this scenario $9.00 ($8.00 to $11.00) and what happened $12.00; medians with the range of eight "
        "in ten draws. Of it for reruns: $0.50 (this scenario)."
    )


def test_only_dollars_are_drawn_and_nothing_says_what_to_do() -> None:
    """Hours and shares have no place on an axis of dollars; without figures there is a sentence."""
    drawn = what_if(FIGURES)
    assert drawn.chart is not None
    (rows,) = drawn.chart.to_dict()["datasets"].values()

    assert {row["part"] for row in rows} == {"cost in all", "of it, reruns"}
    assert what_if(FIGURES.clear()).chart is None
