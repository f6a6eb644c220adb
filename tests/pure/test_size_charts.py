"""The charts of sizing: what they show is what was reckoned, they stay small, and their words say the same."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from core.charts import Figure, blast, deadline, gantt, size_costs
from core.charts.figure import MARKS
from core.charts.gantt import LANES, SPANS
from core.charts.size_costs import SIZE_HUES
from core.sizing.job_costs import JobCosts

SENT = datetime(2026, 11, 22, 20, tzinfo=UTC)
COSTS = JobCosts(hot_usd=0.000925, once_usd=0.0068, job_usd=0.25, void_rate=1e-5, fault_rate=0.005)
BEST = COSTS.best(100_000)
LOW, HIGH = COSTS.flat_range(100_000)


def curve(first: int = 100, last: int = 100_000) -> pl.DataFrame:
    """A class's curve, as a study gives it."""
    items = np.unique(np.geomspace(first, last, 119).round().astype(np.int64))
    parts = COSTS.parts(items)
    return pl.DataFrame(
        {
            "items": items,
            "price_usd": parts.price_usd,
            "fixed_usd": parts.fixed_usd,
            "rerun_usd": parts.rerun_usd,
            "at_risk_usd": COSTS.at_risk_usd(items),
            "at_risk_hours": 0.25 * (items / 1_000) ** 0.2,
            "on_time": np.clip(1.02 - 0.02 * (items / 1_000) ** 0.7, 0, 1),
        }
    )


def costs(**bounds: int) -> Figure:
    """The chart of costs, with these constraints."""
    return size_costs(curve(), items=BEST, low=LOW, high=HIGH, best=BEST, bounds=bounds)


def spans(lanes: int, *, apart: timedelta = timedelta(hours=2), jobs: int = 1) -> pl.DataFrame:
    """A plan: a primer, then jobs of every class, `apart` from each other, with the time of a repair."""
    rows: list[tuple[Any, ...]] = [("4 prefixes", "primer", SENT, SENT + timedelta(minutes=15), 1, 4)]
    for lane in range(lanes):
        for job in range(jobs):
            begins = SENT + timedelta(minutes=15) + job * apart
            ends = begins + timedelta(minutes=40)
            rows.append((f"Class {lane}", "body", begins, ends, 1, 100 + lane))
            rows.append((f"Class {lane}", SPANS[3], ends, ends + timedelta(minutes=30), 1, 100 + lane))
    return pl.DataFrame(rows, schema=["lane", "part", "begins", "ends", "jobs", "items"], orient="row")


DRAWN: dict[str, Callable[[], Figure]] = {
    "costs": lambda: costs(window=15_000, blast=27_000),
    "dollars": lambda: blast(curve(), measure="at_risk_usd", items=BEST, limit=25.0),
    "hours": lambda: blast(curve(), measure="at_risk_hours", items=BEST, limit=None),
    "deadline": lambda: deadline(curve(), items=BEST, confidence=0.95),
    "gantt": lambda: gantt(spans(5), deadline=SENT + timedelta(hours=9)),
    "large gantt": lambda: gantt(spans(300, jobs=60), deadline=SENT + timedelta(hours=200)),
}


@pytest.mark.parametrize("name", DRAWN)
def test_chart_is_valid_small_and_describes_itself(name: str) -> None:
    """Every chart passes the Vega-Lite schema, fills its width, carries its words, and is the same every time."""
    drawn = DRAWN[name]()
    found = spec(drawn)

    assert found["width"] == "container"
    assert found["description"] == drawn.alt
    assert len(drawn.alt) > 40
    assert marks(drawn) <= MARKS
    assert found == spec(DRAWN[name]())
    names = [layer["name"] for layer in found["layer"] if "name" in layer]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    "drawn",
    [
        size_costs(pl.DataFrame(), items=1, low=1, high=1, best=1, bounds={}),
        blast(curve().with_columns(at_risk_usd=None), measure="at_risk_usd", items=1, limit=None),
        deadline(curve().with_columns(on_time=pl.lit(None, pl.Float64)), items=1, confidence=0.9),
        gantt(spans(0).clear(), deadline=None),
    ],
    ids=["no price", "no risk", "no deadline", "no job"],
)
def test_nothing_to_draw_says_what_to_do(drawn: Figure) -> None:
    """An empty chart is a sentence, never an empty frame."""
    assert drawn.chart is None
    assert drawn.empty


def test_the_terms_add_up_to_the_cost_of_an_item() -> None:
    """What is stacked is price, fixed cost and reruns, and their top is the cost by the model."""
    rows = pl.DataFrame(dataset(costs(), "part", "usd"))
    total = rows.group_by("items").agg(pl.col("usd").sum()).sort("items")

    assert set(rows["part"]) == {SIZE_HUES[0], SIZE_HUES[1], SIZE_HUES[3]}
    assert total["usd"].to_numpy() == pytest.approx(1_000 * COSTS.item_usd(total["items"].to_numpy()), rel=1e-4)


def test_only_constraints_within_the_picture_are_drawn() -> None:
    """A limit that is far away would squeeze the curve; one that binds shares its line with the recommendation."""
    words = {row["label"] for row in dataset(costs(near=15_000, far=90_000_000, here=BEST), "label")}

    assert words == {f"recommended (cheapest, here): {BEST:,}", "near: 15,000"}


def test_higher_poles_stand_further_right() -> None:
    """So no line crosses the words of another."""
    rows = dataset(costs(a=200, b=2_000, c=15_000, d=40_000), "label")
    by_size = [row["tip"] for row in sorted(rows, key=lambda row: row["items"])]

    assert by_size == sorted(by_size)


def test_a_limit_on_what_is_at_risk_is_drawn_where_it_matters() -> None:
    """An affordable loss far above what any size drawn risks is told, not drawn."""
    near = blast(curve(), measure="at_risk_usd", items=BEST, limit=25.0)
    far = blast(curve(), measure="at_risk_usd", items=BEST, limit=1e6)

    assert dataset(near, "name")
    assert not dataset(far, "name")
    assert "Affordable is $25.00" in near.alt
    assert "$1,000,000" in far.alt


def test_the_words_of_a_deadline_say_which_sizes_are_in_time() -> None:
    """None, some or all of them."""
    assert "No size drawn" in deadline(curve(), items=BEST, confidence=1.0 + 1e-9).alt
    assert "Every size drawn" in deadline(curve(), items=BEST, confidence=0.01).alt
    assert "Sizes from 100 to" in deadline(curve(), items=BEST, confidence=0.95).alt


def test_many_classes_share_a_row() -> None:
    """A plan of hundreds of classes stays readable: the largest on their own, the rest together; no job is lost."""
    drawn = gantt(spans(300, jobs=4), deadline=None)
    rows = dataset(drawn, "lane")
    lanes = {row["lane"] for row in rows}

    assert len(lanes) == LANES + 1
    assert f"{301 - LANES} other classes" in lanes
    assert sum(row["jobs"] for row in rows if row["part"] != SPANS[3]) == 300 * 4 + 1


def test_jobs_of_a_class_that_overlap_are_one_bar() -> None:
    """A bar stands for all that runs at once; jobs that are apart keep their bars."""
    together = dataset(gantt(spans(1, jobs=3, apart=timedelta(minutes=5)), deadline=None), "lane")
    apart = dataset(gantt(spans(1, jobs=3), deadline=None), "lane")

    assert [row["jobs"] for row in together if row["part"] == "body"] == [3]
    assert [row["jobs"] for row in apart if row["part"] == "body"] == [1, 1, 1]


def spec(drawn: Figure) -> dict[str, Any]:
    """The chart as the browser gets it."""
    assert drawn.chart is not None
    found: dict[str, Any] = drawn.chart.to_dict()
    return found


def marks(drawn: Figure) -> int:
    """Rows drawn, once for every layer that draws them."""
    found = spec(drawn)
    return sum(len(found["datasets"][layer["data"]["name"]]) for layer in found["layer"])


def dataset(drawn: Figure, *fields: str) -> list[dict[str, Any]]:
    """All rows of the chart that have these fields."""
    rows = [row for rows in spec(drawn)["datasets"].values() for row in rows if set(fields) <= set(row)]
    return [row for place, row in enumerate(rows) if row not in rows[:place]]
