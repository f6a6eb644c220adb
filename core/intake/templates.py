"""Templates: the text around the fields of a row, and which parts of it can change places.

A template is text with `{field}` placeholders. Its lines are what is put in order: a line with placeholders moves as
a whole, what stands before the first such line and after the last one stays. A line without any between them belongs
to the one below it (a heading), or above it if it closes a tag that was opened there (`</review>`). Where all fields
stand on one line with the same separator between them (`Name: {name}, city: {city}`), the parts of that line are what
is put in order.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from os.path import commonprefix

from core.errors import LotwiseError

_PLACEHOLDER = re.compile(r"\{([^{}\n]+)\}")
# Braces around anything else, such as JSON, are text.
_NAME = re.compile(r"\w[\w .-]*")
# What parts fields on one line: signs and spaces, up to the next word.
_SEPARATOR = re.compile(r"[^\w{}]+")
# `name: ` goes with its field; `or ` is part of a sentence, which must not be torn.
_LABEL = re.compile(r"|.*[:=][^\w{}]*")
_SENTENCES = re.compile(r".*[.!?:] +(?=\S)(?=[^.!?]*$)")
_TAG = re.compile(r"\s*<(/?)(\w[\w.-]*)")


class UnknownPlaceholder(LotwiseError):
    """The template names a field that the table does not have. Correct it, or add the column."""


class NoPlaceholder(LotwiseError):
    """The template names no field of the table, so all rows would be the same prompt. Write fields as {name}."""


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A part of a template that moves as a whole: `texts` around its `fields`, one more than these."""

    texts: tuple[str, ...]
    fields: tuple[str, ...]

    def fill(self, fillings: Iterable[str]) -> str:
        """Its text with the fields filled in."""
        return self.texts[0] + "".join(value + text for value, text in zip(fillings, self.texts[1:], strict=True))


@dataclass(frozen=True, kw_only=True)
class Template:
    """What a row is rendered with: `head`, the segments with `joint` between them, `tail`."""

    head: str
    segments: tuple[Segment, ...]
    tail: str
    joint: str = "\n"

    @property
    def text(self) -> str:
        """The template as one writes it."""
        parts = (segment.fill(f"{{{field}}}" for field in segment.fields) for segment in self.segments)
        return self.head + self.joint.join(parts) + self.tail


def parse_template(text: str, columns: Sequence[str]) -> Template:
    """Cut a template into what moves and what stays. Raises `UnknownPlaceholder` or `NoPlaceholder`."""
    lines = [_segment(line, columns) for line in text.split("\n")]
    with_fields = [number for number, line in enumerate(lines) if line.fields]
    if not with_fields:
        raise NoPlaceholder(columns=", ".join(columns))
    if len(with_fields) == 1 and (parts := _one_line(lines[with_fields[0]])):
        above, below = lines[: with_fields[0]], lines[with_fields[0] + 1 :]
        return replace(
            parts,
            head="".join(other.texts[0] + "\n" for other in above) + parts.head,
            tail=parts.tail + "".join("\n" + other.texts[0] for other in below),
        )
    first, last = _opening(lines, with_fields), with_fields[-1]
    segments, pending = list[Segment](), list[Segment]()
    for line in lines[first : last + 1]:
        if line.fields:
            segments.append(_stacked([*pending, line]))
            pending = []
        elif segments and not pending and _closes(line, segments[-1]):
            segments[-1] = _stacked([segments[-1], line])
        else:
            pending.append(line)
    rest = lines[last + 1 :]
    while rest and _closes(rest[0], segments[-1]):
        segments[-1] = _stacked([segments[-1], rest.pop(0)])
    return Template(
        head="".join(line.texts[0] + "\n" for line in lines[:first]),
        segments=tuple(segments),
        tail="".join("\n" + line.texts[0] for line in rest),
    )


def _one_line(line: Segment) -> Template | None:
    """A line cut between its fields; None where nothing tells how. What stands before its last sentence stays."""
    between = line.texts[1:-1]
    separators = [_SEPARATOR.match(text) for text in between]
    joint = commonprefix([found[0] if found else "" for found in separators])  # noqa: RUF071 - these are no paths
    sentences = _SENTENCES.match(line.texts[0])
    head = sentences[0] if sentences else ""
    labels = (line.texts[0].removeprefix(head), *(text.removeprefix(joint) for text in between))
    if not joint or not all(_LABEL.fullmatch(label) for label in labels):
        return None
    segments = tuple(
        Segment(texts=(label, ""), fields=(field,)) for label, field in zip(labels, line.fields, strict=True)
    )
    return Template(head=head, segments=segments, tail=line.texts[-1], joint=joint)


def _opening(lines: Sequence[Segment], with_fields: Sequence[int]) -> int:
    """Where the first segment begins: at its first field, or at tags above it that are closed before the next."""
    first = with_fields[0]
    below = lines[first : with_fields[1] if len(with_fields) > 1 else len(lines)]
    while first and any(_closes(line, lines[first - 1]) for line in below):
        first -= 1
    return first


def _closes(line: Segment, segment: Segment) -> bool:
    """Whether a line closes a tag that the segment opens."""
    tag = _TAG.match(line.texts[0])
    return bool(tag and tag[1] and not line.fields and any(f"<{tag[2]}" in text for text in segment.texts))


def _segment(line: str, columns: Sequence[str]) -> Segment:
    texts, fields = [""], list[str]()
    at = 0
    for match in _PLACEHOLDER.finditer(line):
        texts[-1] += line[at : match.start()]
        at = match.end()
        if match[1] in columns:
            fields.append(match[1])
            texts.append("")
        elif _NAME.fullmatch(match[1]):
            raise UnknownPlaceholder(field=match[1], columns=", ".join(columns))
        else:
            texts[-1] += match[0]
    texts[-1] += line[at:]
    return Segment(texts=tuple(texts), fields=tuple(fields))


def _stacked(lines: Sequence[Segment]) -> Segment:
    """Lines one below the other as one segment."""
    texts, fields = lines[0].texts, lines[0].fields
    for line in lines[1:]:
        texts = (*texts[:-1], texts[-1] + "\n" + line.texts[0], *line.texts[1:])
        fields += line.fields
    return Segment(texts=texts, fields=fields)
