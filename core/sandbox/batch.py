"""A message batch of the local server: its requests in compact columns, its state, and its wire form."""

from array import array
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from xxhash import xxh3_128_hexdigest

from core.sandbox.options import SandboxOptions
from core.sandbox.outcomes import STATUSES, Outcome
from core.sandbox.params import Problem
from core.sandbox.prompt import Prefix

BATCH_PREFIX = "msgbatch_sim_"
"""Every batch id of the local server begins so: what belongs to it can be shown as simulated."""
WINDOW_US = 24 * 3600 * 1_000_000
DAY_US = WINDOW_US
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Answer(NamedTuple):
    """What kind of content a request gets: plain text, JSON text, or a call of a tool."""

    kind: str
    tool: str
    body: str
    choices: str = ""
    """Where the body has one of several values, as JSON: a list of a path and the values there."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What many requests of a batch have in common; kept once."""

    model: str
    max_tokens: int
    geo: str
    prefix: Prefix | None
    answer: Answer
    problem: Problem | None


@dataclass(slots=True)
class Draft:
    """The requests of a batch in columns: a hundred thousand of them take a few megabytes."""

    custom_ids: list[str] = field(default_factory=list)
    shape_of: "array[int]" = field(default_factory=lambda: array("L"))
    tokens: "array[int]" = field(default_factory=lambda: array("Q"))
    topics: "array[int]" = field(default_factory=lambda: array("Q"))
    """What sets an item apart, as a hash; 0 where its answer does not depend on it."""
    shapes: list[Shape] = field(default_factory=list)


class Batch:
    """One batch from its creation to its end."""

    def __init__(
        self,
        *,
        id: str,  # noqa: A002
        ordinal: int,
        accepted_us: int,
        created_us: int,
        total: int,
        draft: Draft | None,
    ) -> None:
        self.id = id
        self.ordinal = ordinal
        self.accepted_us = accepted_us
        """When its create call came: `created_us`, unless that was put off."""
        self.created_us = created_us
        self.total = total
        self.cancel_us: int | None = None
        self.ended_us: int | None = None
        self.counts: dict[str, int] | None = None
        """The final counts, once ended."""
        self.deleted = False
        self.draft = draft
        """The requests, dropped at the end: only the results file is needed from then on."""
        self.outcomes = bytearray(total if draft else 0)
        self.read, self.written_5m, self.written_1h = (array("Q", bytes(8 * total if draft else 0)) for _ in range(3))
        self.next = 0
        self.flying = 0
        self.settling = False
        """A cancel was asked for less than a simulated second ago."""
        self.live: Counter[str] = Counter()

    @property
    def expires_us(self) -> int:
        """The end of its 24 hours."""
        return self.created_us + WINDOW_US

    @property
    def waiting(self) -> bool:
        """Whether some items have not had their turn."""
        return self.next < self.total and self.cancel_us is None

    @property
    def queued(self) -> int:
        """How many of its requests wait or run."""
        return self.total - self.live.total() if self.ended_us is None else 0

    def listed(self, until_us: int) -> bool:
        """Whether a list that knows what happened until then has it."""
        return not self.deleted and self.created_us <= until_us

    def note(self, index: int, outcome: Outcome) -> None:
        """Record how an item ended."""
        self.outcomes[index] = outcome
        self.live[outcome.status] += 1

    def release(self) -> None:
        """Forget the requests: the batch has ended and its results are written."""
        self.draft = None
        self.outcomes = bytearray()
        self.read = self.written_5m = self.written_1h = array("Q")

    def archived_us(self, options: SandboxOptions) -> int:
        """When its results stop being kept."""
        return self.created_us + options.results_retention_days * DAY_US

    def wire(self, *, now_us: int, base_url: str, options: SandboxOptions) -> dict[str, Any]:
        """The MessageBatch object of the API."""
        ended_us = self.ended_us  # read once: another thread may end the batch meanwhile
        ended = ended_us is not None
        archived_us = self.archived_us(options)
        archived = ended and archived_us <= now_us
        return {
            "id": self.id,
            "type": "message_batch",
            "processing_status": "ended" if ended else "canceling" if self.cancel_us is not None else "in_progress",
            "request_counts": self._counts(options, ended=ended),
            "created_at": iso(self.created_us),
            "expires_at": iso(self.expires_us),
            "ended_at": _iso_or_none(ended_us),
            "cancel_initiated_at": _iso_or_none(self.cancel_us),
            "archived_at": iso(archived_us) if archived else None,
            "results_url": (f"{base_url}/v1/messages/batches/{self.id}/results" if ended and not archived else None),
        }

    def _counts(self, options: SandboxOptions, *, ended: bool) -> dict[str, int]:
        if ended and self.counts is not None:
            return self.counts
        if not options.live_counts:
            return {**dict.fromkeys(STATUSES, 0), "processing": self.total}
        counts = {status: self.live[status] for status in STATUSES}
        return {**counts, "processing": self.total - sum(counts.values())}


def batch_id(seed: int, ordinal: int, created_us: int) -> str:
    """An id that two runs of the server never share, although both count their batches from 1."""
    return f"{BATCH_PREFIX}{xxh3_128_hexdigest(f'{seed}/{ordinal}/{created_us}'.encode())[:24]}"


def microseconds(instant: datetime) -> int:
    """An aware instant as whole microseconds since 1970."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


def iso(us: int) -> str:
    """Microseconds since 1970 as the API writes an instant."""
    return (_EPOCH + timedelta(microseconds=us)).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _iso_or_none(us: int | None) -> str | None:
    return None if us is None else iso(us)
