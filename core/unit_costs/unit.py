"""What cost is divided by: usable items, output tokens, or a count that stands in each answer."""

import re
from dataclasses import dataclass
from typing import Literal, Self

from core.errors import LotwiseError
from core.grading.grade import BadGrader
from core.grading.part import steps_of
from core.grading.pattern import require_pattern

Kind = Literal["items", "output_tokens", "json", "matches"]

ITEM = "usable item"
OUTPUT_TOKEN = "output token"  # noqa: S105 - a word, not a secret
_LONGEST_NOUN = 40
_LONGEST_PLACE = 500
_ALL = "$"


class UnitInvalid(LotwiseError):
    """This cannot be counted, so nothing was changed. Name an array or a number in the answers' JSON, as $.lines or
    $.result.pages, or give a pattern."""


@dataclass(frozen=True, kw_only=True)
class Unit:
    """The unit of a class, checked.

    `place`: for `json` the field that is an array (its length counts) or a whole number, `$` for all of the answer; for
    `matches` a regular expression in the syntax of Rust's engine, which takes time in proportion to the text. Raises
    `UnitInvalid`.
    """

    kind: Kind = "items"
    place: str | None = None
    noun: str = ITEM

    def __post_init__(self) -> None:
        if not self.noun.strip() or not self.noun.isprintable() or len(self.noun) > _LONGEST_NOUN:
            raise UnitInvalid(why=f"the name of a unit is a line of at most {_LONGEST_NOUN} characters")
        if self.is_count and (not self.place or len(self.place) > _LONGEST_PLACE):
            raise UnitInvalid(why=f"what to count has 1 to {_LONGEST_PLACE} characters")
        try:
            if self.kind == "matches":
                require_pattern(self.place or "")
            elif self.kind == "json" and self.place != _ALL:
                steps_of(self.place or "")
        except BadGrader as error:
            raise UnitInvalid(**error.context) from error

    @classmethod
    def of(cls, kind: Kind, place: str | None = None, noun: str | None = None) -> Self:
        """The unit of a kind; without a noun of its own it is called after what is counted."""
        return cls(kind=kind, place=place, noun=noun or _noun(kind, place))

    @property
    def is_count(self) -> bool:
        """Whether it is read from the answers."""
        return self.kind in ("json", "matches")

    @property
    def pointer(self) -> str | None:
        """The field as a JSON pointer (RFC 6901), `$` for all of the answer; None where none is asked for."""
        if self.kind != "json" or self.place is None or self.place == _ALL:
            return self.place if self.kind == "json" else None
        return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps_of(self.place))


def _noun(kind: Kind, place: str | None) -> str:
    if kind == "json":
        last = re.findall(r"[^.\[\]/$]+", place or "")
        return last[-1][:_LONGEST_NOUN] if last else "element"
    return {"items": ITEM, "output_tokens": OUTPUT_TOKEN, "matches": "match"}[kind]
