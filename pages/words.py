"""The words of the pages, from `words.toml`: one place to read them all and to change one."""

import functools
import re
import tomllib
from pathlib import Path
from typing import Any

_MARKDOWN = re.compile(r"([\\`*_\[\]$~:<>&#!|])")
# A dash, a plus or a number at the very beginning would make a list of it.
_BLOCK = re.compile(r"^(\s*\d*)([-+.)])(?=[\s-]|$)")
_LINES = re.compile(r"[\t\r\n\x0b\x0c\x85\u2028\u2029]+")
# What steers the text around it: control characters, and those that turn the direction of reading.
_STEERING = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# Addresses become links, and names of icons icons, after everything else was read, escapes too; a word joiner, which
# nobody sees, keeps them text.
_LATE = re.compile(r"(?i)(?<=http)(?=s?://)|(?<=www)(?=\.)|(?=@)|(?<=:)(?=[a-z_+][\w+/-]*:)")


class _Value(str):
    """A value in its sentence; `{items:item|items}` adds the noun, in the singular for one."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        one, bar, many = spec.partition("|")
        return f"{self} {one if self == '1' else many}" if bar else super().__format__(spec)


def say(key: str, /, **values: object) -> str:
    """The words under `key` ("overview.title") as Markdown, with `values` filled in as literal text."""
    return _text(key).format(**{name: _Value(literal(str(value))) for name, value in values.items()})


def plain(key: str, /, **values: object) -> str:
    """The same words where no Markdown is read: table cells, file names, alternative text."""
    return _text(key).format(**{name: _Value(value) for name, value in values.items()})


def term(group: str, value: str | None) -> str:
    """A stored word ("api_error") as people read it; itself, tidied, where `words.toml` has none for it."""
    if value is None:
        return "–"
    words: dict[str, str] = _words()[group]
    return words.get(value, value.replace("_", " ").capitalize())


def literal(text: str) -> str:
    """Text of unknown origin, so that Markdown shows it as it is."""
    line = _STEERING.sub("\ufffd", _LINES.sub(" ", text))
    return _BLOCK.sub(r"\1\\\2", _MARKDOWN.sub(r"\\\1", _LATE.sub("\u2060", line)))


def _text(key: str) -> str:
    found: Any = _words()
    for part in key.split("."):
        found = found[part]
    return str(found)


@functools.cache
def _words() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("words.toml").read_text("utf-8"))
