"""Which models a class may be tried on, and what speaks against each."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from core.prices import OfferedModel, PriceBook
from core.routing.candidates import Candidate, Needs, candidates

BOOK = PriceBook.load()
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def offer(name: str = "claude-haiku-4-5", **said: Any) -> OfferedModel:
    """A model on offer, of which the API tells what matters."""
    told: dict[str, Any] = {
        "display_name": name,
        "line": None,
        "lifecycle": "active",
        "deprecated_at": None,
        "retires_at": None,
        "max_input_tokens": None,
        "max_tokens": None,
        "batch": True,
    }
    return OfferedModel(id=name, **(told | said))


def only(offered: OfferedModel, **options: Any) -> Candidate:
    """The candidate of that model."""
    (candidate,) = candidates([offered], BOOK, now=NOW, **options)
    return candidate


def test_every_model_on_offer_is_listed_once_cheapest_first() -> None:
    """A dated snapshot is its model; what has no price comes last, never first as if it were free."""
    names = ["claude-next-9", "claude-opus-5-5", "claude-haiku-4-5-20251001", "claude-haiku-4-5", "claude-haiku-5-5"]

    found = candidates([offer(name) for name in names], BOOK, now=NOW)

    assert [of.model for of in found] == ["claude-haiku-5-5", "claude-haiku-4-5", "claude-opus-5-5", "claude-next-9"]
    assert [of.why_not for of in found] == [None, None, None, "Lotwise has no price for it."]
    assert (found[1].input_usd, found[1].output_usd) == (Decimal("0.5"), Decimal("2.5"))
    assert (found[1].line, found[1].floor) == ("haiku", 4096)
    assert (found[3].input_usd, found[3].floor, found[3].display_name) == (None, None, "claude-next-9")


def test_a_price_is_that_of_the_day() -> None:
    """A model that is not yet on sale has no price."""
    (early,) = candidates([offer("claude-haiku-5-5")], BOOK, now=datetime(2026, 9, 1, tzinfo=UTC))

    assert early.why_not == "Lotwise has no price for it."


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"batch": False}, "It takes no batches."),
        ({"lifecycle": "retired"}, "It is retired: its requests fail."),
    ],
)
def test_what_cannot_run_says_why(said: dict[str, Any], reason: str) -> None:
    """A trial on a model that runs no batches would be errors only."""
    assert only(offer(**said)).why_not == reason


def test_the_class_must_fit_the_model_in_the_tokens_of_that_model() -> None:
    """Newer tokenizers make more tokens of the same text, so a prompt grows on its way there, and shrinks back."""
    newer = Needs(model="claude-opus-5", largest_prompt_tokens=250_000)
    older = Needs(model="claude-opus-4-6", largest_prompt_tokens=199_000)

    fits = only(offer(), like=newer).why_not
    assert fits is None
    too_long = only(offer(max_input_tokens=190_000), like=newer).why_not
    assert too_long == "The largest prompt, about 192,568 tokens, is over its context window of 190,000."
    grown = only(offer("claude-opus-5", max_input_tokens=250_000), like=older).why_not
    assert grown is not None and "258,351" in grown


def test_what_is_known_of_the_class_counts() -> None:
    """Its own model is no candidate, and a reason found elsewhere is passed on."""
    own = Needs(model="claude-haiku-4-5-20251001")

    assert only(offer(), like=own).why_not == "The class runs on it today."
    assert (
        only(offer(), unadaptable={"claude-haiku-4-5": "It ends with a prefill."}).why_not == "It ends with a prefill."
    )
    assert only(offer(), like=Needs(model="claude-2.1", largest_prompt_tokens=10)).why_not is None


def test_what_to_know_before_choosing_is_a_warning() -> None:
    """A retirement that is announced, and answers that may be cut, exclude nothing."""
    planned = datetime(2027, 3, 1, tzinfo=UTC)
    long = Needs(model="claude-opus-5", max_tokens=100_000)

    retiring = only(offer(retires_at=planned), like=long)

    assert retiring.why_not is None
    assert retiring.retires_at == planned
    assert retiring.warning == (
        "It retires on 2027-03-01. It writes at most 64,000 tokens, and the class asks for up to 100,000."
    )
    assert only(offer("claude-sonnet-4-5")).warning == "It retires on 2026-11-30."
    assert only(offer()).warning is None
