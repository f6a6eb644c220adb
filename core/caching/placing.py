"""Cache marks: where they go in a request's parameters, and how a text is cut in two so that its head can carry one."""

from collections.abc import Iterator, Sequence
from typing import Any

from core.caching.lifetimes import Lifetime
from core.requests.blocks import MARK, BlockOutOfReach


def place_marks(
    params: dict[str, Any], blocks: Sequence[int], *, lifetime: Lifetime, split_chars: int | None = None
) -> dict[str, Any]:
    """Put cache marks on the given blocks (counted from 1 in cache order), in place, and return the params.

    With `split_chars` the last of them is first sent as two text blocks, cut behind so many characters, and the
    former is marked. Raises `BlockOutOfReach` where there is no such block, or no text of that length.
    """
    if split_chars is not None:
        _split(params, blocks[-1], split_chars)
    for block in blocks:
        mark(params, block, lifetime=lifetime)
    return params


def mark(params: dict[str, Any], block: int, *, lifetime: Lifetime = "1h") -> dict[str, Any]:
    """Put a cache mark on the given block (counted from 1 in cache order), in place, and return the params.

    A text given as a plain string becomes a list of one text block, the form that can carry a mark. Raises
    `BlockOutOfReach` where there is no such block.
    """
    holder, key = _at(params, block)
    content = holder[key]
    # Both lifetimes are spelled out: they take the same number of bytes.
    control = MARK | {"ttl": lifetime}
    if isinstance(content, str):
        holder[key] = [{"type": "text", "text": content, "cache_control": control}]
    else:
        content["cache_control"] = control
    return params


def _split(params: dict[str, Any], block: int, chars: int) -> None:
    """Send a text as two blocks; what stands before it keeps its number, what comes behind moves up by one."""
    holder, key = _at(params, block)
    content = holder[key]
    text = content if isinstance(content, str) else content.get("text")
    if not isinstance(text, str) or not 0 < chars < len(text):
        raise BlockOutOfReach(block)
    rest = {"type": "text", "text": text[chars:]}
    if isinstance(content, str):
        holder[key] = [{"type": "text", "text": text[:chars]}, rest]
    else:
        content["text"] = text[:chars]
        holder.insert(key + 1, rest)


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
