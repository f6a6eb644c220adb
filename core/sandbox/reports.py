"""The account's usage and cost reports, made of what the local server really did.

Parameters, limits and shapes as the reference of `GET /v1/organizations/analytics/usage` and `/cost` has them (beta
`analytics-usage-cost-2026-08-24`). Everything happens in one workspace with one key; the cost is at list price, less
the discount of the options.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from starlette.datastructures import Headers, QueryParams

from core.prices import PriceBook
from core.sandbox.options import SandboxOptions
from core.sandbox.paging import DEFAULT_LIMIT, MAX_LIMIT
from core.sandbox.usage_log import Counts, UsageLog, Use
from core.sandbox.wire_errors import WireError

WORKSPACE_ID = "wrkspc_sim_lotwise"
_BETA = "analytics-usage-cost-2026-08-24"
_KEY_ID = "apikey_sim_lotwise"
_FIRST = datetime(2026, 1, 1, tzinfo=UTC)
_BACK, _SPAN = timedelta(days=365), timedelta(days=31)
_WIDTHS = {
    "1m": (timedelta(minutes=1), timedelta(hours=24)),
    "1h": (timedelta(hours=1), _SPAN),
    "1d": (timedelta(days=1), _SPAN),
}
_TOKEN_TYPES = {
    "uncached_input_tokens": "input",
    "cache_creation.ephemeral_5m_input_tokens": "cache_write_5m",
    "cache_creation.ephemeral_1h_input_tokens": "cache_write_1h",
    "cache_read_input_tokens": "cache_read",
    "output_tokens": "output",
}
_TIERS = ("batch", "flex", "flex_discount", "priority", "priority_on_demand", "standard")
_GEOS = ("global", "us", "not_available")
_FANNED = ("cost_type", "token_type")
_MOST_GROUPS = 5
# Dimensions that nothing here differs in, or that nothing here has: they are null.
_EMPTY = (
    *("actor", "actor_type", "agent_id", "claude_tag_category", "claude_tag_user_id", "deployment_id"),
    *("environment_id", "organization_id", "rbac_group_id", "session_id", "slack_channel_id", "user_profile_id"),
)
_VALUES: dict[str, Callable[[Use], str | None]] = {
    "api_key_id": lambda use: _KEY_ID,
    "context_window": lambda use: "200k-1M" if use.above else "0-200k",
    "inference_geo": lambda use: use.inference_geo,
    "model": lambda use: use.model,
    "product": lambda use: "message_batches_api" if use.service_tier == "batch" else "messages_api",
    "service_tier": lambda use: use.service_tier,
    "speed": lambda use: "standard",
    "workspace_id": lambda use: WORKSPACE_ID,
}
_FILTERS = {
    "models": "model",
    "service_tiers": "service_tier",
    "products": "product",
    "workspace_ids": "workspace_id",
    "api_key_ids": "api_key_id",
    "inference_geos": "inference_geo",
}
_ORDERS = {
    "usage": ("total_tokens", "output_tokens", "requests", "uncached_input_tokens", "time"),
    "cost": ("amount", "list_amount", "time"),
}
_NOTHING = Counts()
_Group = tuple[datetime, tuple[str | None, ...]]


@dataclass(frozen=True)
class _Asked:
    """The parameters of a call."""

    what: str
    start: datetime
    end: datetime
    width: timedelta | None
    groups: tuple[str, ...]
    fanned: tuple[str, ...]
    filters: dict[str, list[str]]
    order_by: str
    ascending: bool
    limit: int
    offset: int

    def bucket(self, at: datetime) -> datetime:
        """The start of the bucket of an instant, counted from midnight."""
        if self.width is None:
            return self.start
        midnight = datetime.combine(at.date(), time(), UTC)
        return midnight + (at - midnight) // self.width * self.width

    def takes(self, use: Use) -> bool:
        """Whether the report is about this use."""
        at = _instant(use)
        if not self.start <= at < self.end:
            return False
        return all(
            (_VALUES[name](use) or "not_available") in allowed for name, allowed in self.filters.items() if allowed
        )


@dataclass
class _Sum:
    counts: Counts = _NOTHING
    by_kind: tuple[Decimal, ...] = (Decimal(0),) * 6
    """List price in USD, in the order of the counts."""


class Reports:
    """Answers both endpoints."""

    def __init__(self, options: SandboxOptions, log: UsageLog, clock: Callable[[], datetime]) -> None:
        self._log, self._clock = log, clock
        self._kept = 1 - Decimal(str(options.discount))
        self._book = PriceBook.load()

    def answer(self, what: str, query: QueryParams, headers: Headers) -> dict[str, Any]:
        """A page of a report: `usage` or `cost`. Raises `WireError`."""
        if _BETA not in headers.get("anthropic-beta", ""):
            raise WireError.bad_request(f"anthropic-beta: this endpoint needs {_BETA}.")
        now = self._clock()
        asked = _read(what, query, now)
        sums: dict[_Group, _Sum] = {}
        for use, counts in self._log.sums():
            if asked.takes(use):
                values = tuple(_VALUES[name](use) if name in _VALUES else None for name in asked.groups)
                total = sums.setdefault((asked.bucket(_instant(use)), values), _Sum())
                total.counts = total.counts.plus(counts)
                costs = zip(total.by_kind, self._costs(use, counts), strict=True)
                total.by_kind = tuple(before + more for before, more in costs)
        found = _ordered(asked, sums)
        page = found[asked.offset : asked.offset + asked.limit]
        more = asked.offset + asked.limit < len(found)
        rows = [row for group, total in page for row in self._rows(asked, group, total)]
        return {
            "data": rows,
            "has_more": more,
            "next_page": _cursor(asked.offset + asked.limit) if more else None,
            "data_refreshed_at": now.isoformat().replace("+00:00", "Z"),
        }

    def _costs(self, use: Use, counts: Counts) -> tuple[Decimal, ...]:
        """The list price of each kind, in USD."""
        rates = self._book.rates(
            use.model,
            at=_instant(use),
            total_input_tokens=use.above + 1 if use.above else 0,
            batch=use.service_tier == "batch",
            geo=use.inference_geo,
        )
        return tuple(counts[index] * getattr(rates, kind) for index, kind in enumerate(Counts._fields[:6]))

    def _rows(self, asked: _Asked, group: _Group, total: _Sum) -> list[dict[str, Any]]:
        start, values = group
        grouped = dict(zip(asked.groups, values, strict=True))
        row: dict[str, Any] = {
            "starting_at": _text(start),
            "ending_at": _text(start + asked.width if asked.width else asked.end),
            "group": grouped,
        }
        if asked.what == "usage":
            return [row | {"usage": _usage(total.counts)}]
        requests = None if asked.fanned else total.counts.requests
        return [
            row | {"group": grouped | extra, "cost": self._cost(listed, requests)}
            for extra, listed in _fan_out(asked.fanned, total)
        ]

    def _cost(self, listed: Decimal, requests: int | None) -> dict[str, Any]:
        return {
            "amount": _cents(listed * self._kept),
            "list_amount": _cents(listed),
            "currency": "USD",
            "requests": requests,
        }


def _fan_out(fanned: tuple[str, ...], total: _Sum) -> list[tuple[dict[str, str | None], Decimal]]:
    """The components of a cost: those asked for, that cost anything."""
    by_kind = dict(zip(Counts._fields[:6], total.by_kind, strict=True))
    if not fanned:
        return [({}, sum(total.by_kind, Decimal(0)))]
    found: list[tuple[dict[str, str | None], Decimal]]
    if "token_type" in fanned:
        found = [({"cost_type": "tokens", "token_type": name}, by_kind[kind]) for name, kind in _TOKEN_TYPES.items()]
    else:
        tokens = sum((by_kind[kind] for kind in _TOKEN_TYPES.values()), Decimal(0))
        found = [({"cost_type": "tokens", "token_type": None}, tokens)]
    if "cost_type" in fanned:
        found.append(({"cost_type": "web_search", "token_type": None}, by_kind["web_search"]))
    return [(extra, listed) for extra, listed in found if listed]


def _usage(counts: Counts) -> dict[str, Any]:
    return {
        "uncached_input_tokens": counts.input,
        "cache_creation": {
            "ephemeral_5m_input_tokens": counts.cache_write_5m,
            "ephemeral_1h_input_tokens": counts.cache_write_1h,
        },
        "cache_read_input_tokens": counts.cache_read,
        "output_tokens": counts.output,
        "total_tokens": sum(counts[:5]),
        "server_tool_use": {"web_search_requests": counts.web_search},
        "requests": counts.requests,
    }


def _ordered(asked: _Asked, sums: dict[_Group, _Sum]) -> list[tuple[_Group, _Sum]]:
    measures: dict[str, Callable[[_Sum], Decimal | int]] = {
        "total_tokens": lambda total: sum(total.counts[:5]),
        "output_tokens": lambda total: total.counts.output,
        "requests": lambda total: total.counts.requests,
        "uncached_input_tokens": lambda total: total.counts.input,
        "amount": lambda total: sum(total.by_kind),
        "list_amount": lambda total: sum(total.by_kind),
    }
    by_time = asked.order_by == "time" and asked.width is not None
    measure = measures[_ORDERS[asked.what][0] if asked.order_by == "time" else asked.order_by]
    found = sorted(sums.items(), key=lambda pair: [value or "" for value in pair[0][1]])
    found.sort(key=lambda pair: measure(pair[1]), reverse=by_time or not asked.ascending)
    if by_time:
        found.sort(key=lambda pair: pair[0][0], reverse=not asked.ascending)
    return found


def _read(what: str, query: QueryParams, now: datetime) -> _Asked:
    """The parameters of a call. Raises `WireError`."""
    start = _time("starting_at", query.get("starting_at"))
    if start is None:
        raise WireError.bad_request("starting_at: Field required")
    if start < max(_FIRST, now - _BACK):
        raise WireError.bad_request("starting_at: must be within the last 365 days and not before 2026-01-01.")
    end, width = _time("ending_at", query.get("ending_at")), query.get("time_bucket_width")
    if width is not None and width not in _WIDTHS:
        raise WireError.bad_request("time_bucket_width: must be 1m, 1h or 1d.")
    if width is None:
        start = start.replace(minute=0, second=0, microsecond=0)
        end = (end or min(now, start + _SPAN)).replace(minute=0, second=0, microsecond=0)
    if end is None:
        raise WireError.bad_request("ending_at: required when time_bucket_width is set.")
    bucket, most = (None, _SPAN) if width is None else _WIDTHS[width]
    if not timedelta(0) < end - start <= most:
        raise WireError.bad_request(f"ending_at: must lie after starting_at, by at most {most}.")
    groups = query.getlist("group_by[]")
    _only("group_by[]", groups, (*_VALUES, *_EMPTY, *(_FANNED if what == "cost" else ())))
    counted = tuple(name for name in dict.fromkeys(groups) if name not in _FANNED)
    if len(counted) > _MOST_GROUPS:
        raise WireError.bad_request(f"group_by[]: at most {_MOST_GROUPS} dimensions.")
    filters = {dimension: query.getlist(f"{name}[]") for name, dimension in _FILTERS.items()}
    _only("service_tiers[]", filters["service_tier"], _TIERS)
    _only("inference_geos[]", filters["inference_geo"], _GEOS)
    order_by, order = query.get("order_by", _ORDERS[what][0]), query.get("order", "desc")
    _only("order_by", [order_by], _ORDERS[what])
    _only("order", [order], ("asc", "desc"))
    return _Asked(
        what=what,
        start=start,
        end=end,
        width=bucket,
        groups=counted,
        fanned=tuple(name for name in _FANNED if name in groups),
        filters=filters,
        order_by=order_by,
        ascending=order == "asc",
        limit=_limit(query.get("limit")),
        offset=_offset(query.get("page")),
    )


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not text.isdecimal() or not 1 <= int(text) <= MAX_LIMIT:
        raise WireError.bad_request(f"limit: must be a whole number from 1 to {MAX_LIMIT}.")
    return int(text)


def _cursor(offset: int) -> str:
    return urlsafe_b64encode(f"page_{offset}".encode()).decode()


def _offset(page: str | None) -> int:
    if page is None:
        return 0
    try:
        return int(urlsafe_b64decode(page).decode().removeprefix("page_"))
    except ValueError:
        raise WireError.bad_request("page: not a cursor of an earlier answer.") from None


def _time(name: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise WireError.bad_request(f"{name}: not an RFC 3339 instant.") from None
    if at.tzinfo is None:
        raise WireError.bad_request(f"{name}: needs a time zone.")
    return at.astimezone(UTC)


def _only(name: str, given: list[str], allowed: tuple[str, ...]) -> None:
    if wrong := [value for value in given if value not in allowed]:
        raise WireError.bad_request(f"{name}: {wrong[0]!r} is none of {', '.join(allowed)}.")


def _instant(use: Use) -> datetime:
    return datetime.fromtimestamp(use.minute_us / 1e6, UTC)


def _text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _cents(usd: Decimal) -> str:
    """An amount in USD as fractional cents."""
    return f"{(usd * 100).normalize():f}"
