"""Labels by people: an answer is right where those who read it say so and agree."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from core.grading.grade import Grade, Spec

K = TypeVar("K", bound=Hashable)
V = TypeVar("V", bound=Hashable)


class People(Spec, frozen=True, kw_only=True, tag="people"):
    """People read the answers side by side, without knowing which model gave which."""

    @property
    def needs(self) -> frozenset[str]:
        """People who read it."""
        return frozenset(("people",))

    @property
    def sentence(self) -> str:
        """When an answer is right."""
        return "An answer is right where the people who read it, not knowing which model gave it, say so."

    def grade(self, answer: str, *, gold: str | None = None, reference: str | None = None) -> Grade:
        """Never graded here: a person has to look."""
        return Grade(correct=None, note="A person has to read it.")


@dataclass(frozen=True, kw_only=True)
class Settled(Generic[K, V]):
    """What people agree on, and what they do not: a disputed answer is no label until they do."""

    agreed: dict[K, V]
    disputed: tuple[K, ...]


def settle(labels: Iterable[tuple[K, str, V]]) -> Settled[K, V]:
    """Labels as (answer, person, value), oldest first: a person's last word counts, and all who spoke must agree."""
    said: dict[K, dict[str, V]] = {}
    for answer, person, value in labels:
        said.setdefault(answer, {})[person] = value
    values = {answer: set(by_person.values()) for answer, by_person in said.items()}
    return Settled(
        agreed={answer: next(iter(kinds)) for answer, kinds in values.items() if len(kinds) == 1},
        disputed=tuple(answer for answer, kinds in values.items() if len(kinds) > 1),
    )
