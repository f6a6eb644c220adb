"""A request's prompt as one string of bytes in cache order, and the way back from a byte to its place.

Two prompts of one scope share in the cache exactly what their strings have in common from the start: tools, then
system, then messages, with the switches that invalidate what follows them (order and switches: the prompt caching
page of the API's documentation). Block for block the same as the chains of `core/requests/blocks.py`, but to the byte.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from xxhash import xxh3_64_hexdigest as _short_hash
from xxhash import xxh3_128_hexdigest as _hash

from core.requests.blocks import without_mark
from core.requests.request import NotARequest, why_not

Path = tuple[str | int, ...]
"""Keys and indexes that lead to a block in the parameters: `("messages", 0, "content", 1)`."""

# UTF-8 never uses these bytes, so no text can imitate a border.
_END, _OPEN, _ROLE_END, _OPAQUE = b"\xff", b"\xfe", b"\xfd", b"\xfc"
_TEXT_KEYS = frozenset(("type", "text", "cache_control"))
_SCOPE_KEYS = ("speed", "inference_geo")


class Block(NamedTuple):
    """One block: where it is in the parameters, and the bytes of the prompt that are its own."""

    path: Path
    start: int
    end: int
    is_text: bool
    """False where the bytes are the block's JSON, or a hash that stands for data without text."""


class Place(NamedTuple):
    """A character of a prompt: its block, counted from 1 in cache order, its path, and its offset in the block."""

    block: int
    path: Path
    character: int


@dataclass(frozen=True, slots=True)
class Rendered:
    """A rendered prompt; only prompts of one scope (model, speed, region) can share anything."""

    scope: str
    data: bytes
    blocks: tuple[Block, ...]

    def place(self, offset: int) -> Place:
        """The block and character to which a byte of `data` belongs; a border belongs to the block before it."""
        number = max((n for n, block in enumerate(self.blocks) if block.start <= offset), default=0)
        block = self.blocks[number]
        inside = self.data[block.start : min(max(offset, block.start), block.end)]
        return Place(number + 1, block.path, len(inside.decode(errors="ignore")))

    def content(self, block: Block) -> bytes:
        """The bytes of a block without its borders."""
        return self.data[block.start : block.end]


def path_name(path: Path) -> str:
    """A path as people write it: `messages[0].content[1]`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def render(params: Mapping[str, Any]) -> Rendered:
    """Render the parameters of a checked request (see `core/requests/request.py`).

    Each block ends with a border byte, and the first block of tools, system and every message opens with another
    one, its role and a hash of the switches in force. A block that is not plain text stands as its compact JSON, keys
    in the order sent; pictures and other base64 data, whose bytes say nothing of their tokens, as a hash.
    Cache marks, `metadata`, `max_tokens` and sampling are no part of the prompt. Raises `NotARequest` where something
    is nested too deeply to write.
    """
    prompt = _Prompt()
    formats = [params.get("output_format"), params.get("output_config")]
    prompt.add(params.get("tools") or (), ("tools",), b"t")
    prompt.add(params.get("system") or (), ("system",), b"s" + _switches(formats))
    messages = params["messages"]
    images = any(block.get("type") == "image" for _, block in _blocks_of(messages))
    switches = _switches([*formats, params.get("tool_choice"), params.get("thinking"), True if images else None])
    for number, message in enumerate(messages):
        prompt.add(message["content"], ("messages", number, "content"), message["role"].encode() + switches)
    scope = [params["model"], *(f"{key}={params[key]}" for key in _SCOPE_KEYS if params.get(key) is not None)]
    return Rendered("\x00".join(scope), b"".join(prompt.parts), tuple(prompt.blocks))


def _blocks_of(messages: list[dict[str, Any]]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, message in enumerate(messages):
        if not isinstance(message["content"], str):
            yield from ((number, block) for block in message["content"])


class _Prompt:
    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.blocks: list[Block] = []
        self._size = 0

    def add(self, content: Any, path: Path, opening: bytes) -> None:
        """Append a text, or blocks, behind an opening; nothing where there are no blocks."""
        if isinstance(content, str):
            self._add(content.encode(), path, opening, is_text=True)
            return
        for number, block in enumerate(content):
            is_text = block.get("type") == "text" and block.keys() <= _TEXT_KEYS
            data = block["text"].encode() if is_text else _opaque(block)
            self._add(data, (*path, number), b"" if number else opening, is_text=is_text)

    def _add(self, data: bytes, path: Path, opening: bytes, *, is_text: bool) -> None:
        head = _OPEN + opening + _ROLE_END if opening else b""
        if not is_text:
            head += _OPAQUE
        start = self._size + len(head)
        self.parts += (head, data, _END)
        self.blocks.append(Block(path, start, start + len(data), is_text))
        self._size = start + len(data) + len(_END)


def _opaque(block: dict[str, Any]) -> bytes:
    data = without_mark(block)
    # Inside a JSON text the quotes would be escaped, so this is a key's value, never prose.
    return _hash(data).encode() if block.get("type") == "image" or b'"base64"' in data else data


def _switches(values: list[Any]) -> bytes:
    """A hash of settings that change how what follows is cached; nothing where none is set."""
    if all(value is None for value in values):
        return b""
    try:
        return _short_hash(orjson.dumps(values, option=orjson.OPT_SORT_KEYS)).encode()
    except orjson.JSONEncodeError as error:
        raise NotARequest(why_not(b"", error)) from None
