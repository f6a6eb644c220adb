"""The same tools in another order, or the same JSON with its keys in another order: equal in meaning, not in bytes."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from xxhash import xxh3_128_hexdigest

from core.doctor.scope import Scope
from core.doctor.suspicion import Suspicion, excerpt
from core.doctor.texts import Params
from core.grouping.exact_tree import common_prefix
from core.requests.blocks import without_mark

_MARK = "cache_control"


@dataclass(frozen=True, kw_only=True)
class SpellTools:
    """Write a set of tools as most requests do. A cache mark stays on the last tool."""

    model: str
    meaning: str
    """The hash of the set, whatever the order of tools and keys."""
    form: str
    """The tools as JSON, in the order to use."""

    def apply(self, params: Params) -> Params:
        """The parameters with their tools in that form; the same object where they are other tools, or in it."""
        tools = params.get("tools")
        if not tools or _meaning(tools) != self.meaning or _sent(tools) == self.form.encode():
            return params
        form = json.loads(self.form)
        marks = [tool[_MARK] for tool in tools if _MARK in tool]
        if marks:
            form[-1][_MARK] = marks[-1]
        return params | {"tools": form}

    def document(self) -> dict[str, Any]:
        """The change as plain values."""
        return {"change": "write the tools in one order", "model": self.model, "tools": json.loads(self.form)}


@dataclass(frozen=True, kw_only=True)
class SortKeys:
    """Write every block that is not plain text with its keys in alphabetical order."""

    model: str

    def apply(self, params: Params) -> Params:
        """The parameters with sorted blocks; the same object where all are."""
        changed = dict(params)
        if isinstance(params.get("system"), list):
            changed["system"] = [_sorted(block) for block in params["system"]]
        changed["messages"] = [
            message
            if isinstance(message["content"], str)
            else message | {"content": list(map(_sorted, message["content"]))}
            for message in params["messages"]
        ]
        keys = ("system", "messages")
        same = all(_dump(changed.get(key)) == _dump(params.get(key)) for key in keys)
        return params if same else changed

    def document(self) -> dict[str, Any]:
        """The change as plain values."""
        return {"change": "sort the keys of blocks that are not plain text", "model": self.model}


def find_tool_order(scope: Scope) -> Iterator[Suspicion]:
    """Sets of tools that come in several forms."""
    forms: dict[str, dict[bytes, list[int]]] = defaultdict(lambda: defaultdict(list))
    for position, item in enumerate(scope.items):
        if tools := item.params.get("tools"):
            forms[_meaning(tools)][_sent(tools)].append(position)
    for meaning, spelled in forms.items():
        if len(spelled) > 1 and (suspicion := _spelling(scope, meaning, spelled)):
            yield suspicion


def _spelling(scope: Scope, meaning: str, spelled: dict[bytes, list[int]]) -> Suspicion | None:
    usual = max(spelled, key=lambda form: (len(spelled[form]), form))
    rewrite = SpellTools(model=scope.model, meaning=meaning, form=usual.decode())
    pool = [position for positions in spelled.values() for position in positions]
    affected = sorted(set(pool) - set(spelled[usual]))
    gain = scope.gain(pool, rewrite.apply)
    if not gain:
        return None
    item = scope.items[affected[0]]
    other = _sent(item.params["tools"])
    one, two = json.loads(usual), json.loads(other)
    reordered = Counter(map(_dump, one)) == Counter(map(_dump, two))
    number = next(n for n, (a, b) in enumerate(zip(one, two, strict=True)) if _dump(a) != _dump(b))
    before, after = _dump(two[number]).decode(), _dump(one[number]).decode()
    offset = len(before.encode()[: common_prefix(before.encode(), after.encode())].decode(errors="ignore"))
    place = item.prompt.place(item.prompt.blocks[number].start + len(before[:offset].encode()))
    return Suspicion(
        kind="tool_order" if reordered else "key_order",
        scope=scope,
        affected=affected,
        gain=gain,
        place=place,
        before=excerpt(before, offset, len(before)),
        after=excerpt(after, offset, len(after)),
        rewrites=(rewrite,),
        texts=((_pretty(two), _pretty(one)),),
        words={"variants": f"{len(spelled):,}", "what": "tools"},
    )


def find_key_order(scope: Scope) -> Iterator[Suspicion]:
    """Blocks of system and messages that are equal but for the order of their keys."""
    rewrite = SortKeys(model=scope.model)
    affected = [
        position
        for position, item in enumerate(scope.items)
        if not all(block.is_text for block in item.prompt.blocks) and rewrite.apply(item.params) is not item.params
    ]
    pool = range(len(scope.items))
    if not affected or not (gain := scope.gain(pool, rewrite.apply)):
        return
    item = scope.items[affected[0]]
    block = next(
        b for b in item.prompt.blocks if not b.is_text and b.path[0] != "tools" and _unsorted(item.params, b.path)
    )
    before = item.prompt.content(block).decode()
    after = _dump(_sorted(orjson.loads(before))).decode() if before.startswith("{") else before
    offset = common_prefix(before.encode(), after.encode())
    place = item.prompt.place(block.start + offset)
    yield Suspicion(
        kind="key_order",
        scope=scope,
        affected=affected,
        gain=gain,
        place=place,
        before=excerpt(before, place.character, len(before)),
        after=excerpt(after, place.character, len(after)),
        rewrites=(rewrite,),
        texts=((before, after),),
        words={"variants": "several", "what": "blocks"},
    )


def _unsorted(params: Params, path: tuple[str | int, ...]) -> bool:
    block: Any = params
    for step in path:
        block = block[step]
    return _dump(_sorted(block)) != _dump(block)


def _sorted(block: Any) -> Any:
    if isinstance(block, dict) and block.get("type") == "text" and block.keys() <= {"type", "text", _MARK}:
        return block
    return orjson.loads(orjson.dumps(block, option=orjson.OPT_SORT_KEYS))


def _dump(value: Any) -> bytes:
    return orjson.dumps(value)


def _sent(tools: list[dict[str, Any]]) -> bytes:
    return b"[" + b",".join(map(without_mark, tools)) + b"]"


def _meaning(tools: list[dict[str, Any]]) -> str:
    plain = ({key: value for key, value in tool.items() if key != _MARK} for tool in tools)
    parts = sorted(orjson.dumps(tool, option=orjson.OPT_SORT_KEYS) for tool in plain)
    return xxh3_128_hexdigest(b"\n".join(parts))


def _pretty(tools: list[dict[str, Any]]) -> str:
    return json.dumps(tools, indent=2, ensure_ascii=False)
