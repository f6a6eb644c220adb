"""What goes wrong in the demo: the causes, what the API says about them, and which slices are still open."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, kw_only=True)
class Cause:
    """One kind of failure as an attempt records it."""

    cause: str
    outcome: str
    action: str
    message: str | None = None
    stop_reason: str | None = None


EXPIRED = Cause(cause="expired", outcome="expired", action="resubmit")
OVERLOADED = Cause(cause="overloaded_error", outcome="errored", action="resubmit", message="Overloaded")
INTERNAL = Cause(cause="api_error", outcome="errored", action="resubmit", message="Internal server error")
INVALID = Cause(
    cause="invalid_request_error",
    outcome="errored",
    action="edit",
    message="max_tokens: {asked} > {most}, which is the maximum allowed number of output tokens for {model}",
)
TOO_MANY_TOKENS = 200_000
"""What the requests that fail as invalid ask for: more output than any model gives."""

TRUNCATED = Cause(cause="max_tokens", outcome="succeeded", action="edit", stop_reason="max_tokens")
REFUSED = Cause(cause="refusal", outcome="succeeded", action="decide", stop_reason="refusal")
"""Refused in the middle of an answer: what was written until then is billed."""

# Faults of the past, drawn for one body in eight: cause, how often, least and largest share of the job.
PAST = (
    (OVERLOADED, 0.4, 0.02, 0.10),
    (EXPIRED, 0.2, 0.06, 0.25),
    (INTERNAL, 0.15, 0.01, 0.05),
    (TRUNCATED, 0.25, 0.01, 0.05),
)
PAST_SHARE = 0.125


@dataclass(frozen=True, kw_only=True)
class OpenSlice:
    """A recent body of a class whose failures nobody has repaired yet."""

    key: str
    age: timedelta
    slices: tuple[tuple[Cause, float], ...]


OPEN = (
    OpenSlice(key="calls", age=timedelta(hours=26), slices=((EXPIRED, 0.16),)),
    OpenSlice(key="triage", age=timedelta(hours=3), slices=((OVERLOADED, 0.15),)),
    OpenSlice(key="contracts", age=timedelta(hours=3), slices=((INVALID, 0.06), (TRUNCATED, 0.08))),
)
