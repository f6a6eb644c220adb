"""What becomes of an item: drawn from a hash of seed, batch and custom_id, so it depends on nothing else.

Neither the order of items nor a restart changes a draw; the same item sent in another batch is drawn anew.
"""

from dataclasses import dataclass
from enum import IntEnum
from math import exp
from statistics import NormalDist

from xxhash import xxh3_128_intdigest

from core.sandbox.options import SandboxOptions
from core.sandbox.params import Problem

_LANE = 0xFFFFFFFF
_NORMAL = NormalDist()
_MIN_US = 4  # so that a response begins after its start and ends after it begins, at any time scale

RETRYABLE = (
    Problem("api_error", "Simulated: Internal server error"),
    Problem("overloaded_error", "Simulated: Overloaded"),
)
NO_CREDIT = Problem("invalid_request_error", "Your credit balance is too low to access the Anthropic API. (Simulated)")
"""Typed as a wrong request, by the API too: only its wording tells that the account is what needs a change."""
REFUSAL_CATEGORIES = ("cyber", "bio", "frontier_llm", "reasoning_extraction", "general_harms", None)


class Outcome(IntEnum):
    """How an item ended."""

    PROCESSING = 0
    SUCCEEDED = 1
    TRUNCATED = 2
    """Succeeded, cut at max_tokens."""
    REFUSED = 3
    """Succeeded, with a refusal instead of output."""
    FAILED = 4
    """Errored, by a drawn server error."""
    INVALID = 5
    """Errored, by its own params."""
    CANCELED = 6
    EXPIRED = 7
    UNPAID = 8
    """Errored, because the credit was used up."""

    @property
    def status(self) -> str:
        """The name of the count it goes to."""
        return _STATUS[self]

    @property
    def charged(self) -> bool:
        """Whether the model ran: input is read from and written to the cache."""
        return self in (Outcome.SUCCEEDED, Outcome.TRUNCATED, Outcome.REFUSED)


_STATUS = {
    Outcome.PROCESSING: "processing",
    Outcome.SUCCEEDED: "succeeded",
    Outcome.TRUNCATED: "succeeded",
    Outcome.REFUSED: "succeeded",
    Outcome.FAILED: "errored",
    Outcome.INVALID: "errored",
    Outcome.CANCELED: "canceled",
    Outcome.EXPIRED: "expired",
    Outcome.UNPAID: "errored",
}
STATUSES = ("processing", "succeeded", "errored", "canceled", "expired")


@dataclass(frozen=True, slots=True)
class Draw:
    """The random numbers of one item: four independent lanes of its hash."""

    bits: int

    @classmethod
    def of(cls, seed: int, ordinal: int, custom_id: str) -> "Draw":
        """The draw of this item in this batch."""
        return cls(xxh3_128_intdigest(f"{seed}/{ordinal}/{custom_id}".encode()))

    def lane(self, number: int) -> int:
        """32 random bits."""
        return (self.bits >> (32 * number)) & _LANE

    def share(self, number: int) -> float:
        """A lane as a number between 0 and 1, both excluded."""
        return (self.lane(number) + 0.5) / (_LANE + 1)


def fate(draw: Draw, options: SandboxOptions) -> Outcome:
    """How the item ends once it is its turn."""
    left = draw.share(0)
    for rate, outcome in (
        (options.error_rate, Outcome.FAILED),
        (options.expiry_rate, Outcome.EXPIRED),
        (options.refusal_rate, Outcome.REFUSED),
        (options.truncation_rate, Outcome.TRUNCATED),
    ):
        if left < rate:
            return outcome
        left -= rate
    return Outcome.SUCCEEDED


def duration_us(draw: Draw, options: SandboxOptions) -> int:
    """How long the item runs, in real microseconds."""
    factor = exp(options.seconds_spread * _NORMAL.inv_cdf(draw.share(1)))
    return max(_MIN_US, options.scaled_us(options.seconds_per_item * factor))


def output_tokens(draw: Draw, outcome: Outcome, max_tokens: int, options: SandboxOptions) -> int:
    """How many tokens the item answers with; only a truncated one reaches max_tokens (if that is over 1)."""
    if outcome is Outcome.REFUSED or max_tokens == 0:
        return 0
    if outcome is Outcome.TRUNCATED:
        return max_tokens
    factor = exp(options.output_spread * _NORMAL.inv_cdf(draw.share(2)))
    return max(1, min(max_tokens - 1, round(options.output_share * max_tokens * factor)))


def drawn_error(draw: Draw) -> Problem:
    """Which server error a failed item met."""
    return RETRYABLE[draw.lane(3) % len(RETRYABLE)]


def refusal_category(draw: Draw) -> str | None:
    """Which category a refusal names."""
    return REFUSAL_CATEGORIES[draw.lane(3) % len(REFUSAL_CATEGORIES)]
