"""The models that the local server knows, with what each of them refuses."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from core.prices import Model, PriceBook, UnknownModel

# Migration guide and model pages of 2026-09: Opus 5.5, Sonnet 5.5 and Fable 5.1 refuse a forced tool.
_NO_FORCED_TOOL = {("opus", (5, 5)), ("sonnet", (5, 5)), ("fable", (5, 1))}
_EPOCH = "1970-01-01T00:00:00Z"  # what the API sends, too, for a model whose release date is not known
_VERSION = re.compile(r"(\d+)(?:\.(\d+))?$")


@dataclass(frozen=True, slots=True)
class Traits:
    """What a model refuses, by its line and version (documented; each refusal is a late error in a batch)."""

    fixed_sampling: bool
    """temperature, top_p and top_k must keep their defaults."""
    no_forced_tool: bool
    no_prefill: bool
    no_thinking_budget: bool
    """`thinking: {type: enabled}` is refused."""
    us_only_on_request: bool
    """`inference_geo: us` is understood."""

    @classmethod
    def of(cls, model: Model) -> "Traits":
        """The traits of a model; the version is read from its display name, ids differ too much."""
        found = _VERSION.search(model.display_name)
        version = (int(found[1]), int(found[2] or 0)) if found else (0, 0)
        return cls(
            fixed_sampling=version == (5, 5),
            no_forced_tool=(model.line, version) in _NO_FORCED_TOOL,
            no_prefill=version >= (4, 6),
            no_thinking_budget=version >= (4, 7),
            us_only_on_request=version >= (4, 6),
        )


class Catalogue:
    """Models by id, alias or snapshot id."""

    def __init__(self, book: PriceBook | None = None) -> None:
        self._book = book or PriceBook.load()
        self._traits = {model.id: Traits.of(model) for model in self._book.models()}
        self._named: dict[str, Model | None] = {}

    def find(self, name: str) -> Model | None:
        """The model of that name, or None where there is no such model or it is retired."""
        if name not in self._named:
            if len(self._named) > 10_000:  # names come from requests: a bad file must not fill the memory
                self._named.clear()
            self._named[name] = self._look_up(name)
        model = self._named[name]
        return None if model is None or model.lifecycle == "retired" else model

    def traits(self, model: Model) -> Traits:
        """What this model refuses."""
        return self._traits[model.id]

    def entry(self, name: str) -> dict[str, Any] | None:
        """The ModelInfo of a model, retired ones included."""
        model = self._look_up(name)
        return None if model is None else _info(model, self._traits[model.id])

    def entries(self, lifecycles: Sequence[str]) -> list[dict[str, Any]]:
        """The ModelInfo of every model in one of these stages, in the order of the price book."""
        kept: Iterable[Model] = (m for m in self._book.models() if m.lifecycle in lifecycles)
        return [_info(model, self._traits[model.id]) for model in kept]

    def _look_up(self, name: str) -> Model | None:
        try:
            return self._book.model(name)
        except UnknownModel:
            return None


def _info(model: Model, traits: Traits) -> dict[str, Any]:
    yes, no = {"supported": True}, {"supported": False}
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.display_name,
        "created_at": _EPOCH,
        "lifecycle": model.lifecycle,
        "deprecated_at": None,  # the price book does not know the day
        "retires_at": None,
        "line": model.line,
        "max_input_tokens": model.max_input_tokens,
        "max_tokens": model.max_tokens,
        "capabilities": {
            "batch": yes,
            "citations": yes,
            "code_execution": no,
            "context_management": {"supported": False},
            "effort": {"supported": False, "low": no, "medium": no, "high": no, "max": no},
            "image_input": yes,
            "pdf_input": yes,
            "server_tools": {"supported": False, "code_execution": no, "web_search": no},
            "structured_outputs": yes,
            "thinking": {
                "supported": True,
                "types": {
                    "adaptive": yes,
                    "between_tools": yes,
                    "disabled": yes,
                    "enabled": no if traits.no_thinking_budget else yes,
                },
            },
        },
    }
