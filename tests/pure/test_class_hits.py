"""Predicted beside actual for one class: what a prediction rested on is seen, and what is unknown is not drawn."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from core.charts import Figure, class_hits

SENT = datetime(2026, 11, 2, 9, tzinfo=UTC)
SCHEMA: dict[str, Any] = {
    "job_id": pl.String,
    "role": pl.String,
    "submitted_at": pl.Datetime("us", "UTC"),
    "items": pl.Int64,
    "hit_rate": pl.Float64,
    "predicted_hit_rate": pl.Float64,
    "prediction_basis": pl.String,
}


def jobs(*rows: dict[str, Any]) -> pl.DataFrame:
    """Rows of `class_jobs`, a day apart, the first one oldest."""
    usual = {"role": "body", "items": 90, "hit_rate": 0.95, "predicted_hit_rate": 0.9, "prediction_basis": "assumed"}
    return pl.DataFrame(
        [{"job_id": f"job{n}", "submitted_at": SENT + timedelta(days=n)} | usual | row for n, row in enumerate(rows)],
        schema=SCHEMA,
    )


def drawn(figure: Figure) -> list[dict[str, Any]]:
    """Every mark of the chart."""
    assert figure.chart is not None
    spec = figure.chart.to_dict()
    return [row for rows in spec["datasets"].values() for row in rows]


def test_each_prediction_shows_what_it_rested_on() -> None:
    """One assumed, one measured; both beside what came of them."""
    figure = class_hits(jobs({}, {"prediction_basis": "measured", "predicted_hit_rate": 0.97, "hit_rate": 0.93}))
    found = {(row["figure"], row["rate"]) for row in drawn(figure)}

    assert found == {
        ("actual", 0.95),
        ("actual", 0.93),
        ("predicted: assumed", 0.9),
        ("predicted: measured", 0.97),
    }
    assert figure.alt == (
        "Hit rate of 2 jobs by tokens: 93 % in the latest, predicted 97 %. Predictions were 4 points off in the mean."
    )


def test_what_was_not_predicted_has_no_tick() -> None:
    """A job from before predictions were kept has its dot alone."""
    figure = class_hits(jobs({"predicted_hit_rate": None, "prediction_basis": None}))

    assert [row["figure"] for row in drawn(figure)] == ["actual"]
    assert figure.alt.endswith("95 % in the latest; none had a prediction.")


def test_the_newest_of_many_jobs_are_drawn() -> None:
    """A year of jobs is not a year of dots."""
    figure = class_hits(jobs(*({} for _ in range(500))))

    assert len(drawn(figure)) == 400
    assert "job499" in str(drawn(figure))


def test_primers_and_plain_jobs_are_not_hit_rates() -> None:
    """A primer can only write, and a job without marks neither writes nor reads."""
    figure = class_hits(jobs({"role": "primer", "hit_rate": 0.0}, {"hit_rate": None}))

    assert figure.chart is None
    assert figure.empty == "No job of this class has read from the cache or written to it yet."
