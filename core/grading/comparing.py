"""Graders that compare an answer with one that is known to be right, or with that of the model in use."""

from abc import abstractmethod
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from core.grading.grade import BadGrader, Grade, Spec
from core.grading.numbers import DecimalMark, Place, near, number_in
from core.grading.part import NoSuchPart, canonical, json_of, part_of, steps_of, true_part
from core.grading.texts import normalised


class Comparison(Spec, frozen=True, kw_only=True):
    """Compares whole answers, or one `field` of their JSON, which may stand in a code fence where `fenced`."""

    field: str | None = None
    fenced: bool = False

    @property
    def needs(self) -> frozenset[str]:
        """The gold answer."""
        return frozenset(("gold",))

    def __post_init__(self) -> None:
        if self.field is not None:
            steps_of(self.field)

    @property
    def sentence(self) -> str:
        """When an answer is right."""
        return f"An answer is right where {self.told('the gold answer')}."

    def grade(self, answer: str, *, gold: str | None = None, reference: str | None = None) -> Grade:
        """Right where the answer says the same as the gold answer."""
        return self.compared(answer, gold, "gold answer", true_part)

    def compared(self, answer: str, true: str | None, name: str, part: Callable[..., str] = part_of) -> Grade:
        """Right where the answer says the same as the true one, of which `part` takes the field.

        A true answer that cannot be read leaves the answer ungraded; an answer that cannot be read is wrong.
        """
        if true is None:
            return Grade(correct=None, note=f"There is no {name} for this item.")
        try:
            expected = self._read(part(true, self.field, fenced=self.fenced))
        except NoSuchPart as error:
            return Grade(correct=None, note=f"The {name} {error.message}.")
        try:
            found = self._read(part_of(answer, self.field, fenced=self.fenced))
        except NoSuchPart as error:
            return Grade(correct=False, note=f"The answer {error.message}.")
        same = self._same(found, expected)
        return Grade(correct=same, note="" if same else f"It differs from the {name}.")

    def told(self, true: str) -> str:
        """What makes an answer right, as the end of a sentence; `true` names what it is compared with."""
        part = "it" if self.field is None else f"its field {self.field}"
        return f"{part} {self._relation()} {true}"

    @abstractmethod
    def _read(self, part: str) -> Any:
        """What of a part is compared. Raises `NoSuchPart`."""

    @abstractmethod
    def _relation(self) -> str:
        """The verb of the sentence."""

    def _same(self, found: Any, expected: Any) -> bool:
        return bool(found == expected)


class Exact(Comparison, frozen=True, kw_only=True, tag="exact"):
    """The same text, to the character."""

    def _read(self, part: str) -> str:
        return part

    def _relation(self) -> str:
        return "is, to the character,"


class Normalised(Comparison, frozen=True, kw_only=True, tag="normalised"):
    """The same text but for white space, compatible characters, case and the punctuation around it.

    `case` and `punctuation`: whether that counts.
    """

    case: bool = False
    punctuation: bool = False

    def _read(self, part: str) -> str:
        return normalised(part, case=self.case, punctuation=self.punctuation)

    def _relation(self) -> str:
        ignored = ["spacing", *(["case"] * (not self.case)), *(["outer punctuation"] * (not self.punctuation))]
        return f"is, leaving aside {_listed(ignored)},"


class Json(Comparison, frozen=True, kw_only=True, tag="json"):
    """The same JSON value, in whatever order of keys and with whatever spacing."""

    def _read(self, part: str) -> str:
        return part if self.field is not None else canonical(json_of(part, fenced=self.fenced))

    def _relation(self) -> str:
        return "is the same JSON value as"


class Numeric(Comparison, frozen=True, kw_only=True, tag="numeric"):
    """A number within a tolerance of the true one: `absolute`, or `relative` as a share of that; the wider counts.

    `take`: the first or last number of a text. `decimal`: the decimal mark in use.
    """

    absolute: float = 0.0
    relative: float = 0.0
    take: Place = "last"
    decimal: DecimalMark = "."

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("absolute", "relative"):
            value = getattr(self, name)
            if not 0 <= value < float("inf"):
                raise BadGrader(option=name, value=value, why="a tolerance is a number from 0 on")

    def _read(self, part: str) -> Decimal:
        return number_in(part, take=self.take, decimal=self.decimal)

    def _same(self, found: Decimal, expected: Decimal) -> bool:
        return near(found, expected, absolute=self.absolute, relative=self.relative)

    def _relation(self) -> str:
        tolerances = [f"{self.absolute:g}"] * (self.absolute > 0) + [f"{self.relative:.4g} of it"] * (self.relative > 0)
        number = f"has as its {self.take} number"
        return f"{number} one within {' or '.join(tolerances)} of that of" if tolerances else f"{number} that of"


class Agreement(Spec, frozen=True, kw_only=True, tag="agreement"):
    """Compares with the answer of the model in use, `by` one of the ways above."""

    by: Normalised | Exact | Json | Numeric = Normalised()

    @property
    def needs(self) -> frozenset[str]:
        """The answer of the model in use."""
        return frozenset(("reference",))

    @property
    def sentence(self) -> str:
        """When an answer is right."""
        return f"An answer is right where {self.by.told('the answer of the model in use')}."

    def grade(self, answer: str, *, gold: str | None = None, reference: str | None = None) -> Grade:
        """Right where the answer says the same as that of the model in use."""
        return self.by.compared(answer, reference, "answer of the model in use")


def _listed(words: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
