"""Savings by a lighter model: its dollars are those of the trial or of the tokens, and how sure they are is said."""

from decimal import Decimal

import pytest

from core.opportunities.models import Lighter, model_savings
from core.opportunities.opportunity import Kind, Opportunity
from core.opportunities.ranking import ranked
from tests.pure.workloads import MODEL, Made, days

HAIKU = "claude-haiku-4-5"


def lighter(usd: str, *, proven: bool, of: str = "work") -> Lighter:
    """A class that would cost so much less a month."""
    return Lighter(
        class_id=of,
        class_name=of,
        model=MODEL,
        to=HAIKU,
        usd_month=Decimal(usd),
        items_month=3_000,
        proven=proven,
        trial_id="t1" if proven else None,
    )


def found(*lines: Lighter, steady: bool = False) -> list[Opportunity]:
    """What is found where a class named `work` did about a hundred items a day for four weeks."""
    made = Made()
    made.add_class("work")
    for number, day in enumerate(days()):
        made.send("work", day, 100 if steady else 90 + number % 13, input_tokens=500, output_tokens=100)
    return list(model_savings(made.work(), lines))


def test_a_proven_model_is_worth_what_the_trial_measured() -> None:
    """Its dollars are exactly the measured ones, between bounds that the month's ups and downs set around them."""
    (one,) = found(lighter("40.25", proven=True))

    assert (one.kind, one.usd_month, one.confidence, one.effort) == (
        Kind.LIGHTER,
        Decimal("40.25"),
        "measured",
        "click",
    )
    assert one.low is not None
    assert one.high is not None
    assert one.low < Decimal("40.25") < one.high
    assert one.low + one.high == 2 * Decimal("40.25")
    assert (one.page, one.query) == ("routing.py", {"class": "work"})
    assert "proves" in one.said


def test_a_trial_is_worth_what_the_tokens_would_cost_less_if_it_succeeds() -> None:
    """The dollars are those of the tokens, assumed: they count for three tenths of proven ones, without bounds."""
    (one,) = found(lighter("40.25", proven=False))

    assert (one.kind, one.usd_month, one.confidence, one.effort) == (Kind.TRIAL, Decimal("40.25"), "assumed", "days")
    assert (one.low, one.high) == (None, None)
    assert one.weight == Decimal("40.25") * Decimal("0.3")
    assert "is for a trial to say" in one.said
    (best,) = ranked([one, *found(lighter("20", proven=True))])
    assert best.kind is Kind.LIGHTER


def test_a_month_without_ups_and_downs_has_no_bounds() -> None:
    """Where every day was like the other nothing tells between what the dollars lie."""
    (one,) = found(lighter("7", proven=True), steady=True)
    assert (one.low, one.high) == (None, None)


@pytest.mark.parametrize(
    "line", [lighter("-3", proven=True), lighter("0", proven=False), lighter("9", proven=True, of="gone")]
)
def test_a_dearer_model_and_a_class_that_is_over_are_no_saving(line: Lighter) -> None:
    """Nothing is promised of a model that costs more, nor of work that nobody sends any more."""
    assert found(line) == []
