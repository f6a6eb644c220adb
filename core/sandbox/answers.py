"""The kind of answer that a request asks for: text, JSON by a schema, or the call of a forced tool."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import orjson

from core.sandbox.batch import Answer

SIMULATED = "Simulated"
"""The first word of every text the local server makes up."""
TEXT = Answer("text", "", "")
CONFIDENCE = "confidence"
"""A number of this name in a schema tells how sure a simulated model is."""
_SAMPLES: Mapping[str, Any] = {"string": SIMULATED, "integer": 0, "number": 0, "boolean": False, "null": None}
_SEVERAL = ("anyOf", "oneOf", "allOf")
_MAX_DEPTH = 12  # schemas may refer to themselves

Path = tuple[str, ...]


def answer_to(params: Mapping[str, Any]) -> Answer:
    """The kind of answer these params ask for, with the plainest body that fits it."""
    choice = params.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") in ("any", "tool"):
        tools = [tool for tool in params.get("tools") or () if isinstance(tool, dict)]
        named = [tool for tool in tools if choice.get("name") in (None, tool.get("name"))]
        if named:
            return _structured("tool", str(named[0].get("name")), orjson.dumps(named[0].get("input_schema")))
    output = params.get("output_config")
    shape = output.get("format") if isinstance(output, dict) else None
    if isinstance(shape, dict) and shape.get("type") == "json_schema":
        return _structured("json", "", orjson.dumps(shape.get("schema")))
    return TEXT


@lru_cache(maxsize=64)  # the items of a class share their schema
def _structured(kind: str, tool: str, written: bytes) -> Answer:
    schema = orjson.loads(written)
    choices = list(_choices(schema, ()))
    return Answer(
        kind=kind,
        tool=tool,
        body=orjson.dumps(_sample(schema)).decode(),
        choices=orjson.dumps(choices).decode() if choices else "",
    )


def _sample(schema: object, depth: int = 0) -> Any:  # noqa: PLR0911 - one return per kind of schema
    """The plainest value that fits a JSON schema, as far as structured outputs support schemas."""
    if not isinstance(schema, dict) or depth > _MAX_DEPTH:
        return None
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for several in _SEVERAL:
        if schema.get(several):
            return _sample(schema[several][0], depth + 1)
    kind = _kind(schema)
    if kind == "array":
        return [_sample(schema.get("items"), depth + 1)] * int(schema.get("minItems") or 0)
    if isinstance(kind, str) and kind in _SAMPLES:
        return _SAMPLES[kind]
    return {name: _sample(of, depth + 1) for name, of in _properties(schema)}


def _choices(schema: object, path: Path) -> Iterator[tuple[Path, list[Any]]]:
    """Where the sample has one value of several that can be listed, and which; a confidence has none."""
    if not isinstance(schema, dict) or len(path) > _MAX_DEPTH or "const" in schema:
        return
    if schema.get("enum"):
        if len(schema["enum"]) > 1:
            yield path, schema["enum"]
        return
    kind = _kind(schema)
    if kind == "boolean":
        yield path, [False, True]
    elif kind == "number" and path and path[-1] == CONFIDENCE:
        yield path, []
    elif kind in ("object", None) and not any(schema.get(several) for several in _SEVERAL):
        for name, of in _properties(schema):
            yield from _choices(of, (*path, name))


def _kind(schema: Mapping[str, Any]) -> object:
    kind = schema.get("type")
    return kind[0] if isinstance(kind, list) and kind else kind


def _properties(schema: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    properties = schema.get("properties") or {}
    for name in schema.get("required") or properties:
        yield name, properties.get(name)
