"""Reads the prompt of one request: how many tokens it has and which prefixes it asks to cache.

Blocks are taken in cache order: tools, system, messages. Every block adds to a running hash, so equal hashes
mean equal prompts up to that block. Settings that invalidate the cache enter it where their effect begins.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from typing import Any, NamedTuple

import orjson
from xxhash import xxh3_64_intdigest

from core.prices import Model
from core.sandbox.params import BadParamsError

MAX_MARKS = 4
TTL_SECONDS = {"5m": 300, "1h": 3600}
IMAGE_TOKENS = 1_600  # flat: the true count depends on the picture's size, which the server does not decode
DOCUMENT_TOKENS = 3_000


@dataclass(frozen=True, slots=True)
class Prefix:
    """The cacheable head of a prompt: every block up to the last mark, by running hash and tokens."""

    hashes: tuple[int, ...]
    depths: tuple[int, ...]
    """Tokens up to and including each block."""
    marks: tuple[tuple[int, int], ...]
    """Position and lifetime in simulated seconds of each mark that is over the model's floor."""


class Prompt(NamedTuple):
    """What billing needs to know of a prompt."""

    tokens: int
    prefix: Prefix | None


class _Block(NamedTuple):
    data: bytes
    tag: int
    tokens: int
    ttl: int  # 0: not marked


def read_prompt(params: Mapping[str, Any], model: Model) -> Prompt:
    """The tokens and the cacheable head of these params; raises BadParamsError where a block is malformed."""
    reader = _Reader(model.chars_per_token)
    tools = list(reader.tools(params.get("tools")))
    system = list(reader.system(params.get("system")))
    messages = list(reader.messages(params["messages"]))
    blocks = [*tools, *system, *messages]
    marks = _marks(blocks, params.get("cache_control"))
    tokens = sum(block.tokens for block in blocks)
    if tokens > model.max_input_tokens:
        raise BadParamsError(f"prompt is too long: {tokens} tokens > {model.max_input_tokens} maximum")
    if not marks:
        return Prompt(tokens, None)
    switches = {
        len(tools): _system_switches(params),
        len(tools) + len(system): _message_switches(params, reader),
    }
    hashes, depths = _chain(blocks[: marks[-1][0] + 1], switches)
    kept = tuple(mark for mark in marks if depths[mark[0]] >= model.cache_floor_tokens)
    if not kept:
        return Prompt(tokens, None)  # under the floor: silently uncached
    return Prompt(tokens, Prefix(hashes, depths, kept))


def _marks(blocks: list[_Block], automatic: object) -> tuple[tuple[int, int], ...]:
    marks = [(position, block.ttl) for position, block in enumerate(blocks) if block.ttl]
    if automatic is not None and blocks:
        last = len(blocks) - 1
        if not marks or marks[-1][0] != last:
            marks.append((last, _ttl({"cache_control": automatic}, "cache_control")))
    if len(marks) > MAX_MARKS:
        raise BadParamsError(f"A maximum of 4 blocks with cache_control may be provided. Found {len(marks)}.")
    lifetimes = [ttl for _, ttl in marks]
    if lifetimes != sorted(lifetimes, reverse=True):
        raise BadParamsError("cache_control: a ttl='1h' block must not come after a ttl='5m' block")
    return tuple(marks)


def _chain(blocks: list[_Block], switches: Mapping[int, int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    hashes, depths = [], []
    running = depth = 0
    for position, block in enumerate(blocks):
        running ^= switches.get(position, 0)
        running = xxh3_64_intdigest(block.data, seed=running ^ block.tag)
        depth += block.tokens
        hashes.append(running)
        depths.append(depth)
    return tuple(hashes), tuple(depths)


def _system_switches(params: Mapping[str, Any]) -> int:
    """Output format: a change of it invalidates the cache from the system prompt on."""
    output = params.get("output_config")
    shape = output.get("format") if isinstance(output, dict) else None
    return xxh3_64_intdigest(orjson.dumps(shape), seed=1) if shape else 0


def _message_switches(params: Mapping[str, Any], reader: "_Reader") -> int:
    """Tool choice, thinking, effort and the presence of images: a change invalidates the messages' part."""
    output = params.get("output_config")
    effort = output.get("effort") if isinstance(output, dict) else None
    switches = (params.get("tool_choice"), params.get("thinking"), effort, reader.images)
    return xxh3_64_intdigest(orjson.dumps(switches), seed=2) if any(switches) else 0


@lru_cache(maxsize=256)
def _tag(*parts: object) -> int:
    return xxh3_64_intdigest(repr(parts).encode())


def _ttl(block: Mapping[str, Any], where: str) -> int:
    control = block.get("cache_control")
    if control is None:
        return 0
    if not isinstance(control, dict) or control.get("type") != "ephemeral":
        raise BadParamsError(f"{where}.type: Input should be 'ephemeral'")
    ttl = TTL_SECONDS.get(control.get("ttl") or "5m")
    if ttl is None:
        raise BadParamsError(f"{where}.ttl: Input should be '5m' or '1h'")
    return ttl


class _Reader:
    """Turns the parts of a prompt into blocks."""

    def __init__(self, chars_per_token: float) -> None:
        self._ratio = chars_per_token
        self.images = False

    def tools(self, tools: object) -> Iterator[_Block]:
        if tools is None:
            return
        if not isinstance(tools, list):
            raise BadParamsError("tools: Input should be a valid list")
        for position, tool in enumerate(tools):
            if not isinstance(tool, dict) or not (tool.get("name") or tool.get("type")):
                raise BadParamsError(f"tools.{position}.name: Field required")
            yield self._json_block(tool, _tag("tool"), f"tools.{position}")

    def system(self, system: object) -> Iterator[_Block]:
        if system:
            yield from self._content(system, "system", "system")

    def messages(self, messages: list[dict[str, Any]]) -> Iterator[_Block]:
        for position, message in enumerate(messages):
            yield from self._content(message["content"], message["role"], f"messages.{position}.content")

    def _content(self, content: object, role: str, where: str) -> Iterator[_Block]:
        if isinstance(content, str):
            yield _Block(content.encode(), _tag("text", role, True), self._count(len(content)), 0)
            return
        if not isinstance(content, list):
            raise BadParamsError(f"{where}: Input should be a valid string or list")
        for position, block in enumerate(content):
            if not isinstance(block, dict) or not isinstance(kind := block.get("type"), str):
                raise BadParamsError(f"{where}.{position}.type: Field required")
            if kind != "text":
                yield self._json_block(block, _tag("json", role, position == 0), f"{where}.{position}")
                continue
            text = block.get("text")
            if not isinstance(text, str):
                raise BadParamsError(f"{where}.{position}.text: Field required")
            if not text:
                raise BadParamsError(f"{where}.{position}.text: text content blocks must be non-empty")
            # The first block of a message hashes apart from the rest: message borders are part of the prompt.
            tag = _tag("text", role, position == 0) ^ (_tag("citations") if "citations" in block else 0)
            ttl = _ttl(block, f"{where}.{position}.cache_control") if "cache_control" in block else 0
            yield _Block(text.encode(), tag, self._count(len(text)), ttl)

    def _json_block(self, block: dict[str, Any], tag: int, where: str) -> _Block:
        data = orjson.dumps({key: value for key, value in block.items() if key != "cache_control"})
        return _Block(data, tag, self._tokens(block, len(data)), _ttl(block, f"{where}.cache_control"))

    def _tokens(self, block: Mapping[str, Any], size: int) -> int:
        kind = block.get("type")
        if kind == "image":
            self.images = True
            return IMAGE_TOKENS
        source = block.get("source")
        if kind == "document":
            text = source.get("data") if isinstance(source, dict) and source.get("type") == "text" else None
            return self._count(len(text)) if isinstance(text, str) else DOCUMENT_TOKENS
        inner = block.get("content")
        if kind == "tool_result" and isinstance(inner, list):
            return sum(self._tokens(part, len(orjson.dumps(part))) for part in inner if isinstance(part, dict))
        return self._count(size)

    def _count(self, characters: int) -> int:
        return ceil(characters / self._ratio)
