"""A model as the Models API offers it to an account today."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class OfferedModel:
    """A model on offer today; what the API does not say of it is None, never a guess. Times are aware UTC."""

    id: str
    display_name: str
    line: str | None
    """The tier, such as haiku; None for a model of no line."""
    lifecycle: str
    """active, deprecated or retired; a later word of the API is kept as it is."""
    deprecated_at: datetime | None
    retires_at: datetime | None
    """The day that is planned today; it may move until `lifecycle` says retired."""
    max_input_tokens: int | None
    max_tokens: int | None
    batch: bool
    """Whether it takes batches."""
