"""Reads the list of models that an account may use."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from core.prices import OfferedModel

if TYPE_CHECKING:
    from anthropic.types import ModelInfo


def offered(entries: "Iterable[ModelInfo]") -> list[OfferedModel]:
    """The models of a listing, in its order. Fields that a later API adds are passed over."""
    return [_offered(entry) for entry in entries]


def _offered(entry: "ModelInfo") -> OfferedModel:
    # The SDK builds answers without checking them: a field may be missing, or of another kind than declared.
    told: Mapping[str, Any] = entry.to_dict(mode="python", warnings=False)
    return OfferedModel(
        id=str(told["id"]),
        display_name=str(told.get("display_name") or told["id"]),
        line=told.get("line"),
        lifecycle=str(told.get("lifecycle") or "active"),
        deprecated_at=_time(told.get("deprecated_at")),
        retires_at=_time(told.get("retires_at")),
        max_input_tokens=_count(told.get("max_input_tokens")),
        max_tokens=_count(told.get("max_tokens")),
        batch=_supported(told.get("capabilities"), "batch"),
    )


def _time(told: object) -> datetime | None:
    if not isinstance(told, datetime):
        return None
    return told.astimezone(UTC) if told.tzinfo else told.replace(tzinfo=UTC)


def _count(told: object) -> int | None:
    return told if isinstance(told, int) and not isinstance(told, bool) else None


def _supported(capabilities: object, name: str) -> bool:
    """Whether a capability is told as supported; an account whose API tells none is not kept from trying."""
    if not isinstance(capabilities, Mapping):
        return True
    told = capabilities.get(name)
    return bool(isinstance(told, Mapping) and told.get("supported"))
