"""Savings not taken: each way's dollars re-priced exactly, one thing otherwise and all else as it was."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from core.opportunities.workload import CELLS, CLASSES, DUPLICATES, JOBS, Workload
from core.prices import PriceBook
from core.prices.repricing import reprice
from core.savings.not_taken import NotTaken, not_taken

BOOK = PriceBook.load()
DAY = date(2026, 11, 2)
MILLION = Decimal(1_000_000)
USUAL: dict[str, Any] = {
    "job_id": "j1",
    "class_id": "c1",
    "class_name": "Triage",
    "model": "claude-haiku-4-5",
    "role": "body",
    "outcome": "succeeded",
    "cause": None,
    "service_tier": "batch",
    "inference_geo": None,
    "submitted_at": datetime(2026, 11, 2, 9, tzinfo=UTC),
    "day": DAY,
    "usable": True,
    "billed": True,
    "rerun": False,
    "above_tokens": 0,
    "attempts": 100,
    "input_tokens": 100_000,
    "cache_write_5m_tokens": 0,
    "cache_write_1h_tokens": 0,
    "cache_read_tokens": 0,
    "output_tokens": 20_000,
    "web_searches": 0,
    "unpriced": 0,
    "units": 100.0,
}


def work(*rows: dict[str, Any], prefix: int = 0, copies: Decimal | None = None) -> Workload:
    """Cells of one class, whose shared prefix has so many tokens."""
    frame = pl.DataFrame([USUAL | {"cost_usd": None} | row for row in rows], schema=CELLS)
    priced = frame.with_columns(cost_usd=reprice(frame, BOOK))
    jobs = [(job, job, "by hand", None, None) for job in frame["job_id"].unique(maintain_order=True)]
    duplicates = [] if copies is None else [("c1", "j1", DAY, 3, copies)]
    return Workload(
        cells=priced,
        jobs=pl.DataFrame(jobs, schema=JOBS, orient="row"),
        classes=pl.DataFrame([("c1", "Triage", "claude-haiku-4-5", prefix, DAY, None)], schema=CLASSES, orient="row"),
        duplicates=pl.DataFrame(duplicates, schema=DUPLICATES, orient="row"),
        book=BOOK,
        last=DAY,
    )


def only(found: tuple[NotTaken, ...]) -> NotTaken:
    """The one thing that was missed."""
    (one,) = found
    return one


def test_what_went_at_once_could_have_been_a_batch() -> None:
    """Haiku 4.5 at 1 and 5 USD a million: as a batch it is half of that."""
    one = only(not_taken(work({"service_tier": "standard"}), {}))
    assert (one.name, one.known, one.attempts) == ("standard_tier", "measured", 100)
    assert one.amount == (100_000 * Decimal(1) + 20_000 * Decimal(5)) / MILLION / 2


@pytest.mark.parametrize("row", [{"service_tier": "batch"}, {"service_tier": None}], ids=["batch", "not said"])
def test_what_went_as_a_batch_missed_nothing(row: dict[str, Any]) -> None:
    """A result that does not say its tier is of a batch."""
    assert not_taken(work(row), {}) == ()


def test_a_proven_model_that_is_not_used_is_missed_at_the_tokens_counted() -> None:
    """Haiku 5.5 at a tenth: nine tenths were missed; a dearer model misses nothing."""
    of = work({})
    paid: Decimal = of.cells["cost_usd"][0]
    one = only(not_taken(of, {"c1": "claude-haiku-5-5"}))
    assert (one.name, one.known) == ("dearer_model", "estimated")
    assert one.amount == paid * Decimal("0.9")
    assert not_taken(of, {"c1": "claude-opus-5-5"}) == ()
    assert not_taken(of, {"c1": "claude-unheard-of"}) == ()


def test_answers_nobody_can_use_are_missed_whole() -> None:
    """What was billed and is not usable; not what was not billed, nor what has no known price."""
    bad = {"usable": False, "attempts": 4, "output_tokens": 400, "input_tokens": 4_000}
    unbilled = {"usable": False, "billed": False, "outcome": "expired"}
    one = only(not_taken(work({}, bad, unbilled, bad | {"unpriced": 4, "model": "claude-unheard-of"}), {}))
    assert (one.name, one.attempts) == ("failed", 4)
    assert one.amount == (4_000 * Decimal("0.5") + 400 * Decimal("2.5")) / MILLION


def test_reruns_are_missed_for_what_they_cost_more_than_first_attempts() -> None:
    """Ten reruns that read nothing from the cache, beside first attempts that did; cheaper reruns are no miss."""
    first = {"input_tokens": 10_000, "cache_read_tokens": 90_000}
    again = {
        "job_id": "j2",
        "role": "repair",
        "rerun": True,
        "attempts": 10,
        "input_tokens": 10_000,
        "output_tokens": 2_000,
    }
    found = work(first, again)
    usual, rerun = found.cells["cost_usd"]
    one = only(not_taken(found, {}))
    assert (one.name, one.attempts) == ("reruns", 10)
    assert one.amount == rerun - usual / 10
    assert not_taken(work(first, again | {"input_tokens": 10}), {}) == ()


def test_a_rerun_is_compared_with_its_like() -> None:
    """A longer answer is what it was sent again for; another model or tier has other prices."""
    first = {"input_tokens": 10_000, "cache_read_tokens": 90_000, "output_tokens": 10_000}
    again = {"job_id": "j2", "role": "repair", "rerun": True, "attempts": 10, "input_tokens": 1_000}
    longer = again | {"cache_read_tokens": 9_000, "output_tokens": 9_000}
    cold = again | {"input_tokens": 10_000}
    assert not_taken(work(first, longer), {}) == ()
    assert not_taken(work(first, cold | {"model": "claude-opus-4-5"}), {}) == ()
    assert {each.name for each in not_taken(work(first, cold | {"service_tier": "standard"}), {})} == {"standard_tier"}


def test_a_prefix_sent_plain_or_written_in_vain_is_missed_against_a_primed_job() -> None:
    """One hundred requests with a prefix of 8,000 tokens: sent plain it is not cached, written by each it is cold."""
    plain = only(not_taken(work({"input_tokens": 900_000}, prefix=8_000), {}))
    assert (plain.name, plain.known) == ("uncached", "estimated")
    cold = only(not_taken(work({"cache_write_1h_tokens": 800_000}, prefix=8_000), {}))
    assert (cold.name, cold.known) == ("cold_writes", "estimated")
    # All written at 2 USD a million, against one in ten: nine tenths are read at a twentieth of that.
    assert cold.amount == 720_000 * (Decimal(2) - Decimal("0.1")) / 2 / MILLION
    assert not_taken(work({"input_tokens": 900_000}, prefix=2_000), {}) == ()


def test_duplicates_stand_beside_the_rest_dearest_first() -> None:
    """What is missed is sorted by dollars; each has the words of its class."""
    found = not_taken(work({"service_tier": "standard"}, copies=Decimal("0.01")), {})
    assert [each.name for each in found] == ["standard_tier", "duplicates"]
    assert {each.class_name for each in found} == {"Triage"}
    assert found[1].said.startswith("3 attempts asked for content that had a usable answer already")


def test_no_work_missed_nothing() -> None:
    """An empty period is no miss."""
    assert not_taken(work(), {}) == ()
