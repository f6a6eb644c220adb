"""The charts of routing: what is drawn is what was measured, names stand apart, and the words say the same."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.charts import Figure, certainty, frontier
from core.charts.certainty import POINTS
from core.charts.figure import MARKS
from core.charts.frontier import STANDINGS

SCHEMA = {
    "name": pl.String,
    "usd": pl.Float64,
    "usd_low": pl.Float64,
    "usd_high": pl.Float64,
    "share": pl.Float64,
    "share_low": pl.Float64,
    "share_high": pl.Float64,
    "standing": pl.String,
    "kind": pl.String,
}
TIERS = [
    ("Haiku 5.5", 0.00012, 0.00011, 0.00014, 0.86, 0.81, 0.9, "not_yet", "tier"),
    ("Haiku 4.5", 0.0016, 0.0014, 0.0019, 0.8, 0.76, 0.85, "fails", "tier"),
    ("Sonnet 5.5", 0.0014, 0.0013, 0.0015, 0.955, 0.93, 0.97, "clears", "tier"),
    ("Opus 5.5", 0.0026, 0.0024, None, 0.97, 0.945, 0.985, "today", "tier"),
    ("Haiku 5.5, then Sonnet 5.5", 0.0009, 0.0008, 0.001, 0.95, 0.92, 0.97, "clears", "cascade"),
    ("Fable 5.2", None, None, None, 0.97, 0.9, 0.99, "not_yet", "tier"),
]


def tiers(*rows: tuple[Any, ...]) -> pl.DataFrame:
    """Rows as the chart takes them."""
    return pl.DataFrame(list(rows or TIERS), schema=SCHEMA, orient="row")


def path(labels: int) -> pl.DataFrame:
    """An interval that narrows around 0.95."""
    rows = [(n, 0.95 - 0.95 / n**0.5, min(0.95 + 0.6 / n**0.5, 1.0)) for n in range(1, labels + 1)]
    return pl.DataFrame(rows, schema=["labels", "lower", "upper"], orient="row")


def spec(drawn: Figure) -> dict[str, Any]:
    """The chart as the browser gets it, checked against the schema of Vega-Lite."""
    assert drawn.chart is not None
    found: dict[str, Any] = drawn.chart.to_dict()
    return found


def layer(drawn: Figure, name: str) -> list[dict[str, Any]]:
    """The rows of one layer."""
    found = spec(drawn)
    (of,) = [one for one in found["layer"] if one["name"] == name]
    rows: list[dict[str, Any]] = found["datasets"][of["data"]["name"]]
    return rows


@pytest.mark.parametrize(
    "drawn",
    [
        frontier(tiers(), bar=0.9),
        frontier(tiers(), bar=None),
        frontier(tiers(TIERS[0]), bar=0.9),
        certainty(path(2_000), bar=0.9, name="Haiku 5.5"),
        certainty(path(1), bar=0.9, name="Haiku 5.5"),
        certainty(path(50).with_columns(pl.col("lower", "upper") - 0.95), bar=-0.05, name="Haiku 5.5", difference=True),
    ],
    ids=["frontier", "no bar", "one model", "long path", "one label", "difference"],
)
def test_chart_is_valid_small_and_describes_itself(drawn: Figure) -> None:
    """Every chart passes the schema, fills its width, and carries its words."""
    found = spec(drawn)

    assert found["width"] == "container"
    assert found["description"] == drawn.alt
    assert len(drawn.alt) > 40
    assert sum(len(found["datasets"][one["data"]["name"]]) for one in found["layer"]) <= MARKS


def test_nothing_to_draw_says_what_to_do() -> None:
    """Without a model that has a price and labels, or without a label, there is a sentence instead."""
    for drawn in (frontier(tiers(TIERS[5]), bar=0.9), certainty(path(0), bar=0.9, name="Haiku 5.5")):
        assert drawn.chart is None
        assert drawn.empty


def test_points_stand_where_they_were_measured() -> None:
    """Dollars are per 1,000 usable items; both intervals are drawn, an open one as far as the picture goes."""
    points = {row["name"]: row for row in layer(frontier(tiers(), bar=0.9), "points")}
    opus, cascade = points["Opus 5.5"], points["Haiku 5.5, then Sonnet 5.5"]

    assert set(points) == {row[0] for row in TIERS[:5]}
    assert [points["Haiku 5.5"][name] for name in ("usd", "usd_low", "usd_high")] == pytest.approx([0.12, 0.11, 0.14])
    assert (opus["share_low"], opus["share"], opus["share_high"]) == (0.945, 0.97, 0.985)
    assert opus["usd_high"] > opus["usd"]
    assert (opus["standing"], cascade["standing"], cascade["kind"]) == ("runs today", "clears the bar", "cascade")


def test_the_line_goes_through_what_nothing_beats() -> None:
    """A model that is dearer and no better than another one is not on the frontier."""
    line = [row["share"] for row in layer(frontier(tiers(), bar=0.9), "frontier")]

    assert line == [0.86, 0.95, 0.955, 0.97]


def test_the_bar_is_drawn_where_there_is_one() -> None:
    """Its name is its share."""
    assert layer(frontier(tiers(), bar=0.9), "bar") == [
        {"share": 0.9, "usd": pytest.approx(0.0846, rel=1e-2), "name": "bar 90 %"}
    ]
    assert "bar" not in {one["name"] for one in spec(frontier(tiers(), bar=None))["layer"]}


def test_names_say_how_a_model_stands_without_its_colour() -> None:
    """Nobody has to tell green from crimson."""
    found = spec(frontier(tiers(), bar=0.9))
    labels = {row["label"] for rows in found["datasets"].values() for row in rows if "label" in row}

    assert "Sonnet 5.5\nclears the bar" in labels
    assert "Haiku 4.5\nfails the bar" in labels


def test_names_of_neighbours_stand_at_different_sides() -> None:
    """Two points near each other do not write over each other."""
    near = [(f"Model {n}", 0.001 * (1 + 0.01 * n), 0.0001, 0.01, 0.9, 0.8, 0.95, "clears", "tier") for n in range(4)]
    corners = {(row["left"], row["below"]) for row in layer(frontier(tiers(*near), bar=None), "points")}

    assert len(corners) == 4


def test_a_cascade_has_a_line_for_each_of_its_models_and_room_for_them() -> None:
    """Its long name fits a phone, and its neighbours keep clear of all three lines."""
    near = [
        ("Haiku 5.5", 0.0001, None, None, 0.86, 0.8, 0.9, "fails", "tier"),
        ("Haiku 5.5 → Sonnet 5.5", 0.0009, None, None, 0.92, 0.9, 0.95, "not_yet", "cascade"),
        ("Sonnet 5.5", 0.00105, None, None, 0.935, 0.92, 0.95, "clears", "tier"),
        ("Opus 5.5", 0.002, None, None, 1.0, 0.9, 1.0, "today", "tier"),
    ]
    points = {row["name"]: row for row in layer(frontier(tiers(*near), bar=0.9), "points")}
    cascade, sonnet = points["Haiku 5.5 → Sonnet 5.5"], points["Sonnet 5.5"]

    assert cascade["label"] == "Haiku 5.5 →\nSonnet 5.5\nnot yet certain"
    assert (cascade["left"], cascade["below"]) != (sonnet["left"], sonnet["below"])
    assert points["Opus 5.5"]["below"], "what is best of all is named inside the picture"


@settings(max_examples=10)
@given(
    rows=st.lists(
        st.tuples(
            st.text(max_size=30),
            st.floats(1e-7, 10),
            st.floats(0, 1),
            st.sampled_from(sorted(STANDINGS)),
            st.sampled_from(["tier", "cascade"]),
        ),
        min_size=1,
        max_size=8,
    ),
    bar=st.none() | st.floats(0.01, 0.99),
)
def test_any_models_can_be_drawn(rows: list[tuple[str, float, float, str, str]], bar: float | None) -> None:
    """Whatever was measured: every model has its point and its name, inside the ends of both axes."""
    drawn = frontier(
        tiers(*((name, usd, usd, None, share, 0.0, 1.0, standing, kind) for name, usd, share, standing, kind in rows)),
        bar=bar,
    )
    found = spec(drawn)
    sets = {one["name"]: found["datasets"][one["data"]["name"]] for one in found["layer"]}
    names = [row for name, rows_of in sets.items() if name.startswith("names_") for row in rows_of]
    ends = found["layer"][0]["encoding"]["x"]["scale"]["domain"]

    assert len(sets["points"]) == len(names) == len(rows)
    assert all(ends[0] <= row["usd_low"] <= row["usd"] <= row["usd_high"] <= ends[1] for row in names)


def test_words_name_every_model_its_quality_its_cost_and_what_is_missing() -> None:
    """Who cannot see the chart reads the same."""
    text = frontier(tiers(), bar=0.9).alt

    assert "Haiku 5.5 86 % (from 81 % to 90 %) at $0.12, not yet certain; " in text
    assert "The bar is 90 %." in text
    assert text.endswith("Not drawn for want of a price or of labels: Fable 5.2.")


def test_a_long_path_is_thinned_and_ends_with_the_last_label() -> None:
    """Thousands of looks are no more marks than a screen can show, and the newest is the one that counts."""
    rows = layer(certainty(path(2_000), bar=0.9, name="Haiku 5.5"), "interval")

    assert len(rows) <= POINTS
    assert rows[-1]["labels"] == 2_000


@pytest.mark.parametrize(
    ("labels", "bar", "words"),
    [
        (2_000, 0.9, "between 92.9 % and 96.3 %, above the bar of 90 %."),
        (2_000, 0.98, "below the bar of 98 %."),
        (20, 0.9, "on both sides of the bar of 90 %."),
    ],
)
def test_words_say_on_which_side_of_the_bar_it_is(labels: int, bar: float, words: str) -> None:
    """As far as that is certain."""
    assert certainty(path(labels), bar=bar, name="Haiku 5.5").alt.endswith(words)


def test_a_difference_is_said_in_points() -> None:
    """Against the reference, a share is a difference with its sign."""
    of = path(400).with_columns(pl.col("lower", "upper") - 0.95)
    text = certainty(of, bar=-0.05, name="Haiku 5.5", difference=True).alt

    assert "the difference to the reference lies between -4.8 points and +3 points, above the bar of -5 points." in text
