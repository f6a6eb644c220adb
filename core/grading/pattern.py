"""Patterns in answers, by regular expressions that take time in proportion to the text, whatever they are."""

import polars as pl

from core.grading.grade import BadGrader, Grade, Spec
from core.grading.part import NoSuchPart, part_of, steps_of


class Regex(Spec, frozen=True, kw_only=True, tag="regex"):
    """The `pattern` is found in the answer, or is all of it where `whole`; in one `field` of its JSON if named."""

    pattern: str
    whole: bool = False
    field: str | None = None
    fenced: bool = False

    def __post_init__(self) -> None:
        require_pattern(self.pattern)
        if self.field is not None:
            steps_of(self.field)

    @property
    def sentence(self) -> str:
        """When an answer is right."""
        part = "it" if self.field is None else f"its field {self.field}"
        return (
            f"An answer is right where {part} {'is' if self.whole else 'holds'} what the pattern {self.pattern} says."
        )

    def grade(self, answer: str, *, gold: str | None = None, reference: str | None = None) -> Grade:
        """Right where the pattern is found."""
        try:
            part = part_of(answer, self.field, fenced=self.fenced)
        except NoSuchPart as error:
            return Grade(correct=False, note=f"The answer {error.message}.")
        correct = is_found(rf"\A(?:{self.pattern})\z" if self.whole else self.pattern, part)
        return Grade(correct=correct, note="" if correct else "It does not match the pattern.")


def require_pattern(pattern: str) -> None:
    """Refuse what is no pattern. Raises `BadGrader`."""
    try:
        is_found(pattern, "")
    except pl.exceptions.ComputeError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.startswith("error:")]
        why = (lines[0] if lines else str(error).partition("\n")[0]).removeprefix("error: ")
        raise BadGrader(pattern=pattern, why=why) from error


def is_found(pattern: str, text: str) -> bool:
    """Whether a checked pattern is found in a text.

    Python's own engine may take for ever on a harmless pattern, and holds the whole process meanwhile. That of Rust
    (behind Polars) never does; it knows neither look-around nor back references.
    """
    return bool(pl.Series([text.encode(errors="replace").decode()]).str.contains(pattern)[0])
