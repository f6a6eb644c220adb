"""The demo's company as data: its classes of work, read from `scenario.toml`."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

from core.prices import PriceBook, UnpricedModel

DAYS = 90
ADOPTION = timedelta(days=4)


@dataclass(frozen=True, kw_only=True)
class ClassOfWork:
    """One class of the company's work; the fields are explained at the head of `scenario.toml`."""

    key: str
    name: str
    source: str
    item: str
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
    answer: str = ""

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


def _hashable(table: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in table.items()}
