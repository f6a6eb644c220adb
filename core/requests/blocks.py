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
_SYSTEM_OPENING, _OPENINGS = _SYSTEM ^ _BORDER, {role: salt ^ _BORDER for role, salt in _ROLES.items()}
# Before the bytes of a block that is not plain text: JSON never holds it raw.
_OPAQUE = b"\x1e"

HEAD_BYTES = 64
"""Texts that agree on so many bytes are looked at more closely: they may share more than that (less never pays)."""


class BlockOutOfReach(IndexError):
    """The request has fewer blocks than its class shares, or no text there: it cannot be of that class."""


Chain = tuple[list[int], list[int], list[int], list[int]]
"""The blocks of one request; entry 0 is the scope, entry k the state after k blocks.

Four lists of equal length (a plain tuple: this is built for every line). Running hashes; characters of prompt so
far; bytes that a mark on that block adds, 0 where it cannot be marked; hash after the first `HEAD_BYTES` of the
block, 0 where it is no text of that length.
"""


def chain_of(params: Params) -> Chain:
    """The chain of a request's parameters."""
    messages, system = params.messages, params.system
    if (
        len(messages) == 1
        and type(content := (message := messages[0]).content) is str
        and (system is None or type(system) is str)
        and params.tools is None
        and params.tool_choice is None
        and params.thinking is None
        and params.output_config is None
        and params.output_format is None
        and params.speed is None
        and params.inference_geo is None
    ):
        # What most lines look like, spelled out: this halves the time that grouping adds to reading.
        scope, data, chars = _scope_hash(params.model), content.encode(), len(content)
        if not system:
            seed = scope ^ _OPENINGS[message.role]
            head = _hash(data[:HEAD_BYTES], seed) if len(data) >= HEAD_BYTES else 0
            return [scope, _hash(data, seed)], [0, chars], [0, STRING_MARK_BYTES if chars else 0], [0, head]
        lead, depth, seed = system.encode(), len(system), scope ^ _SYSTEM_OPENING
        first = _hash(lead[:HEAD_BYTES], seed) if len(lead) >= HEAD_BYTES else 0
        after = _hash(lead, seed)
        seed = after ^ _OPENINGS[message.role]
        head = _hash(data[:HEAD_BYTES], seed) if len(data) >= HEAD_BYTES else 0
        return (
            [scope, after, _hash(data, seed)],
            [0, depth, depth + chars],
            [0, STRING_MARK_BYTES, STRING_MARK_BYTES if chars else 0],
            [0, first, head],
        )
    return any_chain(params)


def any_chain(params: Params) -> Chain:
    """The chain of a request of any form; `chain_of` is the same, faster on the usual form."""
    chain, has_images = _chain(params, 0)
    # An image anywhere changes how all messages are cached.
    return _chain(params, _IMAGES)[0] if has_images else chain


def _chain(params: Params, images: int) -> tuple[Chain, bool]:
    settings = (f"speed={params.speed}", f"inference_geo={params.inference_geo}")
    scope = "\x00".join([params.model, *(setting for setting in settings if not setting.endswith("=None"))])
    chain: Chain = [_scope_hash(scope)], [0], [0], [0]
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
    hashes, depths, overheads, heads = chain
    if isinstance(content, str):
        data, seed = content.encode(), hashes[-1] ^ salt ^ _BORDER
        heads.append(_head(data, seed))
        hashes.append(_hash(data, seed))
        depths.append(depths[-1] + len(content))
        overheads.append(STRING_MARK_BYTES if content else 0)
        return False
    has_images, border = False, _BORDER
    for raw in content:
        block = _block(raw)
        kind = block.get("type")
        if kind == "text" and block.keys() <= _TEXT_KEYS:
            data, chars = block["text"].encode(), len(block["text"])
            heads.append(_head(data, hashes[-1] ^ salt ^ border))
        else:
            has_images |= kind == "image"
            data = _OPAQUE + without_mark(block)
            chars = len(data)
            heads.append(0)
        hashes.append(_hash(data, hashes[-1] ^ salt ^ border))
        depths.append(depths[-1] + chars)
        overheads.append(0 if kind in _UNMARKABLE or not data else BLOCK_MARK_BYTES)
        border = 0
    return has_images


def _head(data: bytes, seed: int) -> int:
    return _hash(data[:HEAD_BYTES], seed) if len(data) >= HEAD_BYTES else 0


def inner_hash(head: int, data: bytes) -> int:
    """The running hash after `data`, the beginning of a text with that hash at its head."""
    return _hash(data, head)


def text_at(params: Params, block: int) -> bytes:
    """The text of the given block (counted from 1 in cache order) of a request.

    Raises `BlockOutOfReach` where there is no such block, or it is no text.
    """
    contents = [params.tools or [], params.system or [], *(message.content for message in params.messages)]
    left = block - 1
    for content in contents:
        held = 1 if isinstance(content, str) else len(content)
        if left < held:
            text = content if isinstance(content, str) else _block(content[left]).get("text")
            if isinstance(text, str):
                return text.encode()
            break
        left -= held
    raise BlockOutOfReach(block)


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
