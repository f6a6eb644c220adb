"""Cache marks: where the shared prefix ends in a request's parameters, and putting a one-hour mark there."""

from collections.abc import Iterator
from typing import Any

from core.requests.blocks import MARK


class BlockOutOfReach(IndexError):
    """The request has fewer blocks than its class shares: it cannot be of that class."""


def mark(params: dict[str, Any], block: int) -> dict[str, Any]:
    """Put a one-hour cache mark on the given block (counted from 1 in cache order), in place, and return the params.

    A text given as a plain string becomes a list of one text block, the form that can carry a mark. Raises
    `BlockOutOfReach` where there is no such block.
    """
    holder, key = _at(params, block)
    content = holder[key]
    if isinstance(content, str):
        holder[key] = [{"type": "text", "text": content, "cache_control": MARK}]
    else:
        content["cache_control"] = MARK
    return params


def _at(params: dict[str, Any], block: int) -> tuple[Any, Any]:
    for number, place in enumerate(_places(params), 1):
        if number == block:
            return place
    raise BlockOutOfReach(block)


def _places(params: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Every block in cache order, as the container and key that hold it."""
    tools = params.get("tools") or []
    yield from ((tools, index) for index in range(len(tools)))
    contents = [params] if params.get("system") else []
    for holder, key in [
        *((holder, "system") for holder in contents),
        *((m, "content") for m in params["messages"]),
    ]:
        if isinstance(holder[key], str):
            yield holder, key
        else:
            yield from ((holder[key], index) for index in range(len(holder[key])))
