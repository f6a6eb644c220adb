"""Switches and pictures that part what would be shared: a setting that differs makes the same words another prompt."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import orjson

from core.doctor.scope import Scope
from core.doctor.suspicion import Suspicion, excerpt
from core.doctor.texts import Params
from core.requests.rendering import Place

# What invalidates the messages, and what invalidates the system prompt too (prompt caching page of the documentation).
_SWITCHES = ("tool_choice", "thinking")
_PARAMETERS = ("output_config", "output_format")


def find_switches(scope: Scope) -> Iterator[Suspicion]:
    """Settings that differ between requests which would otherwise share more."""
    for key in (*_SWITCHES, *_PARAMETERS):
        values: dict[bytes, list[int]] = defaultdict(list)
        for position, item in enumerate(scope.items):
            values[orjson.dumps(item.params.get(key), option=orjson.OPT_SORT_KEYS)].append(position)
        if len(values) < 2:
            continue
        usual = max(values, key=lambda value: (len(values[value]), value))
        if gain := scope.gain(range(len(scope.items)), _setting(key, orjson.loads(usual))):
            affected = sorted(position for value, found in values.items() if value != usual for position in found)
            yield _suspicion(scope, affected, key, gain, usual.decode())


def _setting(key: str, value: Any) -> Callable[[Params], Params]:
    return lambda params: params | {key: value}


def _suspicion(scope: Scope, affected: list[int], key: str, gain: float, usual: str) -> Suspicion:
    item, invalid = scope.items[affected[0]], ("messages",) if key in _SWITCHES else ("system", "messages")
    other = orjson.dumps(item.params.get(key), option=orjson.OPT_SORT_KEYS).decode()
    before, after = f'"{key}": {other}', f'"{key}": {usual}'
    return Suspicion(
        kind="switch" if key in _SWITCHES else "mixed_parameters",
        scope=scope,
        affected=affected,
        gain=gain,
        place=Place(next(n for n, block in enumerate(item.prompt.blocks, 1) if block.path[0] in invalid), (key,), 0),
        before=excerpt(before, 0, len(before)),
        after=excerpt(after, 0, len(after)),
        texts=((before, after),),
        words={"setting": key},
    )


def find_images(scope: Scope) -> Iterator[Suspicion]:
    """Pictures in some requests only: they part the messages of those from the messages of the others."""
    with_image = [position for position, item in enumerate(scope.items) if _image(item.params)]
    if not 0 < len(with_image) < len(scope.items):
        return
    if gain := scope.gain(range(len(scope.items)), _without_images):
        affected = min(with_image, sorted(set(range(len(scope.items))) - set(with_image)), key=len)
        item = scope.items[with_image[0]]
        path = _image(item.params) or ()
        number = next(n for n, block in enumerate(item.prompt.blocks, 1) if block.path == path)
        before, after = "shared text in the messages", "shared text in the system prompt"
        yield Suspicion(
            kind="images",
            scope=scope,
            affected=affected,
            gain=gain,
            place=Place(number, path, 0),
            before=excerpt(before, 0, len(before)),
            after=excerpt(after, 0, len(after)),
            texts=((before, after),),
            words={"with_images": f"{len(with_image) / len(scope.items):.0%}"},
        )


def _image(params: Params) -> tuple[str | int, ...] | None:
    """The path of the first picture in the messages."""
    for number, message in enumerate(params["messages"]):
        if not isinstance(message["content"], str):
            for position, block in enumerate(message["content"]):
                if block.get("type") == "image":
                    return ("messages", number, "content", position)
    return None


def _without_images(params: Params) -> Params:
    """The same prompt as if a picture were a text of its own: what it would share if pictures parted nothing."""

    def content(value: Any) -> Any:
        if isinstance(value, str):
            return value
        return [
            {"type": "text", "text": orjson.dumps(block).decode()[-80:]} if block.get("type") == "image" else block
            for block in value
        ]

    return params | {"messages": [m | {"content": content(m["content"])} for m in params["messages"]]}
