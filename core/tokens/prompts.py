"""The prompt of a request: its head as a request of its own, and its tokens as the linear count has them."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import orjson

from core.tokens.counting import flat_tokens, linear_count

# Settings by the place from which on they change what is cached (prompt caching page of the API's documentation).
_SCOPE = ("model", "speed", "inference_geo")
_BEFORE_SYSTEM = ("output_config", "output_format")
_BEFORE_MESSAGES = ("tool_choice", "thinking")

Params = dict[str, Any]


def prompt_head(params: Params, blocks: int, cut_chars: int) -> Params:
    """The parameters up to the end of `blocks` blocks in cache order and `cut_chars` characters of the next one.

    Of the settings, only those remain that count before that end, so that all items which share the head have one and
    the same. Its `messages` may be empty.
    """
    rest = _Rest(blocks, cut_chars)
    head: Params = {key: params[key] for key in _SCOPE if key in params}
    parts = {
        "tools": rest.take(params.get("tools") or []),
        "system": rest.take(params.get("system") or []),
    }
    messages = [{**message, "content": rest.take(message["content"])} for message in params["messages"]]
    parts["messages"] = [message for message in messages if message["content"]]
    settings = dict.fromkeys(_BEFORE_SYSTEM, parts["system"] or parts["messages"])
    settings |= dict.fromkeys(_BEFORE_MESSAGES, parts["messages"])
    head |= {key: params[key] for key, reached in settings.items() if reached and key in params}
    return head | {key: part for key, part in parts.items() if part or key == "messages"}


def prompt_count(params: Params) -> float:
    """Tokens of all blocks of a request in the older tokenizer, as `linear_count` has them."""
    return sum((_count(block) for block in _blocks(params)), 0.0)


# Requests of one class follow each other, and most of their text is the same.
_text_count = lru_cache(8)(linear_count)


class _Rest:
    """How much of a prompt is still to be taken."""

    def __init__(self, blocks: int, chars: int) -> None:
        self._blocks = blocks
        self._chars = chars

    def take(self, content: Any) -> Any:
        """As much of a text or a list of blocks as belongs to the head; an empty one where nothing does."""
        if isinstance(content, str):
            return content if self._next_is_whole() else content[: self._last_chars()]
        taken = []
        for block in content:
            if self._next_is_whole():
                taken.append(block)
            elif chars := self._last_chars():
                taken.append({"type": "text", "text": block["text"][:chars]})
        return taken

    def _next_is_whole(self) -> bool:
        self._blocks -= 1
        return self._blocks >= 0

    def _last_chars(self) -> int:
        chars, self._chars = self._chars, 0
        return chars


def _blocks(params: Params) -> Iterator[Any]:
    for content in (params.get("tools"), params.get("system"), *(message["content"] for message in params["messages"])):
        if isinstance(content, str):
            yield content
        else:
            yield from content or ()


def _count(block: Any) -> float:
    if isinstance(block, str):
        return _text_count(block)
    kind, content, source = block.get("type"), block.get("content"), block.get("source")
    if kind == "text":
        return _text_count(block["text"])
    if kind == "document" and isinstance(source, dict) and isinstance(text := source.get("data"), str):
        if source.get("type") == "text":
            return linear_count(text)
    elif kind == "tool_result" and isinstance(content, list):
        return sum((_count(part) for part in content), 0.0)
    flat = flat_tokens(kind) if isinstance(kind, str) else None
    return linear_count(orjson.dumps(block).decode()) if flat is None else flat
