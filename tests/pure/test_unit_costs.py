"""Cost per unit: sums are the ledger's whatever it is seen by, bands hold the estimate, and steady means steady."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.prices.book import MONEY
from core.unit_costs.stability import Stability, stability
from core.unit_costs.statistics import unit_cost, weekly_cost
from core.unit_costs.unit import ITEM, Unit, UnitInvalid

MONDAY = date(2026, 1, 5)
DIMENSIONS = ("class_name", "week", "team", "job_id")
SCHEMA: dict[str, Any] = {
    "job_id": pl.String,
    "class_name": pl.String,
    "week": pl.Date,
    "team": pl.String,
    "usable": pl.Boolean,
    "attempts": pl.Int64,
    "units": pl.Int64,
    "unit": pl.String,
    "cost_usd": MONEY,
    "unpriced": pl.Int64,
    "uncounted": pl.Int64,
}


def cell(**values: Any) -> dict[str, Any]:
    """A cell of ten usable items that cost a cent each."""
    usual: dict[str, Any] = {
        "job_id": "j1",
        "class_name": "Triage",
        "week": MONDAY,
        "team": None,
        "usable": True,
        "attempts": 10,
        "units": 10,
        "unit": ITEM,
        "cost_usd": Decimal("0.10"),
        "unpriced": 0,
        "uncounted": 0,
    }
    return usual | values


def frame(*cells: dict[str, Any]) -> pl.DataFrame:
    """Cells as the ledger gives them."""
    return pl.DataFrame(cells, schema=SCHEMA)


@st.composite
def ledgers(draw: st.DrawFn) -> pl.DataFrame:
    """Some cells of two classes with units of their own."""
    rows = []
    for _ in range(draw(st.integers(1, 25))):
        usable, counted, priced = draw(st.booleans()), draw(st.booleans()), draw(st.booleans())
        lines, attempts = draw(st.booleans()), draw(st.integers(1, 50))
        units = (draw(st.integers(0, 200)) if lines else attempts) if usable else 0
        known = counted or not lines or not usable
        rows.append(
            cell(
                job_id=f"j{draw(st.integers(0, 14))}",
                class_name="Lines" if lines else "Items",
                week=MONDAY + timedelta(weeks=draw(st.integers(0, 3))),
                team=draw(st.sampled_from(["search", "ads", None])),
                usable=usable,
                attempts=attempts,
                units=units if known else 0,
                unit="line" if lines else ITEM,
                cost_usd=Decimal(draw(st.integers(0, 10**9))).scaleb(-12) if priced else Decimal(0),
                unpriced=0 if priced else attempts,
                uncounted=0 if known else attempts,
            )
        )
    return frame(*rows)


dimensions = st.lists(st.sampled_from(DIMENSIONS), unique=True)


@settings(max_examples=40, deadline=None)
@given(ledgers(), dimensions)
def test_by_any_dimension_sums_are_those_of_the_ledger(cells: pl.DataFrame, by: list[str]) -> None:
    """Nothing is lost or counted twice, to the last decimal, whatever is unknown of it."""
    found = unit_cost(cells, by)

    for name in ("cost_usd", "attempts", "unpriced"):
        assert found[name].sum() == cells[name].sum()
    assert found["usable_items"].sum() == cells.filter("usable")["attempts"].sum()
    assert found.height == cells.select(by or pl.lit(0)).unique().height


@settings(max_examples=40, deadline=None)
@given(ledgers(), dimensions)
def test_bands_hold_the_estimate(cells: pl.DataFrame, by: list[str]) -> None:
    """A band is there for two jobs or more with something known, is not negative, and its row lies in it."""
    for row in unit_cost(cells, by).iter_rows(named=True):
        if row["low"] is not None:
            assert row["jobs"] > 1
            assert 0 <= row["low"] <= float(row["unit_cost_usd"]) + 1e-12
            assert float(row["unit_cost_usd"]) - 1e-12 <= row["high"]


@settings(max_examples=20, deadline=None)
@given(ledgers(), dimensions, st.randoms(use_true_random=False))
def test_no_order_matters(cells: pl.DataFrame, by: list[str], random: Any) -> None:
    """Neither that of the rows nor the names of the jobs: the same ledger gives the same bands to the last bit."""
    order = list(range(cells.height))
    random.shuffle(order)
    by = [name for name in by if name != "job_id"]
    renamed = cells[order].with_columns(job_id=pl.col("job_id").str.reverse() + "-again")

    assert unit_cost(renamed, by).equals(unit_cost(cells, by))


@settings(max_examples=20, deadline=None)
@given(ledgers(), dimensions)
def test_twice_the_prices_are_twice_the_cost_per_unit(cells: pl.DataFrame, by: list[str]) -> None:
    """Estimate and bands scale with prices, units stay."""
    once, twice = unit_cost(cells, by), unit_cost(cells.with_columns(pl.col("cost_usd") * 2), by)

    assert twice["units"].equals(once["units"])
    for name in ("unit_cost_usd", "low", "high"):
        doubled = (once[name].cast(pl.Float64) * 2).to_list()
        assert twice[name].cast(pl.Float64).to_list() == [pytest.approx(value, abs=2e-12) for value in doubled]


@settings(max_examples=20, deadline=None)
@given(ledgers(), st.sampled_from(DIMENSIONS))
def test_a_row_does_not_depend_on_the_others(cells: pl.DataFrame, by: str) -> None:
    """Whoever looks at one class only sees the band that the table of all showed."""
    found = unit_cost(cells, [by])
    one = cells.filter(pl.col(by).eq_missing(pl.lit(cells[by][0])))

    assert unit_cost(one, [by]).equals(found.filter(pl.col(by).eq_missing(pl.lit(cells[by][0]))))


def test_units_of_two_kinds_are_never_added() -> None:
    """Lines and items have no sum: together they are per usable item, and it is said what was mixed."""
    cells = frame(cell(), cell(class_name="Invoices", job_id="j2", unit="line", units=40, cost_usd=Decimal("0.20")))

    (both,) = unit_cost(cells, []).iter_rows(named=True)
    apart = unit_cost(cells, ["class_name"])

    assert (both["unit"], both["units"], both["mixes"]) == (ITEM, 20, ["line", ITEM])
    assert both["unit_cost_usd"] == Decimal("0.015")
    assert apart.select("unit", "units").rows() == [("line", 40), (ITEM, 10)]
    assert apart["unit_cost_usd"].to_list() == [Decimal("0.005"), Decimal("0.01")]


def test_weeks_of_mixed_work_are_all_per_usable_item() -> None:
    """A week in which only one of the classes ran must not look as if the cost had moved a hundredfold."""
    lines = cell(class_name="Invoices", unit="line", units=1_000)
    cells = frame(cell(), lines, lines | {"week": MONDAY + timedelta(weeks=1)})

    assert weekly_cost(cells, [])["unit_cost_usd"].to_list() == [Decimal("0.01")] * 2
    assert weekly_cost(cells, ["class_name"]).filter(class_name="Invoices")["units"].to_list() == [1_000] * 2


def test_what_is_not_known_is_on_neither_side() -> None:
    """A count that could not be read is not zero, and a cost without a price is not free."""
    known = cell(unit="line", units=30, cost_usd=Decimal("0.30"))
    cells = frame(
        known,
        known | {"units": 0, "uncounted": 10, "cost_usd": Decimal("0.70")},
        known | {"units": 99, "unpriced": 10, "cost_usd": None},
        known | {"usable": False, "units": 0, "cost_usd": Decimal("0.06")},
    )

    (row,) = unit_cost(cells, ["class_name"]).iter_rows(named=True)

    assert row["unit_cost_usd"] == Decimal("0.012"), "failures cost, and give no units"
    assert (row["cost_usd"], row["uncounted"], row["unpriced"]) == (Decimal("1.06"), 10, 10)
    (nothing,) = unit_cost(cells.filter(pl.col("units") == 0), ["class_name"]).iter_rows(named=True)
    assert (nothing["unit_cost_usd"], nothing["low"], nothing["high"]) == (None, None, None)
    assert unit_cost(cells.clear(), ["class_name"]).is_empty()
    assert unit_cost(cells.clear(), []).is_empty()


@pytest.mark.parametrize(("sizes", "spread"), [(0.3, 0.1), (1.0, 0.5)], ids=["alike", "unlike"])
@pytest.mark.parametrize("jobs", [2, 4, 9, 10, 40])
def test_bands_hold_the_truth_about_as_often_as_they_say(jobs: int, sizes: float, spread: float) -> None:
    """Nine in ten, for few jobs and for many, of one size or of very different ones: 85 % to 95 % of 400 histories."""
    random = np.random.default_rng(1)
    units = np.ceil(random.lognormal(5, sizes, (400, jobs)))
    usd = units * 0.01 * random.lognormal(-(spread**2) / 2, spread, units.shape)  # a mean of 0.01
    named = [(f"j{job}", f"h{history:03}") for history in range(400) for job in range(jobs)]
    cells = pl.DataFrame(named, schema=["job_id", "class_name"], orient="row").with_columns(
        pl.Series("units", units.ravel()).cast(pl.Int64),
        pl.Series("attempts", units.ravel()).cast(pl.Int64),
        pl.Series("cost_usd", usd.ravel()).cast(MONEY),
        unit=pl.lit(ITEM),
        usable=True,
        unpriced=0,
        uncounted=0,
    )
    found = unit_cost(cells, ["class_name"])

    assert 0.85 <= found.select(pl.lit(0.01).is_between("low", "high")).to_series().mean() <= 0.95  # type: ignore[operator]


def test_one_job_with_units_has_no_band() -> None:
    """Jobs that gave nothing cost, but show nothing of how those that give scatter."""
    failed = [cell(job_id=f"f{job}", usable=False, units=0) for job in range(12)]

    (alone,) = unit_cost(frame(cell(), *failed), []).iter_rows(named=True)
    (two,) = unit_cost(frame(cell(), cell(job_id="j2"), *failed), []).iter_rows(named=True)

    assert (alone["unit_cost_usd"], alone["low"], alone["high"]) == (Decimal("0.13"), None, None)
    assert two["low"] < 0.07 < two["high"]


def weekly(costs: list[float], units: int = 100) -> Stability:
    """The stability of a series of weeks."""
    days = [MONDAY + timedelta(weeks=number) for number in range(len(costs))]
    return stability(pl.DataFrame({"week": days, "unit_cost_usd": costs, "units": units}))


def noisy(level: float, weeks: int, spread: float = 0.02, seed: int = 3) -> list[float]:
    """Weeks around a level."""
    return list(level * np.random.default_rng(seed).lognormal(0, spread, weeks))


@pytest.mark.parametrize(
    ("costs", "word"),
    [
        ([], "too little data"),
        (noisy(1, 7), "too little data"),
        ([1.0] * 26, "steady"),
        (noisy(1, 8), "steady"),
        (noisy(1, 52), "steady"),
        (noisy(1, 30) + noisy(0.4, 10), "steady"),
        (noisy(1, 30) + noisy(0.4, 5), "moving"),
        (noisy(1, 10) + noisy(0.7, 9) + noisy(0.4, 9), "moving"),
        (noisy(1, 52, spread=0.3), "moving"),
        ([cost * 1.01**week for week, cost in enumerate(noisy(1, 52))], "moving"),
        ([cost * 1.02**week for week, cost in enumerate(noisy(1, 12))], "moving"),
        (noisy(1, 30) + [cost * 1.006**week for week, cost in enumerate(noisy(0.4, 12, seed=4))], "moving"),
    ],
    ids=[
        "nothing",
        "young",
        "exact",
        "eight",
        "year",
        "optimised",
        "just moved",
        "stairs",
        "wild",
        "drift",
        "young drift",
        "drift since",
    ],
)
def test_steady_is_a_level_that_holds(costs: list[float], word: str) -> None:
    """One step long ago is no unrest, and what still moves, drifts or scatters is no level to commit to."""
    assert weekly(costs).word == word


def steady_share(weeks: int, *, drift: float, spread: float) -> float:
    """How many of 60 series of weeks that drift are called steady."""
    drifts = np.exp(drift * np.arange(weeks))
    words = [weekly(list(drifts * noisy(1, weeks, spread, seed))).word for seed in range(60)]
    return words.count("steady") / len(words)


@pytest.mark.parametrize("weeks", [12, 26, 52])
def test_a_drift_is_neither_a_level_nor_stairs(weeks: int) -> None:
    """One percent a week leaves a level within ten weeks; scatter may hide that, but is no reason to call it steady."""
    assert steady_share(weeks, drift=0.01, spread=0.06) < 0.25
    assert steady_share(weeks, drift=-0.02, spread=0.03) < 0.05
    assert steady_share(weeks, drift=0, spread=0.02) > 0.85


def test_a_slow_drift_is_no_step() -> None:
    """Half a percent a week looks like one step where a straight line fits as well."""
    assert steady_share(26, drift=0.005, spread=0.03) < 0.35


def test_what_may_be_chance_takes_more_weeks() -> None:
    """A few wild weeks are no proof of a drift, and none of a level."""
    words = [weekly(noisy(1, 8, 0.06, seed)).word for seed in range(40)]

    assert words.count("too little data") > words.count("moving")
    assert words.count("too little data") > 0.3 * len(words)


def test_stability_tells_the_present_level() -> None:
    """What one would commit to: since when, and how much weeks scatter around it; no order and no scale matter."""
    costs = noisy(1, 30) + noisy(0.4, 12)
    found = weekly(costs)

    assert (found.weeks, found.since) == (12, MONDAY + timedelta(weeks=30))
    assert found.level == pytest.approx(0.4, rel=0.03)
    assert found.coefficient == pytest.approx(0.02, rel=0.7)
    thousandfold = weekly([cost / 1000 for cost in costs])
    assert thousandfold.coefficient == pytest.approx(found.coefficient)
    assert (thousandfold.word, thousandfold.weeks) == (found.word, found.weeks)
    days = [MONDAY + timedelta(weeks=number) for number in range(len(costs))]
    shuffled = pl.DataFrame({"week": days, "unit_cost_usd": costs, "units": 100}).reverse()
    assert stability(shuffled) == found


def test_weeks_without_units_say_nothing() -> None:
    """A holiday is no step to zero."""
    assert weekly([*noisy(1, 10), None, *noisy(1, 10)]).word == "steady"  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("place", "pointer"),
    [
        ("$.lines", "/lines"),
        ("lines", "/lines"),
        ("$.result.pages[0].rows", "/result/pages/0/rows"),
        ("/a~1b/c", "/a~1b/c"),
        ("$", "$"),
    ],
)
def test_places_are_written_as_graders_take_them(place: str, pointer: str) -> None:
    """One way to name a field, wherever Lotwise asks for one."""
    assert Unit.of("json", place).pointer == pointer


@pytest.mark.parametrize(
    ("kind", "place", "noun"),
    [
        ("json", "", None),
        ("json", None, None),
        ("json", "[", None),
        ("json", "a" * 501, None),
        ("matches", "(", None),
        ("matches", "a(?=b)", None),
        ("matches", "", None),
        ("items", None, "two\nlines"),
        ("items", None, "x" * 41),
    ],
)
def test_what_cannot_be_counted_is_refused(kind: Any, place: str | None, noun: str | None) -> None:
    """Before anything is changed: no results file is read by a pattern that does not compile."""
    with pytest.raises(UnitInvalid):
        Unit.of(kind, place, noun)


def test_a_unit_has_a_name() -> None:
    """Cost per what: without a name of its own it is called after what is counted."""
    assert [Unit.of(*asked).noun for asked in (("items",), ("output_tokens",))] == [ITEM, "output token"]
    assert [Unit.of("json", place).noun for place in ("$.order.lines", "$")] == ["lines", "element"]
    assert (Unit.of("matches", "a+").noun, Unit.of("json", "$.lines", "line").noun) == ("match", "line")
