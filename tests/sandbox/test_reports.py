"""The account's usage and cost reports: what the local server says it was used for is what it really did."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import anthropic
import pytest

from core.prices import PriceBook
from core.prices.costs import Usage, attempt_cost
from tests.sandbox.driving import MODEL, Server, Start, marked, request, requests

DAY = datetime(2026, 11, 22, tzinfo=UTC)
RANGE: Any = {"starting_at": DAY, "ending_at": DAY + timedelta(days=1), "time_bucket_width": "1d"}
LONG = marked("Judge the record by every one of these rules. " * 200, "1h")


def report(server: Server, what: str, **asked: Any) -> list[Any]:
    """Every row of a report, over all its pages."""
    return list(getattr(server.client.beta.organization.analytics, what).list(**{**RANGE, **asked}))


def charged(results: Iterable[Any]) -> list[Any]:
    """The usage of every result that has one and is billed: what was refused without output is not."""
    messages = [result.message for result in results if result.type == "succeeded"]
    return [message.usage for message in messages if message.stop_reason != "refusal"]


def test_a_day_of_batches_and_direct_messages(start: Start) -> None:
    """Tokens by tier are those of the results; direct messages are of the standard tier and of their own product."""
    server = start(width=1)
    results = server.run(*requests(12, system=[LONG]), request("bad", max_tokens=-1)).values()
    direct = server.client.messages.create(model=MODEL, max_tokens=50, messages=[{"role": "user", "content": "Hello"}])

    rows = report(server, "usage", group_by=["service_tier", "product", "workspace_id"])

    by_tier = {row.group.service_tier: row for row in rows}
    assert {name: row.group.product for name, row in by_tier.items()} == {
        "batch": "message_batches_api",
        "standard": "messages_api",
    }
    used, found = charged(results), by_tier["batch"].usage
    assert found.requests == len(used) == 12
    assert found.uncached_input_tokens == sum(usage.input_tokens for usage in used)
    assert found.output_tokens == sum(usage.output_tokens for usage in used)
    assert found.cache_read_input_tokens == sum(usage.cache_read_input_tokens for usage in used) > 0
    assert found.cache_creation.ephemeral_1h_input_tokens == sum(
        usage.cache_creation.ephemeral_1h_input_tokens for usage in used
    )
    assert by_tier["standard"].usage.output_tokens == direct.usage.output_tokens
    assert (by_tier["batch"].starting_at, by_tier["batch"].ending_at) == (DAY, DAY + timedelta(days=1))


def test_cost_is_what_the_price_book_says_less_the_discount(start: Start) -> None:
    """Amounts are text in cents; token types add up to the whole, and the discount is off every one of them."""
    server = start(discount=0.18, refusal_rate=0.3, width=1)
    results = server.run(*requests(10, system=[LONG], inference_geo="us")).values()
    book, dollars = PriceBook.load(), Decimal(0)
    for result in results:
        message = result.message
        dollars += attempt_cost(
            book,
            Usage(
                input_tokens=message.usage.input_tokens,
                cache_write_1h_tokens=message.usage.cache_creation.ephemeral_1h_input_tokens,
                cache_read_tokens=message.usage.cache_read_input_tokens,
                output_tokens=message.usage.output_tokens,
                inference_geo="us",
            ),
            model=MODEL,
            at=server.clock.now,
            stop_reason=message.stop_reason,
            refusal_category=message.stop_details and message.stop_details.category,
        )

    (whole,) = report(server, "cost")
    parts = report(server, "cost", group_by=["model", "cost_type", "token_type"])

    assert Decimal(whole.cost.list_amount) == dollars * 100 > 0
    assert Decimal(whole.cost.amount) == dollars * 82
    assert (whole.cost.currency, whole.cost.requests is None) == ("USD", False)
    assert sum(Decimal(part.cost.list_amount) for part in parts) == dollars * 100
    assert {part.group.model for part in parts} == {MODEL}
    assert "cache_read_input_tokens" in {part.group.token_type for part in parts}


def test_pages_have_every_row_once(server: Server) -> None:
    """Page by page as in one: the cursor leads on until there is no more, and fanned-out rows count as one."""
    for _ in range(3):
        server.run(*requests(2), hours=1)
    whole = report(server, "usage", time_bucket_width="1h", limit=1000)
    paged = report(server, "usage", time_bucket_width="1h", limit=1)
    first = server.client.beta.organization.analytics.cost.list(
        **{**RANGE, "time_bucket_width": "1h"}, limit=1, group_by=["token_type"]
    )

    assert len(whole) == 3
    assert [row.to_dict() for row in paged] == [row.to_dict() for row in whole]
    assert len(first.data) == 2
    assert first.has_more
    assert first.data_refreshed_at == server.clock.now


def test_filters_and_order(server: Server) -> None:
    """Only what is asked for, in the order that is asked for; what is used after the range is not in it."""
    server.run(*requests(2))
    server.run(*requests(4, model="claude-haiku-4-5"))
    haiku = report(server, "usage", models=["claude-haiku-4-5"], group_by=["model"])
    none = report(server, "usage", service_tiers=["standard"])
    ordered = report(server, "usage", group_by=["model"], order_by="requests", order="asc")
    early = report(server, "usage", ending_at=DAY + timedelta(hours=9), time_bucket_width="1h")

    assert [(row.group.model, row.usage.requests) for row in haiku] == [("claude-haiku-4-5", 4)]
    assert [row.usage.requests for row in ordered] == [2, 4]
    assert (none, early) == ([], [])


def test_what_was_used_survives_a_restart_and_a_deleted_batch(start: Start, tmp_path: Path) -> None:
    """The account is billed for what it used, whatever becomes of the batch; a torn line costs nothing else."""
    server = start(folder=tmp_path)
    batch = server.finish(server.send(*requests(3)))
    server.client.messages.batches.delete(batch.id)
    with (tmp_path / "usage.jsonl").open("ab") as log:
        log.write(b"[2, [[17")

    (row,) = report(start(folder=tmp_path), "usage")

    assert row.usage.requests == 3


def test_batches_may_be_dated_by_their_end(start: Start) -> None:
    """Which day dates an item is not documented, so both can be rehearsed."""
    for by_end, hour in ((False, 10), (True, 11)):
        server = start(usage_by_end=by_end, queue_seconds=3600.0)
        began = server.clock.now
        server.run(*requests(1), hours=2)
        (row,) = report(server, "usage", time_bucket_width="1h")
        assert row.starting_at == DAY + timedelta(hours=hour)
        server.clock.now = began


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"starting_at": datetime(2025, 12, 31, tzinfo=UTC)}, "2026-01-01"),
        ({"ending_at": DAY + timedelta(days=32)}, "31 days"),
        ({"ending_at": DAY + timedelta(days=2), "time_bucket_width": "1m"}, "1 day"),
        ({"ending_at": None}, "required"),
        ({"starting_at": "2026-11-22T00:00:00"}, "time zone"),
        ({"group_by": ["colour"]}, "colour"),
        ({"group_by": ["model", "product", "speed", "actor", "service_tier", "workspace_id"]}, "at most 5"),
        ({"limit": 1001}, "limit"),
        ({"page": "nonsense"}, "cursor"),
    ],
)
def test_what_the_reference_rules_out_is_refused(shared: Server, asked: dict[str, Any], why: str) -> None:
    """A parameter out of its documented range is a 400 that names it."""
    with pytest.raises(anthropic.BadRequestError, match=why):
        report(shared, "usage", **{name: value for name, value in asked.items() if value is not None} | _gone(asked))


def _gone(asked: dict[str, Any]) -> dict[str, Any]:
    return {name: anthropic.omit for name, value in asked.items() if value is None}


def test_only_an_admin_key_reads_reports_where_one_is_set(start: Start) -> None:
    """No valid key is a 401, a key without the right to read reports a 403; the Admin key may."""
    server = start(api_key="sk-usual", admin_key="sk-admin")
    with pytest.raises(anthropic.AuthenticationError):
        report(server, "cost")
    server.client.api_key = "sk-usual"
    with pytest.raises(anthropic.PermissionDeniedError):
        report(server, "cost")
    server.client.api_key = "sk-admin"
    assert report(server, "cost") == []
