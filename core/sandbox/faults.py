"""Faults to inject: each is used up once, in order, so a test says exactly what goes wrong and when."""

from collections import deque
from collections.abc import Iterable
from enum import Enum


class CreateFault(Enum):
    """What goes wrong with one create."""

    DROP_BEFORE_COMMIT = "no batch, the connection closes without an answer"
    DROP_AFTER_COMMIT = "the batch exists, the connection closes without an answer"
    LATE_COMMIT = "the connection closes without an answer; the batch comes to exist `late_seconds` later"
    SLOW = "the batch exists, the usual answer comes after `slow_seconds`"
    ERROR_500_BEFORE_COMMIT = "no batch, the answer is a 500"
    ERROR_500_AFTER_COMMIT = "the batch exists, the answer is a 500"
    ERROR_502_AFTER_COMMIT = "the batch exists, a proxy in front of the API answers with a 502 page"
    TIMEOUT_504_AFTER_COMMIT = "the batch exists, the answer is a 504"
    OVERLOADED_AFTER_COMMIT = "the batch exists, the answer is a 529"
    HANG_AFTER_COMMIT = "the batch exists, no answer comes until the client gives up"
    RATE_LIMITED = "no batch; 429 with retry-after"
    RATE_LIMITED_BARE = "no batch; 429 without retry-after"
    SPEND_LIMIT = "no batch; 429 with error_code enforced_spend_limit_reached"
    CREDIT_TOO_LOW = "no batch; 400 whose message says that the credit balance is too low"
    OVERLOADED = "no batch; 529"
    TOO_LARGE_HTML = "no batch; 413 with an HTML body, as a proxy in front of the API answers"


class ResultsFault(Enum):
    """What goes wrong with one download of results."""

    FEWER_LINES = "the second half of the lines is missing and nothing says so"
    EMPTY = "no lines at all, and nothing says so"
    CUT_LINE = "the body ends in the middle of a line"
    CUT_CONNECTION = "the connection closes half way"
    DUPLICATED = "the first line comes twice"
    FOREIGN_ID = "one more line has a custom_id that was never sent"
    MISSING_ID = "one line is missing"
    MALFORMED = "a line in the middle is not JSON"
    REORDERED = "the lines come in another order: harmless, because the order was never promised"


class Faults:
    """The faults still to come. Append to `creates` and `results` at any time; the oldest strikes first."""

    def __init__(
        self,
        *,
        creates: Iterable[CreateFault] = (),
        results: Iterable[ResultsFault] = (),
        missing_retrieves: int = 0,
        latency_seconds: float = 0.0,
        hang_seconds: float = 30.0,
        retry_after_seconds: float = 1.0,
        slow_seconds: float = 1.0,
        late_seconds: float = 30.0,
        list_lag_seconds: float = 0.0,
        retrieve_lag_seconds: float = 0.0,
        credit_exhausted: bool = False,
    ) -> None:
        self.creates = deque(creates)
        self.results = deque(results)
        self.missing_retrieves = missing_retrieves
        """How many of the next retrieves answer 404, as if the batch had not reached every replica yet."""
        self.latency_seconds = latency_seconds
        """Real seconds that every answer is delayed."""
        self.hang_seconds = hang_seconds
        self.retry_after_seconds = retry_after_seconds
        self.slow_seconds = slow_seconds
        """Real seconds that a slow create takes to answer."""
        self.late_seconds = late_seconds
        """Seconds on the server's clock until a late batch exists."""
        self.list_lag_seconds = list_lag_seconds
        """Seconds on the server's clock that a new batch is missing from lists."""
        self.retrieve_lag_seconds = retrieve_lag_seconds
        """Seconds on the server's clock that a new batch is not found by its id."""
        self.credit_exhausted = credit_exhausted
        """While true, creates are refused and items whose turn comes end errored, for want of credit."""

    def next_create(self) -> CreateFault | None:
        """The fault of this create, used up."""
        return self.creates.popleft() if self.creates else None

    def next_results(self) -> ResultsFault | None:
        """The fault of this download, used up."""
        return self.results.popleft() if self.results else None

    def next_retrieve_missing(self) -> bool:
        """Whether this retrieve finds nothing, used up."""
        if self.missing_retrieves <= 0:
            return False
        self.missing_retrieves -= 1
        return True
