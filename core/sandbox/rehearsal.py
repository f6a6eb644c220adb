"""Faults that come by themselves, at the rates of the options, for users who rehearse how their client copes."""

import itertools
from collections.abc import Mapping
from typing import Final

from core.sandbox.faults import CreateFault, ResultsFault
from core.sandbox.options import SandboxOptions
from core.sandbox.outcomes import Draw

_SERVER_ERRORS: Final = (
    CreateFault.ERROR_500_AFTER_COMMIT,
    CreateFault.ERROR_502_AFTER_COMMIT,
    CreateFault.TIMEOUT_504_AFTER_COMMIT,
    CreateFault.OVERLOADED_AFTER_COMMIT,
)
_TRUNCATED: Final = (ResultsFault.CUT_CONNECTION, ResultsFault.CUT_LINE, ResultsFault.FEWER_LINES)


class Rehearsal:
    """Draws by the seed and the number of the call: the same calls in the same order meet the same faults."""

    def __init__(self, options: SandboxOptions) -> None:
        self._options = options
        self._creates, self._downloads, self._batches = (itertools.count(1) for _ in range(3))
        self._not_found_yet: set[str] = set()

    def next_create(self) -> CreateFault | None:
        """The fault of this create."""
        draw = self._draw("create", next(self._creates))
        rates: Mapping[CreateFault, float] = {
            CreateFault.DROP_AFTER_COMMIT: self._options.drop_rate,
            CreateFault.HANG_AFTER_COMMIT: self._options.hang_rate,
            _SERVER_ERRORS[draw.lane(1) % len(_SERVER_ERRORS)]: self._options.server_error_rate,
        }
        left = draw.share(0)
        for fault, rate in rates.items():
            if left < rate:
                return fault
            left -= rate
        return None

    def next_results(self) -> ResultsFault | None:
        """The fault of this download."""
        draw = self._draw("results", next(self._downloads))
        if draw.share(0) >= self._options.truncated_results_rate:
            return None
        return _TRUNCATED[draw.lane(1) % len(_TRUNCATED)]

    def created(self, batch_id: str) -> None:
        """Draw whether the first look at this new batch will find nothing."""
        if self._draw("batch", next(self._batches)).share(0) < self._options.early_404_rate:
            self._not_found_yet.add(batch_id)

    def next_retrieve_missing(self, batch_id: str) -> bool:
        """Whether this look finds nothing although the batch exists."""
        if batch_id not in self._not_found_yet:
            return False
        self._not_found_yet.discard(batch_id)
        return True

    def _draw(self, what: str, number: int) -> Draw:
        return Draw.of(self._options.seed, number, f"rehearsal of {what}")
