"""Moving a field that changes from request to request behind the text that does not."""

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from xxhash import xxh3_128_hexdigest

from core.doctor.texts import Params, add_to_end, drop_block, find_text, next_text, put
from core.requests.rendering import Path, path_name

# A field before one of several anchors is no longer than that.
_LONGEST = 1_200


def fingerprint(text: str) -> str:
    """A short stand-in for a text that must be equal in all requests of a class."""
    return xxh3_128_hexdigest(text.encode())


@dataclass(frozen=True, kw_only=True)
class MoveField:
    """Move what stands between a fixed head and a fixed anchor to the end of the last user message.

    A request is of the class when the text at `path` begins with the head (`start` characters, known by their hash)
    and an anchor follows later. Several anchors, for several tasks behind one line, are of one length
    and each begins a line. Without a
    `pointer` the field is taken out whole; with one, the pointer stays in its place and the moved text names it.
    """

    model: str
    path: Path
    start: int
    head: str
    anchors: tuple[str, ...]
    anchor_ends_block: bool
    following: str = ""
    """What the next text begins with, where the anchor alone would say too little."""
    pointer: str = ""
    label: str = ""

    def apply(self, params: Params) -> Params:
        """The parameters with the field moved; the same object where the request is not of the class."""
        if not (found := find_text(params, self.path)):
            return params
        path, text = found
        end = self.end(text)
        if end is None or fingerprint(text[: self.start]) != self.head:
            return params
        if self.following and not next_text(params, path).startswith(self.following):
            return params
        field = text[self.start : end].strip()
        rest = text[: self.start] + self.pointer + text[end:]
        if not field or field == self.pointer:
            return params
        cleaned = put(params, path, rest) if rest.strip() else drop_block(params, path)
        return (cleaned and add_to_end(cleaned, f"{self.label}{field}")) or params

    def end(self, text: str) -> int | None:
        """Where the field ends in a text that has the head; None where there is no anchor behind it."""
        first = self.anchors[0]
        if self.anchor_ends_block:
            end = len(text) - len(first)
            return end if end > self.start and text.endswith(first) else None
        if len(self.anchors) == 1:
            end = text.find(first, self.start)
            return end if end > self.start else None
        end = text.find("\n", self.start) + 1
        while 0 < end <= self.start + _LONGEST:
            if text[end : end + len(first)] in self._anchor_set:
                return end
            end = text.find("\n", end) + 1
        return None

    @cached_property
    def _anchor_set(self) -> frozenset[str]:
        return frozenset(self.anchors)

    def document(self) -> dict[str, Any]:
        """The change as plain values."""
        return (
            {"change": "move a field to the end of the last user message"}
            | asdict(self)
            | {"path": path_name(self.path)}
        )
