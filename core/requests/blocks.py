"""Blocks of a request in cache order, as a running hash: equal hashes mean an equal prompt up to that point.

What can never share starts different chains: the model, the speed, the inference region. Then follow the tools,
the switches that invalidate from the system prompt on, the system blocks, the switches that invalidate the
messages, and the messages' blocks (order and switches: the prompt caching page of the API's documentation).
Cache marks, `metadata`, `max_tokens` and sampling settings are not part of the prompt.
"""

from functools import cache
from typing import Any

import orjson
from msgspec import Raw
from xxhash import xxh3_64_intdigest as _hash

from core.requests.request import NotARequest, Params, why_not

# The bytes that a one-hour mark adds to a request: on a block, and on a string that must become a block first.
MARK = {"type": "ephemeral", "ttl": "1h"}
BLOCK_MARK_BYTES = len(b',"cache_control":' + orjson.dumps(MARK))
STRING_MARK_BYTES = BLOCK_MARK_BYTES + len(b'[{"type":"text","text":}]')

_TEXT_KEYS = frozenset(("type", "text", "cache_control"))
_MARK_ALONE = frozenset(("cache_control",))
_UNMARKABLE = frozenset(("thinking", "redacted_thinking"))

# Salts keep equal bytes in different places apart (odd 64-bit numbers, fixed for ever: hashes are stored).
_TOOL, _SYSTEM = 0x9E3779B97F4A7C15, 0x165667B19E3779F9
_SYSTEM_SWITCH, _MESSAGE_SWITCH = 0xC2B2AE3D27D4EB4F, 0xA0761D6478BD642F
_IMAGES, _BORDER = 0x85EBCA77C2B2AE63, 0xD6E8FEB86659FD93
_ROLES = {"user": 0x27D4EB2F165667C5, "assistant": 0x94D049BB133111EB, "system": 0xBF58476D1CE4E5B9}
# Before the bytes of a block that is not plain text: JSON never holds it raw.
_OPAQUE = b"\x1e"

Chain = tuple[list[int], list[int], list[int]]
"""The blocks of one request; entry 0 is the scope, entry k the state after k blocks.

Three lists of equal length (a plain tuple: this is built for every line). Running hashes; characters of prompt so
far; bytes that a mark on that block adds, 0 where it cannot be marked.
"""


def chain_of(params: Params) -> Chain:
    """The chain of a request's parameters."""
    messages, system = params.messages, params.system
    if len(messages) == 1 and type(content := messages[0].content) is str and not _has_settings(params):
        # What most lines look like, spelled out: this halves the time that grouping adds to reading.
        scope = _scope_hash(params.model)
        salt = _ROLES[messages[0].role] ^ _BORDER
        overhead = STRING_MARK_BYTES if content else 0
        if not system:
            return [scope, _hash(content.encode(), scope ^ salt)], [0, len(content)], [0, overhead]
        if type(system) is str:
            head, depth = _hash(system.encode(), scope ^ _SYSTEM ^ _BORDER), len(system)
            hashes = [scope, head, _hash(content.encode(), head ^ salt)]
            return hashes, [0, depth, depth + len(content)], [0, STRING_MARK_BYTES, overhead]
    return any_chain(params)


def any_chain(params: Params) -> Chain:
    """The chain of a request of any form; `chain_of` is the same, faster on the usual form."""
    chain, has_images = _chain(params, 0)
    # An image anywhere changes how all messages are cached.
    return _chain(params, _IMAGES)[0] if has_images else chain


def _has_settings(params: Params) -> bool:
    return (
        params.tools is not None
        or params.tool_choice is not None
        or params.thinking is not None
        or params.output_config is not None
        or params.output_format is not None
        or params.speed is not None
        or params.inference_geo is not None
    )


def _chain(params: Params, images: int) -> tuple[Chain, bool]:
    settings = (f"speed={params.speed}", f"inference_geo={params.inference_geo}")
    scope = "\x00".join([params.model, *(setting for setting in settings if not setting.endswith("=None"))])
    chain: Chain = [_scope_hash(scope)], [0], [0]
    _add_content(chain, params.tools or [], _TOOL)
    before_system = _switches(_SYSTEM_SWITCH, params.output_format, params.output_config)
    _add_content(chain, params.system or [], _SYSTEM ^ before_system)
    before_messages = before_system ^ _switches(_MESSAGE_SWITCH, params.tool_choice, params.thinking) ^ images
    has_images = False
    for message in params.messages:
        has_images |= _add_content(chain, message.content, _ROLES[message.role] ^ before_messages)
    return chain, has_images


def _add_content(chain: Chain, content: str | list[Raw], salt: int) -> bool:
    """Append a text or a list of blocks, the first with the border before it; True where one is an image."""
    hashes, depths, overheads = chain
    if isinstance(content, str):
        hashes.append(_hash(content.encode(), hashes[-1] ^ salt ^ _BORDER))
        depths.append(depths[-1] + len(content))
        overheads.append(STRING_MARK_BYTES if content else 0)
        return False
    has_images, border = False, _BORDER
    for raw in content:
        block = _block(raw)
        kind = block.get("type")
        if kind == "text" and block.keys() <= _TEXT_KEYS:
            data, chars = block["text"].encode(), len(block["text"])
        else:
            has_images |= kind == "image"
            data = _OPAQUE + without_mark(block)
            chars = len(data)
        hashes.append(_hash(data, hashes[-1] ^ salt ^ border))
        depths.append(depths[-1] + chars)
        overheads.append(0 if kind in _UNMARKABLE or not data else BLOCK_MARK_BYTES)
        border = 0
    return has_images


def _block(raw: Raw) -> dict[str, Any]:
    try:
        block = orjson.loads(memoryview(raw))
    except orjson.JSONDecodeError as error:
        raise NotARequest(why_not(bytes(raw), error)) from None
    if (
        not isinstance(block, dict)
        or block.keys() <= _MARK_ALONE
        or (block.get("type") == "text" and not isinstance(block.get("text"), str))
    ):
        raise NotARequest("not of the API's form: a block must be an object with a type, and its text if it is one")
    return block


def without_mark(block: dict[str, Any]) -> bytes:
    """Compact JSON of a block without its cache mark, keys in the order in which they were sent."""
    return _dump({key: block[key] for key in block if key != "cache_control"})


def _dump(value: Any, option: int = 0) -> bytes:
    try:
        return orjson.dumps(value, option=option)
    except orjson.JSONEncodeError as error:
        raise NotARequest(why_not(b"", error)) from None


@cache
def _scope_hash(scope: str) -> int:
    return _hash(scope.encode())


def _switches(salt: int, *values: dict[str, Any] | None) -> int:
    """One number for settings that change how the rest is cached; 0 where none is set."""
    if all(value is None for value in values):
        return 0
    return _hash(_dump(values, orjson.OPT_SORT_KEYS), salt)
