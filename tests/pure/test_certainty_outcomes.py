"""Outcomes from files: read as they are meant, or refused with the row and the reason; never a verdict on bad input."""

from datetime import datetime

import polars as pl
import pytest

from core.errors import LotwiseError
from core.routing.outcomes import (
    ContradictoryOutcomes,
    DuplicateOutcomes,
    MissingColumn,
    NoOrder,
    NoOutcomes,
    NotAnOutcome,
    outcomes_of,
)
from core.routing.verdict import Bar

RATE, MARGIN = Bar(rate=0.9), Bar(margin=0.05)


def table(**columns: object) -> pl.DataFrame:
    """A table of these columns."""
    return pl.DataFrame(columns)


@pytest.mark.parametrize(
    "correct",
    [["1", " 0", "1.0"], [1, 0, 1], [1.0, 0.0, 1.0], [True, False, True]],
    ids=["text", "int", "float", "bool"],
)
def test_right_and_wrong_are_read_however_a_file_writes_them(correct: list[object]) -> None:
    """As text of CSV, as numbers, and as booleans."""
    read = outcomes_of(table(order=["1", "2", "3"], correct=correct, note=["a", "b", None]), RATE)

    assert read.rows() == [(1, 1), (2, 0), (3, 1)]
    assert read.columns == ["order", "correct"]


@pytest.mark.parametrize(
    "order",
    [
        ["10", "9", "-1"],
        ["1.5", "1.25", "1e-3"],
        [10, 9, 1],
        [2.0, 1.5, 1.0],
        ["2026-11-02T10:00:00Z", "2026-11-02T09:00:00Z", "2025-12-31T23:00:00Z"],
        [datetime(2026, 1, day) for day in (3, 2, 1)],  # noqa: DTZ001
        ["b", "a10", "a"],
        ["9007199254740993", "9007199254740992", "2"],
    ],
)
def test_the_order_is_that_of_numbers_times_or_texts(order: list[object]) -> None:
    """Rows may lie in any order in the file; large numbers stay apart."""
    assert outcomes_of(table(order=order, correct=[1, 0, 0]), RATE)["correct"].to_list() == [0, 0, 1]


def test_the_reference_is_looked_at_only_for_a_margin() -> None:
    """A file that holds it may be asked either way; its blanks matter only where it is compared."""
    outcomes = table(order=["1", "2"], correct=["1", "0"], reference=["0", ""])

    assert outcomes_of(outcomes, RATE).columns == ["order", "correct"]
    with pytest.raises(NotAnOutcome) as refused:
        outcomes_of(outcomes, MARGIN)
    assert refused.value.context == {"column": "reference", "order": "2", "value": ""}
    assert outcomes_of(outcomes.head(1), MARGIN).rows() == [(1, 1, 0)]


@pytest.mark.parametrize("value", ["", " ", None, "2", "-1", "0.5", "true", "yes", "nan", "inf", "1,0"])
def test_what_is_neither_right_nor_wrong_is_refused(value: str | None) -> None:
    """A label that nobody could give is no 0."""
    with pytest.raises(NotAnOutcome) as refused:
        outcomes_of(table(order=["1", "7"], correct=["1", value]), RATE)
    assert (refused.value.context["column"], refused.value.context["order"]) == ("correct", "7")


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (table(order=pl.Series([], dtype=pl.String), correct=pl.Series([], dtype=pl.String)), NoOutcomes),
        (table(order=[1], right=[1]), MissingColumn),
        (table(correct=[1]), MissingColumn),
        (table(order=["1", ""], correct=[1, 1]), NoOrder),
        (table(order=[1.0, float("nan")], correct=[1, 1]), NoOrder),
        (table(order=[[1], [2]], correct=[1, 1]), NoOrder),
        (table(order=[b"1", b"2"], correct=[1, 1]), NoOrder),
        (table(order=[1, 2], correct=[[1], [1]]), NotAnOutcome),
        (table(order=[1, 2], correct=[{"a": 1}, {"a": 1}]), NotAnOutcome),
        (table(order=[1, 2], correct=[float("nan"), 1.0]), NotAnOutcome),
        (table(order=[1, 2], correct=[None, None]), NotAnOutcome),
        (table(order=[datetime(2026, 1, 1)], correct=[datetime(2026, 1, 1)]), NotAnOutcome),  # noqa: DTZ001
        (table(order=["1", "2", "1.0"], correct=[1, 1, 0]), ContradictoryOutcomes),
        (table(order=[1, 2, 1], correct=[1, 1, 1]), DuplicateOutcomes),
        (table(order=[1, 1, 2, 2], correct=[1, 1, 0, 1]), ContradictoryOutcomes),
    ],
)
def test_bad_outcomes_are_refused_with_a_sentence(wrong: pl.DataFrame, error: type[LotwiseError]) -> None:
    """Each with what to do next."""
    with pytest.raises(error) as refused:
        outcomes_of(wrong, RATE)
    assert ". " in refused.value.message


def test_outcomes_contradict_each_other_only_in_what_is_asked() -> None:
    """Two labels of one item that differ in the reference are a copy for a rate, and contradictory for a margin."""
    twice = table(order=[1, 1], correct=[1, 1], reference=[0, 1])

    with pytest.raises(DuplicateOutcomes):
        outcomes_of(twice, RATE)
    with pytest.raises(ContradictoryOutcomes):
        outcomes_of(twice, MARGIN)
