"""Cursor paging as the API does it: newest first, forwards with after_id, backwards with before_id."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from starlette.datastructures import QueryParams

from core.sandbox.corners import Corner
from core.sandbox.wire_errors import WireError

DEFAULT_LIMIT = 20
MAX_LIMIT = 1000
T = TypeVar("T")


def page(
    entries: Sequence[T], query: QueryParams, *, key: Callable[[T], str], wire: Callable[[T], dict[str, Any]]
) -> dict[str, Any]:
    """The page that the query asks for; only its entries are rendered."""
    limit = _limit(query.get("limit"))
    after, before = query.get("after_id"), query.get("before_id")
    if after and before:
        raise WireError.at(Corner.TWO_CURSORS)
    if before:
        end = _position(entries, before, key)
        start = max(0, end - limit)
        more = start > 0
    else:
        start = _position(entries, after, key) + 1 if after else 0
        end = min(len(entries), start + limit)
        more = end < len(entries)
    data = [wire(entry) for entry in entries[start:end]]
    return {
        "data": data,
        "has_more": more,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
    }


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not text.isdecimal() or not 1 <= int(text) <= MAX_LIMIT:
        raise WireError.at(Corner.BAD_LIMIT)
    return int(text)


def _position(entries: Sequence[T], name: str, key: Callable[[T], str]) -> int:
    for position, entry in enumerate(entries):
        if key(entry) == name:
            return position
    raise WireError.at(Corner.UNKNOWN_CURSOR, id=name)
