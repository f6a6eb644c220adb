"""Where the documentation of the Message Batches API is silent, and what the local server does there.

One table, so that nobody takes a choice of ours for a fact about the API.
"""

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Answer:
    """The status, error type and message of one undocumented refusal."""

    status: int
    type: str
    message: str


class Corner(Enum):
    """Undocumented refusals. `{id}` and the like are filled in where the error is raised."""

    CANCEL_ENDED = Answer(400, "invalid_request_error", "Batch {id} has ended; only a running batch can be canceled.")
    DELETE_RUNNING = Answer(400, "invalid_request_error", "Batch {id} is still running; cancel it before deleting it.")
    RESULTS_EARLY = Answer(400, "invalid_request_error", "Batch {id} has not ended; its results are not available yet.")
    RESULTS_ARCHIVED = Answer(404, "not_found_error", "The results of batch {id} are no longer kept.")
    RANGE_BEYOND = Answer(416, "invalid_request_error", "Range: the results have {size} bytes.")
    BAD_LIMIT = Answer(400, "invalid_request_error", "limit: must be a whole number from 1 to 1000.")
    TWO_CURSORS = Answer(400, "invalid_request_error", "Only one of after_id and before_id may be given.")
    UNKNOWN_CURSOR = Answer(404, "not_found_error", "No object with id {id} to page from.")
    UNKNOWN_BATCH = Answer(404, "not_found_error", "Message batch {id} not found.")
    REQUEST_RATE = Answer(
        429,
        "rate_limit_error",
        "Simulated: this request would exceed your organization's rate limit of {limit} batch requests per minute.",
    )
    QUEUE_FULL = Answer(
        429,
        "rate_limit_error",
        "Simulated: {count} more requests would exceed your organization's limit of {limit} requests in the batch "
        "processing queue; {queued} are in it.",
    )
    MISSING_VERSION = Answer(400, "invalid_request_error", "anthropic-version: header is required.")


CHOICES = {
    "cancel twice": "the second cancel of a running batch changes nothing and answers with the batch",
    "end of a canceled batch": "`canceling` for a simulated second, then until its running items end",
    "order of starts": "items start as they were sent; batches share the width in turn, one item each",
    "start of a response": "after a quarter of the item's duration; its cache writes are readable from then",
    "5 m mark, 1 h entry": "a mark reads an entry of either lifetime; a read keeps the entry's own lifetime",
    "refreshing": "a read refreshes the entry it hit and the shorter entries at the request's own marks",
    "cache of Messages": "apart from that of batches: a batch was seen not to read what a direct call wrote",
    "failed items": "an item that errors, expires or is canceled neither reads nor writes the cache",
    "refused items": "refused before any output: empty content, 0 output tokens, input and cache as usual",
    "expired items": "those drawn to expire end when their turn comes; all that wait at expires_at expire",
    "retention": "at its end archived_at is set, results_url is null again, the results are 404",
    "part of the results": "`Range: bytes=N-`, with If-Range, gives the rest; another form of Range is ignored",
    "queue": "a request leaves it when it ends; a create that would overfill it is refused whole, without retry-after",
    "request rate": "a minute's worth may come at once; every call under /v1/messages/batches counts, refused or not",
    "no credit": "items whose turn comes end errored as invalid_request_error; creates and direct messages are 400",
    "MB": "10^6 bytes, the stricter reading: a body over 256,000,000 bytes is refused",
    "usage reports": "only what is billed counts, at its batch's creation (or end, by option); cost is exact",
    "tokens": "characters / the model's average, rounded up per block; images and documents are flat",
    "thinking": "never simulated: thinking_tokens is 0",
    "request fields": "fields that the server does not know are ignored, not refused",
}
"""Other behaviour chosen by us, as sentences for the documentation."""
