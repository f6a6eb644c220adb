"""Every model, tier and date of the book against an independent price list, and golden cases where it has none."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import genai_prices
import polars as pl
import pytest

from core.prices import ContractPrice, PriceBook, UnpricedModel
from core.prices.costs import Usage, attempt_cost, price_attempts

BOOK = PriceBook.load()
CASES = Path(__file__).parent / "cases"
FAULTS = json.loads((CASES / "oracle_faults.json").read_text("utf-8"))
UNMODELLED = json.loads((CASES / "unmodelled_costs.json").read_text("utf-8"))
TICK = timedelta(microseconds=1)
MIDNIGHTS = {row.valid_from for row in BOOK.rows()} | {
    datetime(2026, 9, 24, tzinfo=UTC),
    datetime(2026, 10, 14, tzinfo=UTC),
    datetime(2026, 11, 22, tzinfo=UTC),
}
INSTANTS = sorted({instant for midnight in MIDNIGHTS for instant in (midnight, midnight - TICK)})
"""The first instant of every day on which any price changes, ours or the oracle's, and the last before it."""


def oracle(model: str, at: datetime, usage: Usage) -> Decimal | None:
    """What genai-prices says; its `input_tokens` is the total. None where it does not know the model."""
    try:
        return genai_prices.calc_price(
            genai_prices.Usage(
                input_tokens=usage.total_input_tokens,
                cache_write_tokens=usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
                cache_write_1h_tokens=usage.cache_write_1h_tokens,
                cache_read_tokens=usage.cache_read_tokens,
                output_tokens=usage.output_tokens,
                web_searches=usage.web_searches,
            ),
            model,
            provider_id="anthropic",
            genai_request_timestamp=at,
            price_context={"processing": "batch"} if usage.service_tier == "batch" else None,
        ).total_price
    except LookupError:
        return None


def at_fault(fault: dict[str, Any], model: str, at: datetime, usage: Usage) -> bool:
    """Whether the oracle is known to be wrong about it in this way."""
    before = datetime.fromisoformat(fault.get("before", "9999-12-31")).replace(tzinfo=UTC)
    return (
        model in fault.get("models", [model])
        and model not in fault.get("except", [])
        and usage.service_tier == fault.get("tier", usage.service_tier)
        and usage.inference_geo == fault.get("geo", usage.inference_geo)
        and at < before
    )


@pytest.mark.parametrize("model", [model.id for model in BOOK.models()])
def test_every_tier_and_date_of_a_model(model: str) -> None:
    """On both sides of every cliff and of every change, an independent list says the same, or errs as recorded."""
    for at in INSTANTS:
        for tier in ("batch", "standard"):
            for geo in (None, "us"):
                for total in (1_000, 100_000, 100_001, 200_000, 200_001):
                    usage = Usage(
                        input_tokens=total - 900,
                        cache_write_5m_tokens=200,
                        cache_write_1h_tokens=300,
                        cache_read_tokens=400,
                        output_tokens=50,
                        web_searches=2,
                        service_tier=tier,
                        inference_geo=geo,
                    )
                    try:
                        ours = attempt_cost(BOOK, usage, model=model, at=at)
                    except UnpricedModel:
                        continue  # the oracle prices a model on the days before it was there
                    wrong = any(at_fault(fault, model, at, usage) for fault in FAULTS)
                    assert (oracle(model, at, usage) != ours) is wrong, (at, usage)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault["why"])
def test_each_recorded_fault_is_one(fault: dict[str, Any]) -> None:
    """Alone, without any other: so that a corrected oracle is noticed."""
    day = date.fromisoformat(fault.get("before", "2026-11-22"))
    at = datetime.combine(day, datetime.min.time(), UTC) - TICK
    usage = Usage(
        input_tokens=100,
        cache_read_tokens=100,
        service_tier=fault.get("tier", "standard"),
        inference_geo=fault.get("geo"),
    )
    for model in fault.get("models", ["claude-opus-5-5"]):
        assert oracle(model, at, usage) != attempt_cost(BOOK, usage, model=model, at=at)


@pytest.mark.parametrize("case", UNMODELLED, ids=lambda case: case["why"])
def test_golden_costs_that_the_oracle_does_not_model(case: dict[str, Any]) -> None:
    """Published prices give exactly this cost, one by one and in bulk."""
    at = datetime.fromisoformat(case["at"]).replace(tzinfo=UTC)
    usage = Usage(**case["usage"])
    assert attempt_cost(BOOK, usage, model=case["model"], at=at) == Decimal(case["usd"])
    plain = {"model": case["model"], "at": at, "outcome": "succeeded", "stop_reason": None, "refusal_category": None}
    frame = pl.DataFrame([plain | vars(usage)], infer_schema_length=None)
    assert price_attempts(frame, BOOK)["cost_usd"].to_list() == [Decimal(case["usd"])]


@pytest.mark.parametrize("tier", ["batch", "standard"])
def test_a_discount_is_that_share_of_what_the_oracle_says(tier: str) -> None:
    """Under a contract each model costs its list price less the share, cliffs and searches included."""
    book = BOOK.with_contract([ContractPrice(discount=Decimal("0.2"), first_day=date(2026, 11, 1))])
    at = datetime(2026, 11, 22, tzinfo=UTC)
    for model in BOOK.models():
        usage = Usage(
            input_tokens=150_000, cache_write_1h_tokens=70, cache_read_tokens=80, output_tokens=90, web_searches=1
        )
        usage = Usage(**{**vars(usage), "service_tier": tier})
        listed = oracle(model.id, at, usage)
        if listed is not None:
            assert attempt_cost(book, usage, model=model.id, at=at) == listed * Decimal("0.8")
