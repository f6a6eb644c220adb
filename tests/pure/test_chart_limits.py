"""Charts at their limits: more series than colours, and times below a second."""

import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from core.charts import Figure, failures, predicted_actual, spend, turnaround
from tests.pure.charting import FIRST, days
from tests.pure.test_charts import SENT, failed, jobs


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_two_series_share_a_colour(checkout: Path, theme: str) -> None:
    """Classes and causes beyond the palette are one series, which has a colour of its own."""
    palette = tomllib.loads((checkout / ".streamlit" / "config.toml").read_text("utf-8"))["theme"][theme]
    names = [f"Class {n}" for n in range(9)]
    drawn = {
        "series": predicted_actual(jobs(*({"job_id": name, "class_name": name} for name in names))),
        "cause": failures(failed(*((FIRST, name, 1, "0") for name in names))),
        "class_name": spend(days(*({"class_id": name, "class_name": name} for name in names))),
    }

    for field, figure in drawn.items():
        rows = [row for rows in _datasets(figure).values() for row in rows]
        found = {row[field] for row in rows if field in row}
        assert len(found) == len(palette["chartCategoricalColors"])
        assert any(name.startswith("4 other") for name in found)


def test_a_job_of_less_than_a_second_has_a_place() -> None:
    """A zero on a logarithmic axis would take every other dot with it."""
    (rows,) = _datasets(turnaround(jobs({"ended_at": SENT + timedelta(milliseconds=200)}))).values()

    assert rows[0]["hours"] == pytest.approx(0.2 / 3600, rel=1e-3)


def _datasets(figure: Figure) -> dict[str, list[dict[str, Any]]]:
    assert figure.chart is not None
    found: dict[str, list[dict[str, Any]]] = figure.chart.to_dict()["datasets"]
    return found
