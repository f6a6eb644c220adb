"""The chart of cost per unit: the step that is named is one that was found, and the axis fits all lines."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from core.charts import Figure, unit_cost
from core.charts.series import by_class
from core.charts.steps import largest_step, steps_of
from core.trends.attribution import Part
from core.trends.movement import Movement
from tests.pure.charting import FIRST, STEP, days, spec_of, step, trend


def test_unit_cost_names_the_step_and_the_latest_figures() -> None:
    """What a manager reads in five seconds is also what a screen reader says."""
    drawn = unit_cost(trend(), steps=[step()])
    text = drawn.alt

    assert "Invoices rose from $5.00 to $20.00 (×4) on 21 Oct 2026" in text
    assert "$10.50 more a week" in text
    assert "Latest: Invoices $20.00 and Triage $5.00." in text
    assert "×4 since 21 Oct 2026" in str(spec_of(drawn))


def test_the_step_is_found_in_a_long_history_too() -> None:
    """A year is drawn by week, but a step is still dated by its day."""
    year = days({"day": FIRST - timedelta(days=300)})

    assert "(×4) on 21 Oct 2026" in unit_cost(pl.concat([year, trend()]), steps=[step()]).alt


def test_only_a_step_that_was_found_is_marked() -> None:
    """The chart finds none by itself, and names none of another class or of other days."""
    other = [step(class_name="Calls"), step(day=FIRST), step(day=FIRST + timedelta(days=90))]
    for drawn in (unit_cost(trend()), unit_cost(trend(), steps=other)):
        assert "Largest step" not in drawn.alt
        assert "since" not in str(spec_of(drawn))


def test_unit_cost_is_linear_until_classes_lie_far_apart() -> None:
    """A logarithmic axis is for cents beside dollars only."""
    assert _y(unit_cost(trend()))["scale"] == {"zero": True}
    far = pl.concat([trend(), days({"class_name": "Contracts", "cost_usd": Decimal(900)})])
    assert _y(unit_cost(far))["scale"]["type"] == "log"


def test_largest_step_is_the_one_with_most_money() -> None:
    """A class that triples for pennies matters less than one that gets cheaper by a third for dollars."""
    pennies = step(class_name="Triage", after_usd=0.015, weekly_usd=0.3)
    dollars = step(before_usd=0.9, after_usd=0.6, weekly_usd=-210)

    assert largest_step([pennies, dollars], by_class(trend())) == dollars
    assert dollars.factor == "÷1.5"
    assert "Invoices fell from $900.00 to $600.00 (÷1.5)" in unit_cost(trend(), steps=[pennies, dollars]).alt
    assert largest_step([dollars], by_class(days())) is None


def test_steps_of_a_chart_are_the_movements_that_stay() -> None:
    """Days that passed, and all work together, have no line to be marked in; dollars are those of a week."""
    stays = Movement(
        key="k",
        kind="step",
        measure="unit_cost",
        class_name="Invoices",
        class_id="c2",
        since=STEP,
        until=None,
        before_usd=Decimal("0.005"),
        after_usd=Decimal("0.02"),
        usd_month=Decimal(45),
        low=None,
        high=None,
        parts=(Part(name="hit_rate", amount=Decimal(45)),),
    )
    passed = replace(stays, kind="days", until=STEP)

    assert steps_of([stays, passed, replace(stays, class_name=None)]) == (step(),)


def _y(drawn: Figure) -> dict[str, Any]:
    encoding: dict[str, Any] = spec_of(drawn)["layer"][0]["encoding"]["y"]
    return encoding
