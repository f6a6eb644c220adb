"""The account's own usage and cost reports, read through the official SDK.

Shapes, units and limits: the reference of the Admin API's `analytics/usage` and `analytics/cost` (beta of 2026-08-24):
rows a day, amounts as text in fractional cents, at most 31 days a call, nothing before 2026-01-01 or older than a year.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from core.errors import LotwiseError
from core.gateway.refusals import reading, said
from core.prices.book import MONEY

if TYPE_CHECKING:
    from anthropic import Anthropic

FIRST_DAY = date(2026, 1, 1)
DAYS_BACK = 364
"""A day that began so many days ago is still within the last 365 days, whatever the hour."""
_DAYS_A_CALL = 31
_PAGE = 1000
_SECONDS = 60.0
_REFUSED = {401, 403, 404}
_COUNTS = ("input_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "cache_read_tokens", "output_tokens")
_TOKEN_KINDS = {
    "uncached_input_tokens": "input",
    "cache_creation.ephemeral_5m_input_tokens": "cache_write_5m",
    "cache_creation.ephemeral_1h_input_tokens": "cache_write_1h",
    "cache_read_input_tokens": "cache_read",
    "output_tokens": "output",
}
_OF: Final = ("model", "service_tier", "workspace_id", "product")
_GROUP: dict[str, Any] = {"day": pl.Date, **dict.fromkeys(_OF, pl.String)}
USAGE_SCHEMA: dict[str, Any] = {**_GROUP, **dict.fromkeys((*_COUNTS, "web_searches", "requests"), pl.Int64)}
COST_SCHEMA: dict[str, Any] = {**_GROUP, "kind": pl.String, "amount_usd": MONEY, "list_usd": MONEY}


class ReportsRefused(LotwiseError):
    """No key here may read the account's usage and cost reports. Set ANTHROPIC_ADMIN_KEY to an Admin API key, or to a
    key with the scope read:analytics, and start again."""


class ReportsUnread(LotwiseError):
    """A row of the account's reports is of a form that Lotwise does not know. Nothing of it was kept."""


@dataclass(frozen=True, kw_only=True)
class AccountReports:
    """What an account's reports say of some days, all times UTC."""

    usage: pl.DataFrame
    """day, model, service_tier, workspace_id, product, tokens by kind, web_searches, requests; null = not said."""
    cost: pl.DataFrame
    """day, model, service_tier, workspace_id, product, kind, amount_usd after contract, list_usd."""
    refreshed_at: datetime | None
    """Up to when the account counted its data as complete, where it says so."""


def read_reports(client: "Anthropic", first: date, last: date) -> AccountReports:
    """Both reports by UTC day, `first` to `last` included. Raises `ReportsRefused`, `ReportsUnread`, `GatewayDown`."""
    import anthropic  # noqa: PLC0415

    client = client.with_options(timeout=_SECONDS)
    usage: list[dict[str, Any]] = []
    cost: list[dict[str, Any]] = []
    refreshed: list[datetime] = []
    with reading(None):
        try:
            analytics = client.beta.organization.analytics
            for asked in _calls(first, last):
                pages = analytics.usage.list(**asked, group_by=list(_OF)).iter_pages()
                for page in pages:
                    usage += [_usage(row.to_dict(mode="python", warnings=False)) for row in page.data]
                    refreshed += [page.data_refreshed_at] if page.data_refreshed_at else []
                costs = analytics.cost.list(**asked, group_by=[*_OF, "cost_type", "token_type"]).iter_pages()
                for priced in costs:
                    cost += [_cost(row.to_dict(mode="python", warnings=False)) for row in priced.data]
                    refreshed += [priced.data_refreshed_at] if priced.data_refreshed_at else []
        except anthropic.APIStatusError as error:
            if error.status_code in _REFUSED:
                raise ReportsRefused(why=said(error), request_id=error.request_id) from error
            raise
    return AccountReports(
        usage=pl.DataFrame(usage, schema=USAGE_SCHEMA),
        cost=pl.DataFrame(cost, schema=COST_SCHEMA),
        refreshed_at=min(refreshed, default=None),
    )


def _calls(first: date, last: date) -> Iterator[dict[str, Any]]:
    """The ranges that one call each may be about."""
    while first <= last:
        until = min(last, first + timedelta(days=_DAYS_A_CALL - 1))
        yield {
            "starting_at": datetime.combine(first, time(), UTC),
            "ending_at": datetime.combine(until + timedelta(days=1), time(), UTC),
            "time_bucket_width": "1d",
            "order_by": "time",
            "limit": _PAGE,
        }
        first = until + timedelta(days=1)


def _group(row: dict[str, Any]) -> dict[str, Any]:
    group = row.get("group") or {}
    return {"day": row["starting_at"].astimezone(UTC).date(), **{name: group.get(name) for name in _OF}}


def _usage(row: dict[str, Any]) -> dict[str, Any]:
    used = row["usage"]
    written = used.get("cache_creation") or {}
    tokens = (
        used.get("uncached_input_tokens"),
        written.get("ephemeral_5m_input_tokens"),
        written.get("ephemeral_1h_input_tokens"),
        used.get("cache_read_input_tokens"),
        used.get("output_tokens"),
    )
    searches = (used.get("server_tool_use") or {}).get("web_search_requests")
    return {
        **_group(row),
        **{name: count or 0 for name, count in zip(_COUNTS, tokens, strict=True)},
        "web_searches": searches or 0,
        "requests": used.get("requests"),
    }


def _cost(row: dict[str, Any]) -> dict[str, Any]:
    cost, group = row["cost"], row.get("group") or {}
    if cost["currency"] != "USD":
        raise ReportsUnread(currency=cost["currency"])
    token_type, cost_type = group.get("token_type"), group.get("cost_type")
    return {
        **_group(row),
        # A token type of a later day is kept under its own name.
        "kind": _TOKEN_KINDS.get(token_type or "", token_type) or cost_type or "other",
        "amount_usd": _usd(cost["amount"]),
        "list_usd": _usd(cost["list_amount"]),
    }


def _usd(cents: object) -> Decimal:
    """Fractional cents as text, in USD to twelve decimals."""
    try:
        return (Decimal(str(cents)) / 100).quantize(Decimal(1).scaleb(-12))
    except InvalidOperation as error:
        raise ReportsUnread(amount=str(cents)) from error
