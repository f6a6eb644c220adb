"""What attempts cost: golden cases, billing outcomes, bulk against single, predictions, an outside oracle."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import genai_prices
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.prices import NaiveTime, PriceBook, UnknownModel, UnpricedModel
from core.prices.costs import (
    BILLED_REFUSALS,
    BILLED_REFUSALS_SINCE,
    NegativeCount,
    UnknownOutcome,
    Usage,
    attempt_cost,
    billed,
    class_cost,
    price_attempts,
)

BOOK = PriceBook.load()
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
CASES = json.loads((Path(__file__).parent / "cases" / "costs.json").read_text("utf-8"))
ORACLE_BATCH_SINCE = datetime(2026, 10, 14, tzinfo=UTC)
"""genai-prices 0.2.3 prices earlier batches at the full standard rate, silently."""

SCHEMA: dict[str, Any] = {
    "model": pl.String,
    "at": pl.Datetime("us", "UTC"),
    "outcome": pl.String,
    "stop_reason": pl.String,
    "refusal_category": pl.String,
    "input_tokens": pl.Int64,
    "cache_write_5m_tokens": pl.Int64,
    "cache_write_1h_tokens": pl.Int64,
    "cache_read_tokens": pl.Int64,
    "output_tokens": pl.Int64,
    "web_searches": pl.Int64,
    "service_tier": pl.String,
    "inference_geo": pl.String,
}
USAGE_FIELDS = tuple(SCHEMA)[5:]


def attempts(*rows: dict[str, Any]) -> pl.DataFrame:
    """A frame of attempts; what a row leaves out is a plain succeeded one."""
    ordinary = {"model": "claude-opus-5-5", "at": NOW, "outcome": "succeeded", "input_tokens": 0, "output_tokens": 10}
    return pl.DataFrame([ordinary | row for row in rows], schema=SCHEMA)


def single_cost(row: dict[str, Any]) -> Decimal | None:
    """`attempt_cost` of a frame's row, None where it refuses."""
    usage = {name: row[name] for name in USAGE_FIELDS}
    usage |= {name: value or 0 for name, value in usage.items() if name in USAGE_FIELDS[:6]}
    rest = {name: row[name] for name in ("model", "at", "outcome", "stop_reason", "refusal_category")}
    try:
        return attempt_cost(BOOK, Usage(**usage), **rest)
    except (NegativeCount, UnknownModel, UnpricedModel, UnknownOutcome):
        return None


def oracle(model: str, at: datetime, usage: Usage) -> Decimal:
    """What genai-prices says; its `input_tokens` is the total and writes without a TTL count as 5 minutes."""
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
        price_context={"processing": "batch"} if usage.service_tier in (None, "batch") else None,
    ).total_price


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["why"])
def test_golden_costs(case: dict[str, Any]) -> None:
    """Published prices give exactly this cost; genai-prices agrees, or is wrong in the way recorded."""
    at = datetime.fromisoformat(case["at"]).replace(tzinfo=UTC)
    usage = Usage(**case["usage"])
    expected = Decimal(case["usd"])

    assert attempt_cost(BOOK, usage, model=case["model"], at=at) == expected
    assert price_attempts(attempts({"model": case["model"], "at": at} | {"output_tokens": 0} | case["usage"]), BOOK)[
        "cost_usd"
    ].to_list() == [expected]
    assert oracle(case["model"], at, usage) == Decimal(case.get("oracle_says", case["usd"]))


def test_primed_job_of_ten_thousand_items() -> None:
    """One write and 9,999 reads: the job of the worked example, to the last decimal."""
    write = Usage(input_tokens=150, cache_write_1h_tokens=3_500, output_tokens=120)
    read = Usage(input_tokens=150, cache_read_tokens=3_500, output_tokens=120)
    write_cost, read_cost = (attempt_cost(BOOK, u, model="claude-sonnet-5-5", at=NOW) for u in (write, read))
    assert write_cost + 9_999 * read_cost == Decimal("9.256825")


@pytest.mark.parametrize("outcome", ["errored", "canceled", "expired"])
def test_what_did_not_run_is_free(outcome: str) -> None:
    """Errored, canceled and expired items cost nothing, whatever the row says, and whatever the model."""
    usage = Usage(input_tokens=1_000, output_tokens=1_000)
    assert attempt_cost(BOOK, usage, model="a model nobody knows", at=NOW, outcome=outcome) == 0


@pytest.mark.parametrize("stop_reason", ["max_tokens", "pause_turn", "model_context_window_exceeded", None])
def test_unusable_output_is_still_billed(stop_reason: str | None) -> None:
    """Succeeded is not usable, but it is paid for."""
    assert billed("succeeded", stop_reason=stop_reason, refusal_category=None, output_tokens=0, at=NOW)


@pytest.mark.parametrize("category", [*BILLED_REFUSALS, "cyber", "general_harms", "a new one", None])
@pytest.mark.parametrize("at", [BILLED_REFUSALS_SINCE, BILLED_REFUSALS_SINCE - timedelta(microseconds=1)])
def test_refusals_before_any_output(category: str | None, at: datetime) -> None:
    """Only three categories are billed, and only since 2026-09-24."""
    expected = category in ("bio", "frontier_llm", "reasoning_extraction") and at == datetime(2026, 9, 24, tzinfo=UTC)
    assert billed("succeeded", stop_reason="refusal", refusal_category=category, output_tokens=0, at=at) is expected


def test_refusal_after_output_is_billed() -> None:
    """What was produced before the refusal is paid for, in every category."""
    assert billed("succeeded", stop_reason="refusal", refusal_category="cyber", output_tokens=1, at=NOW)


def test_unknown_outcome_is_refused() -> None:
    """An outcome the API adds one day is not taken for free, nor for billed."""
    with pytest.raises(UnknownOutcome, match="outcome: paused"):
        billed("paused", stop_reason=None, refusal_category=None, output_tokens=0, at=NOW)


def test_naive_times_are_refused() -> None:
    """Neither one attempt nor a frame is priced on a guessed day."""
    naive = datetime(2026, 10, 7)  # noqa: DTZ001
    with pytest.raises(NaiveTime):
        attempt_cost(BOOK, Usage(), model="claude-opus-5-5", at=naive)
    with pytest.raises(NaiveTime):
        price_attempts(attempts({}).with_columns(pl.col("at").dt.replace_time_zone(None)), BOOK)


INSTANTS = [
    datetime(*day, tzinfo=UTC) - before
    for day in [(2026, 3, 13), (2026, 9, 22), (2026, 9, 24), (2026, 9, 28), (2026, 10, 7), (2026, 11, 9)]
    for before in (timedelta(0), timedelta(microseconds=1))
]
PRESENT = st.sampled_from([-1, 0, 1, 99_999, 100_000, 100_001, 200_000, 200_001]) | st.integers(0, 10**9)
COUNTS = st.none() | PRESENT
ROWS = st.fixed_dictionaries(
    {
        "model": st.sampled_from(
            [
                *(m.id for m in BOOK.models()),
                "claude-haiku-4-5-20251001",
                "claude-nobody-1",
                "claude-x-20260101",
            ]
        ),
        "at": st.sampled_from(INSTANTS) | st.datetimes(datetime(2024, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
        "outcome": st.sampled_from(["succeeded", "succeeded", "errored", "canceled", "expired", "paused"]),
        "stop_reason": st.sampled_from([None, "end_turn", "max_tokens", "refusal"]),
        "refusal_category": st.sampled_from([None, "bio", "cyber", "frontier_llm", "reasoning_extraction"]),
        **dict.fromkeys(USAGE_FIELDS[:6], COUNTS),
        **dict.fromkeys(("input_tokens", "output_tokens"), PRESENT),
        "service_tier": st.sampled_from([None, "batch", "standard", "priority"]),
        "inference_geo": st.sampled_from([None, "us", "global", "not_available"]),
    }
)


@settings(max_examples=150, deadline=None)
@given(st.lists(ROWS, max_size=25))
def test_bulk_equals_single(rows: list[dict[str, Any]]) -> None:
    """Pricing a frame gives every row, in order, exactly what pricing it alone would give."""
    frame = attempts(*rows) if rows else pl.DataFrame(schema=SCHEMA)
    priced = price_attempts(frame, BOOK)
    assert priced.drop("cost_usd").equals(frame)
    assert priced["cost_usd"].to_list() == [single_cost(row) for row in frame.iter_rows(named=True)]


def test_bulk_shows_unknown_costs_as_unknown() -> None:
    """A cost that cannot be known is null, never zero; the rest of the frame is priced all the same."""
    frame = attempts(
        {"model": "claude-nobody-1"},
        {},
        {"model": None},
        {"at": None},
        {"outcome": None},
        {"outcome": "paused"},
        {"model": "claude-fable-5-2", "at": datetime(2026, 11, 8, tzinfo=UTC)},
        {"model": "claude-nobody-1", "outcome": "errored"},
    )
    expected = [None, Decimal("0.0001"), None, None, None, None, None, Decimal(0)]
    assert price_attempts(frame, BOOK)["cost_usd"].to_list() == expected


@pytest.mark.parametrize("count", USAGE_FIELDS[:6])
def test_a_count_that_cannot_be_leaves_the_cost_unknown(count: str) -> None:
    """Counts below nothing, and messages without input or output, are priced as unknown; what is free stays free."""
    always = count in ("input_tokens", "output_tokens")
    priced = price_attempts(
        attempts(
            {count: -1},
            {count: None},
            {count: -1, "outcome": "errored"},
            {count: None, "outcome": "errored"},
            {"stop_reason": "refusal", "refusal_category": "cyber", "output_tokens": 0} | {"input_tokens": -1},
            {"stop_reason": "refusal", "refusal_category": "cyber", "output_tokens": None},
        ),
        BOOK,
    )
    known = None if always else Decimal("0.0001")
    assert priced["cost_usd"].to_list() == [None, known, Decimal(0), Decimal(0), Decimal(0), None]


def test_a_negative_count_is_refused() -> None:
    """One attempt is not priced on a count that cannot be, unless nothing of it is billed."""
    with pytest.raises(NegativeCount, match="model: claude-opus-5-5"):
        attempt_cost(BOOK, Usage(cache_read_tokens=-1), model="claude-opus-5-5", at=NOW)
    assert attempt_cost(BOOK, Usage(output_tokens=-1), model="claude-opus-5-5", at=NOW, outcome="errored") == 0


def test_bulk_dates_refusals_like_single() -> None:
    """The first instant of the refusal rule, and the last before it, are the same for frames."""
    frame = attempts(
        *(
            {
                "stop_reason": "refusal",
                "refusal_category": category,
                "at": at,
                "input_tokens": 9,
                "output_tokens": n,
            }
            for category in ("bio", "cyber", None)
            for at in (BILLED_REFUSALS_SINCE, BILLED_REFUSALS_SINCE - timedelta(microseconds=1))
            for n in (0, 1)
        )
    )
    costs = price_attempts(frame, BOOK)["cost_usd"].to_list()
    assert costs == [single_cost(row) for row in frame.iter_rows(named=True)]
    assert len(set(costs)) == 3


def test_bulk_keeps_order_and_columns_of_large_frames() -> None:
    """Joins may reorder large frames; ours must not, nor drop a column, nor stumble over untyped nulls."""
    frame = pl.select(output_tokens=pl.int_range(300_000).shuffle(seed=7)).with_columns(
        row=pl.lit("mine"),
        model=pl.lit("claude-opus-5-5"),
        at=pl.lit(NOW),
        outcome=pl.when(pl.col("output_tokens") % 3 == 0).then(pl.lit("expired")).otherwise(pl.lit("succeeded")),
        input_tokens=pl.lit(0),
        **dict.fromkeys([*USAGE_FIELDS[1:4], *USAGE_FIELDS[5:], "stop_reason", "refusal_category"], pl.lit(None)),
    )
    priced = price_attempts(frame, BOOK)
    assert priced.drop("cost_usd").equals(frame)
    assert priced.schema["cost_usd"] == pl.Decimal(38, 12)
    expected = pl.when(pl.col("outcome") == "expired").then(0).otherwise(pl.col("output_tokens") * 10)
    assert (priced["cost_usd"] * 1_000_000).cast(pl.Int64).equals(frame.select(c=expected)["c"])


def test_bulk_reads_other_zones_and_units() -> None:
    """Midnight UTC decides the price, in whatever zone or unit a frame keeps its times."""
    local = attempts({"model": "claude-sonnet-5-5", "cache_read_tokens": 1_000_000, "output_tokens": 0}).with_columns(
        pl.lit(datetime(2026, 10, 7, tzinfo=UTC))
        .dt.convert_time_zone("America/New_York")
        .dt.cast_time_unit("ms")
        .alias("at")
    )
    assert price_attempts(local, BOOK)["cost_usd"].to_list() == [Decimal("0.05")]


@pytest.mark.parametrize(
    ("model", "batch", "primed"),
    [
        ("claude-haiku-5-5", "2.125", "0.55"),
        ("claude-sonnet-5-5", "42.50", "9.26"),
        ("claude-opus-5-5", "85.00", "18.51"),
        ("claude-fable-5-2", "170.00", "33.53"),
        ("claude-haiku-4-5", "21.25", "21.25"),
    ],
)
def test_predicted_cost_of_the_worked_class(model: str, batch: str, primed: str) -> None:
    """10,000 items of 3,500 + 150 in, 120 out; under its floor of 4,096 Haiku 4.5 gains nothing."""
    predicted = class_cost(
        BOOK, model=model, at=NOW, items=10_000, prefix_tokens=3_500, suffix_tokens=150, output_tokens=120
    )
    assert predicted.plain_usd == Decimal(batch)
    assert predicted.primed_usd.quantize(Decimal("0.01")) == Decimal(primed)
    assert predicted.cacheable is (model != "claude-haiku-4-5")


@pytest.mark.parametrize("items", [0, 1, 2, 3, 50])
def test_prediction_equals_the_attempts_it_predicts(items: int) -> None:
    """What is predicted and what is billed follow one formula, also past the cliff."""
    for prefix in (4_000, 99_900, 99_901):
        predicted = class_cost(
            BOOK,
            model="claude-haiku-5-5",
            at=NOW,
            items=items,
            prefix_tokens=prefix,
            suffix_tokens=100,
            output_tokens=7,
            geo="us",
        )
        first = Usage(input_tokens=100, cache_write_1h_tokens=prefix, output_tokens=7, inference_geo="us")
        later = Usage(input_tokens=100, cache_read_tokens=prefix, output_tokens=7, inference_geo="us")
        plain = Usage(input_tokens=100 + prefix, output_tokens=7, inference_geo="us")
        cold, read, bare = (
            attempt_cost(BOOK, usage, model="claude-haiku-5-5", at=NOW) for usage in (first, later, plain)
        )
        assert predicted.primed_usd == (cold + (items - 1) * read if items else 0)
        assert predicted.plain_usd == items * bare


def test_prediction_takes_means() -> None:
    """Means need not be whole, and a mean beyond the cliff counts as beyond it."""
    mean = class_cost(
        BOOK, model="claude-opus-5-5", at=NOW, items=4, prefix_tokens=0, suffix_tokens=2.25, output_tokens=0.5
    )
    assert mean.plain_usd == mean.primed_usd == 4 * (Decimal("2.25") * 2 + Decimal("0.5") * 10) / 1_000_000
    over = class_cost(
        BOOK,
        model="claude-haiku-5-5",
        at=NOW,
        items=1,
        prefix_tokens=0,
        suffix_tokens=100_000.5,
        output_tokens=0,
    )
    assert over.plain_usd == Decimal("100000.5") * Decimal("0.25") / 1_000_000


ORACLE_MODELS = [m.id for m in BOOK.models() if m.id not in ("claude-mythos-5", "claude-mythos-5-1")]


@settings(max_examples=300, deadline=None)
@given(
    model=st.sampled_from(ORACLE_MODELS),
    at=st.sampled_from([ORACLE_BATCH_SINCE, datetime(2026, 11, 9, tzinfo=UTC), NOW]),
    counts=st.tuples(*[st.integers(0, 120_000)] * 5),
    searches=st.integers(0, 3),
    tier=st.sampled_from([None, "batch", "standard"]),
)
def test_genai_prices_agrees(
    model: str, at: datetime, counts: tuple[int, ...], searches: int, tier: str | None
) -> None:
    """An independent price list and formula give the same cost wherever they model the case."""
    fresh, write_5m, write_1h, read, output = counts
    usage = Usage(
        input_tokens=fresh,
        cache_write_5m_tokens=write_5m,
        cache_write_1h_tokens=write_1h,
        cache_read_tokens=read,
        output_tokens=output,
        web_searches=searches,
        service_tier=tier,
    )
    if model.endswith("-5-2"):
        at = max(at, datetime(2026, 11, 9, tzinfo=UTC))
    assert attempt_cost(BOOK, usage, model=model, at=at) == oracle(model, at, usage)


@pytest.mark.parametrize(
    ("at", "usage", "ours", "theirs"),
    [
        ("2026-10-06", Usage(cache_read_tokens=1_000_000, service_tier="standard"), "0.20", "0.10"),
        ("2026-10-06", Usage(output_tokens=1_000_000), "5", "10"),
        ("2026-10-13", Usage(output_tokens=1_000_000), "5", "10"),
        ("2026-10-14", Usage(output_tokens=1_000_000, inference_geo="us"), "5.5", "5"),
    ],
    ids=["read price is undated", "no batch yet", "no batch until 10-14", "geo is ignored"],
)
def test_genai_prices_is_known_to_be_wrong(at: str, usage: Usage, ours: str, theirs: str) -> None:
    """Where the oracle errs, our value is asserted beside its own, so that a corrected oracle is noticed."""
    when = datetime.fromisoformat(at).replace(tzinfo=UTC)
    assert attempt_cost(BOOK, usage, model="claude-sonnet-5-5", at=when) == Decimal(ours)
    assert oracle("claude-sonnet-5-5", when, usage) == Decimal(theirs)


@pytest.mark.parametrize("model", ["claude-mythos-5", "claude-mythos-5-1"])
def test_genai_prices_lacks_these_models(model: str) -> None:
    """The oracle does not list them; ours take the price of the Fable they share."""
    fable = model.replace("mythos", "fable")
    usage = Usage(input_tokens=1, cache_read_tokens=1, output_tokens=1)
    assert attempt_cost(BOOK, usage, model=model, at=NOW) == attempt_cost(BOOK, usage, model=fable, at=NOW)
    with pytest.raises(LookupError):
        oracle(model, NOW, usage)
