"""Errors in the shape of the API: one exception that every endpoint may raise."""

from collections.abc import Mapping
from typing import Any

from core.sandbox.corners import Corner


class WireError(Exception):
    """An error answer of the local server: HTTP status, error type, message and extra headers."""

    def __init__(
        self,
        status: int,
        kind: str,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message
        self.details = details
        self.headers = dict(headers or {})

    @classmethod
    def at(cls, corner: Corner, **names: object) -> "WireError":
        """The answer that the table of undocumented corners gives."""
        answer = corner.value
        return cls(answer.status, answer.type, answer.message.format(**names))

    @classmethod
    def bad_request(cls, message: str) -> "WireError":
        """A 400 of the commonest type."""
        return cls(400, "invalid_request_error", message)


def error_body(
    kind: str, message: str, request_id: str | None, details: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The documented error object, as it stands in an answer and in an errored result."""
    error: dict[str, Any] = {"type": kind, "message": message}
    if details:
        error["details"] = dict(details)
    return {"type": "error", "error": error, "request_id": request_id}
