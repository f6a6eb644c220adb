"""The models that the local server knows, as its Models API tells of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from core.prices import Model, PriceBook, UnknownModel

_EPOCH = "1970-01-01T00:00:00Z"  # what the API sends, too, for a model whose release date is not known
_THINKING = ("adaptive", "between_tools", "disabled", "enabled")
_EFFORT = ("low", "medium", "high", "xhigh", "max")


class Catalogue:
    """Models by id, alias or snapshot id."""

    def __init__(self, book: PriceBook | None = None) -> None:
        self._book = book or PriceBook.load()
        self._named: dict[str, Model | None] = {}

    def find(self, name: str) -> Model | None:
        """The model of that name, or None where there is no such model or it is retired."""
        if name not in self._named:
            if len(self._named) > 10_000:  # names come from requests: a bad file must not fill the memory
                self._named.clear()
            self._named[name] = self._look_up(name)
        model = self._named[name]
        return None if model is None or model.lifecycle == "retired" else model

    def entry(self, name: str) -> dict[str, Any] | None:
        """The ModelInfo of a model, retired ones included."""
        model = self._look_up(name)
        return None if model is None else _info(model)

    def entries(self, lifecycles: Sequence[str]) -> list[dict[str, Any]]:
        """The ModelInfo of every model in one of these stages, in the order of the price book."""
        return [_info(model) for model in self._book.models() if model.lifecycle in lifecycles]

    def _look_up(self, name: str) -> Model | None:
        try:
            return self._book.model(name)
        except UnknownModel:
            return None


def _info(model: Model) -> dict[str, Any]:
    yes, no = {"supported": True}, {"supported": False}
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.display_name,
        "created_at": _EPOCH,
        "lifecycle": model.lifecycle,
        "deprecated_at": None,  # the price book does not know the day
        "retires_at": _iso(model.retires_at),
        "line": model.line,
        "max_input_tokens": model.max_input_tokens,
        "max_tokens": model.max_tokens,
        "capabilities": {
            "batch": yes,
            "citations": yes,
            "code_execution": no,
            "context_management": {"supported": False},
            "effort": _supported(_EFFORT, model.effort),
            "image_input": yes,
            "pdf_input": yes,
            "server_tools": {"supported": False, "code_execution": no, "web_search": no},
            "structured_outputs": yes,
            "thinking": {
                "supported": True,
                "types": {kind: no if f"thinking_{kind}" in model.refuses else yes for kind in _THINKING},
            },
        },
    }


def _supported(levels: Sequence[str], taken: Sequence[str]) -> dict[str, Any]:
    return {"supported": bool(taken), **{level: {"supported": level in taken} for level in levels}}


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")
