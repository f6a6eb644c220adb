"""The demo's company as data: its classes of work, read from `scenario.toml`."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

from core.prices import PriceBook, UnpricedModel

DAYS = 90
ADOPTION = timedelta(days=4)


@dataclass(frozen=True, kw_only=True)
class Former:
    """What a class was until some days before the end: other lengths, another cap."""

    until: int
    prefix_chars: int | None = None
    suffix_chars: int | None = None
    output_tokens: int | None = None
    max_tokens: int | None = None

    def stated(self) -> dict[str, int]:
        """The fields that were otherwise."""
        return {name: value for name, value in vars(self).items() if name != "until" and value is not None}


@dataclass(frozen=True, kw_only=True)
class Spell:
    """Some days, counted from the end, on which there was so many times the work, or such a share was refused."""

    since: int
    until: int
    items: float = 1.0
    refused: float = 0.0

    def covers(self, age: timedelta) -> bool:
        """Whether it was on so long before the end."""
        return timedelta(days=self.until) < age <= timedelta(days=self.since)


@dataclass(frozen=True, kw_only=True)
class ClassOfWork:
    """One class of the company's work as it is now; the fields are explained at the head of `scenario.toml`."""

    key: str
    name: str
    source: str
    item: str
    team: str
    models: tuple[str, ...]
    days: tuple[int, ...]
    weekend: float
    hour: float
    items: int
    growth: float
    prefix_chars: int
    suffix_chars: int
    output_tokens: int
    max_tokens: int
    primed: int
    role: str
    task: str
    labels: tuple[str, ...]
    rules: tuple[str, ...]
    sentences: tuple[str, ...]
    broken: int = 0
    baseline: str = ""
    answer: str = ""
    former: tuple[Former, ...] = ()
    spells: tuple[Spell, ...] = ()

    def at(self, age: timedelta) -> "ClassOfWork":
        """The class as it was so long before the end."""
        return _as_it_was(self, sum(age >= timedelta(days=one.until) for one in self.former))

    def spell(self, age: timedelta) -> Spell:
        """What was special so long before the end."""
        return next((one for one in self.spells if one.covers(age)), _ORDINARY)

    def model_at(self, at: datetime, book: PriceBook) -> str:
        """The model in use then: the first one that had been on sale for some days."""
        for model in self.models[:-1]:
            try:
                book.rates(model, at=at - ADOPTION)
            except UnpricedModel:
                continue
            return model
        return self.models[-1]


@cache
def classes() -> tuple[ClassOfWork, ...]:
    """Every class of work, in the order of the file."""
    text = files("core.demo").joinpath("scenario.toml").read_text("utf-8")
    return tuple(ClassOfWork(**_hashable(table)) for table in tomllib.loads(text)["class"])


@cache
def _as_it_was(work: ClassOfWork, changes: int) -> ClassOfWork:
    """Before so many of its changes, the latest of which stands first."""
    stated: dict[str, Any] = {name: value for one in work.former[:changes] for name, value in one.stated().items()}
    return replace(work, **stated)


_ORDINARY = Spell(since=0, until=0)
_ROWS: dict[str, type[Former] | type[Spell]] = {"former": Former, "spells": Spell}


def _hashable(table: Mapping[str, Any]) -> dict[str, Any]:
    rows = {name: tuple(kind(**row) for row in table.get(name, ())) for name, kind in _ROWS.items()}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in table.items()} | rows
