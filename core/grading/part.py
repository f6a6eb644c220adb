"""The part of an answer that counts: all of its text, or one field of its JSON."""

import json
import re
from typing import Any

from core.errors import LotwiseError
from core.grading.grade import BadGrader

# What a model wraps JSON in when it writes for people.
_FENCE = re.compile(r"\s*```[A-Za-z]*[ \t]*\n(.*)\n[ \t]*```\s*", re.DOTALL)
_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")
_NO_FIELD = "it names no field; write it as label, $.result.label, items[0].name or /result/label"


class NoSuchPart(LotwiseError):
    """This text does not have the part that was asked for."""


def json_of(text: str, *, fenced: bool = False) -> Any:
    """The JSON value of a text, in a Markdown code fence too where `fenced`. Raises `NoSuchPart`."""
    inside = _FENCE.fullmatch(text) if fenced else None
    try:
        return json.loads(inside[1] if inside else text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise NoSuchPart("is not JSON") from error


def canonical(value: Any) -> str:
    """A JSON value as text that is the same for equal values: keys sorted, no spaces, 1.0 as 1.

    Raises `NoSuchPart` where it is nested too deeply.
    """
    try:
        return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    except RecursionError as error:
        raise NoSuchPart("is nested too deeply") from error


def part_of(text: str, field: str | None, *, fenced: bool = False) -> str:
    """The text, or its field as text: a string as it is, anything else as canonical JSON. Raises `NoSuchPart`."""
    if field is None:
        return text
    value = field_of(json_of(text, fenced=fenced), field)
    return value if isinstance(value, str) else canonical(value)


def true_part(text: str, field: str | None, *, fenced: bool = False) -> str:
    """The same of a gold answer, which may also be given as the field's bare value. Raises `NoSuchPart`."""
    try:
        bare = not isinstance(json_of(text, fenced=fenced), dict | list)
    except NoSuchPart:
        bare = True
    return text if bare else part_of(text, field, fenced=fenced)


def field_of(value: Any, field: str) -> Any:
    """The field of a JSON value. Raises `NoSuchPart`."""
    for step in steps_of(field):
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            raise NoSuchPart(f"has no field {field}")
    return value


def steps_of(field: str) -> tuple[str, ...]:
    """The keys and indexes that lead to a field. Raises `BadGrader`."""
    if field.startswith("/"):
        return tuple(step.replace("~1", "/").replace("~0", "~") for step in field[1:].split("/"))
    path = field.removeprefix("$")
    steps, end = [], 0
    while step := _STEP.match(path, end):
        steps.append(step[1] or step[2])
        end = step.end()
    if not steps or end < len(path):
        raise BadGrader(field=field, why=_NO_FIELD)
    return tuple(steps)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _no_number(name: str) -> Any:
    raise ValueError(name)
