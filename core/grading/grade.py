"""A grade: what is known about one answer; and what every grader can do."""

from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from core.errors import LotwiseError


class BadGrader(LotwiseError):
    """This grader is not what one can be, so nothing was graded. Correct it as said."""


@dataclass(frozen=True, kw_only=True)
class Grade:
    """Whether an answer is right; None where that cannot be told.

    The note says why an answer is not right or cannot be graded, and quotes neither prompt nor answer. `lost`: grading
    was tried on this very answer and failed.
    """

    correct: bool | None
    note: str = ""
    lost: bool = False

    @property
    def label(self) -> bool | None:
        """What counts for a verdict on the model that answered; None counts for nothing.

        A lost answer counts as wrong: an answer that breaks its grader is rarely a good one, and to leave it out would
        favour the model that gave it.
        """
        return False if self.lost else self.correct


class Grader(Protocol):
    """Grades answers one by one; never raises, whatever an answer holds."""

    @property
    def kind(self) -> str:
        """The name of the kind, as in the specification."""

    @property
    def needs(self) -> frozenset[str]:
        """What it grades by: some of `gold`, `reference`, `judge` and `people`."""

    @property
    def spec(self) -> dict[str, Any]:
        """The whole specification as plain data: `make_grader` makes the same grader of it."""

    @property
    def sentence(self) -> str:
        """When an answer is right, in one plain sentence."""

    def grade(self, answer: str, *, gold: str | None = None, reference: str | None = None) -> Grade:
        """The grade of an answer, given the gold answer and the answer of the model in use where it needs them."""


class Spec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """A grader as data: its options are its fields, checked and typed when it is made."""

    @property
    def kind(self) -> str:
        """The name of the kind."""
        return str(self.__struct_config__.tag)

    @property
    def needs(self) -> frozenset[str]:
        """Nothing but the answer, unless a kind says otherwise."""
        return frozenset()

    @property
    def spec(self) -> dict[str, Any]:
        """Every option, those left at their default too."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain
