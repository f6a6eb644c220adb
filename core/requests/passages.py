"""A request as a person reads it: its blocks in cache order, each with the part of the prompt that it belongs to."""

from collections.abc import Iterator
from dataclasses import dataclass

import orjson
from msgspec import Raw

from core.requests.request import Params


@dataclass(frozen=True, kw_only=True, slots=True)
class Passage:
    """One block: `text` is the text itself, or the JSON of a block that is not text (`is_text` tells)."""

    part: str
    text: str
    is_text: bool


def passages(params: Params) -> list[Passage]:
    """All blocks in cache order: block k of a class's prefix is passage k - 1."""
    contents: list[tuple[str, str | list[Raw]]] = [("tools", params.tools or []), ("system", params.system or [])]
    contents += [(message.role, message.content) for message in params.messages]
    return [
        Passage(part=part, text=text, is_text=is_text)
        for part, content in contents
        for text, is_text in ([(content, True)] if isinstance(content, str) else _texts(content))
    ]


def first_text(params: Params) -> str:
    """The first text of a request: what a person would know it by; its model where it has none."""
    texts = (" ".join(passage.text.split()) for passage in passages(params) if passage.is_text)
    return next((text for text in texts if text), params.model)


def shortened(text: str, most: int) -> str:
    """A text of at most so many characters, cut off at a word."""
    return text if len(text) <= most else text[: most - 1].rsplit(" ", 1)[0] + "…"


def _texts(blocks: list[Raw]) -> Iterator[tuple[str, bool]]:
    for raw in blocks:
        block = orjson.loads(memoryview(raw))
        is_text = block.get("type") == "text"
        yield (block["text"] if is_text else bytes(raw).decode()), is_text
